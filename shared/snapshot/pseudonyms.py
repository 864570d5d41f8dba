"""Pseudonyms: the same name always gets the same one, and nobody can tell the name from it without the key.

A pseudonym has the shape of its name (signs, blanks, capitals, more than 24 characters), so that a name that Azure
would not allow stays one, and quotes stay where they were needed. It shows nothing else of it.
"""

import hmac
import ipaddress
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.access.names import is_letter
from shared.access.scope import fold

type _Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_DIGITS = 12
_LONG = 24  # the least that the name of anything may have at most
_CORE = re.compile(rf"[pP]([0-9a-f]{{{_DIGITS}}})", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SHORT_NUMBER = re.compile(r"[0-9]{1,3}")
# Of a public address the first part stays, and where private addresses begin with more than that, all of it.
_KEPT_BITS = {4: 8, 6: 32}
_MIXED = {"100", "127", "169", "172", "192", "198", "203"}
_SPECIAL = re.compile(r"192\.0\.|198\.51\.|203\.0\.|192\.88\.|192\.31\.|192\.52\.|192\.175\.")
# Azure's own, and what is no name.
KEPT = frozenset(
    {"default", "azureml", "$logs", "$web", "$root", "amlguard", "serverless"}
    | {"workspaceblobstore", "workspaceartifactstore", "workspacefilestore", "workspaceworkingdirectory"}
)


@dataclass(slots=True)
class Pseudonyms:
    """`key` is secret. Without it nobody can try whether a pseudonym is that of a name they think of."""

    key: bytes
    fixed: dict[str, str] = field(default_factory=dict)
    """GUIDs that follow from other ids, and what follows from the pseudonyms of these."""
    _names: dict[str, dict[str, str]] = field(default_factory=dict)
    """By what is the same in all forms of a pseudonym."""
    _guids: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Of a single name, whatever is in it."""
        folded = fold(name)
        if folded in KEPT or _SHORT_NUMBER.fullmatch(name) or not any(map(str.isalnum, name)):
            return name
        if folded.startswith("azureml-"):  # AML's own registries and environments are known by that
            return f"{name[:8]}{self.of(name[8:])}"
        digits = self._digest("name", folded).hex()[:_DIGITS]
        made = _shaped(name, digits)
        self._names.setdefault(digits, {}).setdefault(made, name)
        return made

    def guid(self, guid: str) -> str:
        """In lower case, with dashes."""
        known = guid.casefold()
        if known in self._guids:  # a pseudonym
            return known
        made = self.fixed.get(known) or str(uuid.UUID(bytes=self._digest("guid", known)[:16], version=4))
        self._guids[made] = known
        return made

    def follow(self, guid: str, made: str) -> None:
        """`made` takes the place of `guid`: it follows from pseudonyms as `guid` does from the names."""
        self.fixed[guid.casefold()] = made
        self._guids[made] = guid

    def network(self, text: str) -> str | None:
        """Of an address or a range. What lies in another one still does. None for what is no address."""
        address, slash, size = text.partition("/")
        try:
            found = ipaddress.ip_address(address)
            bits = ipaddress.ip_network(text, strict=False).prefixlen
        except ValueError:
            return None
        return f"{self._address(found, bits)}{slash}{size}"

    def names(self, text: str) -> str:
        """A text in which pseudonyms stand, such as an id or a query, with the names."""
        return "".join(self._named(_GUID.sub(lambda found: self._guids.get(found[0].casefold(), found[0]), text)))

    def _named(self, text: str) -> Iterator[str]:
        """The text in pieces. Neighbours may share a sign: a name begins and ends with those of its pseudonym."""
        done = 0
        for core in _CORE.finditer(text):
            for made, name in self._forms(core[1].lower()):
                start = core.start() - made.lower().index(core[0].lower())  # what stands before is ASCII
                if start >= 0 and _stands(made, text, start):
                    yield text[done:start]
                    yield name[max(done - start, 0) :]
                    done = start + len(made)
                    break
        yield text[done:]

    def _forms(self, digits: str) -> Iterator[tuple[str, str]]:
        for made, name in self._names.get(digits, {}).items():
            yield made, name
            yield _in_json(made), _in_json(name)

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.digest(self.key, f"{kind}:{text}".encode("utf-8", "backslashreplace"), "sha256")

    def _address(self, address: _Address, bits: int) -> _Address:
        """Bit by bit, each turned over or not by what stands before it, so that networks stay nested."""
        told = f"{int(address):0{address.max_prefixlen}b}"
        made = told[: self._kept(address)]
        for at in range(len(made), bits):
            turn = self._digest(f"bits{address.version}", told[:at])[0] & 1
            made += str(int(told[at]) ^ turn)
        return type(address)(int(made + told[len(made) :], 2))

    def _kept(self, address: _Address) -> int:
        text = str(address)
        if address.version == 4 and text.partition(".")[0] in _MIXED:
            return 24 if _SPECIAL.match(text) else 16
        return _KEPT_BITS[address.version]


def _stands(made: str, text: str, start: int) -> bool:
    """Whether it is there, in letters of any case."""
    return text.startswith(made, start) or re.compile(re.escape(made), re.IGNORECASE).match(text, start) is not None


def _in_json(text: str) -> str:
    """As KQL writes it."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _shaped(name: str, digits: str) -> str:
    core = f"{'P' if any(map(str.isupper, name)) else 'p'}{digits}"
    signs = dict.fromkeys("ä" if is_letter(one) else one for one in name if not (one.isascii() and one.isalnum()))
    first = name[0] if name[0] in signs and name[0].isascii() else ""
    last = name[-1] if name[-1] in signs and len(name) > 1 else ""
    inside = "".join(one for one in signs if one not in (first, last))
    made = f"{first}{core}{inside}{'x' if inside else ''}{last}"
    missing = len(name) - len(made) if len(name) > _LONG else 0
    return made.replace(core, f"{core}{'0' * max(missing, 0)}", 1)
