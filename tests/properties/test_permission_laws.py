"""Wildcards and coverage against the obvious way to do it: try all short operations."""

import itertools
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import matches
from unit.build import GROUP, MANAGEMENT_GROUP, REGISTRY, SUBSCRIPTION, access, assigned, denied, registry_id, sai

from shared.access.permissions import (
    Access,
    Permission,
    PermissionBlock,
    RoleAssignment,
    RoleDefinition,
    coverage,
    includes,
    overlaps,
)

# Two stars in a row mean no more than one, and Azure has none; else every text of up to five signs.
patterns = st.text("ab/*", min_size=1, max_size=5).filter(lambda text: "**" not in text)
operations = st.text("ab/", min_size=1, max_size=6)
ALL = ["".join(signs) for length in range(1, 8) for signs in itertools.product("ab/", repeat=length)]


@cache
def matched(pattern: str) -> frozenset[str]:
    return frozenset(operation for operation in ALL if matches(pattern, operation))


@given(patterns, operations)
@settings(max_examples=500)
def test_a_pattern_includes_the_operations_that_it_matches(pattern: str, operation: str) -> None:
    assert includes(pattern, operation) is matches(pattern, operation)


@given(patterns, patterns)
@settings(max_examples=300)
def test_a_pattern_includes_another_when_it_matches_all_that_the_other_does(one: str, other: str) -> None:
    # c is a sign that no pattern names: what stands in its place may be anything.
    assert includes(one, other) is matches(one, other.replace("*", "c"))
    if includes(one, other):
        assert matched(other) <= matched(one)


@given(patterns, patterns)
@settings(max_examples=300)
def test_patterns_overlap_when_some_operation_is_matched_by_both(one: str, other: str) -> None:
    assert overlaps(one, other) is bool(matched(one) & matched(other))


@given(patterns, patterns)
def test_case_never_matters(one: str, other: str) -> None:
    assert includes(one.upper(), other) is includes(one, other.upper()) is includes(one, other)
    assert overlaps(one.upper(), other) is overlaps(other.upper(), one) is overlaps(one, other)


conditions = st.sampled_from([None, None, "c"])
blocks = st.builds(
    PermissionBlock,
    st.lists(patterns, max_size=3).map(tuple),
    st.lists(patterns, max_size=2).map(tuple),
    condition=conditions,
)


@given(blocks, operations, st.booleans())
def test_a_block_allows_what_its_actions_match_but_its_not_actions_do_not(
    block: PermissionBlock, operation: str, data: bool
) -> None:
    allowed = any(matches(p, operation) for p in block.actions) and not any(
        matches(p, operation) for p in block.not_actions
    )
    assert block.allows(Permission(operation, data)) is (allowed and not data)
    assert block.touches(Permission(operation, data)) is (allowed and not data)


@given(blocks, patterns)
def test_a_block_allows_a_wildcard_only_when_it_allows_all_that_it_stands_for(
    block: PermissionBlock, needed: str
) -> None:
    each = [block.allows(Permission(operation)) for operation in matched(needed)]
    if block.allows(Permission(needed)):
        assert all(each)
    if any(each):
        assert block.touches(Permission(needed))


ME = sai("me")
SCOPES = [REGISTRY, GROUP, SUBSCRIPTION, MANAGEMENT_GROUP, registry_id("acrml2"), REGISTRY.child("scopeMaps", "x")]
roles = st.lists(blocks, min_size=1, max_size=2).map(lambda b: RoleDefinition(f"role {b!r}", "made up", tuple(b)))

some_roles, scopes = st.lists(roles, max_size=3), st.sampled_from(SCOPES)


@st.composite
def held(draw: st.DrawFn) -> tuple[Access, list[RoleAssignment]]:
    known = draw(some_roles)
    assignments = [assigned(ME, role, draw(scopes), condition=draw(conditions)) for role in known]
    return access(*assignments, roles=known), assignments


@given(held(), st.lists(operations, min_size=1, max_size=2))
def test_coverage_is_what_the_obvious_way_says(one: tuple[Access, list[RoleAssignment]], needed: list[str]) -> None:
    known, assignments = one
    reaches = {REGISTRY, GROUP, SUBSCRIPTION, MANAGEMENT_GROUP}
    free = [
        block
        for a in assignments
        if a.scope in reaches and not a.condition
        for block in known.roles[a.role_id].permissions
        if not block.condition
    ]
    expected = all(
        any(
            any(matches(p, operation) for p in block.actions)
            and not any(matches(p, operation) for p in block.not_actions)
            for block in free
        )
        for operation in needed
    )
    cover = coverage(map(Permission, needed), REGISTRY, known)
    assert cover.held is expected
    assert {a.scope for a in cover.through} <= reaches


@given(held(), held(), st.lists(operations, min_size=1, max_size=2))
def test_more_assignments_never_hold_less(
    one: tuple[Access, list[RoleAssignment]], more: tuple[Access, list[RoleAssignment]], needed: list[str]
) -> None:
    wanted = [Permission(operation) for operation in needed]
    both = Access((*one[1], *more[1]), {**one[0].roles, **more[0].roles})
    assert coverage(wanted, REGISTRY, both).held >= coverage(wanted, REGISTRY, one[0]).held
    assert set(coverage(wanted, REGISTRY, both).missing) <= set(coverage(wanted, REGISTRY, one[0]).missing)


@given(held(), patterns, st.lists(operations, min_size=1, max_size=2))
def test_a_deny_wins_wherever_it_touches(
    one: tuple[Access, list[RoleAssignment]], denies: str, needed: list[str]
) -> None:
    wanted = [Permission(operation) for operation in needed]
    before = coverage(wanted, REGISTRY, one[0])
    after = coverage(wanted, REGISTRY, Access(one[0].assignments, one[0].roles, (denied(denies),)))
    touched = any(matches(denies, operation) for operation in needed)
    assert after.held is (before.held and not touched)
    assert after.missing == before.missing
