"""Undo carries out what was prepared: in safe order, with a record of each step, and never past a guard."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import raw
from app import App
from fakes import FakeAzure
from troubles import Crashed, Dies
from unit.build import NOW, REGISTRY, ROLES, VAULT, WORKSPACE, guid, registry_id, sai, terms, workspace_id

from shared.access.actions import Refusal, Setting
from shared.access.asks import Property
from shared.access.guards import Guard
from shared.access.history import SOMEBODY
from shared.access.own_assignments import assignment_name, description
from shared.access.permissions import RoleAssignment
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.access.undo_steps import Done, Step, step
from shared.audit_rows import Outcome, Phase, Run
from shared.messages import Trigger
from shared.ports import AuditFailedError, NotYetError, ReadFailedError, Row
from shared.state.open_runs import OpenRuns
from shared.state.undone import Mark, Undone
from shared.stop import Stop
from shared.undo import Undo, Undoing
from shared.writing.journal import Journal

RUN, ME = guid("some run"), guid("a person")
C1, COMPUTE = sai("cpu1"), WORKSPACE.child("computes", "cpu1")
PULL = ROLES["AcrPull"].role_id
OTHER, NEXT = registry_id("other"), workspace_id("next")


def _granted(scope: Scope = REGISTRY) -> Done:
    name = assignment_name(scope, C1.id, PULL)
    at = scope.child("providers", "Microsoft.Authorization", "roleAssignments", name)
    return Done(RUN, "compute-pull", ("AML-18",), COMPUTE, C1.id, PULL, at, scope)


def _off(registry: Scope = REGISTRY) -> Done:
    rule = ("registry-admin-user", ("AML-21",))
    return Done(RUN, *rule, registry, "", setting=Property.ADMIN_USER, before="true", after="false")


def _keys(workspace: Scope = WORKSPACE) -> Done:
    rule = ("registry-admin-user", ("AML-71",))
    return Done(RUN, *rule, workspace, "", setting=Property.CACHED_KEYS, before="cached", after="resynced")


GRANTED, OFF, KEYS = _granted(), _off(), _keys()
POLICY = Done(
    RUN,
    "r",
    (),
    VAULT,
    C1.id,
    setting=Property.ACCESS_POLICY,
    before="absent",
    after="x",
    added=frozenset({"keys/get"}),
)


@dataclass(repr=False)
class _Silent(FakeAzure):
    """It makes a change of `silent`, and does not answer. Nobody can read then what became of it."""

    silent: set[Property] = field(default_factory=set)

    async def change(self, setting: Setting) -> None:
        await super().change(setting)
        if setting.name in self.silent:
            raise NotYetError("write", "ServiceUnavailable", "Azure answered 503")

    async def resource(self, scope: Scope) -> raw.Raw | None:
        if self.silent and scope == REGISTRY:
            raise ReadFailedError("read", "ServiceUnavailable", "Azure answered 503")
        return await super().resource(scope)


def _world(*scopes: Scope) -> App:
    """What the run left: admin users are off, and it had granted AcrPull at `scopes`."""
    one = App(terms(), _Silent(troubles=Dies()))
    one.azure.have(raw.workspace(sai("mlw")), raw.workspace(sai("next"), on=NEXT), raw.vault())
    one.azure.have(raw.registry(admin_user=False), raw.registry(OTHER, admin_user=False))
    one.azure.resources[VAULT]["properties"]["accessPolicies"] = [{"objectId": C1.id, "permissions": {"keys": ["get"]}}]
    said = description("compute-pull", ("AML-18",), RUN, COMPUTE, None)
    for scope in scopes or (REGISTRY,):
        one.azure.assignments.append(RoleAssignment(str(_granted(scope).target), scope, C1.id, PULL, description=said))
    one.azure.stale_keys = {WORKSPACE, NEXT}
    return one


async def _steps(one: App, *done: Done) -> tuple[Step, ...]:
    return tuple([step(each, await one.azure.resource(each.target)) for each in done])


def _undo(one: App, **more: Any) -> Undo:
    return Undo(one.azure, Journal(one.audit), one.store, one.terms, **more)


async def _carry_out(one: App, *done: Done, force: bool = False, **more: Any) -> dict[str, Outcome]:
    """By the name of what it is about."""
    undoing = Undoing((RUN,), await _steps(one, *done), **more)
    insists: dict[str, Any] = {"force": True} if force else {}
    outcomes = await _undo(one).carry_out(undoing, Run(RunMode.ENFORCE), **insists)
    return {str(each.done.setting or each.done.at.name): outcome for each, outcome in outcomes}


def _ends(one: App) -> list[tuple[str, str]]:
    return [(row["Action"], row["Outcome"]) for row in one.audit.rows() if row["Outcome"] != "Planned"]


def _kinds(one: App) -> list[str]:
    """Rows by their outcome, and changes by their kind, in order."""
    return [each["Outcome"] if kind.startswith("AmlGuard") else kind for kind, each in one.azure.journal]


def _about(row: Row) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("RuleId", "ResourceId", "From", "To", "Property"))


async def test_all_goes_back_and_each_step_is_on_record_under_the_id_of_what_it_undoes() -> None:
    one, run = _world(), Run(RunMode.ENFORCE, Trigger(caller_object_id=ME))
    undoing = Undoing((RUN,), await _steps(one, GRANTED, OFF, KEYS))
    outcomes = await _undo(one).carry_out(undoing, run)
    assert one.azure.admin_user(REGISTRY)
    assert one.azure.assignments == []
    assert one.azure.stale_keys == {NEXT}
    assert _kinds(one) == ["Planned"] * 3 + ["setting", "removal", "setting"] + ["Undone"] * 3
    ids = [OFF.action_id, GRANTED.action_id, KEYS.action_id]
    assert [row["ActionId"] for row in one.audit.rows()] == ids * 2
    assert {(row["RunId"], row["ReversedBy"]) for row in one.audit.rows("Undone")} == {(run.id, ME)}
    assert all(RUN in row["Reason"] for row in one.audit.rows())
    assert [(each.done, outcome.phase) for each, outcome in outcomes] == [
        (done, Phase.UNDONE) for done in (OFF, GRANTED, KEYS)
    ]


async def test_what_the_keys_need_is_on_record_as_any_resync() -> None:
    one = _world()
    await _carry_out(one, OFF, KEYS)
    rows = [row for row in one.audit.rows() if row["Property"] == Property.CACHED_KEYS]
    assert {_about(row) for row in rows} == {(KEYS.rule, str(WORKSPACE), "cached", "resynced", "cachedKeys")}
    assert [row["Requirements"] for row in rows] == [["AML-71"]] * 2


@pytest.mark.parametrize("caller", [ME, ""])
async def test_the_app_knows_from_then_on_who_took_it_back_and_when(caller: str) -> None:
    one = _world()
    undoing = Undoing((RUN,), await _steps(one, GRANTED, OFF, KEYS))
    await _undo(one).carry_out(undoing, Run(RunMode.ENFORCE, Trigger(caller_object_id=caller)))
    mark = Mark(RUN, caller, NOW)
    assert await Undone(one.store).marks() == {GRANTED.action_id: mark, OFF.action_id: mark}
    assert {row["ReversedBy"] for row in one.audit.rows("Undone")} == {caller or SOMEBODY}
    assert await OpenRuns(one.store).all() == []


async def test_what_was_gone_already_nobody_has_taken_back() -> None:
    one = _world()
    undoing = Undoing((RUN,), await _steps(one, GRANTED))
    one.azure.assignments.clear()
    ((_, outcome),) = await _undo(one).carry_out(undoing, Run(RunMode.ENFORCE, Trigger(caller_object_id=ME)))
    assert (outcome.phase, outcome.found, outcome.reversed_by) == (Phase.UNDONE, True, "")


async def test_without_a_store_only_the_record_knows() -> None:
    one = _world()
    undoing = Undoing((RUN,), await _steps(one, GRANTED))
    await Undo(one.azure, Journal(one.audit), None, one.terms).carry_out(undoing, Run(RunMode.ENFORCE))
    assert _ends(one) == [("Removal", "Undone")]
    assert one.store.documents == {}


async def test_where_nothing_is_left_to_do_nothing_is_written() -> None:
    one = _world()
    one.azure.assignments.clear()
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = True
    assert await _carry_out(one, GRANTED, OFF, KEYS) == {}
    assert (one.azure.journal, one.store.documents, one.azure.stale_keys) == ([], {}, {WORKSPACE, NEXT})


async def test_what_a_process_that_died_had_begun_is_found_by_the_next() -> None:
    """Also what must not be made again by then."""
    one, run = _world(), Run(RunMode.ENFORCE)
    undoing = Undoing((RUN,), await _steps(one, GRANTED, OFF, KEYS))
    one.troubles.armed = True  # type: ignore[attr-defined]  # see Dies
    with pytest.raises(Crashed):
        await _undo(one).carry_out(undoing, run)
    one.restart()
    (kept,) = await OpenRuns(one.store).all()
    assert (kept.run.run, kept.run.began) == (run.id, NOW)
    assert [row["ActionId"] for row in kept.run.intents] == [OFF.action_id, GRANTED.action_id, KEYS.action_id]
    assert (await Undone(one.store).marks()).keys() == {OFF.action_id, GRANTED.action_id}


async def test_outcomes_that_the_log_does_not_take_are_kept_and_the_failure_is_told() -> None:
    """With what nobody can tell yet as an intent. Whoever waits sees what has come so far."""
    one, told = _world(), list[tuple[Step, Outcome]]()
    undoing = Undoing((RUN,), await _steps(one, GRANTED, OFF))
    one.azure.silent = {Property.ADMIN_USER}  # type: ignore[attr-defined]  # see _Silent
    one.troubles.after["audit"] = 1  # the intent goes well
    with pytest.raises(AuditFailedError):
        await _undo(one).carry_out(undoing, Run(RunMode.ENFORCE), force=True, outcomes=told)
    assert [each.done for each, _ in told] == [OFF, GRANTED]
    (kept,) = await OpenRuns(one.store).all()
    assert [(row["ActionId"], row["Outcome"]) for row in kept.run.intents] == [(OFF.action_id, "Planned")]
    assert [(row["ActionId"], row["Outcome"]) for row in kept.run.outcomes] == [(GRANTED.action_id, "Undone")]


async def test_what_azure_refuses_failed_and_nobody_has_taken_it_back() -> None:
    one = _world()
    one.azure.locks.append(raw.lock(REGISTRY, "CanNotDelete"))
    outcome = (await _carry_out(one, GRANTED))["acrml"]
    assert (outcome.phase, outcome.reversed_by) == (Phase.FAILED, "")
    assert _ends(one) == [("Removal", "Failed")]


async def test_once_somebody_stops_it_nothing_more_begins() -> None:
    one, stop = _world(), Stop()
    stop.ask()
    undoing = Undoing((RUN,), await _steps(one, GRANTED, OFF))
    await _undo(one, stop=stop).carry_out(undoing, Run(RunMode.ENFORCE))
    assert not one.azure.admin_user(REGISTRY)
    assert len(one.azure.assignments) == 1
    assert ("Setting", "Deferred") in _ends(one)


class TestWhatOthersRelyOn:
    KEPT = {GRANTED.action_id: ("cpu9 pulls images",)}  # noqa: RUF012 - nobody changes it

    async def test_it_stays_and_the_record_says_for_whom(self) -> None:
        one = _world()
        outcome = (await _carry_out(one, GRANTED, kept=self.KEPT))["acrml"]
        assert (outcome.phase, outcome.guard) == (Phase.WITHHELD, Guard.RELIED_ON)
        assert "rely on it: cpu9 pulls images; --force" in outcome.reason
        assert len(one.azure.assignments) == 1
        assert _ends(one) == [("Removal", "Withheld")]
        assert one.store.documents == {}

    async def test_it_goes_if_a_person_insists(self) -> None:
        one = _world()
        await _carry_out(one, GRANTED, kept=self.KEPT, force=True)
        assert one.azure.assignments == []
        assert (await Undone(one.store).marks()).keys() == {GRANTED.action_id}

    async def test_of_what_nobody_can_tell_nobody_is_said_to_rely_on_it(self) -> None:
        one = _world()
        said = await _carry_out(one, OFF, kept={OFF.action_id: ("nobody knows",)}, unclear=frozenset({OFF.action_id}))
        assert said[Property.ADMIN_USER].reason.startswith("nobody knows; --force")
        assert said[Property.ADMIN_USER].guard == Guard.RELIED_ON


class TestGuards:
    """Whoever insists, what a guard keeps back stays."""

    NO = Refusal(Guard.KILL_SWITCH, "the tag says so")

    @pytest.mark.parametrize("force", [False, True])
    async def test_nothing_of_it_is_changed_or_remembered(self, force: bool) -> None:
        one = _world()
        said = await _carry_out(one, OFF, KEYS, withheld={OFF.action_id: self.NO}, force=force)
        assert not one.azure.admin_user(REGISTRY)
        assert {name: (each.phase, each.guard, each.reason) for name, each in said.items()} == {
            Property.ADMIN_USER: (Phase.WITHHELD, Guard.KILL_SWITCH, "the tag says so")
        }
        assert one.azure.stale_keys == {WORKSPACE, NEXT}
        assert one.store.documents == {}

    async def test_the_keys_of_a_workspace_are_left_without_those_of_the_next(self) -> None:
        one, other = _world(), _keys(NEXT)
        await _carry_out(one, OFF, KEYS, other, withheld={other.action_id: self.NO})
        assert one.azure.stale_keys == {NEXT}


class TestAnAdminUserThatDoesNotComeBack:
    async def test_keeps_the_grants_at_its_registry_and_no_others(self) -> None:
        one = _world(REGISTRY, OTHER, VAULT)
        one.azure.forbidden = {Property.ADMIN_USER, Property.ACCESS_POLICY}
        said = await _carry_out(one, OFF, POLICY, GRANTED, _granted(OTHER), _granted(VAULT), KEYS)
        assert [scope.scope for scope in one.azure.assignments] == [REGISTRY]
        assert (said["acrml"].phase, said["acrml"].guard) == (Phase.WITHHELD, Guard.RELIED_ON)
        assert said["acrml"].reason.startswith("acrml ")
        assert (said["other"].phase, said["kvml"].phase) == (Phase.UNDONE, Phase.UNDONE)

    async def test_leaves_the_keys_as_they_are_and_says_so(self) -> None:
        one = _world()
        one.azure.forbidden = {Property.ADMIN_USER}
        said = await _carry_out(one, OFF, KEYS)
        assert one.azure.stale_keys == {WORKSPACE, NEXT}
        assert (said[Property.CACHED_KEYS].phase, said[Property.CACHED_KEYS].unclear) == (Phase.WITHHELD, False)
        assert _ends(one) == [("Setting", "Failed"), ("Setting", "Withheld")]
        assert await OpenRuns(one.store).all() == []

    async def test_keeps_no_grant_if_a_person_insists(self) -> None:
        one = _world()
        one.azure.forbidden = {Property.ADMIN_USER}
        await _carry_out(one, OFF, GRANTED, force=True)
        assert one.azure.assignments == []

    async def test_does_not_keep_the_keys_of_another_one_that_is_back(self) -> None:
        one = _world()
        one.azure.locks.append(raw.lock(REGISTRY))
        await _carry_out(one, OFF, _off(OTHER), KEYS)
        assert one.azure.stale_keys == {NEXT}

    async def test_or_of_which_nobody_can_tell_leaves_the_keys_as_work(self) -> None:
        one = _world()
        undoing = Undoing((RUN,), await _steps(one, OFF, KEYS, POLICY))
        one.azure.silent = {Property.ADMIN_USER}  # type: ignore[attr-defined]  # see _Silent
        outcomes = await _undo(one).carry_out(undoing, Run(RunMode.ENFORCE))
        assert [outcome.unclear for _, outcome in outcomes] == [True, False, True]
        assert _ends(one) == [("Setting", "Undone")]
        (kept,) = await OpenRuns(one.store).all()
        assert [row["ActionId"] for row in kept.run.intents] == [OFF.action_id, KEYS.action_id]
        assert kept.run.outcomes == ()


async def test_where_no_admin_user_comes_back_no_keys_are_new() -> None:
    one = _world()
    await _carry_out(one, GRANTED, KEYS)
    assert one.azure.stale_keys == {WORKSPACE, NEXT}
    assert _ends(one) == [("Removal", "Undone")]
