"""The messages of the work queue: typed, versioned by their tags, and without secrets.

If this version cannot read a message, the queue retries it, and it ends in the poison queue.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from shared.access.raw import is_guid


class Trigger(Struct, frozen=True, omit_defaults=True):
    """What started a run, as far as amlguard may store it: object ids only, never names or addresses (law 11).

    `resource` is the resource that the event is about. A message of an older version may have any text for an id: what
    is no GUID is left out.
    """

    correlation_id: str = ""
    caller_object_id: str = ""
    event_time: datetime | None = None
    resource: str = ""

    def __post_init__(self) -> None:
        for name in ("correlation_id", "caller_object_id"):
            if not is_guid(getattr(self, name)):
                force_setattr(self, name, "")


class Reconcile(Struct, frozen=True, tag="reconcile", omit_defaults=True):
    """Look at these workspaces. `attempt` counts how often the same look was put off.

    `run` is one that may have ended early: what became of it is found out first, and if that is known already, there is
    nothing to do.
    """

    workspaces: tuple[str, ...]
    trigger: Trigger = Trigger()
    attempt: int = 0
    run: str = ""


class Dependency(Struct, frozen=True, tag="dependency", omit_defaults=True):
    """Look at the workspaces that use this scope or lie in it.

    `attempt`, here and below, counts how often an outage put it off.
    """

    scope: str
    trigger: Trigger = Trigger()
    attempt: int = 0


class Sweep(Struct, frozen=True, tag="sweep", omit_defaults=True):
    """Find all workspaces. Without shared state there is no `id`, and nobody can follow the sweep."""

    trigger: Trigger = Trigger()
    id: str = ""
    attempt: int = 0


class Shard(Struct, frozen=True, tag="shard", omit_defaults=True):
    """Look at these workspaces of one subscription, as part `number` of a sweep."""

    sweep: str
    number: str
    workspaces: tuple[str, ...]
    attempt: int = 0


class Resync(Struct, frozen=True, tag="resync", omit_defaults=True):
    """Resync the cached keys of these workspaces, because the admin user of their registry went off.

    `run` is the run that turned it off. Messages of older versions do not say it.
    """

    workspaces: tuple[str, ...]
    trigger: Trigger = Trigger()
    run: str = ""


class Record(Struct, frozen=True, tag="record"):
    """Outcomes that the audit log did not accept when they happened."""

    table: str
    rows: tuple[dict[str, Any], ...]


class Tell(Struct, frozen=True, tag="tell", omit_defaults=True):
    """An event to be sent to the topic. `attempt` counts how often that was put off."""

    event: dict[str, Any]
    attempt: int = 0


type Work = Reconcile | Dependency | Sweep | Shard | Resync | Record | Tell

_decoder: msgspec.json.Decoder[Work] = msgspec.json.Decoder(
    Reconcile | Dependency | Sweep | Shard | Resync | Record | Tell
)


class MalformedWorkError(ValueError):
    """The message is not one of ours."""


def encode(work: Work) -> bytes:
    return msgspec.json.encode(work)


def decode(message: bytes | str) -> Work:
    """Raises `MalformedWorkError`."""
    try:
        return _decoder.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedWorkError(str(error)) from error
