"""One guard at a time, where a plan as a whole hides what it looks at: another guard would say something as well."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from unit.build import (
    GROUP,
    MANAGEMENT_GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    custom,
    estate,
    guards,
    guid,
    lock,
    registry,
    registry_id,
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

from shared.access.actions import Refusal
from shared.access.ask_rules import ask_rules
from shared.access.asks import Property, RequiredGrant, RequiredRemoval, RequiredSetting
from shared.access.cases import GrantCase, RemovalCase, Situation
from shared.access.guardrails import refuse_grant, refuse_removal
from shared.access.model import Estate, Principal, Unreadable, Want
from shared.access.needs import PULL, READ_BLOBS, Need
from shared.access.permissions import Coverage
from shared.access.plan import plan
from shared.access.privileged import not_held_by_caller, privileged
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Exemption, RuleMode, RuleTerms, Terms
from shared.access.trust import not_allowed, of_another_tenant, outside

C1 = sai("mlw/computes/cpu1")
ABROAD = registry_id("abroad", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))


def _refused(
    seen: Estate, target: Scope = REGISTRY, said: Terms | None = None, need: Need = PULL, who: Principal = C1
) -> Refusal | None:
    """What is said of one grant that the rule for pulling computes asks for."""
    rule = next(rule for rule in RULES if rule.name == "compute-pull")
    ask = RequiredGrant(who, need, target, cluster("cpu1").id, ("AML-18",), "it pulls")
    at = Situation([ask_rules(seen.subject, seen, said or terms())], seen, said or terms())
    return refuse_grant([GrantCase(at, rule, ask, Coverage(need.permissions))])[1]


def _seen(*parts: Any, **more: Any) -> Estate:
    return estate(workspace(cluster("cpu1", C1)), registry(), *parts, **more)


def test_nothing_is_said_of_a_plain_grant() -> None:
    assert _refused(_seen()) is None


def test_what_is_known_not_to_exist_gets_no_role() -> None:
    """Azure answered 404, to whichever rule asked."""
    refusal = _refused(_seen(facts={Want(REGISTRY): None}))
    assert refusal
    assert refusal.guard == "target-missing"
    assert _refused(_seen(facts={Want(REGISTRY): {"id": str(REGISTRY)}})) is None


def test_of_what_may_not_be_read_no_assignment_is_known() -> None:
    held = [assigned(C1, "AcrPull", REGISTRY, condition="@Resource[x]")]
    refusal = _refused(_seen(held=held, blind=frozenset({REGISTRY})))
    assert refusal
    assert refusal.guard == "unreadable"
    assert "it needs Reader there" in refusal.reason


def test_an_answer_that_is_no_resource_is_said_to_be_none() -> None:
    refusal = _refused(_seen(facts={Want(REGISTRY): Unreadable.MISSHAPEN}, blind=frozenset({REGISTRY})))
    assert refusal
    assert refusal.guard == "unreadable"
    assert "is no resource" in refusal.reason


def test_what_lies_outside_is_named_with_the_boundary_and_what_would_allow_it() -> None:
    reason = outside(ABROAD, workspace(), terms())
    assert reason
    assert reason.startswith("abroad lies outside the workspace's resource group. ")
    assert str(ABROAD) in reason
    assert outside(REGISTRY, workspace(), terms()) is None


def test_what_may_not_be_read_is_not_taken_for_another_tenants() -> None:
    seen = _seen(blind=frozenset({ABROAD}), tenants={})
    assert of_another_tenant((ABROAD,), seen.subject, seen) is None
    assert of_another_tenant((ABROAD,), seen.subject, replace(seen, blind=frozenset()))


def test_what_lies_in_the_workspaces_own_subscription_is_in_its_tenant() -> None:
    """Whoever may not read any subscription's tenant knows that much."""
    seen = replace(_seen(), tenants={})
    assert of_another_tenant((REGISTRY, None), seen.subject, seen) is None


@pytest.mark.parametrize("first", [REGISTRY, MANAGEMENT_GROUP])
def test_each_resource_must_be_in_the_workspaces_tenant(first: Scope) -> None:
    """The registry may be at home while the identity is another tenant's."""
    seen = replace(_seen(), tenants={SUBSCRIPTION: "ours", OTHER_SUBSCRIPTION: "theirs"})
    assert of_another_tenant((first, ABROAD), seen.subject, seen)
    assert of_another_tenant((ABROAD, first), seen.subject, seen)


def test_a_scope_above_subscriptions_has_no_tenant_of_its_own() -> None:
    seen = _seen()
    assert of_another_tenant((MANAGEMENT_GROUP, None), seen.subject, seen) is None


def test_the_identity_must_be_of_the_workspaces_tenant_as_well() -> None:
    """The allow-list opens the boundary for it, and no policy opens the tenant."""
    theirs = uai("theirs", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
    allowing = terms(allow=(OTHER_SUBSCRIPTION,))
    seen = estate(workspace(cluster("cpu1", theirs)), registry())
    assert _refused(seen, said=allowing, who=theirs) is None
    refusal = _refused(
        replace(seen, tenants={SUBSCRIPTION: "ours", OTHER_SUBSCRIPTION: "t"}), said=allowing, who=theirs
    )
    assert refusal
    assert refusal.guard == "cross-tenant"


def test_a_need_that_is_of_no_type_may_be_anywhere() -> None:
    """As what the policy grants to groups of people."""
    anywhere = Need("work there", (), PULL.role_id, PULL.role_name)
    assert not anywhere.resource_type
    assert _refused(_seen(), GROUP, need=anywhere) is None


def test_where_a_role_of_the_identity_is_must_be_known() -> None:
    """What it holds may be just what the grant would give."""
    lost = replace(assigned(C1, "Reader", GROUP), scope=Scope.parse("/"), misplaced=True)
    refusal = _refused(_seen(held=[lost]))
    assert refusal
    assert refusal.guard == "unreadable"
    assert lost.id in refusal.reason


def test_letters_that_look_like_others_are_pointed_out_besides() -> None:
    alike = registry_id("acrml", SUBSCRIPTION.child("resourceGroups", "r\N{CYRILLIC SMALL LETTER GHE}"))
    reason = not_allowed(alike, terms())
    assert reason
    assert reason.startswith("acrml was named by a user of the workspace; look twice")
    assert "look twice" not in str(not_allowed(REGISTRY, terms()))


def test_an_approval_says_within_which_hours() -> None:
    said = terms(approval_lapses=timedelta(hours=36))
    refusal = _refused(_seen(), said=replace(said, rules={**said.rules, "aml-18": RuleTerms(mode=RuleMode.APPROVE)}))
    assert refusal
    assert refusal.reason.endswith("within 36 h")


class TestRemovals:
    @pytest.mark.parametrize(("scope", "word"), [(STORAGE, "lock"), (GROUP, "lock"), (REGISTRY, None)], ids=str)
    def test_only_locks_at_the_scope_or_above_it_keep_an_assignment(self, scope: Scope, word: str | None) -> None:
        rule = next(rule for rule in RULES if rule.name == "own-grants")
        ours = RequiredRemoval(
            Scope.parse(f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/x"),
            STORAGE,
            guid("gone"),
            READ_BLOBS.role_id,
            WORKSPACE,
            rule.requirements,
            "no rule asks for it any more",
        )
        at = Situation([], estate(workspace(), lock(scope, read_only=False)), terms(on=("AML-80",)))
        refusal = refuse_removal(RemovalCase(at, rule, ours, "a"))
        assert (refusal.guard if refusal else None) == word
        assert refusal is None or STORAGE.name in refusal.reason


class TestCallers:
    """With `caller_must_hold`, whoever caused the event must hold what they would have granted."""

    def _said(self, need: Need, *held: Any) -> str | None:
        caller = sai("caller")
        seen = _seen(caller=caller, changed=workspace_id())
        seen = replace(seen, access={**seen.access, caller.id: _seen(held=held).access[C1.id]})
        ask = RequiredGrant(C1, need, REGISTRY, workspace_id(), ("AML-18",), "it pulls")
        return not_held_by_caller(ask, seen, terms(caller_must_hold=True))

    def test_a_role_that_is_known_by_its_id_only_is_held_by_nobody(self) -> None:
        """It has no permissions that anybody could be seen to hold."""
        assert self._said(replace(PULL, permissions=()))

    @pytest.mark.parametrize(("role", "may"), [("Contributor", True), ("Reader", False)])
    def test_who_may_write_access_policies_may_have_written_one(self, role: str, may: bool) -> None:
        caller, there = sai("caller"), vault(rbac=False).id
        seen = _seen(caller=caller, changed=workspace_id())
        theirs = replace(seen.access[C1.id], assignments=(assigned(caller, role, there),))
        seen = replace(seen, access={**seen.access, caller.id: theirs})
        ask = RequiredSetting(there, Property.ACCESS_POLICY, "none", "all", ("AML-07",), "it administers it", C1)
        assert (not_held_by_caller(ask, seen, terms(caller_must_hold=True)) is None) is may

    def test_what_they_hold_they_may_have_granted(self) -> None:
        assert self._said(PULL, assigned(C1, "AcrPull", REGISTRY)) is None
        assert self._said(PULL, assigned(C1, "Storage Blob Data Reader", REGISTRY))


@pytest.mark.parametrize("name", ["Owner", "User Access Administrator"])
def test_a_role_that_hands_out_access_does_so_whatever_azure_shows_of_it(name: str) -> None:
    shown = replace(role("AcrPull"), role_id=role(name).role_id)
    assert privileged(shown)
    assert not privileged(role("AcrPull"))
    assert privileged(custom("ours", "Microsoft.Authorization/roleAssignments/write"))


class TestWhatFollowsASwitchOff:
    """The keys of each workspace are resynced afterwards, unless the policy turned that off."""

    def _planned(
        self, said: Terms, *parts: Any, subject: Any = None
    ) -> tuple[Sequence[tuple[str, str, str]], set[str]]:
        held = [assigned(C1, "AcrPull", REGISTRY), assigned(uai("mlw-id"), "Contributor", REGISTRY)]
        made = plan(
            estate(subject or workspace(cluster("cpu1", C1)), registry(admin_user=True), *parts, held=held), said
        )
        return settings(made), guards(made)

    OFF = ("acrml", "adminUserEnabled", "false")

    def test_a_lock_on_the_workspace_keeps_the_admin_user(self) -> None:
        planned, words = self._planned(terms(), lock(WORKSPACE))
        assert self.OFF not in planned
        assert "lock" in words

    def test_it_does_not_if_no_keys_are_to_be_resynced(self) -> None:
        planned, _ = self._planned(terms(off=("workspace-cached-keys",)), lock(WORKSPACE))
        assert self.OFF in planned

    def test_an_exemption_of_the_workspace_keeps_it(self) -> None:
        exempt = Exemption(WORKSPACE, frozenset({"workspace-cached-keys"}), date(2030, 1, 1), "because")
        assert self.OFF not in self._planned(terms(exemptions=(exempt,)))[0]
        assert self.OFF in self._planned(terms(exemptions=(exempt,), off=("workspace-cached-keys",)))[0]

    def test_what_the_policy_says_of_other_settings_does_not_matter(self) -> None:
        """The access policy of the workspace's vault is one."""
        one = uai_workspace(cluster("cpu1", C1))
        assert ("kvml", "accessPolicies", "every permission except purge") in self._planned(
            terms(on=("AML-07",)), vault(rbac=False), subject=one
        )[0]
        assert self.OFF in self._planned(terms(report=("AML-07", "AML-10")), vault(rbac=False), subject=one)[0]
        for scope in (vault(rbac=False).id, WORKSPACE):
            exempt = Exemption(scope, frozenset({"aml-07", "aml-10"}), date(2030, 1, 1), "because")
            assert self.OFF in self._planned(terms(exemptions=(exempt,)), vault(rbac=False), subject=one)[0]
