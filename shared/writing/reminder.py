"""Remembers what a run has begun to change until the outcomes are on record, even if the process dies (law 4).

A document is written with the intent and removed with the outcomes. If there is a queue, a message leads the next look
to it. The sweep finds it, too (`shared.writing.settling`).
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.access.intents import OPEN_AFTER
from shared.access.scope import Scope
from shared.audit_rows import Run
from shared.messages import Reconcile, encode
from shared.ports import AzureFailureError, Receipt, Row, Store, WorkQueue
from shared.state.open_runs import Kept, OpenRun, OpenRuns

_SOON = timedelta(minutes=1)


@dataclass(slots=True)
class Reminder:
    """For one run in one workspace. Without a store, only the record itself says what was begun."""

    store: Store | None
    queue: WorkQueue | None
    run: Run
    workspace: Scope | None = None
    intents: Sequence[Row] = ()
    _kept: Kept | None = None
    _receipts: list[Receipt] = field(default_factory=list)

    async def begin(self, intents: Sequence[dict[str, Any]], now: datetime) -> None:
        """Raises `AzureFailureError`: then nothing may be changed. The document is enough; the message saves time."""
        self.intents = intents
        if self.store and intents:
            document = OpenRun(self.run.id, now, tuple(intents))
            self._kept, _ = await asyncio.gather(OpenRuns(self.store).begin(document), self._remind(OPEN_AFTER))

    async def keep(
        self, outcomes: Sequence[dict[str, Any]], unclear: frozenset[str], wait: timedelta = timedelta()
    ) -> bool:
        """For `outcomes` that the log does not accept. Returns whether they are kept until it does.

        If they cannot be kept, the document still says what was to be done, and the state will show whether it was
        done.
        """
        if self.store is None or self._kept is None:
            return False
        left = tuple(row for row in self.intents if row["ActionId"] in unclear)
        told = OpenRun(self.run.id, self._kept.run.began, left, tuple(outcomes))
        with suppress(AzureFailureError):
            self._kept = await OpenRuns(self.store).replace(self._kept, told)
        await self._remind(max(_SOON, wait))
        return True

    async def end(self, unclear: frozenset[str]) -> None:
        """The outcomes are on record. Those in `unclear` have none yet, by action id."""
        left = tuple(row for row in self.intents if row["ActionId"] in unclear)
        with suppress(AzureFailureError):  # what stays is looked at later, and is then found on record
            if self.store and self._kept and left:
                told = OpenRun(self.run.id, self._kept.run.began, left)
                self._kept = await OpenRuns(self.store).replace(self._kept, told)
            elif self.store and self._kept:
                await asyncio.gather(OpenRuns(self.store).end(self._kept), self._forget())
            else:
                await self._forget()

    async def _remind(self, delay: timedelta) -> None:
        if self.queue and self.workspace:
            message = Reconcile((str(self.workspace),), self.run.trigger, run=self.run.id)
            with suppress(AzureFailureError):  # then the sweep finds the document
                self._receipts.append(await self.queue.put(encode(message), delay))

    async def _forget(self) -> None:
        if self.queue:
            for receipt in self._receipts:
                with suppress(AzureFailureError):
                    await self.queue.withdraw(receipt)
