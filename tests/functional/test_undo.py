"""Undo: what a run did is taken back in safe order, once, and amlguard does not do it again by itself."""

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import C1, App, app
from unit.build import (
    GROUP,
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    assigned,
    guid,
    registry_id,
    sai,
    uai,
    workspace_id,
)

from shared.access.actions import Removal
from shared.access.own_assignments import assignment_name, ours
from shared.access.terms import RunMode
from shared.audit_rows import Phase, Run
from shared.instructions import Instructions
from shared.memory import Memory
from shared.ports import AuditFailedError, ReadFailedError
from shared.undo import Undo, Undoing
from shared.writing.journal import Journal

NOBODY = "9a3f4c1e-0000-4000-8000-00000000000a"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def logged(*raws: raw.Raw, **policy: Any) -> App:
    one = app(*raws, **policy)
    one.azure.logged = True
    return one


def without_admin_user(*raws: raw.Raw, **policy: Any) -> App:
    one = logged(*raws, **policy)
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    return one


def _undo(one: App) -> Undo:
    return Undo(one.azure, Journal(one.audit), one.store, one.terms)


async def prepared(one: App, run: str) -> Undoing:
    return await _undo(one).prepare([run])


async def undo(one: App, run: str, *, force: bool = False) -> list[Phase]:
    outcomes = await _undo(one).carry_out(await prepared(one, run), Run(RunMode.ENFORCE), force=force)
    return [outcome.phase for _, outcome in outcomes]


def state(one: App) -> tuple[Any, set[str]]:
    return deepcopy(one.azure.resources), {each.id for each in one.azure.assignments}


async def switched(one: App) -> str:
    """The id of a run that granted and, without settle time, turned the admin user off."""
    run = (await one.run()).run.id
    assert not one.azure.admin_user(REGISTRY)
    return run


async def test_the_tenant_is_as_before() -> None:
    one = logged(raw.compute("cpu1", C1), settle=timedelta())
    before = state(one)
    run = await switched(one)
    assert set(await undo(one, run)) == {Phase.UNDONE}
    assert state(one) == before
    assert one.azure.stale_keys == set()


async def test_the_admin_user_is_back_before_a_grant_goes() -> None:
    one = logged(raw.compute("cpu1", C1), settle=timedelta())
    run = await switched(one)
    since = len(one.azure.journal)
    await undo(one, run)
    kinds = [kind for kind, _ in one.azure.journal[since:] if kind in {"setting", "removal"}]
    assert kinds == ["setting", "removal", "setting"]  # on again, the grant goes, keys are resynced


async def test_the_intent_is_on_record_first_and_the_outcome_after() -> None:
    one = logged(raw.compute("cpu1", C1))
    run = (await one.run()).run.id
    since = len(one.azure.journal)
    await undo(one, run)
    (planned, removed, undone) = one.azure.journal[since:]
    assert (planned[1]["Outcome"], removed[0], undone[1]["Outcome"]) == ("Planned", "removal", "Undone")
    assert planned[1]["ActionId"] == undone[1]["ActionId"]
    assert run in planned[1]["Reason"]


async def test_without_a_record_nothing_is_taken_back() -> None:
    one = logged(raw.compute("cpu1", C1))
    run = (await one.run()).run.id
    one.troubles.down.add("audit")
    with pytest.raises(AuditFailedError):
        await undo(one, run)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_twice_is_harmless() -> None:
    one = logged(raw.compute("cpu1", C1), settle=timedelta())
    run = await switched(one)
    await undo(one, run)
    before = state(one)
    assert await undo(one, run) == []
    assert state(one) == before


async def test_it_is_not_done_again_by_itself_and_a_person_can_lift_that() -> None:
    one = logged(raw.compute("cpu1", C1))
    run = (await one.run()).run.id
    await undo(one, run)
    one.memory = Memory()
    result = await one.run()
    assert one.azure.holders("AcrPull", REGISTRY) == set()
    (withheld,) = [each for each in result.plan.withheld if each.refusal.guard == "undone"]
    assert run in withheld.refusal.reason
    again = replace(one.services.reconciler, instructions=Instructions(again=True))
    await again.run(WORKSPACE, Run(RunMode.ENFORCE))
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    one.azure.assignments.clear()
    await one.run()
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_an_assignment_that_somebody_else_made_stays() -> None:
    """The run's own was deleted, and a person made one of the same name: nothing of it is ours."""
    one = logged(raw.compute("cpu1", C1))
    run = (await one.run()).run.id
    (mine,) = one.azure.assignments
    one.azure.assignments[:] = [replace(mine, description="by hand")]
    assert await undo(one, run) == []
    assert len(one.azure.assignments) == 1


async def test_what_another_workspace_relies_on_stays_until_a_person_insists() -> None:
    shared = uai("shared")
    one = logged(raw.compute("cpu1", shared))
    run = (await one.run()).run.id
    other = workspace_id("other")
    one.azure.have(raw.workspace(sai("other"), on=other), raw.compute("cpu9", shared, on=other))
    found = await prepared(one, run)
    (said,) = found.kept.values()
    assert "pulls images" in said[0]
    assert await undo(one, run) == [Phase.WITHHELD]
    assert one.azure.holders("AcrPull", REGISTRY) == {shared.id}
    assert await undo(one, run, force=True) == [Phase.UNDONE]
    assert one.azure.holders("AcrPull", REGISTRY) == set()


async def test_who_could_not_pull_any_more_is_said() -> None:
    """One run granted, a later one turned the admin user off: undoing the first alone would break pulls."""
    one = logged(raw.compute("cpu1", C1))
    granting = (await one.run()).run.id
    await one.settle()
    assert not one.azure.admin_user(REGISTRY)
    (said,) = (await prepared(one, granting)).kept.values()
    assert "the admin user of acrml is off" in said[0]
    assert await undo(one, granting) == [Phase.WITHHELD]


async def test_grants_stay_when_the_admin_user_does_not_come_back() -> None:
    one = logged(raw.compute("cpu1", C1), settle=timedelta())
    run = await switched(one)
    one.azure.locks.append(raw.lock(REGISTRY))
    phases = await undo(one, run)
    assert Phase.UNDONE not in phases
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_a_setting_that_is_as_it_was_is_left_alone() -> None:
    one = logged(settle=timedelta())
    run = await switched(one)
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = True
    since = len(one.azure.journal)
    assert await undo(one, run) == []
    assert one.azure.journal[since:] == []


async def test_an_access_policy_loses_what_the_run_added() -> None:
    me = uai("mlw-id")
    one = logged(on=["AML-07"])
    one.azure.have(raw.workspace(me, primaryUserAssignedIdentity=str(me.resource)))
    run = (await one.run()).run.id
    policies = one.azure.resources[VAULT]["properties"]["accessPolicies"]
    assert [each["objectId"] for each in policies] == [me.id]
    await undo(one, run)
    assert one.azure.resources[VAULT]["properties"]["accessPolicies"] == []


async def removed(one: App) -> str:
    """The id of a run that took the AcrPull of cpu1 back: the workspace moved on to another registry."""
    await one.run()
    one.azure.have(raw.registry(registry_id("acrml2")), raw.workspace(sai("mlw"), registry=registry_id("acrml2")))
    run = (await one.run()).run.id
    assert one.azure.holders("AcrPull", REGISTRY) == set()
    return run


async def test_a_removal_is_made_again_where_the_policy_allows_the_grant() -> None:
    one = logged(raw.compute("cpu1", C1), on=["AML-80"], allow=(REGISTRY,))
    before = {each.id for each in one.azure.assignments}
    run = await removed(one)
    since = {each.id for each in one.azure.assignments}
    await undo(one, run)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    (again,) = [each for each in one.azure.assignments if each.id not in before | since]
    assert ours(again)


async def test_a_removal_is_made_again_at_what_the_workspace_depends_on() -> None:
    """It is no cluster any more, whatever it is: no rule asks, and it is there with its identity."""
    one = without_admin_user(raw.compute("cpu1", C1), on=["AML-80"])
    await one.run()
    one.azure.have(raw.compute("cpu1", C1, kind="Databricks"))
    run = (await one.run()).run.id
    assert one.azure.holders("AcrPull", REGISTRY) == set()
    assert await undo(one, run) == [Phase.UNDONE]
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}


async def test_a_removal_is_not_made_again_for_an_identity_that_is_gone() -> None:
    """Nothing shows whose it was, and Azure would take no assignment for it."""
    one = without_admin_user(raw.compute("cpu1", C1), on=["AML-80"])
    await one.run()
    one.azure.lose(WORKSPACE.child("computes", "cpu1"))
    run = (await one.run()).run.id
    assert one.azure.assignments == []
    assert await undo(one, run) == [Phase.WITHHELD]
    assert one.azure.assignments == []
    assert one.audit.rows("Withheld")[-1]["Guard"] == "not-asked-for"


async def test_a_removal_that_found_nothing_any_more_is_not() -> None:
    one = logged(raw.compute("cpu1", C1), on=["AML-80"])
    await one.run()
    (mine,) = one.azure.assignments
    one.azure.lose(WORKSPACE.child("computes", "cpu1"))
    await one.run()
    one.azure.assignments.append(mine)  # by somebody, who then is faster than amlguard
    revoke = one.azure.revoke

    async def too_late(removal: Removal) -> bool:
        one.azure.assignments.clear()
        return await revoke(removal)

    one.azure.revoke = too_late  # type: ignore[method-assign]  # somebody else at work
    run = (await one.run()).run.id
    await undo(one, run)
    assert one.azure.assignments == []


async def test_what_was_there_already_is_not_the_runs_to_take() -> None:
    one = logged(raw.compute("cpu1", C1))
    one.azure.assignments.append(assigned(C1, "Reader", STORAGE))
    run = (await one.run()).run.id
    await undo(one, run)
    assert [each.scope for each in one.azure.assignments] == [STORAGE]


@pytest.mark.parametrize("log", [True, False], ids=["unknown run", "no log"])
async def test_a_run_that_cannot_be_found_is_an_error(log: bool) -> None:
    one = logged()
    one.azure.logged = log
    with pytest.raises(ReadFailedError):
        await prepared(one, NOBODY)


async def test_what_is_no_run_id_is_an_error() -> None:
    with pytest.raises(ValueError, match="is not a run id"):
        await prepared(logged(), "' or true")


async def test_what_relies_on_it_only_because_the_run_made_it_is_no_other() -> None:
    """Two computes of one identity, and a registry whose admin user was off before."""
    shared = uai("shared")
    one = logged(raw.compute("cpu1", shared), raw.compute("cpu2", shared))
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    before = state(one)
    run = (await one.run()).run.id
    assert one.azure.holders("AcrPull", REGISTRY) == {shared.id}
    assert (await prepared(one, run)).kept == {}
    assert await undo(one, run) == [Phase.UNDONE]
    assert state(one) == before


async def test_a_workspace_that_the_same_run_found_served_is_no_other() -> None:
    """`apply` has one run for all; the second workspace finds what was granted for the first."""
    shared, other = uai("shared"), workspace_id("other")
    one = logged(raw.compute("cpu1", shared))
    one.azure.have(raw.workspace(sai("other"), on=other), raw.compute("cpu9", shared, on=other))
    before = state(one)
    desk = replace(one.services.reconciler, queue=None, instructions=Instructions(by_hand=True))
    run = Run(RunMode.ENFORCE)
    for workspace in (WORKSPACE, other):
        await desk.run(workspace, run)
    assert [phase for phase in await undo(one, run.id) if phase is not Phase.UNDONE] == []
    assert state(one) == before


async def test_what_is_held_otherwise_as_well_relies_on_nothing() -> None:
    shared, other = uai("shared"), workspace_id("other")
    one = logged(raw.compute("cpu1", shared))
    run = (await one.run()).run.id
    one.azure.have(raw.workspace(sai("other"), on=other), raw.compute("cpu9", shared, on=other))
    one.azure.assignments.append(assigned(shared, "Reader", REGISTRY))
    assert await undo(one, run) == [Phase.UNDONE]


async def test_who_holds_it_through_a_broader_role_of_the_run_relies_on_that() -> None:
    """Contributor on the registry is made for the workspace; a cluster with the same identity then needs no AcrPull."""
    me = uai("mlw-id")
    one = logged(on=["AML-08"])
    one.azure.have(raw.workspace(me, primaryUserAssignedIdentity=str(me.resource)))
    run = (await one.run()).run.id
    assert me.id in one.azure.holders("Contributor", REGISTRY)
    one.azure.have(raw.compute("late", me))
    kept = (await prepared(one, run)).kept
    assert ["pulls images" in line for said in kept.values() for line in said] == [True]
    assert Phase.WITHHELD in await undo(one, run)
    assert me.id in one.azure.holders("Contributor", REGISTRY)


class TestWithoutOutcome:
    """The process died between its intent and the outcome."""

    async def test_a_grant_says_itself_that_the_run_made_it(self) -> None:
        one = logged(raw.compute("cpu1", C1))
        run = (await one.run()).run.id
        _forget_outcomes(one)
        assert await undo(one, run) == [Phase.UNDONE]
        assert one.azure.holders("AcrPull", REGISTRY) == set()

    async def test_an_admin_user_may_have_been_turned_off_by_anybody(self) -> None:
        one = logged(raw.compute("cpu1", C1), settle=timedelta())
        run = await switched(one)
        _forget_outcomes(one)
        assert set(await undo(one, run)) == {Phase.WITHHELD}
        assert not one.azure.admin_user(REGISTRY)
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert "--force" in one.audit.rows("Withheld")[-1]["Reason"]
        assert Phase.WITHHELD not in await undo(one, run, force=True)
        assert one.azure.admin_user(REGISTRY)
        assert one.azure.holders("AcrPull", REGISTRY) == set()

    async def test_what_was_never_made_is_left_alone(self) -> None:
        one = logged(raw.compute("cpu1", C1))
        run = (await one.run()).run.id
        _forget_outcomes(one)
        one.azure.assignments.clear()
        assert await undo(one, run) == []


def _forget_outcomes(one: App) -> None:
    one.azure.journal[:] = [entry for entry in one.azure.journal if not _is_outcome(entry)]


def _is_outcome(entry: tuple[str, Any]) -> bool:
    return entry[0] == "AmlGuardRemediation_CL" and entry[1]["Outcome"] in {"Applied", "Deferred"}


async def test_a_row_makes_no_role_that_no_rule_gives() -> None:
    """Nor one at a place that the role is not for, nor one that is not named as amlguard's own."""
    one = logged(raw.compute("cpu1", C1))
    run = (await one.run()).run.id
    for role, scope, name in (
        (OWNER, REGISTRY, assignment_name(REGISTRY, NOBODY, OWNER)),
        (ACR_PULL, GROUP, assignment_name(GROUP, NOBODY, ACR_PULL)),
        (ACR_PULL, REGISTRY, guid("some name")),
    ):
        claim = {"RunId": run, "ActionId": guid(f"{role}{scope}"), "Action": "Removal", "RuleId": "own-grants"}
        claim |= {"ResourceId": str(WORKSPACE), "PrincipalId": NOBODY, "Scope": str(scope), "Outcome": "Applied"}
        claim |= {"RoleDefinitionId": f"/x/{role}", "Reason": "x", "TimeGenerated": "2026-11-28T00:00:00Z"}
        claim |= {"RoleAssignmentId": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"}
        one.azure.journal.append(("AmlGuardRemediation_CL", claim))
    undoing = await prepared(one, run)
    assert len(undoing.refused) == 3
    await undo(one, run, force=True)
    assert [each for each in one.azure.assignments if each.principal_id == NOBODY] == []


class TestContested:
    async def test_after_so_many_times_it_is_left_alone_and_said(self) -> None:
        one = logged(raw.compute("cpu1", C1), contested_after=2)
        for _ in range(2):
            await one.run()
            assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
            one.azure.assignments.clear()
        one.memory = Memory()  # a new process: the log remembers
        result = await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == set()
        assert "contested" in {each.refusal.guard for each in result.plan.withheld}
        (finding,) = [row for row in one.audit.findings() if row["RuleId"] == "contested"]
        assert finding["Severity"] == "high"

    async def test_fewer_times_is_drift_and_restored_with_a_word(self) -> None:
        one = logged(raw.compute("cpu1", C1), contested_after=3)
        first = (await one.run()).run.id
        one.azure.assignments.clear()
        await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert f"restored (run {first} made it" in one.audit.rows("Applied")[-1]["Reason"]
        assert [row for row in one.audit.findings() if row["RuleId"] == "contested"] == []

    async def test_what_was_taken_away_and_assigned_again_goes_once_more_with_a_word(self) -> None:
        one = logged(raw.compute("cpu1", C1), on=["AML-80"])
        await one.run()
        (mine,) = one.azure.assignments
        one.azure.lose(WORKSPACE.child("computes", "cpu1"))
        first = (await one.run()).run.id
        one.azure.assignments.append(mine)
        await one.run()
        assert one.azure.assignments == []
        assert one.audit.rows("Applied")[-1]["Reason"].startswith(f"once more (run {first} took it away")

    async def test_what_the_same_run_made_for_another_workspace_was_reverted_by_nobody(self) -> None:
        """Workspaces of a run share identities: one may read before the other grants, and the log after that."""
        one, run = logged(raw.compute("cpu1", C1), contested_after=1), Run(RunMode.ENFORCE)
        await one.services.reconciler.run(WORKSPACE, run)
        one.azure.assignments.clear()  # as the other workspace has read it
        result = await one.services.reconciler.run(WORKSPACE, run)
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert result.plan.withheld == ()
        assert "restored" not in one.audit.rows("Applied")[-1]["Reason"]

    async def test_a_person_can_insist(self) -> None:
        one = logged(raw.compute("cpu1", C1), contested_after=1)
        await one.run()
        one.azure.assignments.clear()
        await replace(one.services.reconciler, instructions=Instructions(again=True)).run(
            WORKSPACE, Run(RunMode.ENFORCE)
        )
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}

    async def test_resyncing_keys_is_no_fight(self) -> None:
        one = logged(settle=timedelta(), contested_after=5)
        for _ in range(3):
            await one.run()
            assert not one.azure.admin_user(REGISTRY)
            one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = True
        assert one.azure.stale_keys == set()

    async def test_a_log_that_does_not_answer_stops_the_run(self) -> None:
        one = logged(raw.compute("cpu1", C1))
        one.troubles.after["read"] = 30
        await one.run()
        one.azure.assignments.clear()
        one.troubles.heal()
        reads = one.azure.troubles
        reads.down.add("read")
        with pytest.raises(ReadFailedError):
            await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == set()
