"""Where what earlier runs left open is found, to which record it belongs, and what of it is settled for whom."""

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import raw
from fake_store import FakeStore
from fakes import FakeAuditLog, FakeAzure
from unit.build import NOW, REGISTRY, WORKSPACE, sai, workspace_id

from shared.access.actions import Setting
from shared.access.asks import Property
from shared.access.intents import OPEN_AFTER, PAGE
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Run, planned
from shared.ports import Row
from shared.state.open_runs import OpenRun, OpenRuns
from shared.writing.leftovers import Leftovers, open_in_log

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "registry-admin-user", ("AML-21",), "covered", "source")
OTHER = workspace_id("other")


def _keys(workspace: Scope = WORKSPACE) -> Setting:
    return Setting(workspace, Property.CACHED_KEYS, "cached", "resynced", "cached-keys", ("AML-71",), "stale", "source")


def _row(action: Setting, run: Run, ago: timedelta = DAY, **columns: Any) -> Row:
    return planned(run, action) | {"TimeGenerated": (datetime.now(UTC) - ago).isoformat()} | columns


@dataclass
class _File:
    """A person's audit file."""

    rows: list[Row] = field(default_factory=list)

    async def record(self, table: str, rows: Sequence[Row]) -> None:
        assert table == "AmlGuardRemediation_CL"
        self.rows += rows

    async def check(self) -> None:
        """It can be written."""

    async def of_runs(self, runs: Collection[str]) -> Sequence[Row]:
        return [row for row in self.rows if row["RunId"] in runs]

    async def of_actions(self, actions: Collection[str]) -> Sequence[Row]:
        return [row for row in self.rows if row["ActionId"] in actions]

    async def open_intents(self) -> Sequence[Row]:
        return [row for row in self.rows if row["Outcome"] == "Planned"]


class _World:
    """Two workspaces whose cached keys are stale."""

    def __init__(self) -> None:
        self.azure = FakeAzure(logged=True)
        self.azure.have(
            raw.workspace(sai("mlw")), raw.workspace(sai("other"), on=OTHER), raw.registry(admin_user=False)
        )
        self.azure.stale_keys = {WORKSPACE, OTHER}
        self.log = FakeAuditLog(self.azure)
        self.store = FakeStore(self.azure.troubles)

    def leftovers(self, **more: Any) -> Leftovers:
        return Leftovers(**{"azure": self.azure, "log": self.log, "store": self.store, **more})

    def logged(self, *rows: Row) -> None:
        self.azure.journal += [("AmlGuardRemediation_CL", row) for row in rows]
        self.azure.accepted |= {id(row): self.azure.clock - DAY for row in rows}

    async def document(self, run: Run, *actions: Setting, age: timedelta = OPEN_AFTER, told: bool = False) -> None:
        rows = tuple(_row(one, run) for one in actions)
        outcomes = tuple({**row, "Outcome": "Applied"} for row in rows)
        one = OpenRun(run.id, NOW - age, () if told else rows, outcomes if told else ())
        await OpenRuns(self.store).begin(one)

    def outcomes(self) -> list[tuple[str, str]]:
        return [(row["RunId"], row["Outcome"]) for row in self.log.rows() if row["Outcome"] != "Planned"]


def _run() -> Run:
    return Run(RunMode.ENFORCE)


class TestTheLog:
    async def test_shows_what_is_open_of_each_run_and_workspace(self) -> None:
        one, first, second = _World(), _run(), _run()
        one.logged(_row(_keys(), first), _row(OFF, first), _row(_keys(OTHER), second))
        found = {each.run.run: each for each in await one.leftovers().all()}
        assert {run: len(each.run.intents) for run, each in found.items()} == {first.id: 2, second.id: 1}
        assert [found[run.id].workspaces for run in (first, second)] == [frozenset({WORKSPACE}), frozenset({OTHER})]
        assert all(each.kept is None and each.run.outcomes == () for each in found.values())

    @pytest.mark.parametrize(
        ("ago", "began"), [(DAY * 2, NOW - DAY * 2), (timedelta(), NOW - OPEN_AFTER), (-OPEN_AFTER, NOW - OPEN_AFTER)]
    )
    async def test_shows_what_is_open_long_enough_by_its_own_clock(self, ago: timedelta, began: datetime) -> None:
        one, run = _World(), _run()
        one.azure.clock = datetime.now(UTC)
        one.logged(_row(OFF, run, ago))
        (left,) = await one.leftovers().all()
        assert abs(left.run.began - (one.azure.clock - (NOW - began))) < MINUTE
        assert left.run.is_over(one.azure.now())

    @pytest.mark.parametrize(
        "columns",
        [
            {"Action": "Setting", "Property": "x"},
            {"RunId": "x" * 36},
            {"NeededBy": "{"},
            {"TimeGenerated": "soon"},
            {"TimeGenerated": (datetime.now(UTC) + 2 * DAY).isoformat()},
        ],
        ids=["property", "run", "list", "time", "future"],
    )
    async def test_of_rows_that_amlguard_cannot_have_written_says_nothing(self, columns: dict[str, Any]) -> None:
        one, run = _World(), _run()
        one.logged(_row(OFF, _run(), **columns), _row(_keys(), run))
        assert [each.run.run for each in await one.leftovers().all()] == [run.id]

    async def test_by_a_clock_that_is_some_hours_ahead_is_believed(self) -> None:
        one = _World()
        one.logged(_row(OFF, _run(), -timedelta(hours=23)))
        assert len(await one.leftovers().all()) == 1

    async def test_is_asked_page_by_page_until_a_page_of_right_ones_is_full(self) -> None:
        one, run = _World(), _run()
        wrong = [_row(OFF, _run(), Property="x") for _ in range(2 * PAGE)]
        one.logged(*wrong[1:PAGE], _row(_keys(), run), *wrong[PAGE:], _row(_keys(OTHER), run))
        found = [row["ActionId"] for row in await open_in_log(one.azure) or ()]
        assert found == [_keys().action_id, _keys(OTHER).action_id]

    @pytest.mark.parametrize("rows", [0, PAGE - 1, PAGE, PAGE + 1])
    async def test_is_asked_no_further_than_that(self, rows: int) -> None:
        asked = []

        class Counts(FakeAzure):
            async def logs(self, kql: str) -> Sequence[raw.Raw] | None:
                asked.extend(re.findall(r"strcmp\(Place, (.*?)\)", kql))
                return [{**row, "Place": "p"} for row in self.page[:PAGE]]

            page: Sequence[Row] = ()

        azure = Counts()
        azure.page = [_row(OFF, _run()) for _ in range(rows)]
        assert len(await open_in_log(azure) or ()) == min(rows, PAGE)
        assert asked == ['""']

    async def test_of_wrong_rows_alone_is_not_asked_for_ever(self) -> None:
        class Endless(FakeAzure):
            async def logs(self, kql: str) -> Sequence[raw.Raw] | None:
                assert kql
                return [{"Place": "p"}] * PAGE

        assert await open_in_log(Endless()) == []

    async def test_that_is_none_shows_nothing(self) -> None:
        one = _World()
        one.azure.logged = False
        assert await open_in_log(one.azure) is None
        assert not await one.leftovers().all()


class TestDocuments:
    async def test_come_before_what_the_log_shows_of_their_runs(self) -> None:
        one, run, other = _World(), _run(), _run()
        await one.document(run, _keys())
        one.logged(_row(_keys(), run), _row(_keys(OTHER), other))
        first, second = await one.leftovers().all()
        assert first.kept is not None
        assert (first.run.run, first.workspaces, first.run) == (run.id, frozenset({WORKSPACE}), first.kept.run)
        assert (second.run.run, second.kept) == (other.id, None)

    async def test_are_of_the_workspaces_of_their_outcomes_as_well(self) -> None:
        one = _World()
        await one.document(_run(), _keys(OTHER), told=True)
        (left,) = await one.leftovers().all()
        assert left.workspaces == {OTHER}


class TestWhatIsSettled:
    @pytest.mark.parametrize("kept", [True, False], ids=["by a document", "by the log"])
    async def test_is_that_of_a_workspace(self, kept: bool) -> None:
        one, mine, theirs = _World(), _run(), _run()
        one.logged(_row(_keys(), mine), _row(_keys(OTHER), theirs))
        if kept:
            await one.document(mine, _keys())
            await one.document(theirs, _keys(OTHER))
        leftovers = one.leftovers()
        await leftovers.settle(workspace=WORKSPACE)
        assert one.outcomes() == [(mine.id, "Applied")]
        assert one.azure.stale_keys == {OTHER}
        assert [row["RunId"] for row in leftovers.written] == [mine.id]
        assert (len(one.store.documents), leftovers.failed) == (int(kept), "")

    async def test_is_that_of_runs(self) -> None:
        one, mine, theirs = _World(), _run(), _run()
        one.logged(_row(_keys(), mine), _row(_keys(OTHER), theirs))
        await one.leftovers().settle(runs={theirs.id})
        assert one.outcomes() == [(theirs.id, "Applied")]

    async def test_is_not_what_may_be_under_way(self) -> None:
        one = _World()
        await one.document(_run(), _keys(), age=OPEN_AFTER - MINUTE)
        reads = len(one.azure.journal)
        await one.leftovers().settle(workspace=WORKSPACE)
        assert (one.outcomes(), len(one.azure.journal)) == ([], reads)

    async def test_is_no_resync_while_amlguard_may_change_nothing(self) -> None:
        one, run = _World(), _run()
        one.logged(_row(_keys(), run))
        await one.leftovers(may_resync=False).settle(workspace=WORKSPACE)
        assert (one.outcomes(), WORKSPACE in one.azure.stale_keys) == ([], True)

    async def test_is_looked_for_once(self) -> None:
        one, run = _World(), _run()
        leftovers = one.leftovers()
        await asyncio.gather(leftovers.settle(workspace=WORKSPACE), leftovers.settle(workspace=OTHER))
        one.logged(_row(_keys(), run))
        await leftovers.settle(workspace=WORKSPACE)
        assert one.outcomes() == []

    async def test_stays_open_where_nobody_can_look_and_the_failure_says_so(self) -> None:
        one, run = _World(), _run()
        one.logged(_row(_keys(), run))
        leftovers = one.leftovers()
        one.azure.troubles.down = {"read"}
        await leftovers.settle(workspace=WORKSPACE)
        one.azure.troubles.heal()
        await leftovers.settle(workspace=WORKSPACE)
        assert "Azure answered 503" in leftovers.failed
        assert one.outcomes() == []


class TestAPersonsFile:
    """Each run belongs to the record that has its intent."""

    async def test_gets_what_it_has_the_intent_of(self) -> None:
        one, mine, theirs = _World(), _run(), _run()
        file = _File([_row(_keys(), mine)])
        one.logged(_row(_keys(OTHER), theirs))
        leftovers = one.leftovers(file=file)
        await leftovers.settle(runs={mine.id, theirs.id})
        assert [(row["RunId"], row["Outcome"]) for row in file.rows] == [(mine.id, "Planned"), (mine.id, "Applied")]
        assert one.outcomes() == [(theirs.id, "Applied")]
        assert [row["RunId"] for row in leftovers.written] == [mine.id, theirs.id]

    @pytest.mark.parametrize("in_log", [True, False])
    async def test_and_nothing_twice(self, in_log: bool) -> None:
        one, mine = _World(), _run()
        file = _File([_row(_keys(), mine)])
        await one.document(mine, _keys())
        if in_log:
            one.logged(_row(_keys(), mine))
        (left,) = await one.leftovers(file=file).all()
        assert left.kept is not None
        await one.leftovers(file=file).settle(workspace=WORKSPACE)
        assert [row["Outcome"] for row in file.rows] == ["Planned", "Applied"]
        assert (one.outcomes(), one.store.documents) == ([], {})

    async def test_takes_its_run_from_the_log(self) -> None:
        one, mine = _World(), _run()
        one.logged(_row(_keys(), mine))
        assert len(await one.leftovers(file=_File([_row(_keys(), mine)])).all()) == 1

    async def test_gets_nothing_of_others(self) -> None:
        """Without a log of the app, its runs stay open for the app."""
        one, theirs = _World(), _run()
        await one.document(theirs, _keys())
        one.logged(_row(_keys(OTHER), _run()))
        file = _File()
        leftovers = one.leftovers(file=file, log=None)
        assert not await leftovers.all()
        await leftovers.settle(runs={theirs.id})
        assert (file.rows, one.outcomes(), len(one.store.documents)) == ([], [], 1)

    async def test_is_not_believed_in_what_amlguard_cannot_have_written(self) -> None:
        one = _World()
        assert not await one.leftovers(file=_File([_row(OFF, _run(), Property="x")])).all()

    async def test_is_enough(self) -> None:
        one, mine = _World(), _run()
        file = _File([_row(_keys(), mine)])
        await one.leftovers(file=file, log=None, store=None).settle(workspace=WORKSPACE)
        assert [row["Outcome"] for row in file.rows] == ["Planned", "Applied"]
