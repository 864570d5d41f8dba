"""In which manner each type answers a write: the status, a body or none, and where to look until it is done.

`data/manners.json` has what Azure was recorded to answer real clients (Azure CLI, Azure Service Operator, Cloud
Custodian, Azure PowerShell; 2018 to 2026), and of alerts and collection rules what the REST reference says. What is not
in it answers at once, with 201 or 200. Only a top-level resource of a type that is not there is made slowly, with both
headers. `type@version` holds from that version on.

Azure asks clients to come back after 10 to 30 seconds. Operations are shorter here, so it is one second.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from emulator.ids import ResourcePath

type Json = dict[str, Any]

_AT_ONCE = {"create": 201}
# A change that a fault makes slow, whatever the type
_SLOW = {"slow update": {"status": 201, "state": "Updating", "headers": "both"}}


@dataclass(frozen=True, slots=True)
class Poll:
    """What the operations of a type show besides their status."""

    fields: Sequence[str] = ("id", "name", "startTime", "endTime")
    busy: str | Mapping[str, str] = "InProgress"
    """The status until it is done, or one for each method."""
    prefix: str = ""
    """Of an operation's name."""

    def underway(self, method: str) -> str:
        return self.busy if isinstance(self.busy, str) else self.busy.get(method, "InProgress")


@dataclass(frozen=True, slots=True)
class Manner:
    status: int = 200
    state: str | None = None
    """The provisioning state until the operation is done. None if the write is done at once."""
    body: str | None = None
    """`none` or `empty` where the type does not answer with what the method answers with, `resource` for a deletion."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Templates by name."""
    result: int | str = "resource"
    """What the Location says in the end: the resource, the `status`, or nothing and this status."""
    poll: Poll = field(default_factory=Poll)

    @property
    def slow(self) -> bool:
        return self.state is not None or "{operation}" in "".join(self.headers.values())

    def shown(self, view: Json) -> Json | None:
        """The body of the answer to a write."""
        return {"none": None, "empty": {}}.get(self.body or "", view)


class Manners:
    def __init__(self, types: Mapping[str, Mapping[str, Manner]]) -> None:
        """By lower-case type, `type@version` or, for all others, namespace, `top-level` and `nested`; then by kind of
        write.
        """
        self._types = types
        self._since: dict[str, list[str]] = {}
        for kind, _, version in sorted(name.partition("@") for name in types):
            self._since.setdefault(kind, []).insert(0, version)

    @classmethod
    def load(cls, file: Path = Path(__file__).parents[1] / "data" / "manners.json") -> Self:
        document = json.loads(file.read_text("utf-8"))
        headers: Mapping[str | None, Any] = {None: {}, **document["headers"]}
        types: dict[str, dict[str, Manner]] = {}
        for kind, entry in document["types"].items():
            base = document["types"][kind.partition("@")[0]]
            poll = Poll(**base.get("poll", {}))
            writes = (_SLOW if base is entry else {}) | {key: value for key, value in entry.items() if key != "poll"}
            types[kind] = {
                write: Manner(**{**manner, "headers": headers[manner.get("headers")], "poll": poll})
                for write, manner in writes.items()
            }
        return cls(types)

    def of(self, path: ResourcePath, write: str, version: str) -> Manner:
        """`write` is create, replace, update or delete, each but replace also slow, or the name of an action."""
        rest = "top-level" if path.is_top_level else "nested"
        kind = next(name for name in (path.type.lower(), path.namespace.lower(), rest) if name in self._since)
        for since in self._since[kind]:
            known = self._types[f"{kind}@{since}" if since else kind].get(write.lower())
            if known is not None and version >= since:
                return known
        return Manner(_AT_ONCE.get(write, 200))
