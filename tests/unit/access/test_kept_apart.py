"""What counts as keeping apart, one question at a time: whose grants are compared, where, and what people then read."""

from dataclasses import replace

import pytest
from unit.build import (
    GROUP,
    MANAGEMENT_GROUP,
    OTHER_SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    custom,
    endpoint,
    estate,
    resource,
    sai,
    workspace,
)

from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import RequiredGrant
from shared.access.held import held
from shared.access.model import Estate, Principal
from shared.access.needs import CONTROL_STORAGE, READ_BLOBS, READ_FILES, WRITE_BLOBS, Need
from shared.access.own_assignments import assignment_name, description
from shared.access.permissions import RoleAssignment, UnknownRoleError
from shared.access.rules import RULES
from shared.access.rules.rule import Rule
from shared.access.scope import Scope
from shared.access.separation import kept_apart, levelled, limited, not_levelled

READER, WRITER = "Storage Blob Data Reader", "Storage Blob Data Contributor"
NORTH, SOUTH, WEST = (resource("Microsoft.Storage/storageAccounts", name) for name in ("north", "south", "west"))
A, B, C = sai("cpu-a"), sai("cpu-b"), sai("cpu-c")
COMPUTES = {one: WORKSPACE.child("computes", one.label) for one in (A, B, C)}
FIRST, SECOND = [rule for rule in RULES if rule.keeps_apart and rule.grants][:2]
BY_A, BY_B = "@Resource[path] StringLike 'a*'", "@Resource[path] StringLike 'b*'"


def _container(where: Scope, name: str) -> Scope:
    return where.child("blobServices", "default", "containers", name)


def _ask(
    who: Principal, where: Scope, need: Need = READ_BLOBS, on: Scope | None = None, *, explicit: bool = True
) -> RequiredGrant:
    return RequiredGrant(who, need, where, on or COMPUTES[who], ("AML-36",), "it reads", explicit=explicit)


def _asked(*asks: tuple[Rule, RequiredGrant]) -> WorkspaceAsks:
    return WorkspaceAsks(workspace(), asks, (), (), (), (), (), ())


def _estate(*held_by: RoleAssignment, **more: object) -> Estate:
    return estate(
        workspace(
            *(cluster(one.label, one) for one in COMPUTES), endpoint("serve", sai("serve")), registry=None, storage=None
        ),
        held=held_by,
        **more,  # type: ignore[arg-type]  # as `estate` has them
    )


EACH_A_CONTAINER = (assigned(A, READER, _container(NORTH, "a")), assigned(B, READER, _container(NORTH, "b")))
BOTH = ((FIRST, _ask(A, NORTH)), (FIRST, _ask(B, NORTH)))


def test_two_of_one_rule_with_different_parts_are_kept_apart() -> None:
    assert kept_apart(_asked(*BOTH), _estate(*EACH_A_CONTAINER)).keys() == {
        (NORTH, "microsoft.machinelearningservices/workspaces/computes"),
        (NORTH, ""),
    }


def test_whom_a_rule_serves_that_knows_no_teams_is_compared_with_nobody() -> None:
    plain = replace(SECOND, keeps_apart=False)
    asked = _asked((FIRST, _ask(A, NORTH)), (plain, _ask(B, NORTH)))
    assert kept_apart(asked, _estate(*EACH_A_CONTAINER)) == {}
    other = _asked((FIRST, _ask(A, NORTH)), (SECOND, _ask(B, NORTH)))
    assert kept_apart(other, _estate(*EACH_A_CONTAINER))


def test_identities_of_the_workspace_itself_are_no_teams_of_another_rule() -> None:
    mine, theirs = ((rule, _ask(who, NORTH, on=WORKSPACE)) for rule, who in ((FIRST, A), (SECOND, B)))
    assert kept_apart(_asked(mine, theirs), _estate(*EACH_A_CONTAINER)) == {}


def test_identities_of_the_workspace_itself_are_teams_of_the_same_rule() -> None:
    """Connections of a workspace may each name an identity of their own."""
    both = ((FIRST, _ask(who, NORTH, on=WORKSPACE)) for who in (A, B))
    assert (NORTH, WORKSPACE.resource_type) in kept_apart(_asked(*both), _estate(*EACH_A_CONTAINER))


def test_what_each_of_two_rules_keeps_apart_stays_so() -> None:
    south = [replace(one, scope=_container(SOUTH, one.scope.name)) for one in EACH_A_CONTAINER]
    asked = _asked(*BOTH, (SECOND, _ask(A, SOUTH)), (SECOND, _ask(B, SOUTH)))
    assert {scope for scope, _ in kept_apart(asked, _estate(*EACH_A_CONTAINER, *south))} == {NORTH, SOUTH}


def test_a_rule_that_grants_nothing_itself_speaks_for_its_own_kind_only() -> None:
    advising = replace(FIRST, grants=())
    asked = _asked(*((advising, one) for _, one in BOTH))
    assert {kind for _, kind in kept_apart(asked, _estate(*EACH_A_CONTAINER))} == {
        "microsoft.machinelearningservices/workspaces/computes"
    }


@pytest.mark.parametrize("explicit", [True, False])
def test_what_aml_itself_uses_is_granted_to_identities_of_another_kind(explicit: bool) -> None:
    """Only what a user named is held back for every kind."""
    one = _ask(sai("serve"), NORTH, on=WORKSPACE.child("onlineEndpoints", "serve"), explicit=explicit)
    reasons = kept_apart(_asked(*BOTH), _estate(*EACH_A_CONTAINER))
    assert (levelled(FIRST, one, reasons) is not None) is explicit


def test_who_is_asked_for_elsewhere_only_is_not_compared() -> None:
    """Even if nobody can tell what it holds."""
    lost = replace(assigned(B, READER, Scope.parse("/")), misplaced=True)
    asked = _asked((FIRST, _ask(A, NORTH)), (FIRST, _ask(A, SOUTH)), (SECOND, _ask(B, WEST)))
    assert kept_apart(asked, _estate(lost)) == {}


def test_of_two_targets_one_lost_role_is_enough_to_tell_nothing() -> None:
    lost = replace(assigned(B, READER, Scope.parse("/")), misplaced=True)
    asked = _asked(*((FIRST, _ask(who, where)) for who in (A, B) for where in (NORTH, SOUTH)))
    said = kept_apart(asked, _estate(lost))
    assert {scope for scope, _ in said} == {NORTH, SOUTH}
    assert all("where one of their roles is" in why for why in said.values())
    assert kept_apart(_asked(*BOTH), _estate(lost)) == {}


def test_of_two_targets_a_closed_one_is_enough_to_tell_nothing() -> None:
    """Of one alone, the guard that reads nothing there speaks."""
    closed = _estate(blind=frozenset({NORTH}))
    asked = _asked(*((FIRST, _ask(who, where)) for who in (A, B) for where in (NORTH, SOUTH)))
    assert all(why.startswith("who holds what on north may not be read") for why in kept_apart(asked, closed).values())
    assert kept_apart(asked, closed)
    assert kept_apart(_asked(*BOTH), closed) == {}


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_one_alone_that_holds_something_is_kept_from_nothing(order: tuple[Principal, Principal]) -> None:
    asked = _asked(*((FIRST, _ask(who, NORTH)) for who in order))
    assert kept_apart(asked, _estate(assigned(A, READER, NORTH))) == {}


def test_only_targets_at_which_both_are_asked_for_are_compared() -> None:
    asked = _asked((FIRST, _ask(A, NORTH)), (FIRST, _ask(A, SOUTH)), (FIRST, _ask(B, SOUTH)))
    everything = [assigned(A, READER, NORTH), assigned(A, READER, SOUTH), assigned(B, READER, SOUTH)]
    assert kept_apart(asked, _estate(*everything)) == {}
    assert kept_apart(asked, _estate(*everything[:2], assigned(B, READER, _container(SOUTH, "b"))))


@pytest.mark.parametrize(
    ("mine", "theirs", "apart"),
    [
        (assigned(A, READER, GROUP, condition=BY_A), assigned(B, READER, NORTH, condition=BY_A), False),
        (assigned(A, READER, GROUP, condition=BY_A), assigned(B, READER, NORTH, condition=BY_B), True),
        (assigned(A, READER, NORTH), assigned(B, READER, NORTH, condition=BY_B), True),
        (assigned(A, READER, _container(NORTH, "a")), assigned(B, READER, _container(NORTH, "a")), False),
    ],
    ids=["the same above", "another above", "all of it and a part", "the same part"],
)
def test_terms_are_compared_not_where_they_were_set(mine: RoleAssignment, theirs: RoleAssignment, apart: bool) -> None:
    assert bool(kept_apart(_asked(*BOTH), _estate(mine, theirs))) is apart


def test_a_condition_in_the_role_itself_is_one() -> None:
    """Whoever holds all of it, and whoever holds it on a condition, are on different terms."""
    partly = custom(data=[one.action for one in READ_BLOBS.permissions if one.data], condition=BY_A)
    by_role = assigned(B, partly, NORTH)
    seen = _estate(assigned(A, READER, NORTH), by_role, roles=[partly])
    assert kept_apart(_asked(*BOTH), seen)
    assert "on a condition" in str(limited(_ask(B, NORTH, WRITE_BLOBS), _estate(by_role, roles=[partly])))


def test_the_reason_names_who_holds_what_by_its_own_name() -> None:
    asked = _asked(*BOTH, (FIRST, _ask(C, NORTH)))
    south = assigned(B, READER, _container(NORTH, "c"))
    (why,) = set(kept_apart(asked, _estate(*EACH_A_CONTAINER, south)).values())
    assert why == "people gave them different ones, or set different terms (cpu-a: a; cpu-b: b, c)"


class TestLimits:
    """A part that somebody gave, or a condition that somebody set, keeps one identity from the rest."""

    def _said(self, *held_by: RoleAssignment, need: Need = READ_BLOBS, **more: object) -> str | None:
        return limited(_ask(A, NORTH, need), _estate(*held_by, **more))

    def test_says_on_what_it_was_limited(self) -> None:
        where = assigned(A, READER, _container(NORTH, "a"))
        assert str(self._said(where)).startswith("somebody gave cpu-a access to north on a only, and")
        assert where.id in str(self._said(where))

    @pytest.mark.parametrize("scope", [NORTH, GROUP], ids=["there", "above"])
    def test_says_that_it_was_a_condition(self, scope: Scope) -> None:
        said = str(self._said(assigned(A, READER, scope, condition=BY_A)))
        assert said.startswith("somebody gave cpu-a access to north on a condition, and")

    def test_a_condition_at_a_management_group_above_is_one(self) -> None:
        above = assigned(A, READER, MANAGEMENT_GROUP, condition=BY_A)
        assert self._said(above)
        assert self._said(replace(above, within=OTHER_SUBSCRIPTION)) is None

    def test_a_condition_elsewhere_is_none(self) -> None:
        assert self._said(assigned(A, READER, SOUTH, condition=BY_A)) is None

    def test_a_part_of_the_control_plane_is_none(self) -> None:
        inner = NORTH.child("blobServices", "default")
        assert self._said(assigned(A, "Contributor", inner), need=CONTROL_STORAGE) is None

    def test_a_part_of_other_data_is_none(self) -> None:
        assert self._said(assigned(A, READER, _container(NORTH, "a")), need=READ_FILES) is None

    def test_all_of_the_data_is_none_for_who_is_to_control_the_account(self) -> None:
        assert self._said(assigned(A, READER, NORTH), need=CONTROL_STORAGE) is None
        assert self._said(assigned(A, READER, _container(NORTH, "a")), need=CONTROL_STORAGE)

    def test_nothing_is_limited_of_what_is_held_already(self) -> None:
        all_of_it = assigned(A, "Contributor", NORTH), assigned(A, READER, _container(NORTH, "a"))
        assert self._said(*all_of_it, need=CONTROL_STORAGE) is None

    def test_nothing_is_said_of_what_may_not_be_read(self) -> None:
        where = assigned(A, READER, _container(NORTH, "a"))
        assert self._said(where, blind=frozenset({NORTH})) is None

    def test_a_role_that_is_nobody_knows_where_is_none(self) -> None:
        lost = replace(assigned(A, READER, Scope.parse("/"), condition=BY_A), misplaced=True)
        assert self._said(lost) is None

    def test_a_part_that_amlguard_granted_is_none(self) -> None:
        there = _container(NORTH, "a")
        made = assigned(A, READER, there)
        name = assignment_name(there, A.id, made.role_id)
        text = description("r", (), "11111111-2222-4333-8444-555555555555", COMPUTES[A], None)
        ours = replace(made, id=f"{there}/providers/Microsoft.Authorization/roleAssignments/{name}", description=text)
        assert self._said(ours) is None
        assert self._said(replace(ours, description=None))
        assert self._said(replace(ours, id=made.id))

    def test_a_role_that_was_not_read_is_unknown(self) -> None:
        with pytest.raises(UnknownRoleError):
            self._said(replace(assigned(A, READER, _container(NORTH, "a")), role_id="unread"))


def test_the_finding_names_who_lacks_it_and_how_to_grant_it_by_hand() -> None:
    seen = _estate(assigned(A, READER, NORTH), EACH_A_CONTAINER[1])
    asking = [*BOTH, (FIRST, _ask(C, NORTH))]
    (one,) = not_levelled(asking, kept_apart(_asked(*asking), seen), seen)
    assert [held(ask, seen).held for _, ask in asking] == [True, False, False]
    assert one.message.endswith("It is not held by cpu-b, cpu-c.")
    assert "--assignee-object-id OBJECT-ID" in one.remedy
    assert f"--scope {NORTH}" in one.remedy
    assert f'--role "{READER}"' in one.remedy
    assert one.severity == "low"
