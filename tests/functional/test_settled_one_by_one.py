"""What is said of each intent of a run that died: by its document, by the record and by the state."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import raw
from fake_store import FakeStore
from fakes import FakeAuditLog, FakeAzure
from unit.build import NOW, REGISTRY, WORKSPACE, assigned, sai

from shared.access.actions import Grant, Setting
from shared.access.asks import Property
from shared.access.intents import ENDED_EARLY, OPEN_AFTER
from shared.access.needs import PULL
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Outcome, Phase, Run, planned, remediation
from shared.ports import AuditFailedError, AzureFailureError, ConflictError, NotYetError, Row, WriteRefusedError
from shared.state.open_runs import Kept, OpenRun, OpenRuns
from shared.writing.apply import describe
from shared.writing.settling import Settling

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
RUN = Run(RunMode.ENFORCE)
OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "registry-admin-user", ("AML-21",), "covered", "source")
KEYS = Setting(WORKSPACE, Property.CACHED_KEYS, "cached", "resynced", "cached-keys", ("AML-71",), "stale", "source")
BACK_ON = Setting(
    REGISTRY, Property.ADMIN_USER, "false", "true", "registry-admin-user", ("AML-21",), "undone", "source"
)
GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "compute-pull", ("AML-18",), "pulls", "source")
THERE = f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{GRANT.name}"
BEGUN = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(repr=False)
class _Azure(FakeAzure):
    refuses: AzureFailureError | None = None

    async def change(self, setting: Setting) -> None:
        if self.refuses:
            raise self.refuses
        await super().change(setting)


@dataclass
class _File:
    """An audit file that is only read."""

    rows: list[Row] = field(default_factory=list)

    async def of_runs(self, runs: Collection[str]) -> Sequence[Row]:
        return [row for row in self.rows if row["RunId"] in runs]


class _World:
    """A registry whose admin user went off, or not, and a workspace whose cached keys are stale."""

    def __init__(self, *, admin_user: bool = False, logged: bool = True) -> None:
        self.azure = _Azure(logged=logged)
        self.azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=admin_user))
        self.azure.stale_keys = {WORKSPACE}
        self.log = FakeAuditLog(self.azure)
        self.store = FakeStore(self.azure.troubles)
        self.intents: dict[str, Row] = {}

    async def left(
        self, *actions: Grant | Setting, age: timedelta = OPEN_AFTER, on_record: bool = True, told: Sequence[Row] = ()
    ) -> Kept:
        rows = [planned(RUN, one) | {"TimeGenerated": BEGUN.isoformat()} for one in actions]
        self.intents |= {row["ActionId"]: row for row in rows}
        if on_record:
            await self.log.record("AmlGuardRemediation_CL", rows)
        document = OpenRun(RUN.id, self.azure.now() - age, tuple(rows), tuple(told))
        return await OpenRuns(self.store).begin(document)

    async def settle(self, **more: Any) -> tuple[int, int]:
        log: Any = self.log
        return await Settling(self.azure, log, self.store, **more).of_run(RUN.id)

    async def open(self) -> list[str]:
        """The actions that documents still hold as intents; an empty document would be one too many."""
        kept = await OpenRuns(self.store).all()
        assert all(one.run.intents for one in kept)
        return [row["ActionId"] for one in kept for row in one.run.intents]

    def said(self) -> dict[str, tuple[str, str]]:
        """Outcome and code by action id. Each is the intent's row once more, later and with a reason of its own."""
        rows = [row for row in self.log.rows() if row["Outcome"] != "Planned"]
        for row in rows:
            begun = self.intents[row["ActionId"]]
            changed = {"TimeGenerated", "Outcome", "Reason", "Code", "Found"}
            assert {**row, **{name: begun[name] for name in changed}} == begun
            assert row["TimeGenerated"] > begun["TimeGenerated"]
            assert row["Reason"] not in (None, begun["Reason"])
        found = {row["ActionId"]: (row["Outcome"], row["Code"]) for row in rows}
        assert len(found) == len(rows)
        return found

    def resynced(self) -> list[Setting]:
        return [one for kind, one in self.azure.journal if kind == "setting"]


async def test_a_switch_off_that_was_cut_short_is_finished() -> None:
    one = _World()
    await one.left(OFF, KEYS)
    assert await one.settle() == (1, 0)
    assert one.said() == {OFF.action_id: ("Applied", ENDED_EARLY), KEYS.action_id: ("Applied", ENDED_EARLY)}
    assert one.resynced() == [replace(KEYS, requirements=(), reason="", source="")]
    assert one.azure.stale_keys == set()
    assert one.store.documents == {}


async def test_keys_whose_registry_had_its_switch_off_on_record_are_resynced() -> None:
    one = _World()
    await one.left(KEYS)
    assert await one.settle() == (1, 0)
    assert one.said() == {KEYS.action_id: ("Applied", ENDED_EARLY)}
    assert one.azure.stale_keys == set()


@pytest.mark.parametrize(("change", "is_on"), [(OFF, True), (BACK_ON, False)])
async def test_keys_are_resynced_although_people_turned_the_admin_user_again(change: Setting, is_on: bool) -> None:
    """As it is now, nobody can tell whether the run changed it, nor which workspaces it had resynced when it died."""
    one = _World(admin_user=is_on)
    one.azure.stale_keys = {WORKSPACE}
    await one.left(change, KEYS)
    assert await one.settle() == (1, 0)
    assert one.said() == {change.action_id: ("Deferred", ENDED_EARLY), KEYS.action_id: ("Applied", ENDED_EARLY)}
    assert one.azure.stale_keys == set()


async def test_keys_of_a_workspace_that_is_gone_have_nothing_to_wait_for() -> None:
    one = _World()
    await one.left(KEYS)
    one.azure.lose(WORKSPACE)
    assert await one.settle() == (1, 0)
    assert one.said() == {KEYS.action_id: ("Deferred", ENDED_EARLY)}


async def test_while_amlguard_may_change_nothing_the_keys_stay_open() -> None:
    one = _World()
    await one.left(OFF, KEYS)
    assert await one.settle(may_resync=False) == (1, 1)
    assert one.said() == {OFF.action_id: ("Applied", ENDED_EARLY)}
    assert one.resynced() == []
    assert await one.open() == [KEYS.action_id]


@pytest.mark.parametrize(
    ("age", "refusal", "ends"),
    [
        (OPEN_AFTER, WriteRefusedError("resync", "ScopeLocked", "Azure answered 409"), None),
        (DAY - MINUTE, WriteRefusedError("resync", "ScopeLocked", "Azure answered 409"), None),
        (DAY, WriteRefusedError("resync", "ScopeLocked", "Azure answered 409"), ("Failed", "ScopeLocked")),
        (2 * DAY, NotYetError("resync", "ServiceUnavailable", "Azure answered 503"), None),
    ],
)
async def test_a_resync_is_tried_for_a_day_and_longer_where_azure_does_not_answer(
    age: timedelta, refusal: AzureFailureError, ends: tuple[str, str] | None
) -> None:
    one = _World()
    await one.left(KEYS, age=age)
    one.azure.refuses = refusal
    assert await one.settle() == (1, 0 if ends else 1)
    assert one.said() == ({KEYS.action_id: ends} if ends else {})
    assert await one.open() == ([] if ends else [KEYS.action_id])


@pytest.mark.parametrize(("age", "ends"), [(DAY - MINUTE, None), (DAY, ("Failed", "Unknown"))])
async def test_what_nobody_can_tell_for_a_day_is_given_up(age: timedelta, ends: tuple[str, str] | None) -> None:
    one = _World()
    await one.left(OFF, age=age)
    one.azure.resources[REGISTRY]["properties"]["provisioningState"] = "Updating"
    assert await one.settle() == (1, 0 if ends else 1)
    assert one.said() == ({OFF.action_id: ends} if ends else {})
    assert await one.open() == ([] if ends else [OFF.action_id])


async def test_keys_are_resynced_where_nobody_can_tell_whether_the_admin_user_is_off() -> None:
    one = _World()
    await one.left(OFF, KEYS)
    one.azure.resources[REGISTRY]["properties"]["provisioningState"] = "Updating"
    assert await one.settle() == (1, 1)
    assert one.said() == {KEYS.action_id: ("Applied", ENDED_EARLY)}
    assert await one.open() == [OFF.action_id]


async def test_what_cannot_be_read_stays_open() -> None:
    one = _World()
    await one.left(OFF, KEYS)

    class Unread(_Azure):
        async def resource(self, scope: Scope) -> raw.Raw | None:
            self.troubles.down = {"read"}
            try:
                return await super().resource(scope)
            finally:
                self.troubles.down = set()

    one.azure = Unread(one.azure.journal, logged=True, resources=one.azure.resources, stale_keys={WORKSPACE})
    assert await one.settle() == (1, 1)
    assert one.said() == {KEYS.action_id: ("Applied", ENDED_EARLY)}
    assert await one.open() == [OFF.action_id]


class TestTheRecordShowsNoIntent:
    """Perhaps the log refused it, and then nothing was begun; or the log is slow."""

    async def test_only_an_assignment_that_names_the_run_is_proof(self) -> None:
        one = _World()
        await one.left(GRANT, OFF, KEYS, on_record=False)
        one.azure.assignments = [replace(assigned(sai("cpu1"), "AcrPull", REGISTRY), id=THERE)]
        assert await one.settle() == (1, 1)
        assert one.said() == {}
        one.azure.assignments = [replace(one.azure.assignments[0], description=describe(GRANT, RUN))]
        assert await one.settle() == (1, 1)
        assert one.said() == {GRANT.action_id: ("Applied", ENDED_EARLY)}
        assert await one.open() == [OFF.action_id, KEYS.action_id]
        assert one.resynced() == []

    async def test_after_a_day_it_is_left_to_the_record(self) -> None:
        one = _World()
        await one.left(OFF, on_record=False, age=DAY)
        assert await one.settle() == (1, 0)
        assert one.said() == {}
        assert one.store.documents == {}

    async def test_what_the_same_run_planned_besides_does_not_count(self) -> None:
        one = _World()
        await one.left(OFF, on_record=False)
        await one.log.record("AmlGuardRemediation_CL", [planned(RUN, GRANT)])
        assert await one.settle() == (1, 1)
        assert await one.open() == [OFF.action_id]

    async def test_nor_does_what_became_of_it_before(self) -> None:
        """An earlier pass of the run put it off, and that is all that the record shows."""
        one = _World()
        await one.left(OFF, on_record=False)
        await one.log.record("AmlGuardRemediation_CL", [_row(OFF, Phase.DEFERRED, BEGUN - MINUTE)])
        assert await one.settle() == (1, 1)
        assert await one.open() == [OFF.action_id]

    async def test_where_nobody_can_read_the_record_the_state_tells(self) -> None:
        one = _World(logged=False)
        await one.left(OFF, on_record=False)
        assert await one.settle() == (1, 0)
        assert one.said() == {OFF.action_id: ("Applied", ENDED_EARLY)}

    @pytest.mark.parametrize("logged", [True, False])
    async def test_a_persons_file_shows_it(self, logged: bool) -> None:
        one = _World(logged=logged)
        kept = await one.left(OFF, on_record=False)
        assert await one.settle(file=_File()) == (1, 1)
        assert await one.settle(file=_File([*kept.run.intents])) == (1, 0)
        assert one.said() == {OFF.action_id: ("Applied", ENDED_EARLY)}

    async def test_the_log_shows_it_where_a_file_does_not(self) -> None:
        one = _World()
        await one.left(OFF)
        assert await one.settle(file=_File()) == (1, 0)


async def test_a_grant_of_somebody_else_is_not_said_to_be_the_runs() -> None:
    """People have taken the description away. It was made long after the run was over."""
    one = _World()
    await one.left(GRANT, age=DAY - MINUTE)
    made = assigned(sai("cpu1"), "AcrPull", REGISTRY)
    one.azure.assignments = [replace(made, id=THERE, created_on=NOW, description="")]
    await one.settle()
    assert one.said() == {GRANT.action_id: ("Deferred", ENDED_EARLY)}


def _row(action: Grant | Setting, phase: Phase, at: datetime | None) -> dict[str, Any]:
    return remediation(RUN, Outcome(action, phase, "why")) | {"TimeGenerated": at.isoformat() if at else ""}


@pytest.mark.parametrize(
    ("at", "answered"), [(BEGUN + MINUTE, True), (BEGUN, True), (None, True), (BEGUN - MINUTE, False)]
)
async def test_an_outcome_on_record_is_said_once_and_counts_only_if_it_came_after_the_intent(
    at: datetime | None, answered: bool
) -> None:
    one = _World()
    await one.left(OFF)
    await one.log.record("AmlGuardRemediation_CL", [_row(OFF, Phase.DEFERRED, at)])
    assert await one.settle() == (1, 0)
    assert [row["Outcome"] for row in one.log.rows("Applied", "Deferred")] == ["Deferred"] + ["Applied"] * (
        not answered
    )


async def test_an_outcome_answers_an_intent_of_which_nobody_knows_when_it_was() -> None:
    one = _World()
    log: Any = one.log
    rows = [planned(RUN, OFF) | {"TimeGenerated": ""}, _row(OFF, Phase.DEFERRED, BEGUN)]
    await one.log.record("AmlGuardRemediation_CL", rows)
    assert await Settling(one.azure, log, None).settle(OpenRun(RUN.id, NOW - DAY, (rows[0],)))
    assert one.log.rows() == rows


async def test_an_outcome_of_another_action_answers_nothing() -> None:
    one = _World()
    await one.left(OFF)
    await one.log.record("AmlGuardRemediation_CL", [_row(GRANT, Phase.APPLIED, BEGUN + MINUTE)])
    await one.settle()
    assert [row["ActionId"] for row in one.log.rows("Applied")] == [GRANT.action_id, OFF.action_id]


class TestOutcomesThatTheLogDidNotTake:
    async def test_are_recorded_at_once_although_the_run_may_go_on(self) -> None:
        one = _World()
        told = _row(GRANT, Phase.APPLIED, BEGUN + MINUTE)
        await one.left(OFF, age=MINUTE, told=[told])
        assert await one.settle() == (1, 1)
        assert one.log.rows("Applied") == [told]
        assert await one.open() == [OFF.action_id]
        ((kept),) = await OpenRuns(one.store).all()
        assert kept.run.outcomes == ()

    async def test_are_there_once_if_the_log_took_them_after_all(self) -> None:
        one = _World()
        told = _row(GRANT, Phase.APPLIED, BEGUN + MINUTE)
        await one.left(told=[told])
        await one.log.record("AmlGuardRemediation_CL", [told])
        assert await one.settle() == (1, 0)
        assert one.log.rows() == [told]
        assert one.store.documents == {}

    async def test_are_recorded_beside_another_outcome_of_the_same_action(self) -> None:
        one = _World()
        told = _row(GRANT, Phase.APPLIED, BEGUN + MINUTE)
        await one.left(told=[told])
        await one.log.record("AmlGuardRemediation_CL", [_row(GRANT, Phase.DEFERRED, BEGUN + 2 * MINUTE)])
        await one.settle()
        assert told in one.log.rows()

    async def test_wait_on_while_there_is_no_log(self) -> None:
        one = _World()
        await one.left(told=[_row(GRANT, Phase.APPLIED, BEGUN)])
        with pytest.raises(AuditFailedError) as caught:
            await Settling(one.azure, None, one.store).of_run(RUN.id)
        assert caught.value.code == "NoAuditLog"
        assert len(one.store.documents) == 1

    async def test_wait_on_while_the_log_is_down(self) -> None:
        one = _World()
        told = _row(GRANT, Phase.APPLIED, BEGUN)
        await one.left(told=[told])
        one.azure.troubles.down = {"audit"}
        with pytest.raises(AuditFailedError):
            await one.settle()
        one.azure.troubles.heal()
        assert await one.settle() == (1, 0)
        assert one.log.rows() == [told]


async def test_nothing_is_said_while_the_run_may_be_under_way() -> None:
    one = _World()
    await one.left(OFF, age=OPEN_AFTER - MINUTE)
    assert await one.settle() == (1, 1)
    assert (one.said(), await one.open()) == ({}, [OFF.action_id])


async def test_who_comes_second_says_nothing() -> None:
    one = _World()
    await one.left(OFF)

    class Taken(FakeStore):
        async def write(self, name: str, data: bytes, etag: str | None) -> str:
            raise ConflictError(
                f"write {name}", "Conflict", f"another instance changed {etag} to {len(data)} meanwhile"
            )

    one.store = Taken(one.azure.troubles, one.store.documents)
    assert await one.settle() == (1, 1)
    assert one.said() == {}


async def test_what_was_written_is_told_to_who_asked() -> None:
    """`undo` must see the rows that a slow log does not show yet."""
    one = _World()
    await one.left(OFF)
    written: list[Row] = []
    await one.settle(written=written)
    assert written == one.log.rows("Applied")


async def test_without_a_store_a_run_has_no_documents() -> None:
    one = _World()
    log: Any = one.log
    assert await Settling(one.azure, log, None).of_run(RUN.id) == (0, 0)
    intents = (planned(RUN, OFF),)
    assert await Settling(one.azure, log, None).settle(OpenRun(RUN.id, NOW - DAY, intents))
