"""An intent without an outcome is work: who finds it, when, and what is said of it."""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import raw
from app import App, app
from event_grid import event
from fakes import FakeAzure
from reliability.host import at_a_desk, calm, deliver, undo, work_off
from reliability.on_record import given, open_intents, unrecorded
from troubles import Crashed, Dies, Troubles
from unit.build import GROUP, REGISTRY, WORKSPACE, assigned, guid, sai, terms

from handlers import sweep
from shared.access.actions import Grant
from shared.access.intents import ENDED_EARLY, LOG_DELAY, LONGEST_RUN, OPEN_AFTER, PAGE
from shared.access.scope import Scope
from shared.audit_file import AuditFile
from shared.audit_rows import COLUMNS, Run
from shared.ports import AuditLog, AzureFailureError, ReadFailedError
from shared.writing.leftovers import Leftovers, open_in_log

ROOT = Path(__file__).parents[2]
C1, C2 = sai("cpu1"), sai("cpu2")


@dataclass(repr=False)
class _Odd(FakeAzure):
    """`odd` befalls a grant to this object id: how it fails after, or before, it was made."""

    odd: Mapping[str, tuple[bool, Exception]] = field(default_factory=dict)
    asked_for_tags: int = 0
    no_tags: bool = False

    async def grant(self, grant: Grant, description: str) -> bool:
        made, error = self.odd.get(grant.principal.id, (True, None))
        answer = await super().grant(grant, description) if made else False
        if error:
            raise error
        return answer

    async def resource(self, scope: Scope) -> raw.Raw | None:
        if scope == GROUP and self.no_tags:
            raise ReadFailedError("read tags", "ServiceUnavailable", "Azure answered 503")
        return await super().resource(scope)


def _app(azure: FakeAzure | None = None) -> App:
    """Two clusters that cannot pull yet; the settle time is long."""
    azure = azure or _Odd()
    azure.troubles, azure.logged = Dies(), True
    one = App(terms(), azure)
    one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault())
    one.azure.have(raw.compute("cpu1", C1), raw.compute("cpu2", C2))
    return one


def _said(one: App, who: str) -> list[str]:
    return [row["Outcome"] for row in one.audit.rows() if row["PrincipalId"] == who]


async def _dies(one: App, work: Awaitable[object]) -> None:
    """`work` is done by a process that dies right after its first write."""
    assert isinstance(one.troubles, Dies)
    one.troubles.armed = True
    with suppress(Crashed):
        await work
    one.restart()
    given(open_intents(one.audit.rows()), "it died before it could say what it did")


async def _left_open(one: App) -> None:
    await _dies(one, one.run())


# One action's trouble


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("x"), KeyError("x"), RecursionError()])
async def test_a_mistake_in_one_action_takes_no_other_outcome_with_it(made: bool, error: Exception) -> None:
    one = _app(_Odd(odd={C1.id: (made, error)}))
    assert await deliver(event(str(WORKSPACE)), one) is None
    assert _said(one, C2.id) == ["Planned", "Applied"]
    assert _said(one, C1.id) == (["Planned", "Applied"] if made else ["Planned"])
    one.azure.odd = {}  # type: ignore[attr-defined]  # see _Odd
    await calm(one)
    assert open_intents(one.audit.rows()) == set()
    assert unrecorded(one.azure) == []


async def test_a_second_try_that_finds_the_first_is_no_work_of_others() -> None:
    """The answer to the first try was lost, and the SDK tried again: 409 RoleAssignmentExists."""

    class Twice(FakeAzure):
        async def grant(self, grant: Grant, description: str) -> bool:
            await super().grant(grant, description)
            return await super().grant(grant, description)

    one = _app(Twice())
    await one.run()
    assert {row["Found"] for row in one.audit.rows("Applied")} == {False}


async def test_an_assignment_of_somebody_else_is_found() -> None:
    class Raced(FakeAzure):
        async def grant(self, grant: Grant, description: str) -> bool:
            self.assignments.append(assigned(grant.principal, grant.need.role_name, grant.scope))
            return await super().grant(grant, description)

    one = _app(Raced())
    await one.run()
    assert {row["Found"] for row in one.audit.rows("Applied")} == {True}


# A brake that fails


async def test_a_brake_that_fails_leaves_no_intent_open() -> None:
    one = _app(_Odd(no_tags=True))
    for _ in range(3):
        given(await deliver(event(str(WORKSPACE)), one), "the delivery fails, and comes again")
    assert one.azure.assignments == []
    assert open_intents(one.audit.rows()) == set()
    told = [row for row in one.audit.rows("Deferred") if row["Action"] == "Grant"]
    assert {row["Code"] for row in told} == {"ServiceUnavailable"}
    assert await one.store.names("open/") == []
    one.azure.no_tags = False  # type: ignore[attr-defined]  # see the fake above
    assert await deliver(event(str(WORKSPACE)), one) is None
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}


# When it is open


async def test_nothing_is_said_of_a_run_that_may_be_under_way() -> None:
    one = _app()
    await _left_open(one)
    one.queue.messages.clear()
    one.azure.advance(OPEN_AFTER - timedelta(seconds=1))
    before = one.audit.rows()
    await sweep.handle(one.services)
    await work_off(one, hours=0.01)
    assert [row for row in one.audit.rows()[len(before) :] if row.get("Code") == ENDED_EARLY] == []


async def test_the_reminder_finds_it_without_a_sweep() -> None:
    one = _app()
    await _left_open(one)
    await work_off(one, hours=1)
    assert open_intents(one.audit.rows()) == set()
    assert unrecorded(one.azure) == []


async def test_a_sweep_finds_it_where_the_reminder_was_lost() -> None:
    one = _app()
    await _left_open(one)
    one.queue.messages.clear()
    await calm(one)
    assert open_intents(one.audit.rows()) == set()
    assert await one.store.names("open/") == []


async def test_a_sweep_finds_it_by_the_log_where_there_is_no_document() -> None:
    one = _app()
    await _left_open(one)
    one.queue.messages.clear()
    one.store.documents.clear()
    await calm(one)
    assert open_intents(one.audit.rows()) == set()
    assert unrecorded(one.azure) == []
    assert await one.store.names("open/") == []


async def test_two_instances_say_it_once() -> None:
    one = _app()
    await _left_open(one)
    one.queue.messages.clear()
    one.azure.advance(OPEN_AFTER)
    for _ in range(2):
        await sweep.handle(one.services)
    await work_off(one)
    told = [(row["RunId"], row["ActionId"]) for row in one.audit.rows() if row["Code"] == ENDED_EARLY]
    assert told
    assert len(told) == len(set(told))


class _Kinds(Troubles):
    """Which kinds of calls there were."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds = set[str]()

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        self.kinds.add(kind)
        return await super().around(kind, effect)


@dataclass(repr=False)
class _Queried(FakeAzure):
    queries: list[str] = field(default_factory=list)

    async def logs(self, kql: str) -> list[raw.Raw]:
        self.queries.append(kql)
        return []


async def test_a_look_with_nothing_open_costs_nothing_more() -> None:
    """It reads the state, and nothing else."""
    heard, azure = _Kinds(), _Queried()
    one = _app(azure)
    azure.troubles = heard
    one = App(one.terms, azure)
    azure.assignments += [assigned(who, "AcrPull", REGISTRY) for who in (C1, C2)]
    azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    result = await one.run()
    assert result.plan.compliant
    assert heard.kinds - {"audit"} == {"read"}  # findings go to the log
    assert azure.queries == []


# What is said


async def test_of_a_grant_the_assignment_says_who_made_it() -> None:
    one = _app()
    await _left_open(one)
    given(len(one.azure.assignments) >= 1, "a grant was made")
    (made, *_) = one.azure.assignments
    planned = {row["ActionId"] for row in one.audit.rows("Planned")}
    await calm(one)
    found = {row["ActionId"]: row for row in one.audit.rows() if row["Code"] == ENDED_EARLY}
    assert found.keys() == planned
    assert found[made.id.rpartition("/")[2]]["Outcome"] == "Applied"
    assert found[made.id.rpartition("/")[2]]["Found"] is False


async def test_of_a_switch_off_nobody_can_tell_and_undo_takes_it_back() -> None:
    one = _switching()
    await _left_open(one)
    given(not one.azure.admin_user(REGISTRY), "the admin user went off")
    await calm(one)
    assert one.azure.stale_keys == set()
    (row,) = [row for row in one.audit.rows("Applied") if row.get("Property") == "adminUserEnabled"]
    assert (row["Found"], row["Code"]) == (True, ENDED_EARLY)
    await undo(one, row["RunId"])
    assert one.azure.admin_user(REGISTRY)


async def test_undo_that_dies_is_on_record_as_undone() -> None:
    one = _app()
    result = await one.run()
    given(one.azure.assignments, "there is something to undo")
    await _dies(one, undo(one, result.run.id))
    await calm(one)
    assert open_intents(one.audit.rows()) == set()
    assert {row["Outcome"] for row in one.audit.rows() if row["Code"] == ENDED_EARLY} == {"Undone", "Deferred"}


# At a desk, without a shared store


async def _desk_dies(one: App, audit: AuditLog | None = None) -> None:
    """No store and no queue, as for a person without the app's storage account."""
    desk = replace(at_a_desk(one), store=None, audit=audit or one.audit)
    one.troubles.armed = True  # type: ignore[attr-defined]  # see Dies
    with suppress(Crashed):
        await desk.run(WORKSPACE, Run(one.terms.mode))
    one.restart()


def _switching() -> App:
    """One that can pull, so that the one thing left to do is the switch-off."""
    azure = FakeAzure(troubles=Dies(), logged=True)
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    azure.assignments.append(assigned(C1, "AcrPull", REGISTRY))
    return App(terms(settle=timedelta()), azure)


async def test_the_log_is_the_reminder_where_there_is_no_store() -> None:
    one = _switching()
    await _desk_dies(one)
    given(one.azure.stale_keys and not one.store.documents, "the keys are stale, and only the log knows")
    await calm(one)
    assert one.azure.stale_keys == set()
    assert open_intents(one.audit.rows()) == set()


async def test_the_next_apply_goes_by_the_log() -> None:
    one = _switching()
    await _desk_dies(one)
    one.azure.advance(OPEN_AFTER + timedelta(minutes=1))
    await replace(at_a_desk(one), store=None).run(WORKSPACE, Run(one.terms.mode))
    assert one.azure.stale_keys == set()
    assert open_intents(one.audit.rows()) == set()


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _aged(path: Path, by: timedelta) -> None:
    rows = [row | {"TimeGenerated": (datetime.now(UTC) - by).isoformat()} for row in _rows(path)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize(("age", "settled"), [(OPEN_AFTER + timedelta(minutes=1), True), (timedelta(minutes=5), False)])
async def test_the_audit_file_is_the_reminder_where_there_is_nothing_else(
    age: timedelta, settled: bool, tmp_path: Path
) -> None:
    one, path = _switching(), tmp_path / "audit.jsonl"
    one.azure.logged = False
    file = AuditFile(path)
    await _desk_dies(one, file)
    given(one.azure.stale_keys, "the keys are stale")
    _aged(path, age)
    desk = replace(at_a_desk(one), store=None, audit=file, leftovers=Leftovers(one.azure, None, None, file))
    await desk.run(WORKSPACE, Run(one.terms.mode))
    assert (one.azure.stale_keys == set()) is settled
    assert (open_intents(_rows(path)) == set()) is settled


async def test_nobodys_file_takes_what_the_apps_log_should_say(tmp_path: Path) -> None:
    one = _app()
    await _left_open(one)
    one.azure.advance(OPEN_AFTER)
    file = AuditFile(tmp_path / "audit.jsonl")
    await Leftovers(one.azure, None, one.store, file).settle(workspace=WORKSPACE)
    assert not (tmp_path / "audit.jsonl").exists()
    assert await one.store.names("open/") != []


async def test_a_row_that_amlguard_did_not_write_is_left_alone() -> None:
    """Who may write to the log may claim an intent; it leads to no write and to no failure of the sweep."""
    one = _app()
    one.azure.logged = True
    for columns in ({"Action": "Setting", "Property": "x"}, {"Action": "Grant"}, {"RunId": "x"}, {"NeededBy": "{"}):
        row = {"Mode": "enforce", "RunId": guid("r"), "ActionId": guid("a"), "Outcome": "Planned"} | columns
        one.azure.journal.append(("AmlGuardRemediation_CL", row))
        one.azure.accepted[id(row)] = one.azure.clock - timedelta(days=1)
    await sweep.handle(one.services)
    assert await work_off(one, hours=0.1) == []
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}


_JUNK: dict[str, dict[str, Any]] = {
    "of no action": {"Action": "x"},
    "of no assignment": {"Action": "Grant", "RoleAssignmentId": "x"},
    "of no run": {"RunId": "x" * 36},
    "of no id": {"ActionId": "x" * 36},
    "of no length": {"ActionId": "x"},
    "of no list": {"Action": "Setting", "Property": "adminUserEnabled", "NeededBy": "5"},
}


def _claims(one: App, number: int, **columns: Any) -> None:
    """Intents that somebody who may write to the log has put there, before all others."""
    when = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    rows = [
        {"RunId": guid(f"run {at}"), "ActionId": guid(f"action {at}"), "ResourceId": str(REGISTRY), "Mode": "enforce"}
        | {"Outcome": "Planned", "PrincipalId": "", "Code": "", "TimeGenerated": when}
        | columns
        | ({"RunId": f"{at:036}"} if "ActionId" in columns else {"ActionId": f"{at:036}"} if "RunId" in columns else {})
        for at in range(number)
    ]
    one.azure.journal[:0] = [("AmlGuardRemediation_CL", row) for row in rows]
    one.azure.accepted.update((id(row), one.azure.clock - timedelta(days=1)) for row in rows)


@pytest.mark.parametrize("columns", _JUNK.values(), ids=_JUNK)
async def test_rows_that_are_none_hide_none_that_is_right(columns: dict[str, Any]) -> None:
    """More of them than are asked for at once."""
    one = _app()
    await _left_open(one)
    one.queue.messages.clear()
    one.store.documents.clear()
    mine = {row["RunId"] for row in one.audit.rows()}
    _claims(one, 2 * PAGE + 1, **columns)
    await calm(one, sweeps=2)
    assert open_intents([row for row in one.audit.rows() if row["RunId"] in mine]) == set()
    assert unrecorded(one.azure) == []
    assert await one.store.names("open/") == []


async def test_a_full_page_of_right_ones_is_enough_for_one_sweep() -> None:
    one = app()
    one.azure.logged = True
    _claims(one, PAGE + 1, Action="Setting", Property="adminUserEnabled", To="false")
    assert len(await open_in_log(one.azure) or ()) == PAGE


# The timer


@dataclass
class _QueueFails(Troubles):
    """The next few puts fail."""

    left: int = 0

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        if kind == "queue" and self.left:
            self.left -= 1
            self.after["queue"] = 0
        return await super().around(kind, effect)


@pytest.mark.parametrize("failures", [1, 3, 10])
async def test_a_put_that_fails_does_not_cost_the_sweep(failures: int) -> None:
    one = App(azure=FakeAzure(troubles=_QueueFails(left=failures)))
    began = one.azure.clock
    await sweep.handle(one.services)
    assert len(one.queue.messages) == 1
    assert one.azure.clock - began < LONGEST_RUN


async def test_a_queue_that_stays_down_is_a_failure_that_people_see() -> None:
    one = app()
    one.troubles.down = {"queue"}
    with pytest.raises(AzureFailureError):
        await sweep.handle(one.services)


async def test_a_registry_that_is_gone_for_a_moment_is_looked_for_again() -> None:
    one = app(raw.compute("cpu1", C1))
    registry = one.azure.resources.pop(REGISTRY)
    await one.run()
    given(not one.azure.holders("AcrPull", REGISTRY), "it is not there")
    one.azure.resources[REGISTRY] = registry
    await work_off(one, hours=0.2)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_a_registry_that_is_gone_for_good_is_not_looked_for_for_ever() -> None:
    one = app(raw.compute("cpu1", C1))
    one.azure.lose(REGISTRY)
    await one.run()
    await work_off(one, hours=1)
    assert one.queue.messages == []


# What else says the same


def test_the_longest_run_is_the_hosts() -> None:
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    hours, minutes, seconds = map(int, host["functionTimeout"].split(":"))
    assert timedelta(hours=hours, minutes=minutes, seconds=seconds) == LONGEST_RUN
    assert OPEN_AFTER == LONGEST_RUN + LOG_DELAY


def test_the_columns_are_those_of_the_table() -> None:
    tables = json.loads((ROOT / "infra" / "tables.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in tables["tables"]["AmlGuardRemediation_CL"]["columns"]] == list(COLUMNS)
