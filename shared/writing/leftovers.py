"""What earlier runs left open: in documents, in the audit log, and in a person's audit file."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.access.intents import OPEN_AFTER, PAGE, as_recorded, intent, moment, query, workspaces_of
from shared.access.scope import Scope
from shared.audit_rows import COLUMNS
from shared.ports import AuditLog, Azure, AzureFailureError, Reads, Row, RunRecords, Store
from shared.state.open_runs import Kept, OpenRun, OpenRuns
from shared.writing.settling import Settling

_CLOCKS_DIFFER = timedelta(days=1)
_MOST_PAGES = 20


async def open_in_log(azure: Reads) -> Sequence[Row] | None:
    """The intents that the log shows as open, the oldest of them. None without a log workspace.

    A row is a claim. Rows that amlguard could not have written take no other row's place. Raises `ReadFailedError`.
    """
    found, after = list[Row](), ""
    for _ in range(_MOST_PAGES):
        rows = await azure.logs(query(after))
        if rows is None:
            return None
        found += filter(None, map(_whole, rows))
        if len(rows) < PAGE or len(found) >= PAGE:
            break
        after = str(rows[-1].get("Place"))
    return found


@dataclass(frozen=True, slots=True)
class Left:
    """`kept` is its document, if there is one. `settling` writes to the record that has the intent."""

    run: OpenRun
    workspaces: frozenset[Scope]
    settling: Settling
    kept: Kept | None = None


@dataclass(slots=True)
class Leftovers:
    """Looks once. `written` are the outcomes that it wrote."""

    azure: Azure
    log: AuditLog | None
    store: Store | None
    file: RunRecords | None = None
    may_resync: bool = True
    failed: str = ""
    written: list[Row] = field(default_factory=list)
    _found: list[Left] | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def settle(self, *, workspace: Scope | None = None, runs: Collection[str] = ()) -> None:
        """Settles what is open in a workspace, or in runs.

        If that is not possible now, `failed` says why, and it stays open.
        """
        try:
            for one in await self.all():
                here = workspace in one.workspaces or one.run.run in runs
                if here and one.run.is_ripe(self.azure.now()):
                    await one.settling.settle(one.run, one.kept)
        except AzureFailureError as error:
            self.failed = str(error)

    @property
    def settling(self) -> Settling:
        return Settling(self.azure, self.log, self.store, may_resync=self.may_resync, written=self.written)

    async def all(self) -> Sequence[Left]:
        """Raises `AzureFailureError`."""
        async with self._looking:
            if self._found is None and not self.failed:
                self._found = await self._look()
        return self._found or ()

    async def _look(self) -> list[Left]:
        """Each run belongs to the record that has its intent: nobody's file gets what the app's log should have."""
        filed = await self.file.open_intents() if self.file else ()
        mine = {str(row.get("RunId")) for row in filed}
        in_file = replace(self.settling, audit=self.file, file=self.file)
        kept = await OpenRuns(self.store).all() if self.store else ()
        known = {one.run.run for one in kept}
        found = [self._kept(one, in_file if one.run.run in mine else self.settling) for one in kept]
        found += self._grouped(filter(None, map(_whole, filed)), known, in_file)
        logged = await open_in_log(self.azure) if self.log else ()
        found += self._grouped(logged or (), known | mine, self.settling)
        return [one for one in found if one.settling.audit]

    def _kept(self, one: Kept, settling: Settling) -> Left:
        return Left(one.run, workspaces_of((*one.run.intents, *one.run.outcomes)), settling, one)

    def _grouped(self, rows: Iterable[Row], known: Collection[str], settling: Settling) -> list[Left]:
        runs: dict[str, list[Row]] = {}
        for row in rows:
            if row["RunId"] not in known:
                runs.setdefault(row["RunId"], []).append(row)
        return [self._of_rows(run, found, settling) for run, found in runs.items()]

    def _of_rows(self, run: str, rows: Sequence[Row], settling: Settling) -> Left:
        workspaces, over = workspaces_of(rows), self.azure.now() - OPEN_AFTER
        began = min((over, *filter(None, (moment(row.get("TimeGenerated")) for row in rows))))
        return Left(OpenRun(run, began, tuple(rows)), workspaces, settling)


def _whole(row: Row) -> dict[str, Any] | None:
    """A row is a claim: a row that amlguard could not have written is left alone."""
    try:
        found = as_recorded(row, COLUMNS)
        intent(found)
    except ValueError:
        return None
    at = moment(found["TimeGenerated"])
    return found if at and at < datetime.now(UTC) + _CLOCKS_DIFFER else None
