"""Runs that have begun to change something and have not yet recorded the outcomes: one document for each.

A run writes the document with its intent and removes it with its outcomes. So an old document belongs to a run that
died, or whose outcomes the log did not accept.

open/RUN/ID      the intents without an outcome, and the outcomes that are not on record
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from shared.access.intents import OPEN_AFTER, as_recorded, intent
from shared.audit_rows import COLUMNS, Phase
from shared.ports import Store
from shared.state.document import MalformedDocumentError, Moment, decoded, malformed

_FOLDER = "open/"


class OpenRun(Struct, frozen=True):
    """`began` is by ARM's clock. `intents` and `outcomes` are rows of the audit log."""

    run: str
    began: Moment
    intents: tuple[Mapping[str, Any], ...]
    outcomes: tuple[Mapping[str, Any], ...] = ()

    def is_ripe(self, now: datetime) -> bool:
        """Whether something can be done about it. What is known can be recorded at once."""
        return bool(self.outcomes) or self.is_over(now)

    def is_over(self, now: datetime) -> bool:
        """Whether the run itself is over, and the log shows everything that it wrote."""
        return self.age(now) >= OPEN_AFTER

    def age(self, now: datetime) -> timedelta:
        """What began in the future was begun by a clock that was wrong: it is no less open for that."""
        return abs(now - self.began)


@dataclass(frozen=True, slots=True)
class Kept:
    """A document as it was read or written."""

    name: str
    etag: str
    run: OpenRun


@dataclass(frozen=True, slots=True)
class OpenRuns:
    """Methods raise `AzureFailureError`, and `ConflictError` if another instance changes the same document."""

    store: Store

    async def begin(self, run: OpenRun) -> Kept:
        name = f"{_FOLDER}{run.run}/{uuid4()}"
        return Kept(name, await self.store.write(name, msgspec.json.encode(run), None), run)

    async def replace(self, kept: Kept, run: OpenRun) -> Kept:
        return Kept(kept.name, await self.store.write(kept.name, msgspec.json.encode(run), kept.etag), run)

    async def end(self, kept: Kept) -> None:
        await self.store.delete(kept.name)

    async def all(self, run: str = "") -> Sequence[Kept]:
        """The documents of one run, or all documents."""
        found = []
        for name in await self.store.names(f"{_FOLDER}{run}/" if run else _FOLDER):
            stored = await self.store.read(name)
            if stored:
                with suppress(MalformedDocumentError):  # the log shows that run, too
                    found.append(Kept(name, stored.etag, _decoded(name, stored.data)))
        return found


def _decoded(name: str, data: bytes) -> OpenRun:
    """Raises `MalformedDocumentError`, also if a row in it is none of amlguard's."""
    run = decoded(name, data, OpenRun)
    try:
        UUID(run.run)
        for row in (*run.intents, *run.outcomes):
            intent(as_recorded(row, COLUMNS))
            Phase(str(row.get("Outcome")))
    except ValueError:
        raise malformed(name) from None
    return run
