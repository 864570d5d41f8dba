"""`amlguard plan` on a tenant in which, for every A rule, one thing is as it should not be."""

from collections.abc import Iterator

import pytest
from catalogue.gathered import Placed, document, placed, policy, told_twice
from local_azure import LocalAzure
from wire import Json

from shared.access.rules import RULES, RuleKind

AUDITS = [rule.name for rule in RULES if rule.mode is RuleKind.AUDIT]
# The first case of each; of what follows from who made a change, no plan can know (test_catalogue has the events).
WRONG: dict[str, Placed] = {}
for _one in placed():
    if _one.case.rule in AUDITS and _one.case.acts and not _one.case.event:
        WRONG.setdefault(_one.case.rule, _one)
ABOUT_CALLERS = {"identity-attached-by", "network-deployer"}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Json]]:
    tenant = document(one.case.build(one.place) for one in WRONG.values())
    azure = LocalAzure.start(tmp_path_factory.mktemp("everything"), tenant, policy(), functions=False)
    try:
        ran = azure.run("plan", "--format", "json", "--policy", str(azure.folder / "policy.yaml"))
        assert ran.code == 2, ran.err
        assert ran.document["errors"] == []
        found: list[Json] = ran.document["findings"]
        yield found
    finally:
        azure.stop()


def test_only_rules_about_callers_need_an_event() -> None:
    assert set(AUDITS) - WRONG.keys() == ABOUT_CALLERS


@pytest.mark.parametrize("rule", WRONG)
def test_every_audit_rule_is_reported_once_with_a_remedy(findings: list[Json], rule: str) -> None:
    mine = f"{WRONG[rule].place.subscription}/"
    (found,) = [one for one in findings if one["rule"] == rule and one["resourceId"].startswith(mine)]
    assert set(found["requirements"]) <= {
        r for one in RULES if one.name == rule for r in (*one.requirements, *one.also)
    }
    assert found["severity"] in {"high", "medium", "low"}
    assert found["message"]
    assert found["remedy"]


def test_nothing_is_said_twice(findings: list[Json]) -> None:
    said = [(one["rule"], one["resourceId"].lower()) for one in findings]
    assert len(said) == len(set(said))
    assert told_twice((one["resourceId"], one["remedy"], one["rule"]) for one in findings) == []
