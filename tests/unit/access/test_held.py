"""What a condition is worth: nothing, wherever it stands."""

from dataclasses import replace

import pytest
from unit.build import (
    GROUP,
    MANAGEMENT_GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
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
from shared.access.held import held, same_role_with_condition, weakest
from shared.access.needs import PULL, READ_BLOBS, Need
from shared.access.permissions import Coverage, Permission, RoleAssignment
from shared.access.plan import plan
from shared.access.scope import Scope

C1, C2 = sai("cpu1"), sai("cpu2")
ON_CONDITION = "@Resource[x]"
READER = "Storage Blob Data Reader"


def ask(need: Need = PULL, scope: Scope = REGISTRY) -> RequiredGrant:
    return RequiredGrant(C1, need, scope, cluster("cpu1").id, ("AML-18",), "it pulls")


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
    made = plan(estate(workspace(cluster("cpu1", C1)), registry(), held=[assignment]), terms())
    guards = {one.refusal.guard for one in made.withheld if isinstance(one.action, Grant)}
    assert ("conditional-assignment" in guards) is same


@pytest.mark.parametrize("condition", [None, ON_CONDITION])
def test_a_role_of_which_only_the_guid_is_known_is_held_where_it_is_assigned_without_condition(
    condition: str | None,
) -> None:
    role = custom("Microsoft.X/y/read")
    need = Need("hold it", (), role.role_id, role.name)
    for scope, reaches in ((WORKSPACE, True), (SUBSCRIPTION, True), (STORAGE, False)):
        seen = estate(
            workspace(cluster("cpu1", C1)), held=[assigned(C1, role, scope, condition=condition)], roles=[role]
        )
        assert held(ask(need, WORKSPACE), seen).held is (reaches and condition is None)


class TestOfARoleThatIsKnownByItsIdOnly:
    ROLE = custom("Microsoft.X/y/read")
    NEED = Need("hold it", (), ROLE.role_id, ROLE.name)
    AT = assigned(C1, ROLE, WORKSPACE)

    def _cover(self, *held_by: RoleAssignment, doubts: tuple[RoleAssignment, ...] = ()) -> Coverage:
        everything = custom("*")
        seen = estate(
            workspace(cluster("cpu1", C1), storage=None), held=held_by, roles=[self.ROLE, everything], aml=False
        )
        seen = replace(seen, access={C1.id: replace(seen.access[C1.id], doubts=doubts)})
        return held(ask(self.NEED, WORKSPACE), seen)

    def test_what_is_missing_is_all_of_the_role(self) -> None:
        (missing,) = self._cover().missing
        assert self.ROLE.role_id in missing.action

    def test_one_that_is_nobody_knows_where_does_not_hold_it(self) -> None:
        lost = replace(self.AT, scope=Scope.parse("/"))
        assert self._cover(lost).held
        assert not self._cover(replace(lost, misplaced=True)).held

    def test_one_at_a_management_group_holds_it_below_that_group_only(self) -> None:
        above = assigned(C1, self.ROLE, MANAGEMENT_GROUP)
        elsewhere = replace(above, within=OTHER_SUBSCRIPTION)
        assert self._cover(above) == Coverage((), (above,))
        assert not self._cover(elsewhere).held
        assert self._cover(doubts=(above, elsewhere)).perhaps == (above,)

    def test_a_doubtful_one_of_it_or_of_everything_may_hold_it(self) -> None:
        every = assigned(C1, custom("*"), SUBSCRIPTION)
        others = (assigned(C1, self.ROLE, STORAGE), assigned(C1, "Reader", WORKSPACE))
        cover = self._cover(doubts=(*others, self.AT, every))
        assert (cover.held, cover.perhaps) == (False, (self.AT, every))
        assert self._cover(doubts=others).perhaps == ()


@pytest.mark.parametrize(
    ("closed", "missing"), [(REGISTRY, PULL.permissions), (GROUP, PULL.permissions), (STORAGE, ())]
)
def test_what_may_not_be_read_counts_as_not_held(closed: Scope, missing: tuple[Permission, ...]) -> None:
    held_there = [assigned(C1, "AcrPull", REGISTRY)]
    seen = estate(workspace(cluster("c1", C1)), held=held_there, blind=frozenset({closed}))
    assert held(ask(), seen).missing == missing


@pytest.mark.parametrize("order", [1, -1])
def test_what_several_ask_for_is_held_only_if_each_of_them_holds_it(order: int) -> None:
    """One rule may ask for a container only, another for all of the account."""
    part = STORAGE.child("blobServices", "default", "containers", "a")
    narrow, wide = replace(ask(READ_BLOBS, STORAGE), about=(part,)), ask(READ_BLOBS, STORAGE)
    seen = estate(workspace(cluster("cpu1", C1), storage=None), held=[assigned(C1, READER, part)], aml=False)
    assert held(narrow, seen).held
    assert weakest([narrow, wide][::order], seen).missing == READ_BLOBS.permissions
    assert weakest([narrow, narrow], seen).held


class TestOfParts:
    """What is about containers is held by who holds each of them."""

    A, B = (STORAGE.child("blobServices", "default", "containers", name) for name in "ab")

    def _cover(self, *held_by: RoleAssignment) -> Coverage:
        seen = estate(workspace(cluster("cpu1", C1), storage=None), held=held_by, aml=False)
        return held(replace(ask(READ_BLOBS, STORAGE), about=(self.A, self.B)), seen)

    def test_one_of_two_is_not_enough(self) -> None:
        assert not self._cover(assigned(C1, READER, self.A)).held
        assert not self._cover().held

    def test_both_are_and_it_is_held_since_the_later(self) -> None:
        both = (assigned(C1, READER, self.A), assigned(C1, READER, self.B, on=NOW))
        cover = self._cover(*both)
        assert (cover.missing, cover.through, cover.since) == ((), both, NOW)

    def test_nobody_need_know_since_when(self) -> None:
        cover = self._cover(*(assigned(C1, READER, part, on=None) for part in (self.A, self.B)))
        assert (cover.held, cover.since) == (True, None)

    def test_all_of_it_counts_first(self) -> None:
        """The age is that of the grant on all of it, though each part was granted before."""
        whole = assigned(C1, READER, STORAGE, on=NOW)
        cover = self._cover(whole, assigned(C1, READER, self.A), assigned(C1, READER, self.B))
        assert (cover.held, cover.through, cover.since) == (True, (whole,), NOW)


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
    seen = estate(workspace(cluster("cpu1", C1)), held=[assigned(C1, role, REGISTRY)], roles=[role])
    assert held(ask(), seen).held is (condition is None)
