"""Each guard alone withholds what it is about: a grant, the advice to make it, or a setting."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    assigned,
    cluster,
    denied,
    estate,
    lock,
    registry,
    resource,
    sai,
    terms,
    uai,
    vault,
    workspace,
)

from shared.access.actions import Refusal
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Objection, Property, RequiredGrant, RequiredSetting
from shared.access.cases import GrantCase, SettingCase, Situation
from shared.access.guardrails import doubt, refuse_grant, refuse_setting
from shared.access.guards import RuleName
from shared.access.held import held
from shared.access.model import Principal
from shared.access.needs import PULL, READ_BLOBS, Need
from shared.access.permissions import DenyAssignment, RoleAssignment
from shared.access.plan import plan
from shared.access.privileged import PRIVILEGED
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Exemption, RuleMode, RuleTerms, Terms

C1 = sai("cpu1")
ON = cluster("cpu1").id
PULLS = next(rule for rule in RULES if rule.name == "compute-pull")
POLICIES = next(rule for rule in RULES if rule.name == "workspace-vault-policies")
OWNER = Need("own it", (), next(iter(PRIVILEGED)), "Owner")
PART = STORAGE.child("blobServices", "default", "containers", "a")
THEIRS = {SUBSCRIPTION: "ours", OTHER_SUBSCRIPTION: "theirs"}
ABROAD = OTHER_SUBSCRIPTION.child("resourceGroups", "rg")
FAR_VAULT = resource("Microsoft.KeyVault/vaults", "kvml", FOREIGN)
VAULT_ABROAD = resource("Microsoft.KeyVault/vaults", "kvml", ABROAD)
ALLOWED = terms(allow=(STORAGE, OTHER_SUBSCRIPTION))


@dataclass(frozen=True)
class Granted:
    """A grant that one thing speaks against, or nothing."""

    need: Need = PULL
    where: Scope = REGISTRY
    who: Principal = C1
    explicit: bool = False
    held_by: tuple[RoleAssignment, ...] = ()
    denies: tuple[DenyAssignment, ...] = ()
    objections: tuple[Objection, ...] = ()
    locks: tuple[Any, ...] = ()
    said: Terms = ALLOWED
    seen: Mapping[str, Any] | None = None

    def case(self) -> GrantCase:
        seen = estate(
            workspace(cluster("cpu1", self.who)), registry(), *self.locks, held=self.held_by, denies=self.denies
        )
        seen = replace(seen, **(self.seen or {}))
        ask = RequiredGrant(self.who, self.need, self.where, ON, ("AML-18",), "it pulls", explicit=self.explicit)
        asked = WorkspaceAsks(seen.subject, ((PULLS, ask),), (), (), (), self.objections, (), ())
        return GrantCase(Situation([asked], seen, self.said), PULLS, ask, held(ask, seen))


NO = Objection(REGISTRY, None, "people said no", rule=RuleName("network-group"))
LIMITED = Granted(READ_BLOBS, STORAGE, explicit=True, held_by=(assigned(C1, "Storage Blob Data Reader", PART),))
OF_ANOTHER_TENANT = Granted(who=uai("far", ABROAD), seen={"tenants": THEIRS})
ADVICE = {
    "deny-assignment": Granted(denies=(denied("*"),)),
    "network-group": Granted(objections=(NO,)),
    "privileged-role": Granted(OWNER),
    "identity-outside-boundary": Granted(who=uai("far", FOREIGN)),
    "target-type": Granted(where=GROUP),
    "target-outside-boundary": Granted(explicit=True),
    "cross-tenant": OF_ANOTHER_TENANT,
    "limited-by-people": LIMITED,
}
GRANT = {
    **ADVICE,
    "conditional-assignment": Granted(held_by=(assigned(C1, "AcrPull", REGISTRY, condition="@Resource[x]"),)),
    "target-missing": Granted(seen={"missing": frozenset({REGISTRY})}),
    "caller-must-hold": Granted(said=replace(ALLOWED, caller_must_hold=True)),
    "lock": Granted(locks=(lock(REGISTRY),)),
    "unreadable": Granted(seen={"blind": frozenset({REGISTRY})}),
    "exemption": Granted(
        said=replace(ALLOWED, exemptions=(Exemption(ON, frozenset({"compute-pull"}), date(2030, 1, 1), "because"),))
    ),
    "report-mode": Granted(said=replace(ALLOWED, rules={"compute-pull": RuleTerms(mode=RuleMode.REPORT)})),
    "approval": Granted(said=replace(ALLOWED, rules={"compute-pull": RuleTerms(mode=RuleMode.APPROVE)})),
}


def test_nothing_speaks_against_a_plain_grant() -> None:
    assert refuse_grant([Granted().case()])[1] is None
    assert doubt(Granted().case()) is None


@pytest.mark.parametrize("word", GRANT)
def test_of_a_grant(word: str) -> None:
    refusal = refuse_grant([GRANT[word].case()])[1]
    assert refusal
    assert refusal.guard == word
    assert refusal.reason


@pytest.mark.parametrize("word", GRANT)
def test_of_the_advice_to_make_it(word: str) -> None:
    """A person who is advised decides about the rest: what Azure refuses, and what the policy says of amlguard."""
    refusal = doubt(GRANT[word].case())
    assert (refusal.guard if refusal else None) == (word if word in ADVICE else None)


@dataclass(frozen=True)
class Set:
    """An access policy that one thing speaks against, or nothing."""

    vault: Scope = VAULT
    who: Principal = C1
    objections: tuple[Objection, ...] = ()
    locks: tuple[Any, ...] = ()
    said: Terms = ALLOWED
    seen: Mapping[str, Any] | None = None

    def case(self) -> SettingCase:
        seen = estate(workspace(), registry(), vault(rbac=False), *self.locks)
        seen = replace(seen, **(self.seen or {}))
        ask = RequiredSetting(
            self.vault, Property.ACCESS_POLICY, "none", "all", POLICIES.requirements, "it administers it", self.who
        )
        asked = WorkspaceAsks(seen.subject, (), ((POLICIES, ask),), (), (), self.objections, (), ())
        return SettingCase(Situation([asked], seen, self.said), POLICIES, ask, "an-id")


SETTING = {
    "network-group": Set(
        objections=(Objection(VAULT, Property.ACCESS_POLICY, "people said no", rule=RuleName("network-group")),)
    ),
    "identity-outside-boundary": Set(who=uai("far", FOREIGN)),
    "target-outside-boundary": Set(FAR_VAULT),
    "cross-tenant": Set(VAULT_ABROAD, seen={"tenants": THEIRS}),
    "caller-must-hold": Set(said=replace(ALLOWED, caller_must_hold=True)),
    "lock": Set(locks=(lock(VAULT),)),
    "exemption": Set(
        said=replace(ALLOWED, exemptions=(Exemption(VAULT, frozenset({POLICIES.name}), date(2030, 1, 1), "because"),))
    ),
    "report-mode": Set(said=replace(ALLOWED, rules={POLICIES.name: RuleTerms(mode=RuleMode.REPORT)})),
    "approval": Set(said=replace(ALLOWED, rules={POLICIES.name: RuleTerms(mode=RuleMode.APPROVE)})),
}


def test_nothing_speaks_against_a_plain_setting() -> None:
    assert refuse_setting(Set().case()) is None


@pytest.mark.parametrize("word", SETTING)
def test_of_a_setting(word: str) -> None:
    refusal = refuse_setting(SETTING[word].case())
    assert isinstance(refusal, Refusal)
    assert refusal.guard == word


@pytest.mark.parametrize(
    "locked", [lock(STORAGE), lock(REGISTRY, read_only=False), lock(resource("Microsoft.KeyVault/vaults", "other"))]
)
def test_a_lock_elsewhere_or_against_deleting_keeps_nothing_from_being_made(locked: Any) -> None:
    assert refuse_grant([Granted(locks=(locked,)).case()])[1] is None
    assert refuse_setting(Set(locks=(locked,)).case()) is None


def test_what_a_person_released_is_the_very_grant_that_was_withheld() -> None:
    """By the id that its row has: that of the grant, which is made of scope, identity and role."""
    awaited = GRANT["approval"]
    (kept,) = plan(awaited.case().at.estate, awaited.said).withheld
    action_id = kept.action.action_id
    assert kept.refusal.guard == "approval"
    for approved, made in ((action_id, {action_id}), ("another", set())):
        said = replace(awaited.said, approved=frozenset({approved}))
        assert {one.action_id for one in plan(awaited.case().at.estate, said).grants} == made


def test_of_two_identities_that_wait_the_one_that_was_released_gets_it() -> None:
    both = estate(workspace(cluster("cpu1", C1), cluster("cpu2", sai("cpu2"))), registry())
    awaiting = GRANT["approval"].said
    first, second = (one.action for one in plan(both, awaiting).withheld)
    released = plan(both, replace(awaiting, approved=frozenset({second.action_id})))
    assert [one.action_id for one in released.grants] == [second.action_id]
    assert [one.action.action_id for one in released.withheld] == [first.action_id]
