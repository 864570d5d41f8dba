"""`trust: {caller_must_hold: true}`: whoever caused an event is granted nothing that they could not give themselves."""

from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    GROUP,
    REGISTRY,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    access,
    assigned,
    cluster,
    custom,
    denied,
    estate,
    granted,
    registry,
    sai,
    terms,
    uai_workspace,
    vault,
    workspace,
)

from shared.access.actions import Plan
from shared.access.asks import Property
from shared.access.model import Estate, Principal
from shared.access.permissions import RoleAssignment, RoleDefinition
from shared.access.plan import plan
from shared.access.scope import Scope

CALLER = Principal("9d7f4c1e-0000-4000-8000-000000000001", "whoever made the change", type="")
C1 = WORKSPACE.child("computes", "cpu1")
HOLD = terms(caller_must_hold=True)
ASSIGNS = custom("Microsoft.Authorization/roleAssignments/write")


def seen(*held: RoleAssignment, changed: Scope | None = C1, caller: Principal | None = CALLER, **more: Any) -> Estate:
    one = estate(workspace(cluster("cpu1", sai("mlw/computes/cpu1"))), registry(), caller=caller, changed=changed)
    theirs = access(*held, roles=[ASSIGNS], **more)
    return replace(one, access={**one.access, CALLER.id: theirs})


def guards(made: Plan) -> set[str]:
    return {one.refusal.guard for one in made.withheld}


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        ("AcrPull", REGISTRY),
        ("Reader", GROUP),
        ("Owner", SUBSCRIPTION),
        ("User Access Administrator", GROUP),
        (ASSIGNS, REGISTRY),
    ],
)
def test_a_caller_who_holds_it_or_may_assign_roles_there_is_heard(role: str | RoleDefinition, scope: Scope) -> None:
    assert granted(plan(seen(assigned(CALLER, role, scope)), HOLD)) == {("mlw/computes/cpu1", "AcrPull", "acrml")}


@pytest.mark.parametrize(
    "held",
    [
        [],
        [assigned(CALLER, "AcrPull", GROUP.child("providers", "Microsoft.ContainerRegistry", "registries", "other"))],
        [assigned(CALLER, "AcrPull", REGISTRY, condition="somewhere")],
        [assigned(CALLER, "Owner", SUBSCRIPTION, condition="some roles only")],
        [assigned(CALLER, "Storage Blob Data Owner", SUBSCRIPTION)],
        [assigned("somebody else", "AzureML Data Scientist", SUBSCRIPTION)],
    ],
)
def test_any_other_caller_is_not(held: list[RoleAssignment]) -> None:
    made = plan(seen(*held), HOLD)
    assert made.grants == ()
    assert guards(made) == {"caller-must-hold"}
    assert granted(plan(seen(*held), terms())) != set()


def test_what_a_deny_takes_away_is_not_held() -> None:
    made = plan(seen(assigned(CALLER, "AcrPull", REGISTRY), denies=[denied("*/read")]), HOLD)
    assert guards(made) == {"caller-must-hold"}


@pytest.mark.parametrize(
    "changed",
    [None, WORKSPACE.child("computes", "cpu2"), Scope.parse(f"{C1}1"), GROUP.child("providers", "x", "y", "z")],
)
def test_nobody_vouches_for_what_they_did_not_touch(changed: Scope | None) -> None:
    """Or an attacker would only have to wait until an administrator touches something else nearby."""
    made = plan(seen(assigned(CALLER, "Owner", SUBSCRIPTION), changed=changed), HOLD)
    assert (made.grants, guards(made)) == ((), {"caller-must-hold"})


@pytest.mark.parametrize("changed", [C1, WORKSPACE, REGISTRY])
def test_touching_the_workspace_or_the_target_is_touching_it(changed: Scope) -> None:
    assert plan(seen(assigned(CALLER, "Owner", SUBSCRIPTION), changed=changed), HOLD).grants


def test_without_a_known_caller_a_person_has_to_do_it() -> None:
    (withheld,) = plan(seen(caller=None), HOLD).withheld
    assert withheld.refusal.guard == "caller-must-hold"
    assert f"amlguard apply --scope {C1}" in withheld.refusal.reason


@pytest.mark.parametrize(
    ("role", "goes"),
    [("Contributor", True), ("Key Vault Contributor", True), ("Reader", False), ("Key Vault Administrator", False)],
)
def test_an_access_policy_takes_the_right_to_write_one(role: str, goes: bool) -> None:
    one = estate(uai_workspace(), registry(), vault(rbac=False), caller=CALLER, changed=WORKSPACE)
    one = replace(one, access={**one.access, CALLER.id: access(assigned(CALLER, role, VAULT))})
    made = plan(one, replace(HOLD, rules=terms(on=["AML-07"]).rules))
    assert (Property.ACCESS_POLICY in {setting.name for setting in made.settings}) is goes


def test_turning_the_admin_user_off_takes_no_caller() -> None:
    one = estate(workspace(), registry(admin_user=True))
    assert Property.ADMIN_USER in {setting.name for setting in plan(one, HOLD).settings}
