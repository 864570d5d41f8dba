"""For whom undo may bring something back: which identities are a workspace's, and what is its own."""

from dataclasses import replace

import pytest
from unit.build import (
    CLUSTER,
    FOREIGN,
    GROUP,
    INSIGHTS,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    cluster,
    compute,
    endpoint,
    estate,
    guid,
    lock,
    registry_id,
    resource,
    sai,
    terms,
    uai,
    uai_workspace,
    workspace,
)

from shared.access.actions import Grant, Refusal, Setting
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Property
from shared.access.model import ComputeType, Estate, Principal
from shared.access.needs import (
    CONTROL_INSIGHTS,
    CONTROL_REGISTRY,
    CONTROL_STORAGE,
    CONTROL_VAULT,
    CONTROL_WORKSPACE,
    PULL,
    PULL_ABAC,
    WRITE_BLOBS,
    Need,
)
from shared.access.own_assignments import assignment_name
from shared.access.scope import Scope
from shared.access.terms import RuleMode, RuleTerms
from shared.access.undo_guards import again, as_asked, asking, back, nobody, not_watched
from shared.access.undo_steps import Done

ME, C1, E1, NODES = sai("mlw"), sai("cpu1"), sai("serve1"), replace(uai("nodes"), resource=CLUSTER)
AKS = compute("aks", ComputeType.AKS, attached=CLUSTER)
SEEN = estate(
    workspace(cluster("cpu1", C1), endpoint("serve1", E1), AKS, vault=VAULT, app_insights=INSIGHTS),
    clusters={CLUSTER: NODES},
)
COMPUTE = WORKSPACE.child("computes", "cpu1")
OPT_IN = ["AML-03", "AML-04", "AML-06", "AML-08", "AML-09"]


def _taken(who: Principal, need: Need, scope: Scope, on: Scope) -> Done:
    at = scope.child("providers", "Microsoft.Authorization", "roleAssignments", guid("x"))
    return Done("run", "r", (), on, who.id.casefold(), need.role_id, at, scope, removed=True)


@pytest.mark.parametrize(
    ("who", "on"),
    [
        (ME, WORKSPACE),
        (C1, COMPUTE),
        (E1, WORKSPACE.child("onlineEndpoints", "serve1")),
        (NODES, AKS.id),
    ],
    ids=["the workspace's own", "a cluster's", "an endpoint's", "the nodes' of an attached cluster"],
)
def test_identities_of_the_workspace_may_get_back_what_a_rule_gives(who: Principal, on: Scope) -> None:
    for need in (PULL, PULL_ABAC):  # the registry is one without conditions: no rule asks for the second now
        found = asking(_taken(who, need, REGISTRY, on), SEEN, terms())
        assert {(one.principal, one.on, one.scope) for _, one in found} == {(who, on, REGISTRY)}
        assert {one.need for _, one in found} == {need}


def test_what_a_rule_may_have_asked_for_once_comes_back_in_its_name() -> None:
    found = asking(_taken(C1, PULL_ABAC, REGISTRY, COMPUTE), SEEN, terms())
    assert all((one.requirements, one.reason) == (rule.requirements, rule.title) for rule, one in found)
    assert asking(_taken(C1, PULL_ABAC, STORAGE, COMPUTE), SEEN, terms()) == []


@pytest.mark.parametrize(("on", "whose"), [("cpu1", "cpu1"), ("cpu2", "cpu2"), ("gone", "cpu1")])
def test_of_several_that_have_the_identity_it_is_the_one_that_had_it_for(on: str, whose: str) -> None:
    """If that is gone, the grant serves one of those that are left."""
    shared = uai("shared")
    seen = estate(workspace(cluster("cpu1", shared), cluster("cpu2", shared)))
    found = asking(_taken(shared, PULL_ABAC, REGISTRY, WORKSPACE.child("computes", on)), seen, terms())
    assert {(one.principal, one.on) for _, one in found} == {(shared, WORKSPACE.child("computes", whose))}


def test_the_guards_readers_are_told_of_these_grants_and_nothing_else() -> None:
    asked = asking(_taken(C1, PULL, REGISTRY, COMPUTE), SEEN, terms())
    assert as_asked(SEEN.subject, asked) == WorkspaceAsks(SEEN.subject, tuple(asked), (), (), (), (), (), ())


def test_a_requirement_that_the_policy_turned_off_is_no_reason_and_another_still_is() -> None:
    """Also one with which the rule only helps, and although other rules could ask for the role."""
    done = _taken(C1, PULL, REGISTRY, COMPUTE)
    ((rule, asked),) = asking(done, SEEN, terms())
    others = {name for each in terms().table for name in each.requirements} - {*asked.requirements, *rule.requirements}
    assert asking(done, SEEN, terms(off=others)) == [(rule, asked)]
    for name in (rule.name, *asked.requirements):
        assert asking(done, SEEN, terms(off=[name])) == []
    assert asking(_taken(C1, PULL_ABAC, REGISTRY, COMPUTE), SEEN, terms(off=others | {*rule.requirements})) == []


def test_an_identity_that_is_none_of_them_gets_nothing_back() -> None:
    assert asking(_taken(sai("stranger"), PULL, REGISTRY, WORKSPACE), SEEN, terms()) == []


@pytest.mark.parametrize(
    ("need", "scope", "explicit"),
    [
        (CONTROL_WORKSPACE, WORKSPACE, False),
        (CONTROL_STORAGE, STORAGE, False),
        (CONTROL_VAULT, VAULT, False),
        (CONTROL_REGISTRY, REGISTRY, False),
        (CONTROL_INSIGHTS, INSIGHTS, False),
        (CONTROL_STORAGE, resource("Microsoft.Storage/storageAccounts", "beside"), True),
        (CONTROL_REGISTRY, registry_id("beside"), True),
    ],
    ids=lambda one: one.name if isinstance(one, Scope) else None,
)
def test_what_is_not_the_workspaces_own_takes_the_allow_list(need: Need, scope: Scope, explicit: bool) -> None:
    found = asking(_taken(ME, need, scope, WORKSPACE), SEEN, terms(on=OPT_IN))
    assert found
    assert {one.explicit for rule, one in found if not rule.allow_listed} == {explicit}


def test_a_rule_that_needs_the_allow_list_needs_it_for_what_is_the_workspaces_own_as_well() -> None:
    policy = terms()
    listed = tuple(replace(rule, allow_listed=True) for rule in policy.table)
    done = _taken(ME, PULL, REGISTRY, WORKSPACE)
    assert {one.explicit for _, one in asking(done, SEEN, replace(policy, table=listed))} == {True}


def test_a_requirement_that_several_rules_share_counts_as_well() -> None:
    me = uai("mlw-id")
    seen = estate(uai_workspace())
    done = _taken(me, WRITE_BLOBS, STORAGE, WORKSPACE)
    assert asking(done, seen, terms())
    assert asking(done, seen, terms(off=["AML-10"])) == []


def test_a_workspace_that_is_being_deleted_gets_nothing_back() -> None:
    leaving = replace(SEEN, subject=replace(SEEN.subject, leaving=True))
    assert asking(_taken(C1, PULL, REGISTRY, COMPUTE), leaving, terms()) == []


def test_a_grant_is_made_again_where_it_was() -> None:
    done = _taken(C1, PULL, REGISTRY, COMPUTE)
    made = again(done, asking(done, SEEN, terms()), SEEN, terms())
    assert isinstance(made, Grant)
    assert (made.reason, made.source) == ("undoes run run", "amlguard undo")
    assert (made.principal, made.scope, made.name) == (C1, REGISTRY, assignment_name(REGISTRY, C1.id, PULL.role_id))


def test_what_a_guard_of_the_plan_holds_back_is_not_made_again() -> None:
    done, locked = _taken(C1, PULL, REGISTRY, COMPUTE), replace(SEEN, locks=(lock(REGISTRY),))
    said = again(done, asking(done, locked, terms()), locked, terms())
    assert isinstance(said, Refusal)
    assert said.guard == "lock"


def test_whoever_runs_undo_has_released_it() -> None:
    done = _taken(C1, PULL, REGISTRY, COMPUTE)
    approved = replace(terms(), rules={"compute-pull": RuleTerms(mode=RuleMode.APPROVE)})
    assert isinstance(again(done, asking(done, SEEN, approved), SEEN, approved), Grant)


def test_what_no_rule_gives_says_so() -> None:
    done = _taken(C1, PULL_ABAC, STORAGE, COMPUTE)
    said = again(done, [], SEEN, terms())
    assert isinstance(said, Refusal)
    assert said.reason.startswith(f"a grant on store: no enabled rule gives role {PULL_ABAC.role_id} there")


def _policy_of(who: Principal) -> tuple[Done, Setting]:
    added = frozenset({"secrets/get"})
    done = Done(
        "run", "r", (), VAULT, who.id, setting=Property.ACCESS_POLICY, before="absent", after="present", added=added
    )
    return done, Setting(VAULT, Property.ACCESS_POLICY, "present", "absent", "r", (), "why", "s", who)


def test_an_access_policy_goes_back_for_the_workspaces_own_identities_only() -> None:
    other = uai("other")
    both = replace(SEEN, subject=replace(SEEN.subject, identity=replace(SEEN.subject.identity, user=(other,))))
    assert back(*_policy_of(ME), SEEN, terms()) is None
    assert back(*_policy_of(other), both, terms()) is None
    assert back(*_policy_of(uai("mlw-id")), estate(uai_workspace()), terms()) is None
    said = back(*_policy_of(C1), SEEN, terms())
    assert said is not None
    assert said.reason.startswith(f"accessPolicies of kvml: {C1.id} is not an identity of {WORKSPACE}")


def test_what_the_policy_leaves_out_of_its_table_does_not_come_back() -> None:
    done, change = _policy_of(ME)
    table = tuple(rule for rule in terms().table if rule.name != "workspace-vault-policies")
    assert back(done, change, SEEN, terms()) is None
    assert back(done, change, SEEN, replace(terms(), table=table)) is not None


FAR = OTHER_SUBSCRIPTION.child("resourceGroups", "rg")


@pytest.mark.parametrize(
    ("seen", "allow", "guard"),
    [
        (estate(workspace()), (), None),
        (estate(workspace(), lock(GROUP)), (), "lock"),
        (estate(workspace(), lock(GROUP, read_only=False)), (), None),
        (estate(workspace(registry=registry_id("acrml", FOREIGN))), (), "target-outside-boundary"),
        (estate(workspace(registry=registry_id("acrml", FOREIGN))), (FOREIGN,), None),
        (estate(workspace(registry=registry_id("acrml", FAR))), (FAR,), None),
        (estate(workspace(registry=registry_id("acrml", FAR)), tenants={}), (FAR,), "cross-tenant"),
    ],
    ids=["here", "locked", "locked against deleting", "outside", "allowed", "far", "in another tenant"],
)
def test_an_admin_user_comes_back_only_where_a_plan_may_change_it(
    seen: Estate, allow: tuple[Scope, ...], guard: str | None
) -> None:
    on = seen.subject.registry
    assert on is not None
    done = Done("run", "r", (), on, "", setting=Property.ADMIN_USER, before="true", after="false")
    change = Setting(on, Property.ADMIN_USER, "false", "true", "r", (), "why", "s")
    said = back(done, change, seen, terms(allow=allow))
    assert (said.guard if said else None) == guard


def test_an_access_policy_comes_back_only_for_an_identity_that_is_trusted() -> None:
    stranger = uai("far", FOREIGN)
    seen = replace(SEEN, subject=replace(SEEN.subject, identity=replace(SEEN.subject.identity, user=(stranger,))))
    said = back(*_policy_of(stranger), seen, terms())
    assert said is not None
    assert said.guard == "identity-outside-boundary"
    assert back(*_policy_of(stranger), seen, terms(allow=(FOREIGN,))) is None


def test_keys_have_nothing_that_could_come_back() -> None:
    done = Done("run", "r", (), WORKSPACE, "", setting=Property.CACHED_KEYS, before="cached", after="resynced")
    change = Setting(WORKSPACE, Property.CACHED_KEYS, "resynced", "cached", "r", (), "why", "s")
    assert back(done, change, SEEN, terms()) is not None


def test_a_refusal_names_what_it_is_about() -> None:
    done, _ = _policy_of(ME)
    assert not_watched(done, WORKSPACE).reason.startswith(
        f"accessPolicies of kvml: the policy's scopes do not choose {WORKSPACE}"
    )
    far = registry_id("far", FOREIGN)
    assert nobody(_taken(C1, PULL, far, WORKSPACE)).reason.startswith("a grant on far: no workspace that amlguard")
