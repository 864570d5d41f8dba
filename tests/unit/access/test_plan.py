"""The truth table of the issue, on the plan: what is granted, what is held, what is withheld and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    LOOKALIKE,
    MANAGEMENT_GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    connection,
    custom,
    datastore,
    denied,
    endpoint,
    estate,
    granted,
    guards,
    identity_id,
    lock,
    registry,
    registry_id,
    resource,
    role,
    sai,
    settings,
    terms,
    uai,
    uai_workspace,
    vault,
    workspace,
    workspace_id,
)

from shared.access.actions import Plan
from shared.access.asks import Property, RequiredGrant
from shared.access.model import ComputeType, Registry, Unreadable, Want
from shared.access.needs import PULL
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.plan import plan
from shared.access.rules import RULES, Rule, RuleKind
from shared.access.scope import Scope
from shared.access.surroundings import Lock
from shared.access.terms import Caps, Exemption, RunMode, Terms

C1 = sai("mlw/computes/cpu1")
ENFORCE = terms()
CONDITION = "@Resource[...] StringEquals 'x'"
CLASSIC, ABAC = registry(), registry(abac=True)
NO_PULL = custom("*", but=["Microsoft.ContainerRegistry/registries/pull/read"])
MY_PULL = custom("Microsoft.ContainerRegistry/registries/pull/*")


@dataclass(frozen=True)
class Case:
    """One cluster, one registry and what is assigned; `then` is granted, held, or the guard that withholds it.

    That the workspace's own identity builds images is left out.
    """

    then: str
    held: Sequence[RoleAssignment] = ()
    groups: Iterable[str] = ()
    roles: Iterable[RoleDefinition] = ()
    denies: Iterable[DenyAssignment] = ()
    registry: Registry = CLASSIC

    def plan(self) -> Plan:
        members = {name: [C1] for name in self.groups}
        seen = estate(
            workspace(cluster("cpu1", C1)),
            self.registry,
            held=self.held,
            groups=members,
            roles=self.roles,
            denies=self.denies,
        )
        return plan(seen, replace(ENFORCE, table=tuple(rule for rule in RULES if rule.name != "image-builder")))


TRUTH = {
    "nothing held": Case("granted"),
    "held directly": Case("held", [assigned(C1, "AcrPull", REGISTRY)]),
    "held by an ancestor scope": Case("held", [assigned(C1, "AcrPull", GROUP)]),
    "held by the subscription": Case("held", [assigned(C1, "AcrPull", SUBSCRIPTION)]),
    "held by a management group": Case("held", [assigned(C1, "AcrPull", MANAGEMENT_GROUP)]),
    "held through a group": Case("held", [assigned("pullers", "AcrPull", REGISTRY)], groups=["pullers"]),
    "held by a broader role": Case("held", [assigned(C1, "Reader", REGISTRY)]),
    "held by Owner": Case("held", [assigned(C1, "Owner", GROUP)]),
    "held by a custom role": Case("held", [assigned(C1, MY_PULL, REGISTRY)], roles=[MY_PULL]),
    "held by a group that it is not in": Case("granted", [assigned("pullers", "AcrPull", REGISTRY)]),
    "held at another management group": Case(
        "granted", [assigned(C1, "AcrPull", MANAGEMENT_GROUP, within=OTHER_SUBSCRIPTION)]
    ),
    "held only below the scope": Case("granted", [assigned(C1, "AcrPull", REGISTRY.child("scopeMaps", "x"))]),
    "rg versus rg-prod": Case("granted", [assigned(C1, "AcrPull", LOOKALIKE)]),
    "another identity of the same resource": Case("granted", [assigned(uai("uami"), "AcrPull", REGISTRY)]),
    "minus notActions": Case("granted", [assigned(C1, NO_PULL, REGISTRY)], roles=[NO_PULL]),
    "with a condition at an ancestor": Case("granted", [assigned(C1, "AcrPull", GROUP, condition=CONDITION)]),
    "with a condition on another role at the scope": Case(
        "granted", [assigned(C1, "Reader", REGISTRY, condition=CONDITION)]
    ),
    "a group's condition at the scope": Case(
        "granted", [assigned("pullers", "AcrPull", REGISTRY, condition=CONDITION)], groups=["pullers"]
    ),
    "with a condition at the very scope": Case(
        "conditional-assignment", [assigned(C1, "AcrPull", REGISTRY, condition=CONDITION)]
    ),
    "with a condition at the scope, held above": Case(
        "held", [assigned(C1, "AcrPull", REGISTRY, condition=CONDITION), assigned(C1, "Reader", GROUP)]
    ),
    "denied, nothing held": Case("deny-assignment", denies=[denied("*/read", at=GROUP)]),
    "denied although held": Case("deny-assignment", [assigned(C1, "AcrPull", REGISTRY)], denies=[denied("*")]),
    "perhaps denied although held": Case(
        "deny-assignment", [assigned(C1, "AcrPull", REGISTRY)], denies=[denied("*", doubt="a group is excluded")]
    ),
    "denied at a management group": Case(
        "deny-assignment", denies=[denied("*", at=MANAGEMENT_GROUP, within=SUBSCRIPTION)]
    ),
    "Reader does not cover ABAC pull": Case("granted", [assigned(C1, "Reader", REGISTRY)], registry=ABAC),
    "Owner does not cover ABAC pull": Case("granted", [assigned(C1, "Owner", SUBSCRIPTION)], registry=ABAC),
    "AcrPull does not cover ABAC pull": Case("granted", [assigned(C1, "AcrPull", REGISTRY)], registry=ABAC),
    "Repository Writer covers ABAC pull": Case(
        "held", [assigned(C1, "Container Registry Repository Writer", GROUP)], registry=ABAC
    ),
    "Repository Reader does not cover classic pull": Case(
        "granted", [assigned(C1, "Container Registry Repository Reader", REGISTRY)]
    ),
}


@pytest.mark.parametrize("name", TRUTH)
def test_truth(name: str) -> None:
    case = TRUTH[name]
    made = case.plan()
    role_name = "Container Registry Repository Reader" if case.registry.abac else "AcrPull"
    assert granted(made) == ({(C1.label, role_name, "acrml")} if case.then == "granted" else set())
    assert made.satisfied == (case.then == "held")
    assert guards(made) == ({case.then} - {"granted", "held"})


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        ([], True),
        ([assigned(C1, "Owner", STORAGE)], True),
        ([assigned(C1, "Contributor", SUBSCRIPTION)], True),
        ([assigned(C1, "Reader", STORAGE)], True),
        ([assigned(C1, "Storage Blob Data Reader", STORAGE.child("blobServices", "default", "containers", "c"))], True),
        ([assigned(C1, "Storage Blob Data Reader", GROUP)], False),
        ([assigned(C1, "Storage Blob Data Owner", STORAGE)], False),
    ],
)
def test_blobs_are_read_through_the_data_plane_only(held: list[RoleAssignment], missing: bool) -> None:
    seen = estate(workspace(cluster("cpu1", C1), datastore("d"), registry=None), held=held)
    assert granted(plan(seen, ENFORCE)) == ({(C1.label, "Storage Blob Data Reader", "store")} if missing else set())


def test_reader_before_contributor() -> None:
    seen = estate(workspace(cluster("cpu1", C1), endpoint("serve", uai("infer")), datastore("d")), registry())
    assert {role for _, role, _ in granted(plan(seen, ENFORCE))} == {"AcrPull", "Storage Blob Data Reader"}


def test_an_identity_that_two_resources_share_gets_its_role_once_and_both_say_why() -> None:
    seen = estate(workspace(cluster("cpu1", uai("uami")), endpoint("serve", uai("uami")), storage=None), registry())
    (grant,) = plan(seen, ENFORCE).grants
    assert grant.rule == "compute-pull, endpoint-pull"
    assert {"AML-42", "AML-18", "AML-19"} <= set(grant.requirements)


def test_the_name_of_a_grant_is_the_same_in_every_run_and_spelling() -> None:
    shouted = Scope.parse(str(REGISTRY).replace("resourceGroups/rg", "RESOURCEGROUPS/RG"))
    (one,) = plan(estate(workspace(cluster("cpu1", C1)), registry()), ENFORCE).grants
    (other,) = plan(estate(workspace(cluster("cpu1", C1), registry=shouted), registry()), ENFORCE).grants
    (abac,) = plan(estate(workspace(cluster("cpu1", C1)), ABAC), ENFORCE).grants
    assert one.name == other.name
    assert abac.name != one.name


def test_what_was_not_asked_about_is_unknown_not_empty() -> None:
    seen = estate(workspace(cluster("cpu1", C1)), registry())
    with pytest.raises(KeyError):
        plan(replace(seen, access={}), ENFORCE)


class TestBroadRoles:
    SEEN = estate(uai_workspace(), registry(), vault(rbac=True))

    def test_they_are_off_until_the_policy_turns_them_on_and_until_then_are_reported(self) -> None:
        made = plan(self.SEEN, ENFORCE)
        assert granted(made) == {("mlw-id", "Storage Blob Data Contributor", "store")}
        off = {"AML-03", "AML-04", "AML-06", "AML-08", "AML-09"}
        assert {finding.requirements[0] for finding in made.findings} == off
        assert all("enabled: true" in finding.remedy for finding in made.findings)

    def test_each_is_turned_on_by_its_id(self) -> None:
        assert ("mlw-id", "Contributor", "acrml") in granted(plan(self.SEEN, terms(on=["AML-08"])))
        assert ("mlw-id", "Contributor", "store") not in granted(plan(self.SEEN, terms(on=["AML-08"])))

    def test_or_by_its_name_in_any_case(self) -> None:
        assert ("mlw-id", "Contributor", "acrml") in granted(plan(self.SEEN, terms(on=["Workspace-Registry"])))

    def test_all_of_them_by_the_requirement_that_they_share(self) -> None:
        made = plan(self.SEEN, terms(on=["AML-10"]))
        assert len(made.grants) == 7
        assert not made.findings

    def test_off_means_silent(self) -> None:
        made = plan(self.SEEN, terms(off=["AML-10", "AML-83"]))
        assert (made.grants, made.findings) == ((), ())

    def test_optional_metrics_are_silent_until_they_are_on(self) -> None:
        seen = estate(workspace(endpoint("serve", uai("infer")), storage=None, registry=None))
        assert plan(seen, ENFORCE).compliant
        made = plan(seen, terms(on=["endpoint-writes-metrics"]))
        assert granted(made) == {("infer", "AzureML Metrics Writer (preview)", "mlw")}

    def test_an_access_policy_is_a_setting(self) -> None:
        seen = estate(uai_workspace(storage=None, registry=None, app_insights=None), vault(rbac=False))
        assert settings(plan(seen, ENFORCE)) == []
        made = plan(seen, terms(on=["AML-07"]))
        assert settings(made) == [("kvml", "accessPolicies", "every permission except purge")]
        assert granted(made) == {("mlw-id", "Contributor", "kvml")}


class TestRulesThatAreOff:
    def test_grant_nothing_and_say_nothing(self) -> None:
        made = plan(estate(workspace(cluster("cpu1", C1)), registry()), terms(off=["AML-18", "AML-19"]))
        assert made.compliant

    def test_in_mode_report_withhold_what_they_would_do(self) -> None:
        made = plan(estate(workspace(cluster("cpu1", C1)), registry()), terms(report=["compute-pull"]))
        assert (made.grants, guards(made)) == ((), {"report-mode"})

    def test_a_grant_that_another_rule_needs_as_well_is_made_for_that_one(self) -> None:
        seen = estate(workspace(cluster("cpu1", uai("uami")), endpoint("serve", uai("uami")), storage=None), registry())
        (grant,) = plan(seen, terms(off=["compute-pull"])).grants
        assert grant.rule == "endpoint-pull"
        (grant,) = plan(seen, terms(report=["compute-pull"])).grants
        assert "endpoint-pull" in grant.rule

    def test_a_guard_that_is_off_is_not_reported(self) -> None:
        seen = estate(uai_workspace(serverless=True, storage=None, vault=None, app_insights=None), registry())
        quiet = ["AML-10", "AML-83", "AML-89", "serverless-jobs-pull"]
        unseen = replace(seen, facts={Want(WORKSPACE, "jobs", pages=1): Unreadable.FORBIDDEN})
        unknown = replace(unseen, subject=replace(seen.subject, serverless=False))
        assert [f.rule for f in plan(unknown, terms(off=quiet)).findings] == ["serverless-jobs"]
        assert plan(unknown, terms(off=[*quiet, "serverless-jobs"])).findings == ()


class TestBoundary:
    FOREIGN_ACR = registry_id("theirs", FOREIGN)
    SEEN = estate(workspace(cluster("cpu1", C1), registry=FOREIGN_ACR), registry(FOREIGN_ACR))

    def test_another_teams_registry_is_withheld_and_the_reason_says_what_would_allow_it(self) -> None:
        made = plan(self.SEEN, ENFORCE)
        (one,) = (w for w in made.withheld if w.action.rule == "compute-pull")
        assert one.refusal.guard == "target-outside-boundary"
        assert f'trust: {{allow: ["{self.FOREIGN_ACR}"]}}' in one.refusal.reason
        assert made.grants == ()

    def test_the_line_that_the_reason_names_allows_it(self) -> None:
        assert granted(plan(self.SEEN, terms(allow=(self.FOREIGN_ACR,)))) == {(C1.label, "AcrPull", "theirs")}
        assert granted(plan(self.SEEN, terms(allow=(FOREIGN,))))
        assert not granted(plan(self.SEEN, terms(allow=(SUBSCRIPTION.child("resourceGroups", "other"),))))

    def test_what_is_held_there_already_is_held(self) -> None:
        held = [assigned(C1, "AcrPull", FOREIGN)]
        seen = estate(workspace(cluster("cpu1", C1), registry=self.FOREIGN_ACR), registry(self.FOREIGN_ACR), held=held)
        assert plan(seen, ENFORCE).satisfied == 1

    def test_an_identity_from_elsewhere_is_withheld(self) -> None:
        stranger = uai("stranger", FOREIGN)
        seen = estate(workspace(cluster("cpu1", stranger)), registry())
        assert guards(plan(seen, ENFORCE)) == {"identity-outside-boundary"}
        assert granted(plan(seen, terms(allow=(identity_id("stranger", FOREIGN),))))

    def test_a_cluster_from_elsewhere_is_withheld(self) -> None:
        theirs = resource("Microsoft.ContainerService/managedClusters", "aks", FOREIGN)
        kubelet = replace(uai("kubelet"), resource=theirs)
        one = workspace(compute("aks", ComputeType.AKS, attached=theirs))
        seen = estate(one, registry(), clusters={theirs: kubelet})
        assert guards(plan(seen, ENFORCE)) == {"identity-outside-boundary"}
        assert granted(plan(seen, terms(allow=(theirs,)))) == {("kubelet", "AcrPull", "acrml")}

    def test_a_private_registry_only_when_it_is_on_the_allow_list(self) -> None:
        private = registry_id("private", FOREIGN)
        seen = estate(workspace(cluster("cpu1", C1), connection("p", private), registry=None), registry(private))
        assert guards(plan(seen, ENFORCE)) == {"target-outside-boundary"}
        assert granted(plan(seen, terms(allow=(private,)))) == {(C1.label, "AcrPull", "private")}


class TestRefusals:
    SEEN = estate(workspace(cluster("cpu1", C1)), registry())

    @pytest.mark.parametrize("scope", [REGISTRY, GROUP, SUBSCRIPTION])
    def test_a_read_only_lock_at_the_target_or_above(self, scope: Scope) -> None:
        assert guards(plan(replace(self.SEEN, locks=(lock(scope),)), ENFORCE)) == {"lock"}

    @pytest.mark.parametrize("one", [lock(GROUP, read_only=False), lock(FOREIGN), lock(LOOKALIKE), lock(STORAGE)])
    def test_other_locks_do_not_matter(self, one: Lock) -> None:
        assert granted(plan(replace(self.SEEN, locks=(one,)), ENFORCE))

    def test_a_target_that_does_not_exist(self) -> None:
        assert guards(plan(replace(self.SEEN, registries={}, missing=frozenset({REGISTRY})), ENFORCE)) == {
            "target-missing"
        }

    def test_data_isolation(self) -> None:
        seen = estate(workspace(cluster("cpu1", C1), datastore("d"), registry=None, data_isolation=True))
        made = plan(seen, ENFORCE)
        assert (made.grants, guards(made)) == ((), {"data-isolation"})
        assert granted(plan(estate(replace(seen.subject, data_isolation=False)), ENFORCE))

    def test_a_neighbours_isolation_counts_as_well(self) -> None:
        hub = workspace(id=workspace_id("hub"), data_isolation=True)
        seen = estate(workspace(cluster("cpu1", C1), datastore("d"), registry=None), hub)
        assert guards(plan(seen, ENFORCE)) == {"data-isolation"}

    @pytest.mark.parametrize("scope", [REGISTRY, GROUP, cluster("cpu1").id])
    def test_an_exemption_of_the_target_or_of_the_resource_whose_identity_it_is(self, scope: Scope) -> None:
        exempt = Exemption(scope, frozenset({"aml-19"}), NOW.date(), "because")
        made = plan(self.SEEN, terms(exemptions=(exempt,)))
        assert (made.grants, guards(made)) == ((), {"exemption"})
        assert "because" in made.withheld[0].refusal.reason

    @pytest.mark.parametrize(
        ("scope", "rule", "until"),
        [
            (REGISTRY, "aml-19", NOW.date() - timedelta(days=1)),
            (REGISTRY, "aml-42", date(2030, 1, 1)),
            (LOOKALIKE, "aml-19", date(2030, 1, 1)),
        ],
    )
    def test_exemptions_that_are_over_or_are_about_something_else(self, scope: Scope, rule: str, until: date) -> None:
        exempt = Exemption(scope, frozenset({rule}), until, "because")
        assert granted(plan(self.SEEN, terms(exemptions=(exempt,))))

    def test_an_exempt_finding_is_not_reported(self) -> None:
        seen = estate(workspace(cluster("cpu1")), registry())
        assert [f.rule for f in plan(seen, ENFORCE).findings] == ["compute-identity"]
        exempt = Exemption(cluster("cpu1").id, frozenset({"aml-20"}), NOW.date(), "soon")
        assert plan(seen, terms(exemptions=(exempt,))).findings == ()


class TestCap:
    SEEN = estate(workspace(*(cluster(f"cpu{i}", sai(f"cpu{i}")) for i in range(5))), registry())

    def test_more_changes_than_a_run_may_make_are_withheld(self) -> None:
        made = plan(self.SEEN, terms(caps=Caps(per_run=3)))
        assert len(made.grants) == 3
        assert [one.refusal.guard for one in made.withheld] == ["cap", "cap"]

    def test_none_at_all(self) -> None:
        made = plan(self.SEEN, terms(caps=Caps(per_run=0)))
        assert (made.grants, len(made.withheld)) == ((), 5)

    def test_exactly_enough(self) -> None:
        assert plan(self.SEEN, terms(caps=Caps(per_run=5))).withheld == ()


def test_the_mode_never_changes_the_plan() -> None:
    seen = estate(uai_workspace(cluster("cpu1", C1), cluster("cpu2")), registry(admin_user=True), vault(rbac=False))
    assert plan(seen, Terms(mode=RunMode.REPORT, table=RULES)) == plan(seen, Terms(table=RULES, mode=RunMode.ENFORCE))


def test_a_plan_is_compliant_only_when_there_is_nothing_to_say() -> None:
    covered = estate(workspace(cluster("cpu1", C1)), registry(), held=[assigned(C1, "AcrPull", REGISTRY)])
    assert plan(covered, ENFORCE).compliant
    assert not plan(estate(workspace(cluster("cpu1")), registry()), ENFORCE).compliant
    assert not plan(estate(workspace(cluster("cpu1", ready=False)), registry()), ENFORCE).compliant
    assert not plan(TestBoundary.SEEN, ENFORCE).compliant


def test_grants_come_before_settings() -> None:
    seen = estate(uai_workspace(), registry(), vault(rbac=False))
    actions = plan(seen, terms(on=["AML-07"])).actions
    assert [type(action).__name__ for action in actions] == ["Grant", "Grant", "Setting"]
    assert actions[-1].resource == VAULT
    assert settings(plan(seen, terms(on=["AML-07"])))[0][1] == Property.ACCESS_POLICY


def test_the_role_is_named_in_the_subscription_where_it_is_granted() -> None:
    (grant,) = plan(TestRefusals.SEEN, ENFORCE).grants
    assert grant.role_definition_id == (
        f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role('AcrPull').role_id}"
    )


@pytest.mark.parametrize(
    ("first", "guards_wanted"), [(RuleKind.OPT_IN, {"target-outside-boundary"}), (RuleKind.FIX, set())]
)
def test_what_one_rule_may_ask_for_opens_nothing_to_another(first: RuleKind, guards_wanted: set[str]) -> None:
    """Two rules ask for one grant; the first, whose target nobody named, grants it only when it is on itself."""
    need = RequiredGrant(C1, PULL, REGISTRY, WORKSPACE, ("AML-18",), "pulls")
    asks = {"plain": need, "named": replace(need, explicit=True)}

    def rule(name: str, mode: RuleKind) -> Rule:
        return Rule(
            name=name,
            requirements=("AML-18",),
            mode=mode,
            title=name,
            source="x",
            examine=lambda *_: [asks[name]],
            acts="acts",
            leaves="leaves",
            grants=(PULL,),
        )

    table = (rule("plain", first), rule("named", RuleKind.FIX))
    made = plan(estate(workspace(cluster("cpu1", C1)), CLASSIC), terms(table=table))
    assert guards(made) == guards_wanted
    assert [grant.rule for grant in made.grants] == ([] if guards_wanted else ["plain"])


def test_a_refusal_for_a_deny_says_what_is_sure_and_what_is_not() -> None:
    sure, doubtful = denied("*"), denied("*/read", doubt="it excludes a group")
    said = {}
    for name, denies in {"sure": [doubtful, sure], "doubtful": [doubtful]}.items():
        (withheld,) = Case("deny-assignment", denies=denies).plan().withheld
        said[name] = withheld.refusal.reason
    assert said["sure"].startswith("a deny assignment takes away what AcrPull gives: a deny;")
    assert said["doubtful"].startswith(
        "it is not known whether a deny assignment takes away what AcrPull gives: a deny ("
    )
    assert "it excludes a group" in said["doubtful"]
    assert all(C1.id in reason for reason in said.values())


@pytest.mark.parametrize("doubt", ["", "it excludes a group"])
def test_a_deny_assignment_without_a_name_is_named_by_its_id(doubt: str) -> None:
    nameless = replace(denied("*", doubt=doubt), name="")
    (withheld,) = Case("deny-assignment", denies=[nameless]).plan().withheld
    assert nameless.id in withheld.refusal.reason
