"""Each guard alone withholds what it is about: a grant, the advice to make it, or a setting."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    NOW,
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
from shared.access.admin_user import NOT_READY_AGAIN, Delay
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Cover, Objection, Property, RegistryUser, RequiredGrant, RequiredSetting, UserKind
from shared.access.cases import GrantCase, SettingCase, Situation
from shared.access.guardrails import doubt, refuse_grant, refuse_setting
from shared.access.guards import RuleName
from shared.access.held import held
from shared.access.model import Principal, Want
from shared.access.needs import PULL, READ_BLOBS, Need
from shared.access.permissions import DenyAssignment, RoleAssignment
from shared.access.plan import plan
from shared.access.privileged import PRIVILEGED
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Caps, Exemption, RuleMode, RuleTerms, Terms

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


OFF = next(rule for rule in RULES if rule.name == "registry-admin-user")
LATER = timedelta(minutes=5)


def _user(label: str, cover: Cover, **more: Any) -> RegistryUser:
    said = {"source": "s", "reason": f"of {label} nobody can tell", "guard": RuleName("services")}
    return RegistryUser(REGISTRY, UserKind.SERVICE, label, GROUP, cover, **said | more)


def _off(*users: RegistryUser, said: Terms = ALLOWED) -> Refusal | Delay | None:
    """What speaks against turning the admin user off, with these users of the registry."""
    seen = estate(workspace(), registry())
    ask = RequiredSetting(REGISTRY, Property.ADMIN_USER, "true", "false", ("AML-20",), "it is on")
    asked = WorkspaceAsks(seen.subject, (), ((OFF, ask),), (), (), (), (), users)
    return refuse_setting(SettingCase(Situation([asked], seen, said), OFF, ask, "an-id"))


class TestOfTheAdminUser:
    COVERED = _user("all", Cover.COVERED)
    NEEDS = _user("app", Cover.UNCOVERED)
    WANT = Want(SUBSCRIPTION, "Microsoft.App/containerApps")
    UNREAD = _user("apps", Cover.UNKNOWN, wants=(WANT,))
    SOON = _user("cpu9", Cover.UNKNOWN, pending=True)
    PLANNED = _user("cpu1", Cover.UNCOVERED, pending=True, since=NOW)

    def test_nothing_does_once_all_are_covered(self) -> None:
        assert _off() is None
        assert _off(self.COVERED) is None

    def test_who_needs_it_keeps_it(self) -> None:
        said = _off(self.COVERED, self.UNREAD, self.SOON, self.PLANNED, self.NEEDS)
        assert said == Refusal(RuleName("services"), "of app nobody can tell")

    def test_what_will_soon_be_known_is_waited_for(self) -> None:
        assert _off(self.UNREAD, self.PLANNED, self.SOON) == Delay(NOW + NOT_READY_AGAIN, "of cpu9 nobody can tell")

    def test_a_grant_has_to_act_first(self) -> None:
        said = _off(self.UNREAD, self.PLANNED, said=replace(ALLOWED, settle=LATER))
        assert isinstance(said, Delay)
        assert said.until == NOW + LATER
        assert "acrml" in said.reason

    def test_what_is_unread_is_named(self) -> None:
        said = _off(self.COVERED, self.UNREAD)
        assert isinstance(said, Refusal)
        assert (said.guard, said.wants) == ("not-read", (self.WANT,))
        assert "apps" in said.reason

    def test_a_person_releases_it_last(self) -> None:
        awaiting = replace(ALLOWED, rules={OFF.name: RuleTerms(mode=RuleMode.APPROVE)})
        for users, word in (((self.UNREAD,), "not-read"), ((self.COVERED,), "approval")):
            said = _off(*users, said=awaiting)
            assert isinstance(said, Refusal)
            assert said.guard == word


@pytest.mark.parametrize(
    ("deny", "says"),
    [
        (denied("*"), "a deny"),
        (replace(denied("*"), name="", id="/d/1"), "/d/1"),
        (denied("*", doubt="it excludes a group"), "a deny (it excludes a group)"),
        (replace(denied("*"), name="", id="/d/1", doubt="it excludes a group"), "/d/1 (it excludes a group)"),
    ],
)
def test_a_deny_is_named_with_whom_it_denies_and_what_is_doubtful(deny: DenyAssignment, says: str) -> None:
    refusal = refuse_grant([Granted(denies=(deny,)).case()])[1]
    assert refusal
    assert says in refusal.reason
    assert C1.id in refusal.reason
    assert ("it is not known" in refusal.reason) is bool(deny.doubt)


def test_one_deny_that_is_sure_is_enough() -> None:
    sure, doubtful = denied("*"), replace(denied("*"), id="/d/1", name="the other", doubt="it excludes a group")
    refusal = refuse_grant([Granted(denies=(doubtful, sure)).case()])[1]
    assert refusal
    assert "a deny" in refusal.reason
    assert "the other" not in refusal.reason


@pytest.mark.parametrize(("most", "made"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_what_is_beyond_the_cap_is_withheld(most: int, made: int) -> None:
    both = estate(workspace(cluster("cpu1", C1), cluster("cpu2", sai("cpu2"))), registry())
    planned = plan(both, replace(ALLOWED, caps=Caps(per_run=most)))
    assert len(planned.grants) == made
    assert [one.refusal.guard for one in planned.withheld] == ["cap"] * (2 - made)
    assert all(f"caps: {{per_run: {most}}}" in one.refusal.reason for one in planned.withheld)
    named = {one.action_id for one in planned.grants} | {one.action.action_id for one in planned.withheld}
    assert len(named) == 2
