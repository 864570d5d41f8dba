"""The documents of a sweep, as `shared.state.sweep_progress` stores them.

Another version of amlguard may have written them and may read them. So a new field has a default, and no field is
removed.
"""

import logging

from msgspec import Struct

from shared.ports import AzureFailureError
from shared.state.document import Moment, decoded
from shared.told import Digest, merged

_log = logging.getLogger("amlguard")


class Begun(Struct, frozen=True):
    id: str
    started: Moment
    mode: str


class Found(Struct, frozen=True):
    """`whole`: everything that the policy's scopes name was found, and there is at least one workspace."""

    workspaces: int
    shards: int
    whole: bool = True


class Tally(Struct, frozen=True, omit_defaults=True):
    """The count of one shard or of all.

    `failed` are workspaces that amlguard could not look at. `at` is when the shard was done. `told` is what people are
    told of it, by kind.
    """

    workspaces: int = 0
    failed: int = 0
    changes: int = 0
    findings: int = 0
    at: Moment | None = None
    told: dict[str, Digest] = {}

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.workspaces + other.workspaces,
            self.failed + other.failed,
            self.changes + other.changes,
            self.findings + other.findings,
            max((at for at in (self.at, other.at) if at), default=None),
            merged(self.told, other.told),
        )


class Summary(Struct, frozen=True):
    """`shards` is 0 while they are still being counted."""

    id: str
    started: Moment
    mode: str
    outcome: str
    shards: int
    done: int
    found: int
    tally: Tally
    duration_ms: int


def known[T](name: str, data: bytes, kind: type[T]) -> T | None:
    """A document that no version wrote counts as missing.

    At worst something is looked at twice, and no sweep is blocked.
    """
    try:
        return decoded(name, data, kind)
    except AzureFailureError as error:
        _log.warning("%s", error)
        return None
