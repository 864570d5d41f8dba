"""`amlguard policy check`: every fault at once, with its line and what would be right; and what does nothing."""

from datetime import date
from pathlib import Path

import pytest

from handlers.cli.policy_check import Checked, check
from shared import policy

TODAY = date(2026, 11, 2)
WRONG = """\
mode: sometimes
setle_minutes: 5
rules:
  AML-08: {enabled: true}
  AML-999: {enabled: true}
  compute-pul: {enabled: false}
  AML-21: {mode: aprove}
exemptions:
  - {scope: rg, rules: [AML-0], until: tomorrow, reason: x}
  - {rules: [AML-21], until: 2027-01-31}
trust:
  boundry: subscription
  allow: [/subscriptions/11111111-1111-4111-8111-111111111111, nowhere]
caps: {per_run: -1}
"""


@pytest.fixture
def checked(tmp_path: Path, request: pytest.FixtureRequest) -> Checked:
    file = tmp_path / "policy.yaml"
    file.write_text(request.param, encoding="utf-8")
    return check(file.read_text("utf-8"), TODAY)


@pytest.mark.parametrize("checked", [WRONG], indirect=True)
def test_all_faults_at_once_with_line_and_what_is_allowed(checked: Checked) -> None:
    found = {(one.line, one.said) for one in checked.faults}
    said = {line: " ".join(each for at, each in found if at == line) for line, _ in found}
    assert said.keys() == {1, 2, 5, 6, 7, 9, 10, 12, 13, 14}
    assert "mode" in said[1]
    assert "allowed are enforce, report" in said[1]
    assert "did you mean settle_minutes?" in said[2]
    assert "no rule 'AML-999'" in said[5]
    assert "did you mean compute-pull?" in said[6]
    assert "rules.AML-21" in said[7]
    assert "allowed are" in said[7]
    assert all(word in said[9] for word in ("scope", "no rule 'AML-0'", "until"))
    assert "reason" in said[10]
    assert "did you mean boundary?" in said[12]
    assert "trust.allow[1]" in said[13]
    assert "caps.per_run" in said[14]
    assert checked.policy is None


@pytest.mark.parametrize(
    ("checked", "line"),
    [
        ("mode: [", 1),
        ("mode: report\nmode: enforce\n", 2),
        ("- mode\n", 1),
        ("\n\nscopes:\n  - /subscriptions/..\n", 4),
        ("people:\n- groups: [11111111-1111-4111-8111-111111111111]\n  role: owner\n  scopes: [/subscriptions/a]\n", 3),
        ("scopes: [/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/g/providers/A.B/c/d]\n", 1),
    ],
    indirect=["checked"],
)
def test_a_fault_has_its_line(checked: Checked, line: int) -> None:
    assert [one.line for one in checked.faults] == [line]


IDLE = """\
mode: enforce
rules:
  AML-01: {mode: enforce}
  AML-21: {mode: report}
  AML-08: {enabled: true}
  AML-42: {enabled: true}
exemptions:
  - {scope: /subscriptions/11111111-1111-4111-8111-111111111111, rules: [AML-21], until: 2026-11-01, reason: over}
  - {scope: /subscriptions/11111111-1111-4111-8111-111111111111, rules: [AML-21], until: 2026-11-02, reason: today}
caps: {per_run: 0}
"""


@pytest.mark.parametrize("checked", [IDLE], indirect=True)
def test_what_does_nothing_is_a_warning(checked: Checked) -> None:
    assert checked.faults == []
    assert checked.policy is not None
    said = {one.line: one.said for one in checked.warnings}
    assert said.keys() == {3, 6, 8, 10}
    assert "only finds or objects" in said[3]
    assert "on by default" in said[6]
    assert "expired on 2026-11-01" in said[8]
    assert "stops every change" in said[10]


def test_the_example_and_every_default_are_without_remarks() -> None:
    example = check((Path(__file__).parents[4] / "policy.example.yaml").read_text("utf-8"), TODAY)
    assert example.faults == []
    assert check("", TODAY) == Checked([], [], policy.Policy())
