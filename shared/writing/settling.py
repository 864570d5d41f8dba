"""Finds out what became of intents without an outcome, and records it: a run died, or Azure did not answer it.

A switch-off that was cut short is finished: the cached keys are resynced.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.access.actions import Setting
from shared.access.asks import Property
from shared.access.intents import Fate, Intent, ended, intent, moment, outcome
from shared.access.quoting import kql
from shared.audit_rows import REMEDIATIONS, Phase
from shared.ports import (
    AuditLog,
    Azure,
    ConflictError,
    NotYetError,
    ReadFailedError,
    Row,
    RunRecords,
    Store,
    WriteRefusedError,
)
from shared.state.open_runs import Kept, OpenRun, OpenRuns
from shared.writing.journal import Journal

_GIVEN_UP_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Settling:
    """`may_resync`: amlguard may finish a switch-off. Until then such an intent stays open. `written` are the new rows.

    Methods raise `AzureFailureError`. What is open then stays open.
    """

    azure: Azure
    audit: AuditLog | None
    store: Store | None
    file: RunRecords | None = None
    may_resync: bool = True
    written: list[Row] = field(default_factory=list)

    async def of_run(self, run: str) -> tuple[int, int]:
        """How many documents the run has, and how many of them it still has afterwards."""
        kept = await OpenRuns(self.store).all(run) if self.store else ()
        return len(kept), sum([not await self.settle(each.run, each) for each in kept])

    async def settle(self, one: OpenRun, kept: Kept | None = None) -> bool:
        """Returns whether all of it is on record afterwards. `kept` is its document."""
        is_over = one.is_over(await self._now(one))
        if not is_over and not one.outcomes:
            return False
        shown = await self._shown(one.run)
        told = await self._told(one, shown) if is_over else one
        try:
            kept = await self._keep(kept, told)  # first, so that of two instances only one records
            await self._record(told.outcomes, shown or ())
            await self._keep(kept, msgspec.structs.replace(told, outcomes=()))
        except ConflictError:
            return False
        return not told.intents

    async def _now(self, one: OpenRun) -> datetime:
        """ARM's clock from a new answer, because the last answer of this process may be hours old."""
        if one.intents:
            with suppress(ReadFailedError):
                await self.azure.resource(intent(one.intents[0]).target)
        return self.azure.now()

    async def _keep(self, kept: Kept | None, one: OpenRun) -> Kept | None:
        if kept is None or self.store is None or kept.run == one:
            return kept
        if one.intents or one.outcomes:
            return await OpenRuns(self.store).replace(kept, one)
        await OpenRuns(self.store).end(kept)
        return None

    async def _shown(self, run: str) -> Sequence[Row] | None:
        """What the record shows about the run. None if nobody can read it."""
        rows = await self.azure.logs(f"{REMEDIATIONS} | where RunId in ({kql(run)}) | order by TimeGenerated asc")
        filed = await self.file.of_runs({run}) if self.file else None
        return None if rows is None and filed is None else (*(rows or ()), *(filed or ()))

    async def _told(self, one: OpenRun, shown: Sequence[Row] | None) -> OpenRun:
        """Adds the outcomes of the intents for which the state tells them.

        If the record does not show an intent, perhaps it was refused, and then nothing was begun (law 4). Or the record
        is slow. So only an assignment that names the run is proof. Without it, nothing is done or said, and after a day
        the intent is left to the record: if it shows there later, it is found there.
        """
        open_ones = [row for row in one.intents if not _is_answered(row, shown or ())]
        rows = [row for row in open_ones if shown is None or _is_shown(row, shown)]
        found, left = list(one.outcomes), []
        for row in rows:
            became = await self._became(intent(row), one)
            if became is None:
                left.append(row)
            else:
                found.append(became)
        for row in (each for each in open_ones if each not in rows):
            if await self._fate(intent(row), one) is Fate.MADE:
                found.append(outcome(intent(row), Fate.MADE, _now()))
            elif not self._is_old(one):
                left.append(row)
        return msgspec.structs.replace(one, intents=tuple(left), outcomes=tuple(found))

    async def _became(self, one: Intent, run: OpenRun) -> dict[str, Any] | None:
        """The row with its outcome. None while nobody can tell."""
        if one.setting is Property.CACHED_KEYS:
            return await self._resync(one, run)
        fate = await self._fate(one, run)
        if fate is not Fate.UNKNOWN:
            return outcome(one, fate, _now())
        return _given_up(one, "Unknown") if self._is_old(run) else None

    async def _fate(self, one: Intent, run: OpenRun) -> Fate:
        try:
            return one.fate(await self.azure.resource(one.target), run.began)
        except ReadFailedError:
            return Fate.UNKNOWN

    async def _resync(self, one: Intent, run: OpenRun) -> dict[str, Any] | None:
        """The second half of a change of the admin user. If it was done already, doing it again does no harm.

        What the admin user is now does not tell whether the run changed it: people may have turned it again since.
        """
        if await self._fate(one, run) is Fate.NOT_MADE:
            return outcome(one, Fate.NOT_MADE, _now())
        if not self.may_resync:
            return None
        rule, was, to = (str(one.row.get(name)) for name in ("RuleId", "From", "To"))
        setting = Setting(one.target, Property.CACHED_KEYS, was, to, rule, (), "", "")
        try:
            await self.azure.change(setting)
        except NotYetError:
            return None
        except WriteRefusedError as error:
            return _given_up(one, error.code) if self._is_old(run) else None
        return outcome(one, Fate.MADE, _now())

    def _is_old(self, run: OpenRun) -> bool:
        return run.age(self.azure.now()) >= _GIVEN_UP_AFTER

    async def _record(self, rows: Sequence[Row], shown: Sequence[Row]) -> None:
        """The log may have taken some rows although it reported a failure."""
        missing = [row for row in rows if not _is_answered(row, shown, str(row["Outcome"]))]
        await Journal(self.audit).rows(REMEDIATIONS, missing)
        self.written.extend(missing)


def _given_up(one: Intent, code: str) -> dict[str, Any]:
    reason = "the run ended before it could say so, and for a day nobody could tell or finish it"
    return ended(one.row, _now()) | {"Outcome": Phase.FAILED, "Reason": reason, "Code": code}


def _is_answered(row: Row, shown: Sequence[Row], phase: str = "") -> bool:
    """Whether an outcome of the same action, in this phase, was recorded since."""
    since = moment(row.get("TimeGenerated"))
    for one in shown:
        if one.get("ActionId") == row["ActionId"] and one.get("Outcome") != Phase.PLANNED:
            at = moment(one.get("TimeGenerated"))
            if (not phase or one.get("Outcome") == phase) and (since is None or at is None or at >= since):
                return True
    return False


def _is_shown(row: Row, shown: Sequence[Row]) -> bool:
    return any(one.get("ActionId") == row["ActionId"] and one.get("Outcome") == Phase.PLANNED for one in shown)


def _now() -> datetime:
    return datetime.now(UTC)
