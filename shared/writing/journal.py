"""Records the intent before the first write, and the outcome after it (law 4)."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from typing import Any

from shared.access.actions import Leaning, Plan
from shared.access.asks import Finding
from shared.access.history import THERE_ALREADY
from shared.access.scope import Scope
from shared.audit_rows import FINDINGS, REMEDIATIONS, Outcome, Phase, Run, finding, remediation, withheld
from shared.messages import Record, encode
from shared.ports import AuditFailedError, AuditLog, WorkQueue

_RETRY = timedelta(minutes=1)
_ROWS_PER_MESSAGE = 10  # a row is 1 to 4 KB, a message at most 48 KB


async def _in_full(*parts: Awaitable[None]) -> None:
    """Runs all at once, and raises the first failure when all have ended."""
    for answer in await asyncio.gather(*parts, return_exceptions=True):
        if answer is not None:
            raise answer


@dataclass(frozen=True, slots=True)
class Journal:
    audit: AuditLog | None
    queue: WorkQueue | None

    async def intent(self, made: Plan, run: Run, recorded: set[tuple[str, str]]) -> None:
        """Leaves out what `recorded` holds already, and adds the rest to it. Raises `AuditFailedError`.

        Findings go at the same time, because an event must be answered. If only they fail, nothing is written either.
        """
        meant = [Outcome(action, Phase.PLANNED, action.reason) for action in made.actions]
        meant += [withheld(one.action, one.refusal) for one in made.withheld]
        meant += [Outcome(one.action, Phase.DEFERRED, one.reason) for one in made.deferred]
        rows = [remediation(run, one) for one in meant]
        rows = [row for row in rows if (row["ActionId"], row["Outcome"]) not in recorded]
        await _in_full(self.findings(made.findings, run, recorded), self.rows(REMEDIATIONS, rows))
        recorded |= {(row["ActionId"], row["Outcome"]) for row in rows}

    async def findings(self, found: Sequence[Finding], run: Run, recorded: set[tuple[str, str]]) -> None:
        rows = [finding(run, one) for one in found]
        await self.rows(FINDINGS, [row for row in rows if (row["FindingId"], "") not in recorded])
        recorded |= {(row["FindingId"], "") for row in rows}

    async def rows(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows and self.audit is None:
            raise AuditFailedError("record", "NoAuditLog", "no audit log is configured")
        if rows and self.audit:
            await self.audit.record(table, rows)

    async def leaning(self, leaning: Sequence[Leaning], run: Run, told: set[Scope]) -> None:
        """Who needs what this run granted for another workspace, because `undo` must know.

        Leaves out what is `told`.
        """
        theirs = [one.grant for one in leaning if run.id in one.runs and not {one.grant.on, *one.grant.others} <= told]
        found = [Outcome(grant, Phase.APPLIED, f"{THERE_ALREADY}: {grant.reason}", found=True) for grant in theirs]
        await self.outcomes(found, run)

    async def outcomes(self, outcomes: Sequence[Outcome], run: Run) -> None:
        """What has happened must reach the log: if it does not take it now, the queue keeps it."""
        rows = [remediation(run, one) for one in outcomes]
        try:
            await self.rows(REMEDIATIONS, rows)
        except AuditFailedError as error:
            if self.queue is None:
                raise
            for some in batched(rows, _ROWS_PER_MESSAGE, strict=False):
                await self.queue.put(encode(Record(REMEDIATIONS, some)), max(_RETRY, error.wait))
