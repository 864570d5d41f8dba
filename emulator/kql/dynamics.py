"""Scalar functions over dynamic values: arrays and property bags."""

from collections.abc import Iterable, Mapping
from typing import Any

from emulator.kql import values as v
from emulator.kql.function import Function, Kind
from emulator.kql.values import Type

_DYNAMIC, _JSON, _WHOLE, _TEXT = Kind.DYNAMIC, Kind.JSON, Kind.WHOLE, Kind.TEXT


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _keys(value: Any) -> list[str] | None:
    return list(value) if isinstance(value, dict) else None


def _index_of(array: Any, sought: Any) -> int | None:
    if not isinstance(array, list):
        return None
    return next((at for at, item in enumerate(array) if _same(item, sought)), -1)


def _same(a: Any, b: Any) -> bool:
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _holds(array: Any, sought: Any) -> bool | None:
    return any(_same(item, sought) for item in array) if isinstance(array, list) else None


def _concat(*arrays: Any) -> list[Any]:
    return [item for array in arrays for item in (array if isinstance(array, list) else [array])]


def _slice(array: Any, start: int, end: int) -> list[Any] | None:
    if not isinstance(array, list):
        return None
    end += len(array) if end < 0 else 0
    return array[start : end + 1] if start >= 0 else array[max(start + len(array), 0) : end + 1]


def _unique(items: Iterable[Any]) -> list[Any]:
    return list({v.hashable(item): item for item in items}.values())


def _union(*arrays: Any) -> list[Any]:
    return _unique(_concat(*arrays))


def _intersect(first: Any, *rest: Any) -> list[Any]:
    common = [{v.hashable(item) for item in _concat(array)} for array in rest]
    return [item for item in _unique(_concat(first)) if all(v.hashable(item) in keys for keys in common)]


def _difference(first: Any, *rest: Any) -> list[Any]:
    others = {v.hashable(item) for item in _concat(*rest)}
    return [item for item in _unique(_concat(first)) if v.hashable(item) not in others]


def _pack(*parts: Any) -> dict[str, Any]:
    return {v.to_string(key): value for key, value in zip(parts[::2], parts[1::2], strict=False)}


def _merge(*bags: Any) -> dict[str, Any]:
    """The first bag that has a key wins."""
    return {key: value for bag in reversed(bags) if isinstance(bag, dict) for key, value in bag.items()}


def _has_key(bag: Any, key: str) -> bool | None:
    return key in bag if isinstance(bag, dict) else None


def _join(array: Any, separator: str) -> str:
    return separator.join(map(v.to_string, array)) if isinstance(array, list) else ""


def _kind(value: Any) -> str:
    names = {dict: "dictionary", list: "array", str: "string", bool: "bool", int: "long", float: "double"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _sorted(array: Any) -> list[Any] | None:
    return sorted(array, key=lambda item: (item is None, v.to_string(item))) if isinstance(array, list) else None


DYNAMIC_FUNCTIONS: Mapping[str, Function] = {
    "parse_json": Function(Type.DYNAMIC, (Kind.ANY,), v.parse_json),
    "todynamic": Function(Type.DYNAMIC, (Kind.ANY,), v.parse_json),
    "array_length": Function(Type.LONG, (_DYNAMIC,), _length),
    "array_index_of": Function(Type.LONG, (_DYNAMIC, _JSON), _index_of),
    "array_concat": Function(Type.DYNAMIC, (_DYNAMIC,), _concat, repeats=True),
    "array_slice": Function(Type.DYNAMIC, (_DYNAMIC, _WHOLE, _WHOLE), _slice),
    "array_sort_asc": Function(Type.DYNAMIC, (_DYNAMIC,), _sorted),
    "bag_keys": Function(Type.DYNAMIC, (_DYNAMIC,), _keys),
    "bag_has_key": Function(Type.BOOL, (_DYNAMIC, _TEXT), _has_key),
    "bag_merge": Function(Type.DYNAMIC, (_DYNAMIC, _DYNAMIC), _merge, repeats=True, takes_null=True),
    "bag_pack": Function(Type.DYNAMIC, (_JSON, _JSON), _pack, repeats=True, takes_null=True),
    "pack": Function(Type.DYNAMIC, (_JSON, _JSON), _pack, repeats=True, takes_null=True),
    "pack_array": Function(Type.DYNAMIC, (_JSON,), lambda *items: list(items), repeats=True, takes_null=True),
    "set_has_element": Function(Type.BOOL, (_DYNAMIC, _JSON), _holds),
    "set_union": Function(Type.DYNAMIC, (_DYNAMIC, _DYNAMIC), _union, repeats=True),
    "set_intersect": Function(Type.DYNAMIC, (_DYNAMIC, _DYNAMIC), _intersect, repeats=True),
    "set_difference": Function(Type.DYNAMIC, (_DYNAMIC, _DYNAMIC), _difference, repeats=True),
    "strcat_array": Function(Type.STRING, (_DYNAMIC, _TEXT), _join),
    "gettype": Function(Type.STRING, (Kind.ANY,), _kind, takes_null=True),
}
