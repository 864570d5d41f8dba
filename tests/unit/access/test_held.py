"""What a condition is worth: nothing, wherever it stands."""

import pytest
from unit.build import (
    GROUP,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    access,
    assigned,
    cluster,
    custom,
    estate,
    registry,
    sai,
    terms,
    workspace,
)

from shared.access.actions import Grant
from shared.access.asks import RequiredGrant
from shared.access.held import held, same_role_with_condition
from shared.access.needs import PULL, READ_BLOBS, Need
from shared.access.permissions import RoleAssignment
from shared.access.plan import plan
from shared.access.scope import Scope

C1, C2 = sai("c1"), sai("c2")
ON_CONDITION = "@Resource[x]"


def ask(need: Need = PULL, scope: Scope = REGISTRY) -> RequiredGrant:
    return RequiredGrant(C1, need, scope, cluster("c1").id, ("AML-18",), "it pulls")


@pytest.mark.parametrize(
    ("assignment", "same"),
    [
        (assigned(C1, "AcrPull", REGISTRY, condition=ON_CONDITION), True),
        (assigned(C1, "AcrPull", REGISTRY), False),
        (assigned(C1, "AcrPush", REGISTRY, condition=ON_CONDITION), False),
        (assigned(C1, "AcrPull", GROUP, condition=ON_CONDITION), False),
        (assigned("a group", "AcrPull", REGISTRY, condition=ON_CONDITION), False),
    ],
    ids=["the same", "without condition", "another role", "above", "through a group"],
)
def test_which_assignment_azure_would_not_take_a_second_of(assignment: RoleAssignment, same: bool) -> None:
    """One for scope, role and principal (learn.microsoft.com/azure/role-based-access-control/troubleshooting)."""
    assert same_role_with_condition(ask(), access(assignment)) is same
    made = plan(estate(workspace(cluster("c1", C1)), registry(), held=[assignment]), terms())
    guards = {one.refusal.guard for one in made.withheld if isinstance(one.action, Grant)}
    assert ("conditional-assignment" in guards) is same


@pytest.mark.parametrize("condition", [None, ON_CONDITION])
def test_a_role_of_which_only_the_guid_is_known_is_held_where_it_is_assigned_without_condition(
    condition: str | None,
) -> None:
    role = custom("Microsoft.X/y/read")
    need = Need("hold it", (), role.role_id, role.name)
    for scope, reaches in ((WORKSPACE, True), (SUBSCRIPTION, True), (STORAGE, False)):
        seen = estate(workspace(cluster("c1", C1)), held=[assigned(C1, role, scope, condition=condition)], roles=[role])
        assert held(ask(need, WORKSPACE), seen).held is (reaches and condition is None)


@pytest.mark.parametrize("condition", [None, ON_CONDITION])
def test_a_grant_whose_role_gives_it_on_a_condition_serves_nobody(condition: str | None) -> None:
    role = custom("Microsoft.ContainerRegistry/*", condition=condition)
    grant = Grant(
        C1, Need("do all", (), role.role_id, role.name), GROUP, WORKSPACE, "r", (), "why", "s", gives=role.permissions
    )
    assert grant.serves(ask()) is (condition is None)
    assert not grant.serves(ask(READ_BLOBS, STORAGE))
    narrow = Grant(
        C1, PULL, REGISTRY, WORKSPACE, "r", (), "why", "s", gives=custom(PULL.permissions[0].action).permissions
    )
    assert grant.covers(narrow) is (condition is None)


@pytest.mark.parametrize("condition", [None, ON_CONDITION])
def test_a_role_whose_definition_has_a_condition_holds_nothing(condition: str | None) -> None:
    role = custom(PULL.permissions[0].action, condition=condition)
    seen = estate(workspace(cluster("c1", C1)), held=[assigned(C1, role, REGISTRY)], roles=[role])
    assert held(ask(), seen).held is (condition is None)
