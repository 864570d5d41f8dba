"""Everything speaks against one change at once: the word is that of the first guard, and lifting it shows the next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest
from unit.build import (
    GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    STORAGE,
    WORKSPACE,
    assigned,
    cluster,
    denied,
    estate,
    guid,
    lock,
    registry,
    registry_id,
    sai,
    terms,
    workspace,
)

from shared.access.actions import Plan
from shared.access.ask_rules import WorkspaceAsks, ask_rules
from shared.access.asks import RequiredGrant, RequiredRemoval
from shared.access.cases import GrantCase, Situation
from shared.access.guardrails import refuse_grant
from shared.access.guards import Guard
from shared.access.needs import PULL, READ_BLOBS
from shared.access.permissions import Coverage
from shared.access.plan import plan
from shared.access.removals import removals
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Caps, Exemption, RuleMode, RuleTerms

C1 = sai("mlw/computes/cpu1")
ABROAD = registry_id("abroad", OTHER_SUBSCRIPTION.child("resourceGroups", "rg"))
EVERYWHERE = assigned(C1, "AcrPull", GROUP)


@dataclass(frozen=True)
class Obstacle:
    """`seen` and `said` are fields of the estate and of the policy; `modes` are modes of rules."""

    word: str
    seen: Mapping[str, Any] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)
    modes: Mapping[str, RuleMode] = field(default_factory=dict)


def _exempt(rule: str, scope: Scope) -> Mapping[str, Any]:
    return {"exemptions": (Exemption(scope, frozenset({rule}), date(2030, 1, 1), "because"),)}


def _against(obstacles: Sequence[Obstacle], *on: str, **said: Any) -> Any:
    fields = {name: value for one in obstacles for name, value in one.said.items()}
    modes = {name: RuleTerms(enabled=True, mode=mode) for one in obstacles for name, mode in one.modes.items()}
    made = terms(on=on)
    return replace(made, **{**said, **fields}, rules={**made.rules, **modes})


def _words(made: Plan, rule: str) -> list[str]:
    return [one.refusal.guard for one in made.withheld if rule in one.action.rule.split(", ")]


GRANT = (
    Obstacle("deny-assignment", {"denies": [denied("*", at=ABROAD)]}),
    Obstacle("conditional-assignment", {"held": [assigned(C1, "AcrPull", ABROAD, condition="@Resource[x]")]}),
    Obstacle("target-missing", {"missing": {ABROAD}}),
    Obstacle("target-outside-boundary", said={"allow": ()}),
    Obstacle("cross-tenant", {"tenants": {}}),
    Obstacle("caller-must-hold", said={"caller_must_hold": True}),
    Obstacle("lock", {"locks": (lock(ABROAD),)}),
    Obstacle("exemption", said=_exempt("compute-pull", ABROAD)),
    Obstacle("report-mode", modes={"compute-pull": RuleMode.REPORT}),
    Obstacle("approval", modes={"aml-18": RuleMode.APPROVE, "aml-19": RuleMode.APPROVE}),
    Obstacle("cap", said={"caps": Caps(per_run=0)}),
)


@pytest.mark.parametrize("lifted", range(len(GRANT) + 1))
def test_of_a_grant(lifted: int) -> None:
    left = GRANT[lifted:]
    seen = {name: value for one in left for name, value in one.seen.items()}
    locks, tenants = seen.pop("locks", ()), seen.pop("tenants", None)
    one = estate(workspace(cluster("cpu1", C1), registry=ABROAD), registry(ABROAD), *locks, **seen)
    made = plan(one if tenants is None else replace(one, tenants=tenants), _against(left, **_allowed(left)))
    assert _words(made, "compute-pull") == [one.word for one in left[:1]]
    assert any("compute-pull" in grant.rule for grant in made.grants) is (not left)


def _allowed(left: Sequence[Obstacle]) -> Mapping[str, Any]:
    return {"allow": (ABROAD,)} if GRANT[3] not in left else {}


SETTING = (
    Obstacle("lock", {"locks": (lock(REGISTRY),)}),
    Obstacle("exemption", said=_exempt("registry-admin-user", REGISTRY)),
    Obstacle("report-mode", modes={"registry-admin-user": RuleMode.REPORT}),
    Obstacle("uncovered-puller", {"held": []}),
    Obstacle("not-read", {"facts": {}}),
    Obstacle("approval", modes={"aml-21": RuleMode.APPROVE, "aml-22": RuleMode.APPROVE}),
    Obstacle("cap", said={"caps": Caps(per_run=0)}),
)


@pytest.mark.parametrize("lifted", range(len(SETTING) + 1))
def test_of_the_admin_user(lifted: int) -> None:
    left = SETTING[lifted:]
    seen = {name: value for one in left for name, value in one.seen.items()}
    locks, facts = seen.get("locks", ()), seen.get("facts")
    one = estate(workspace(cluster("cpu1", C1)), registry(admin_user=True), *locks, held=seen.get("held", [EVERYWHERE]))
    said = _against(left)
    made = plan(one if facts is None else replace(one, facts=facts), replace(said, rules={**said.rules, **_NO_GRANTS}))
    assert _words(made, "registry-admin-user") == [one.word for one in left[:1]]
    assert any(setting.rule == "registry-admin-user" for setting in made.settings) is (not left)


def test_a_lock_on_a_workspace_comes_before_exemptions_as_well() -> None:
    """Its keys could not be resynced, which is so for whatever the policy says."""
    seen = estate(workspace(cluster("cpu1", C1)), registry(admin_user=True), lock(WORKSPACE), held=[EVERYWHERE])
    assert _words(plan(seen, _against(())), "registry-admin-user") == ["lock"]
    assert _words(plan(seen, _against(SETTING[1:2])), "registry-admin-user") == ["lock"]


@pytest.mark.parametrize(("target", "word"), [(GROUP, "target-type"), (REGISTRY, "target-outside-boundary")])
def test_of_what_a_user_named_the_type_counts_first(target: Scope, word: str) -> None:
    """No allow-list helps where nobody needs the role."""
    seen = estate(workspace(cluster("cpu1", C1)), registry())
    rule = next(rule for rule in RULES if rule.name == "private-registry-pull")
    ask = RequiredGrant(C1, PULL, target, cluster("cpu1").id, ("AML-28",), "it pulls", explicit=True)
    at = Situation([ask_rules(seen.subject, seen, terms())], seen, terms())
    _, refusal = refuse_grant([GrantCase(at, rule, ask, Coverage(PULL.permissions))])
    assert refusal
    assert refusal.guard == word


# So that the puller stays uncovered: what is to be granted would only be waited for.
_NO_GRANTS = {"compute-pull": RuleTerms(enabled=False)}

REMOVAL = (
    Obstacle("lock", {"locks": (lock(STORAGE, read_only=False),)}),
    Obstacle("shared-identity", {"shared_with": "someone"}),
    Obstacle("exemption", said=_exempt("own-grants", STORAGE)),
    Obstacle("report-mode", modes={"own-grants": RuleMode.REPORT}),
    Obstacle("approval", modes={"aml-80": RuleMode.APPROVE}),
)


@pytest.mark.parametrize("lifted", range(len(REMOVAL) + 1))
def test_of_a_removal(lifted: int) -> None:
    left = REMOVAL[lifted:]
    seen = {name: value for one in left for name, value in one.seen.items()}
    rule = next(rule for rule in RULES if rule.name == "own-grants")
    ours = RequiredRemoval(
        Scope.parse(f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/x"),
        STORAGE,
        guid("gone"),
        READ_BLOBS.role_id,
        WORKSPACE,
        rule.requirements,
        "no rule asks for it any more",
        seen.get("shared_with", ""),
    )
    asked = WorkspaceAsks(workspace(), (), (), ((rule, ours),), (), (), (), ())
    said = _against(left)
    if "aml-80" not in said.rules:
        said = replace(said, rules={**said.rules, "aml-80": RuleTerms(enabled=True)})
    taken, withheld, _ = removals([asked], estate(workspace(), *seen.get("locks", ())), said)
    assert [one.refusal.guard for one in withheld] == [one.word for one in left[:1]]
    assert bool(taken) is (not left)


@pytest.mark.parametrize("chain", [GRANT, SETTING, REMOVAL])
def test_the_words_are_in_the_order_of_the_list(chain: Sequence[Obstacle]) -> None:
    assert [one.word for one in chain] == [one for one in Guard if one in {each.word for each in chain}]
