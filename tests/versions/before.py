"""How the version before reads what this one leaves: its own definitions, as they were. They are never changed.

Who goes back to that version lets it read messages and documents of this one.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct


class Trigger(Struct, frozen=True, omit_defaults=True):
    correlation_id: str = ""
    caller_object_id: str = ""
    event_time: datetime | None = None
    resource: str = ""


class Reconcile(Struct, frozen=True, tag="reconcile", omit_defaults=True):
    workspaces: tuple[str, ...]
    trigger: Trigger = Trigger()
    attempt: int = 0


class Dependency(Struct, frozen=True, tag="dependency", omit_defaults=True):
    scope: str
    trigger: Trigger = Trigger()


class Sweep(Struct, frozen=True, tag="sweep", omit_defaults=True):
    trigger: Trigger = Trigger()
    id: str = ""


class Shard(Struct, frozen=True, tag="shard", omit_defaults=True):
    sweep: str
    number: str
    workspaces: tuple[str, ...]


class Resync(Struct, frozen=True, tag="resync", omit_defaults=True):
    workspaces: tuple[str, ...]
    trigger: Trigger = Trigger()


class Record(Struct, frozen=True, tag="record"):
    table: str
    rows: tuple[dict[str, Any], ...]


class Begun(Struct, frozen=True):
    id: str
    started: datetime
    mode: str


class Found(Struct, frozen=True):
    workspaces: int
    shards: int
    whole: bool = True


class Tally(Struct, frozen=True, omit_defaults=True):
    workspaces: int = 0
    failed: int = 0
    changes: int = 0
    findings: int = 0


class Summary(Struct, frozen=True):
    id: str
    started: datetime
    mode: str
    outcome: str
    shards: int
    done: int
    found: int
    tally: Tally
    duration_ms: int


class Pending(Struct, frozen=True):
    run: str
    workspace: str
    actions: dict[str, str]
    asked_at: datetime
    lapses_at: datetime
    approved_by: str = ""
    approved_at: datetime | None = None


class Mark(Struct, frozen=True):
    run: str
    by: str
    at: datetime


class Spent(Struct, frozen=True):
    total: int = 0
    targets: dict[str, int] = {}


_MESSAGE = msgspec.json.Decoder(Reconcile | Dependency | Sweep | Shard | Resync | Record)
_DOCUMENTS: dict[str, Any] = {
    "approvals/": Pending,
    "caps/": Spent,
    "undone": dict[str, Mark],
    "sweeps/current": Begun,
    "started": Begun,
    "ending": Begun,
    "shards": list[tuple[str, ...]],
    "found": Found,
    "done/": Tally,
    "ended": Summary,
}


def message(body: bytes) -> Struct:
    """Raises `msgspec.DecodeError`."""
    read: Struct = _MESSAGE.decode(body)
    return read


def document(name: str, data: bytes) -> Any:
    """None for one that it does not know, and never reads. Raises `msgspec.DecodeError`."""
    kind = next((kind for part, kind in _DOCUMENTS.items() if part in name), None)
    return msgspec.json.decode(data, type=kind) if kind else None
