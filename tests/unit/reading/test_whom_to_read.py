"""About whom the lists of a resource group tell enough, and about whom everything must be read."""

from collections.abc import Iterable
from dataclasses import replace

from unit.build import (
    FOREIGN,
    REGISTRY,
    WORKSPACE,
    assigned,
    cluster,
    estate,
    registry,
    registry_id,
    role,
    sai,
    terms,
    workspace,
)

from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import RequiredGrant
from shared.access.model import Estate, Principal
from shared.access.needs import PULL
from shared.access.permissions import RoleAssignment
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.reading.whom_to_read import holders_at_hand, unknown_holders

A, B = sai("a"), sai("b")
OTHER = registry_id("other")
RULE = next(rule for rule in RULES if rule.name == "private-registry-pull")
TWO = workspace(cluster("a", A), cluster("b", B))


def _asked(*asks: tuple[Principal, Scope]) -> list[WorkspaceAsks]:
    grants = tuple(
        (RULE, RequiredGrant(who, PULL, where, WORKSPACE.child("computes", who.label), ("AML-28",), "it pulls"))
        for who, where in asks
    )
    return [WorkspaceAsks(TWO, grants, (), (), (), (), (), ())]


def _seen(*held: RoleAssignment, groups: Iterable[RoleAssignment] | None = ()) -> Estate:
    """Who holds what is known from a list of the resource group, and `groups` are what groups are assigned there."""
    seen = estate(TWO, registry(), held=held)
    of_groups = None if groups is None else tuple(groups)
    return replace(seen, access={who: replace(one, partial=True, groups=of_groups) for who, one in seen.access.items()})


def test_where_groups_give_nothing_there_the_list_is_enough() -> None:
    reader = assigned("people", "Storage Blob Data Reader", REGISTRY)
    assert unknown_holders(_asked((A, REGISTRY)), _seen(groups=[reader]), terms()) == set()
    assert unknown_holders(_asked((A, REGISTRY)), _seen(groups=None), terms()) == {A.id}


def test_a_groups_role_that_is_nobody_knows_where_may_be_there() -> None:
    elsewhere = assigned("pullers", "AcrPull", OTHER)
    assert unknown_holders(_asked((A, REGISTRY)), _seen(groups=[elsewhere]), terms()) == set()
    lost = replace(elsewhere, misplaced=True)
    assert unknown_holders(_asked((A, REGISTRY)), _seen(groups=[lost]), terms()) == {A.id}


def test_who_holds_all_is_read_as_well_where_another_may_be_kept_from_one_of_two_registries() -> None:
    """What people gave each of them, through groups too, tells whether they keep them apart."""
    two = _asked(*((who, where) for who in (A, B) for where in (REGISTRY, OTHER)))
    held = [assigned(who, "AcrPull", where) for who, where in ((A, REGISTRY), (A, OTHER), (B, REGISTRY))]
    groups = [assigned("pullers", "AcrPull", where) for where in (REGISTRY, OTHER)]
    assert unknown_holders(two, _seen(*held, groups=groups), terms()) == {A.id, B.id}
    one = _asked((A, REGISTRY), (B, REGISTRY))
    assert unknown_holders(one, _seen(held[0], groups=groups), terms()) == {B.id}


def test_of_whoever_caused_the_event_everything_is_read() -> None:
    """What they hold above the resource group vouches for a grant as well."""
    unread = replace(_seen(), access={})
    asked = _asked((A, REGISTRY), (B, REGISTRY))
    near, _ = holders_at_hand(asked, unread, frugal=False)
    assert set(near) == {A.id, B.id}
    near, _ = holders_at_hand(asked, replace(unread, caller=A), frugal=False)
    assert near == [B.id]


def test_of_who_needs_something_elsewhere_everything_is_read() -> None:
    asked = _asked((A, REGISTRY), (B, registry_id("far", FOREIGN)))
    near, groups = holders_at_hand(asked, replace(_seen(), access={}), frugal=False)
    assert (near, groups) == ([A.id], [WORKSPACE.resource_group])


def test_a_role_of_a_group_that_nobody_has_read_may_give_it() -> None:
    unread = replace(assigned("pullers", "AcrPull", REGISTRY), role_id="no-such-role")
    assert role("AcrPull").role_id != unread.role_id
    assert unknown_holders(_asked((A, REGISTRY)), _seen(groups=[unread]), terms()) == {A.id}
