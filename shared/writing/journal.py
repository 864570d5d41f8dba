"""Records the intent before the first write, and the outcome after it (law 4)."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.access.actions import Leaning, Plan
from shared.access.asks import Finding
from shared.access.history import THERE_ALREADY
from shared.access.scope import Scope
from shared.audit_rows import FINDINGS, REMEDIATIONS, Outcome, Phase, Run, finding, remediation, withheld
from shared.ports import AuditFailedError, AuditLog, AzureFailureError, Row
from shared.writing.reminder import Reminder


async def in_full(*parts: Awaitable[Any]) -> list[Any]:
    """Runs all at once. If any fails, this raises the first failure when all have ended."""
    answers = await asyncio.gather(*parts, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


@dataclass(frozen=True, slots=True)
class Journal:
    audit: AuditLog | None

    async def intent(self, made: Plan, run: Run, recorded: set[tuple[str, str]]) -> None:
        """Leaves out what `recorded` contains already, and adds the rest to it. Raises `AuditFailedError`.

        Findings are recorded at the same time, because an event must be answered soon. If only they fail, nothing is
        written either.
        """
        meant = [Outcome(action, Phase.PLANNED, action.reason) for action in made.actions]
        meant += [withheld(one.action, one.refusal) for one in made.withheld]
        meant += [Outcome(one.action, Phase.DEFERRED, one.reason) for one in made.deferred]
        rows = [remediation(run, one) for one in meant]
        rows = [row for row in rows if (row["ActionId"], row["Outcome"]) not in recorded]
        await in_full(self.findings(made.findings, run, recorded), self._remediations(rows, recorded))

    async def _remediations(self, rows: Sequence[dict[str, Any]], recorded: set[tuple[str, str]]) -> None:
        await self.rows(REMEDIATIONS, rows)
        recorded |= {(row["ActionId"], row["Outcome"]) for row in rows}

    async def findings(self, found: Sequence[Finding], run: Run, recorded: set[tuple[str, str]]) -> None:
        rows = [finding(run, one) for one in found]
        await self.rows(FINDINGS, [row for row in rows if (row["FindingId"], "") not in recorded])
        recorded |= {(row["FindingId"], "") for row in rows}

    async def rows(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if self.audit is None:
            raise AuditFailedError("record", "NoAuditLog", "no audit log is configured")
        await self.audit.record(table, rows)

    async def leaning(self, leaning: Sequence[Leaning], run: Run, told: set[Scope]) -> None:
        """Who needs what this run granted for another workspace, because `undo` must know it.

        Leaves out what is in `told`.
        """
        theirs = [one.grant for one in leaning if run.id in one.runs and not {one.grant.on, *one.grant.others} <= told]
        found = [Outcome(grant, Phase.APPLIED, f"{THERE_ALREADY}: {grant.reason}", found=True) for grant in theirs]
        await self.rows(REMEDIATIONS, [remediation(run, one) for one in found])

    async def outcomes(self, outcomes: Sequence[Outcome], run: Run, reminder: Reminder) -> None:
        """What has happened must reach the log: if it does not take it now, the reminder keeps it.

        What is unclear gets its outcome when the state tells. Raises `AuditFailedError` if nothing keeps them, or if
        a person waits for them.
        """
        rows = [remediation(run, one) for one in outcomes if not one.unclear]
        unclear = frozenset(one.action.action_id for one in outcomes if one.unclear)
        try:
            await self.rows(REMEDIATIONS, rows)
        except AuditFailedError as error:
            kept = await reminder.keep(rows, unclear, error.wait)
            if not kept or reminder.queue is None:
                raise
        else:
            await reminder.end(unclear)

    async def nothing_begun(
        self, made: Plan, run: Run, reminder: Reminder, error: AzureFailureError, *, accepted: bool
    ) -> None:
        """Gives the intent its outcome. If the log may not have taken the intent, the outcome waits until it works."""
        reason = f"nothing was begun: {error.operation}: {error.reason}"
        outcomes = [Outcome(action, Phase.DEFERRED, reason, code=error.code) for action in made.actions]
        if accepted:
            await self.outcomes(outcomes, run, reminder)
        else:
            await reminder.keep([remediation(run, one) for one in outcomes], frozenset(), error.wait)
