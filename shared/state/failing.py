"""What Azure does not do for amlguard, and since when: one document for each dependency.

A failure that comes again within the hour is the same one, as whatever fails is tried again more often than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from shared.ports import AuditFailedError, AzureFailureError, ReadFailedError, Store, TellFailedError, WriteRefusedError
from shared.state.document import Moment, decoded, update

_FOLDER = "failing/"
_SAME = timedelta(hours=1)


class Failure(Struct, frozen=True):
    """`said` is the error's own text, which names no person."""

    dependency: str
    since: Moment
    last: Moment
    said: str

    def goes_on(self, now: datetime) -> bool:
        return abs(now - self.last) < _SAME


@dataclass(frozen=True, slots=True)
class Failures:
    """Methods raise `AzureFailureError`."""

    store: Store

    async def note(self, error: AzureFailureError, now: datetime) -> None:
        name = dependency(error)

        def change(data: bytes | None) -> bytes:
            known = decoded(name, data, Failure) if data else None
            since = known.since if known and known.goes_on(now) else now
            return msgspec.json.encode(Failure(name, since, now, str(error)))

        await update(self.store, f"{_FOLDER}{name}", change)

    async def all(self, now: datetime) -> Sequence[Failure]:
        """Those of the last hour. Whatever else was noted has been mended, or is not tried any more."""
        stored = [await self.store.read(name) for name in await self.store.names(_FOLDER)]
        found = [decoded(_FOLDER, one.data, Failure) for one in stored if one]
        return [one for one in found if one.goes_on(now)]


def dependency(error: AzureFailureError) -> str:
    match error:
        case AuditFailedError():
            return "audit-log"
        case ReadFailedError():
            return "reading-azure"
        case TellFailedError():
            return "event-topic"
        case WriteRefusedError():
            return "changing-azure"
        case _:
            return "storage-account"
