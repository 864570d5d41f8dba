"""One plan grants no role that another of its grants contains, and nobody loses anything by that.

What a role allows is asked of `oracle`, which matches operations one by one, and shares no code with the product.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import matches
from properties.estates import all_assignments, estates, made, policies, with_assignments
from unit.build import GROUP, REGISTRY, ROLES, STORAGE, SUBSCRIPTION, WORKSPACE, sai, terms, uai

from shared.access.actions import Grant
from shared.access.asks import RequiredGrant
from shared.access.held import held
from shared.access.merge import fewest
from shared.access.model import Estate
from shared.access.permissions import PermissionBlock
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.terms import Terms

NEEDS = list(dict.fromkeys(need for rule in RULES for need in rule.grants))
BY_ID = {role.role_id: role for role in ROLES.values() if role.role_id in {one.role_id for one in NEEDS}}
# Every operation that one of the roles or needs names, wildcards filled in: enough to tell any two of them apart.
PATTERNS = {
    (pattern, data)
    for role in BY_ID.values()
    for block in role.permissions
    for data in (False, True)
    for pattern in ((*block.data_actions, *block.not_data_actions) if data else (*block.actions, *block.not_actions))
} | {(one.action, one.data) for need in NEEDS for one in need.permissions}
OPERATIONS = sorted({(pattern.replace("*", "x/y"), data) for pattern, data in PATTERNS})


@cache
def _some_allow(patterns: tuple[str, ...], operation: str) -> bool:
    return any(matches(one, operation) for one in patterns)


def allows(blocks: Iterable[PermissionBlock], operation: tuple[str, bool]) -> bool:
    action, data = operation
    return any(
        _some_allow(block.data_actions if data else block.actions, action)
        and not _some_allow(block.not_data_actions if data else block.not_actions, action)
        for block in blocks
        if not block.condition
    )


@cache
def _allowed(blocks: tuple[PermissionBlock, ...]) -> frozenset[tuple[str, bool]]:
    return frozenset(one for one in OPERATIONS if allows(blocks, one))


def allowed(grant: Grant) -> frozenset[tuple[str, bool]]:
    return _allowed(grant.gives)


def reaches(one: Grant, other: Grant) -> bool:
    return one.principal.id == other.principal.id and f"{other.scope.key}/".startswith(f"{one.scope.key}/")


# Made once: hypothesis examines each new strategy.
conditions = st.frozensets(st.sampled_from(sorted(BY_ID)), max_size=5)
needs, names = st.sampled_from(NEEDS), st.sampled_from(["one", "two"])
holders = st.sampled_from([sai("a"), sai("a"), uai("b")])
scopes = st.sampled_from([REGISTRY, REGISTRY, STORAGE, WORKSPACE, GROUP, SUBSCRIPTION])


@st.composite
def some_grants(draw: st.DrawFn) -> list[Grant]:
    """Now and then a role is defined with a condition: then it gives nothing for certain."""
    conditioned = draw(conditions)

    def one() -> Grant:
        need = draw(needs)
        blocks = BY_ID[need.role_id].permissions
        if need.role_id in conditioned:
            blocks = tuple(replace(block, condition="@Resource[a] StringEquals 'b'") for block in blocks)
        holder, scope, rule = draw(holders), draw(scopes), draw(names)
        return Grant(holder, need, scope, WORKSPACE, rule, (f"AML-{rule}",), rule, rule, gives=blocks)

    return [one() for _ in range(draw(st.integers(0, 7)))]


@given(some_grants())
@settings(max_examples=300)
def test_no_grant_contains_another_and_nothing_is_lost(some: list[Grant]) -> None:
    kept = fewest(some)
    for one in kept:
        for other in kept:
            same_role = one.need.role_id == other.need.role_id
            contained = same_role or (allowed(other) and allowed(other) <= allowed(one))
            assert one is other or not reaches(one, other) or not contained, (one, other)
    for one in some:
        through = [other for other in kept if reaches(other, one)]
        assert all(
            any(operation in allowed(other) or other.need.role_id == one.need.role_id for other in through)
            for operation in allowed(one)
        )


@given(some_grants())
@settings(max_examples=100)
def test_who_asked_is_still_named(some: list[Grant]) -> None:
    kept = fewest(some)
    assert [one.action_id for one in fewest(kept)] == [one.action_id for one in kept]
    for one in some:
        assert any(one.rule in other.rule and set(one.requirements) <= set(other.requirements) for other in kept)


@given(estates(), policies())
@settings(max_examples=100)
def test_of_random_plans(seen: Estate, said: Terms) -> None:
    """Also with all rules on that grant: then Contributor of the registry stands beside AcrPull and the approver."""
    everything = [rule.name for rule in RULES if rule.grants]
    for policy in (said, terms(on=everything)):
        result = plan(seen, policy)
        for one in result.grants:
            for other in result.grants:
                contained = allowed(other) <= allowed(one) or one.need.role_id == other.need.role_id
                assert one is other or not reaches(one, other) or not contained, (one, other)
        after = with_assignments(seen, [*all_assignments(seen), *(made(grant, seen) for grant in result.grants)])
        for grant in result.grants:
            for needless in grant.instead:
                asked = RequiredGrant(needless.principal, needless.need, needless.scope, needless.on, (), "")
                assert held(asked, after).held


def test_every_role_gives_what_its_need_asks_for() -> None:
    for need in NEEDS:
        for one in need.permissions:
            assert allows(BY_ID[need.role_id].permissions, (one.action.replace("*", "x/y"), one.data)), need.name
