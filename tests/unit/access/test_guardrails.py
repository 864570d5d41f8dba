"""What the policy's terms mean: which rules act, what is watched, what is trusted, what is exempt."""

from datetime import date

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    LOOKALIKE,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    SUBSCRIPTION,
    registry_id,
    terms,
    workspace,
)

from shared.access.rules import RULES, Rule, RuleKind
from shared.access.scope import Scope
from shared.access.terms import Boundary, Exemption, RunMode, Terms

RULE = {rule.name: rule for rule in RULES}
PULL, ADMIN, METRICS = RULE["compute-pull"], RULE["registry-admin-user"], RULE["endpoint-writes-metrics"]
STORAGE, ISOLATION = RULE["workspace-storage"], RULE["data-isolation"]


def test_the_default_only_reports_grants_nothing_broad_and_trusts_the_resource_group() -> None:
    default = Terms(table=RULES)
    assert default.mode is RunMode.REPORT
    assert default.boundary is Boundary.RESOURCE_GROUP
    assert default.allow == ()
    assert {rule.name for rule in RULES if not default.enabled(rule)} == {
        rule.name for rule in RULES if rule.mode is RuleKind.OPT_IN
    }


@pytest.mark.parametrize(
    ("rule", "said", "requirements", "enabled"),
    [
        (PULL, terms(), ("AML-19",), True),
        (PULL, terms(off=["AML-19"]), ("AML-19",), False),
        (PULL, terms(off=["AML-19"]), ("AML-18",), True),
        (PULL, terms(off=["AML-19"]), ("AML-18", "AML-19"), False),  # nobody can tell: rather not
        (PULL, terms(off=["compute-pull"]), ("AML-18",), False),
        (PULL, terms(off=["compute-pull"], on=["AML-18"]), ("AML-18",), False),  # off wins
        (PULL, terms(off=["AML-70"]), ("AML-18", "AML-70"), False),
        (PULL, terms(off=["AML-70"]), ("AML-18",), True),
        (PULL, terms(off=["AML-42"]), ("AML-18",), True),
        (STORAGE, terms(), ("AML-04", "AML-10"), False),
        (STORAGE, terms(on=["AML-04"]), ("AML-04", "AML-10"), True),
        (STORAGE, terms(on=["AML-10"]), ("AML-04", "AML-10"), True),
        (STORAGE, terms(on=["AML-10"], off=["AML-04"]), ("AML-04", "AML-10"), False),
        (METRICS, terms(on=["AML-42"]), ("AML-42",), False),
        (METRICS, terms(on=["endpoint-writes-metrics"]), ("AML-42",), True),
        (ADMIN, terms(off=["AML-22"]), ("AML-21",), True),
        (ADMIN, terms(off=["AML-22"]), (), False),
    ],
)
def test_which_rules_act(rule: Rule, said: Terms, requirements: tuple[str, ...], enabled: bool) -> None:
    assert said.enabled(rule, requirements) is enabled


def test_a_rule_in_mode_report_is_enabled_and_reports() -> None:
    said = terms(report=["AML-21"])
    assert said.enabled(ADMIN, ("AML-21",))
    assert said.reports_only(ADMIN, ("AML-21",))
    assert not said.reports_only(ADMIN, ("AML-22",))
    assert not said.reports_only(PULL, ("AML-18",))


@pytest.mark.parametrize(
    ("boundary", "allow", "target", "trusted"),
    [
        (Boundary.RESOURCE_GROUP, (), REGISTRY, True),
        (Boundary.RESOURCE_GROUP, (), registry_id("a", LOOKALIKE), False),
        (Boundary.RESOURCE_GROUP, (), registry_id("a", FOREIGN), False),
        (Boundary.RESOURCE_GROUP, (FOREIGN,), registry_id("a", FOREIGN), True),
        (Boundary.RESOURCE_GROUP, (registry_id("a", FOREIGN),), registry_id("A", FOREIGN), True),
        (Boundary.RESOURCE_GROUP, (registry_id("a", FOREIGN),), registry_id("ab", FOREIGN), False),
        (Boundary.SUBSCRIPTION, (), registry_id("a", FOREIGN), True),
        (Boundary.SUBSCRIPTION, (), registry_id("a", OTHER_SUBSCRIPTION.child("resourceGroups", "rg")), False),
        (Boundary.RESOURCE_GROUP, (), GROUP, True),
        (Boundary.RESOURCE_GROUP, (), SUBSCRIPTION, False),
        (Boundary.SUBSCRIPTION, (), Scope.parse("/"), False),
    ],
)
def test_what_a_workspace_may_lead_to(
    boundary: Boundary, allow: tuple[Scope, ...], target: Scope, trusted: bool
) -> None:
    assert terms(boundary=boundary, allow=allow).trusts(workspace(), target) is trusted


def test_an_exemption_holds_to_its_last_day_for_its_rules_and_below_its_scope() -> None:
    until = date(2027, 1, 31)
    exempt = Exemption(GROUP, frozenset({"aml-21", "compute-pull"}), until, "moves in January")
    said = terms(exemptions=(exempt,))
    assert said.exemption("registry-admin-user", ("AML-21",), REGISTRY, {}, until) == exempt
    assert said.exemption("Compute-Pull", ("AML-19",), REGISTRY, {}, until) == exempt
    assert said.exemption("registry-admin-user", ("AML-21",), REGISTRY, {}, date(2027, 2, 1)) is None
    assert said.exemption("registry-admin-user", ("AML-22",), REGISTRY, {}, until) is None
    assert said.exemption("registry-admin-user", ("AML-21",), registry_id("a", LOOKALIKE), {}, until) is None
    assert said.exemption("registry-admin-user", ("AML-21",), SUBSCRIPTION, {}, until) is None
