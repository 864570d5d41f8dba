"""Laws of the plan, over random estates and policies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from properties.estates import (
    all_assignments,
    assignments,
    estates,
    made,
    may,
    policies,
    pullers,
    where,
    with_assignments,
)
from unit.build import terms

from shared.access.actions import Grant, Plan
from shared.access.ask_rules import ask_all
from shared.access.asks import Property
from shared.access.guards import Guard
from shared.access.model import ComputeType, Estate, Registry, Workspace
from shared.access.needs import PULL, PULL_ABAC
from shared.access.permissions import Permission
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Boundary, Caps, RunMode, Terms

laws = settings(max_examples=60)


@dataclass(frozen=True)
class Planned:
    seen: Estate
    said: Terms
    result: Plan


def grants(made: Plan) -> set[str]:
    return {grant.action_id for grant in made.grants}


@given(estates(), policies())
@laws
def test_once_its_grants_are_made_a_plan_asks_for_none_of_them(seen: Estate, said: Terms) -> None:
    first = plan(seen, said)
    after = with_assignments(seen, [*all_assignments(seen), *(made(grant, seen) for grant in first.grants)])
    second = plan(after, said)
    assert second.grants == ()
    assert second.satisfied >= first.satisfied + len(first.grants)


@given(estates(), policies())
@laws
def test_what_is_withheld_is_withheld_under_a_word_that_is_known(seen: Estate, said: Terms) -> None:
    words = {one.refusal.guard for one in plan(seen, said).withheld}
    assert words <= {*Guard} | {rule.name for rule in RULES if rule.is_guard}


@given(estates(), policies(), assignments())
@laws
def test_one_assignment_more_never_means_a_grant_more(seen: Estate, said: Terms, more: Any) -> None:
    held = all_assignments(seen)
    assume(not more.condition and where(more) not in map(where, held))
    assert grants(plan(with_assignments(seen, [*held, more]), said)) <= grants(plan(seen, said))


@given(estates(), policies(), st.data())
@laws
def test_one_assignment_less_never_means_a_grant_less(seen: Estate, said: Terms, data: st.DataObject) -> None:
    held = all_assignments(seen)
    assume(held)
    gone = data.draw(st.sampled_from(held))
    fewer = with_assignments(seen, [one for one in held if one != gone])
    assert grants(plan(fewer, said)) >= grants(plan(seen, said))


def what_is_granted_is_not_held_and_can_be_held(one: Planned) -> None:
    for grant in one.result.grants:
        if grant.need in (PULL, PULL_ABAC):  # the oracle knows no wildcards in what is needed
            access = one.seen.access[grant.principal.id]
            assert not all(may(access, permission, grant.scope) for permission in grant.need.permissions)
            after = with_assignments(one.seen, [*all_assignments(one.seen), made(grant, one.seen)]).access[
                grant.principal.id
            ]
            assert all(may(after, permission, grant.scope) for permission in grant.need.permissions)


def nobody_who_pulls_is_forgotten(one: Planned) -> None:
    """Granted, withheld, held, or the policy turned its rule off."""
    spoken_of = {(each.principal.id, each.scope) for each in one.result.grants}
    withheld = [w.action for w in one.result.withheld if isinstance(w.action, Grant)]
    spoken_of |= {(each.principal.id, each.scope) for each in withheld}
    if any(each.enabled is False for each in one.said.rules.values()):
        return
    for workspace, principal in pullers(one.seen):
        if workspace is one.seen.subject and workspace.registry:
            assert (principal.id, workspace.registry) in spoken_of or can_pull(
                one.seen, principal.id, workspace.registry
            )


def can_pull(seen: Estate, principal: str, registry: Scope) -> bool:
    need = PULL_ABAC if seen.registries[registry].abac else PULL
    return all(may(seen.access[principal], permission, registry) for permission in need.permissions)


def the_admin_user_goes_off_only_when_nobody_depends_on_it(one: Planned) -> None:
    for setting in one.result.settings:
        if setting.name is not Property.ADMIN_USER:
            continue
        users = [each for each in one.seen.workspaces if each.registry == setting.resource]
        assert one.seen.subject in users
        assert all(can_pull(one.seen, p.id, setting.resource) for w, p in pullers(one.seen) if w in users)
        for each in users:
            assert not each.serverless or each.acts_as_uai
            assert all(endpoint.ready and endpoint.identity.default for endpoint in each.endpoints)
            assert all(c.identity.default for c in each.computes if c.type is ComputeType.AML_COMPUTE)
            assert not any(c.type in (ComputeType.UNKNOWN, ComputeType.VIRTUAL_MACHINE) for c in each.computes)
            assert can_build(one.seen, each, setting.resource)
        listed = [raw for fact in one.seen.facts.values() if isinstance(fact, tuple) for raw in fact]
        assert not any(f"'username': '{setting.resource.name}'" in str(raw) for raw in listed)


def can_build(seen: Estate, workspace: Workspace, registry: Scope) -> bool:
    kind = "Microsoft.ContainerRegistry/registries"
    tasks = [Permission(f"{kind}/{what}/action") for what in ("scheduleRun", "listBuildSourceUploadUrl")]
    repositories = [Permission(f"{kind}/repositories/{part}/write", data=True) for part in ("content", "metadata")]
    pushes = repositories if seen.registries[registry].abac else [Permission(f"{kind}/push/write")]
    acting = workspace.acting
    return acting is not None and all(may(seen.access[acting.id], one, registry) for one in (*tasks, *pushes))


def the_keys_are_resynced_beside_a_switch_off_and_after_it(one: Planned) -> None:
    names = [setting.name for setting in one.result.settings]
    assert (Property.CACHED_KEYS not in names) or names.index(Property.ADMIN_USER) < names.index(Property.CACHED_KEYS)
    assert names.count(Property.ADMIN_USER) <= 1


def nothing_outside_the_boundary_and_nothing_under_a_lock_changes(one: Planned) -> None:
    group = (
        one.seen.subject.id.resource_group
        if one.said.boundary is Boundary.RESOURCE_GROUP
        else one.seen.subject.id.subscription
    )
    inside = [*one.said.allow, *([group] if group else [])]
    locked = [each.scope for each in one.seen.locks]
    touched = [g.scope for g in one.result.grants] + [s.resource for s in one.result.settings]
    touched += [g.principal.resource for g in one.result.grants if g.principal.resource]
    for scope in touched:
        assert any(each.contains(scope) for each in inside)
    for scope in (*(g.scope for g in one.result.grants), *(s.resource for s in one.result.settings)):
        assert not any(each.contains(scope) for each in locked)


@given(estates(), policies(), st.randoms(use_true_random=False))
@laws
def test_the_order_of_what_was_read_does_not_matter(seen: Estate, said: Terms, dice: Any) -> None:
    def shuffled(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(dice.sample(list(values), len(values)))

    subject = replace(
        seen.subject,
        computes=shuffled(seen.subject.computes),
        endpoints=shuffled(seen.subject.endpoints),
        datastores=shuffled(seen.subject.datastores),
    )
    other = with_assignments(
        replace(seen, subject=subject, locks=shuffled(seen.locks)), shuffled(all_assignments(seen))
    )
    one, two = plan(seen, said), plan(other, said)
    assert grants(one) == grants(two)
    assert [s.action_id for s in one.settings] == [s.action_id for s in two.settings]
    assert {(w.action.action_id, w.refusal.guard) for w in one.withheld} == {
        (w.action.action_id, w.refusal.guard) for w in two.withheld
    }
    assert {(d.action.action_id, d.until) for d in one.deferred} == {
        (d.action.action_id, d.until) for d in two.deferred
    }
    assert set(one.findings) == set(two.findings)
    assert one.satisfied == two.satisfied


def the_mode_never_changes_the_plan(one: Planned) -> None:
    for mode in RunMode:
        assert plan(one.seen, replace(one.said, mode=mode)) == one.result


def every_action_is_there_once(one: Planned) -> None:
    ids = [action.action_id for action in one.result.actions]
    ids += [w.action.action_id for w in one.result.withheld] + [d.action.action_id for d in one.result.deferred]
    assert len(ids) == len(set(ids))
    assert all(action.requirements and action.reason and action.source for action in one.result.actions)


def whoever_asks_for_a_change_of_access_says_so(one: Planned) -> None:
    for asked in ask_all(one.seen, one.said):
        assert all(rule.leads for rule, _ in (*asked.grants, *asked.settings))


@given(estates(), st.integers(0, 4))
@laws
def test_a_cap_withholds_what_is_over_it_and_nothing_else(seen: Estate, cap: int) -> None:
    free, capped = plan(seen, terms(caps=Caps(per_run=1000))), plan(seen, terms(caps=Caps(per_run=cap)))
    counted = [action for action in capped.actions if getattr(action, "name", None) is not Property.CACHED_KEYS]
    assert len(counted) <= cap
    over = [w.action.action_id for w in capped.withheld if w.refusal.guard == "cap"]
    wanted = [a.action_id for a in free.actions if getattr(a, "name", None) is not Property.CACHED_KEYS]
    assert [action.action_id for action in counted] + over == wanted


def a_classic_registry_gets_acrpull_and_an_abac_registry_never_does(one: Planned) -> None:
    for grant in one.result.grants:
        target: Registry | None = one.seen.registries.get(grant.scope)
        if grant.need in (PULL, PULL_ABAC) and target:
            assert (grant.need is PULL_ABAC) is target.abac


LAWS: list[Callable[[Planned], None]] = [
    what_is_granted_is_not_held_and_can_be_held,
    nobody_who_pulls_is_forgotten,
    the_admin_user_goes_off_only_when_nobody_depends_on_it,
    the_keys_are_resynced_beside_a_switch_off_and_after_it,
    nothing_outside_the_boundary_and_nothing_under_a_lock_changes,
    every_action_is_there_once,
    a_classic_registry_gets_acrpull_and_an_abac_registry_never_does,
    the_mode_never_changes_the_plan,
    whoever_asks_for_a_change_of_access_says_so,
]


@given(estates(), policies())
@settings(max_examples=250)
def test_every_law_of_one_plan(seen: Estate, said: Terms) -> None:
    one = Planned(seen, said, plan(seen, said))
    for law in LAWS:
        law(one)
