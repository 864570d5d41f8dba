"""The policy file: every key optional, every mistake an error that says where."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared import policy
from shared.access.preferences import Builders, Serverless
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Boundary, RuleMode, RuleTerms, RunMode, Terms

WHOLE = """
mode: enforce
scopes: [/subscriptions/11111111-1111-4111-8111-111111111111]
settle_minutes: 20
trust:
  boundary: subscription
  allow: [/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/shared-ml]
rules:
  AML-08: {enabled: true}
  AML-21: {mode: report}
  Compute-Pull: {enabled: false}
exemptions:
  - {scope: /subscriptions/11111111-1111-4111-8111-111111111111, rules: [AML-21], until: 2027-01-31, reason: moves}
caps: {per_run: 5, per_hour: 20}
evidence: {look_back_days: 7, required: true}
serverless: never
builders: least
contested_after: 2
"""


@pytest.mark.parametrize("text", ["", "# nothing", "{}", "---\n", "null"])
def test_without_anything_the_defaults_hold(text: str) -> None:
    assert policy.parse(text).terms() == Terms(table=RULES)


def test_everything_that_can_be_said() -> None:
    said = policy.parse(WHOLE).terms()
    assert (said.mode, said.boundary, said.caps.per_run) == (RunMode.ENFORCE, Boundary.SUBSCRIPTION, 5)
    assert said.settle == timedelta(minutes=20)
    assert said.scopes == (Scope.parse("/subscriptions/11111111-1111-4111-8111-111111111111"),)
    assert [str(scope) for scope in said.allow] == [f"{said.scopes[0]}/resourceGroups/shared-ml"]
    assert said.rules == {
        "aml-08": RuleTerms(enabled=True),
        "aml-21": RuleTerms(mode=RuleMode.REPORT),
        "compute-pull": RuleTerms(enabled=False),
    }
    assert (said.preferences.serverless, said.preferences.builders) == (Serverless.NEVER, Builders.LEAST)
    (exempt,) = said.exemptions
    assert (exempt.until, exempt.rules) == (date(2027, 1, 31), frozenset({"aml-21"}))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("mode: [", "YAML"),
        ("- mode", "object"),
        ("just text", "object"),
        ("mode: off", "mode"),
        ("mode: Enforce", "mode"),
        ("modes: report", "modes"),
        ("trust: {boundry: subscription}", "trust: unknown key `boundry`"),
        ("trust: {allow: /subscriptions/x}", "trust.allow"),
        ("trust: {allow: [shared-ml]}", "trust.allow[0]"),
        ("scopes: [/subscriptions/a, /subscriptions/..]", "scopes[1]"),
        ("settle_minutes: -1", "settle_minutes"),
        ("settle_minutes: soon", "settle_minutes"),
        ("settle_minutes: .inf", "settle_minutes"),
        ("settle_minutes: .nan", "settle_minutes"),
        ("settle_minutes: 1.0e+300", "settle_minutes"),
        ("caps: {per_run: -1}", "caps.per_run"),
        ("caps: {per_run: many}", "caps.per_run"),
        ("caps: null", "caps"),
        ("contested_after: 0", "contested_after"),
        ("evidence: {look_back_days: 0}", "evidence.look_back_days"),
        ("serverless: sometimes", "serverless"),
        ("builders: [least]", "builders"),
        ("rules: {AML-999: {enabled: true}}", "AML-999"),
        ("rules: {AML-08: true}", "rules.AML-08: "),
        ("rules: {AML-08: {enabled: 1}}", "rules.AML-08"),
        ("rules: {AML-08: {on: true}}", "rules"),
        ("rules: [AML-08]", "rules"),
        ("exemptions: [{scope: /subscriptions/a, rules: [AML-21], reason: x}]", "exemptions"),
        ("exemptions: [{scope: /subscriptions/a, rules: [], until: 2027-01-31, reason: x}]", "exemptions"),
        (
            "exemptions: [{scope: /subscriptions/a, rules: [AML-0], until: 2027-01-31, reason: x}]",
            "exemptions[0].rules",
        ),
        ("exemptions: [{scope: a, rules: [AML-21], until: 2027-01-31, reason: x}]", "exemptions[0].scope"),
        ("exemptions: [{scope: /subscriptions/a, rules: [AML-21], until: tomorrow, reason: x}]", "exemptions"),
        ("exemptions: [{scope: /subscriptions/a, rules: [AML-21], until: 2027-01-31, reason: ''}]", "exemptions"),
    ],
)
def test_a_mistake_is_an_error_that_says_where(text: str, names: str) -> None:
    with pytest.raises(policy.PolicyError) as mistake:
        policy.parse(text)
    assert names in str(mistake.value)
    assert not str(mistake.value).startswith(":"), "what has no place names none"


@pytest.mark.parametrize("word", Serverless)
def test_each_word_for_serverless_compute_is_one(word: Serverless) -> None:
    assert policy.parse(f"serverless: {word.name.lower()}").serverless is word


def test_python_objects_are_not_made_of_a_policy_file() -> None:
    with pytest.raises(policy.PolicyError):
        policy.parse("mode: !!python/object/apply:os.getcwd []")


def test_a_key_that_is_there_twice_is_a_mistake() -> None:
    with pytest.raises(policy.PolicyError):
        policy.parse("rules: {AML-08: {enabled: true}}\nrules: {AML-21: {mode: report}}")
    with pytest.raises(policy.PolicyError):
        policy.parse("rules: {AML-08: {enabled: true}, aml-08: {enabled: false}}")


def test_a_file_that_is_not_there_is_a_mistake_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(policy.PolicyError) as mistake:
        policy.load(tmp_path / "policy.yaml")
    assert "policy.yaml" in str(mistake.value)
    (tmp_path / "policy.yaml").write_text("modes: x", encoding="utf-8")
    with pytest.raises(policy.PolicyError) as mistake:
        policy.load(tmp_path / "policy.yaml")
    assert "policy.yaml" in str(mistake.value)
    (tmp_path / "policy.yaml").write_bytes(b"\xff\xfe\x00mode")
    with pytest.raises(policy.PolicyError):
        policy.load(tmp_path / "policy.yaml")


def test_the_schema_knows_every_key_and_allows_no_other() -> None:
    schema: Any = policy.schema()
    top = schema["$defs"]["Policy"]
    assert set(top["properties"]) == {field.name for field in msgspec.structs.fields(policy.Policy)}
    assert top["additionalProperties"] is False
