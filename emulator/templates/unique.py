"""`uniqueString()`: Murmur's hash of 64 bits for machines of 32, in 13 letters; compared with Microsoft's compiler."""

_WORD = 0xFFFFFFFF
_FIRST, _SECOND = 0x239B961B, 0xAB0E9789
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def unique_string(*words: str) -> str:
    bits = _hash("-".join(words).encode())
    return "".join(_LETTERS[(bits << 5 * place & (1 << 64) - 1) >> 59] for place in range(13))


def _hash(data: bytes) -> int:
    one = other = 0
    whole = len(data) - len(data) % 8
    for at in range(0, whole, 8):
        one = _rotated(one ^ _first(data[at : at + 4]), 19)
        one = ((one + other) * 5 + 0x561CCD1B) & _WORD
        other = _rotated(other ^ _second(data[at + 4 : at + 8]), 13)
        other = ((other + one) * 5 + 0x0BCAA747) & _WORD
    one ^= _first(data[whole : whole + 4])
    other ^= _second(data[whole + 4 :])
    one, other = _sums(one ^ len(data), other ^ len(data))
    one, other = _sums(_mixed(one), _mixed(other))
    return other << 32 | one


def _first(data: bytes) -> int:
    return _rotated(int.from_bytes(data, "little") * _FIRST & _WORD, 15) * _SECOND & _WORD


def _second(data: bytes) -> int:
    return _rotated(int.from_bytes(data, "little") * _SECOND & _WORD, 17) * _FIRST & _WORD


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD


def _sums(one: int, other: int) -> tuple[int, int]:
    one = (one + other) & _WORD
    return one, (other + one) & _WORD


def _mixed(word: int) -> int:
    word = (word ^ word >> 16) * 0x85EBCA6B & _WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & _WORD
    return word ^ word >> 16
