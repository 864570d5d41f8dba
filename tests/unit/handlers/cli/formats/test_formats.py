"""What other programs read: JSON and CSV by their published schemas, SARIF as GitHub asks for it, Markdown."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from plans import LOST, every_rule_breached, everything
from unit.build import GROUP, workspace_id

from handlers.cli.formats import sarif, schemas
from handlers.cli.formats.screen import Screen
from handlers.cli.present import render, result_document
from shared.access.plan_json import Document
from shared.access.report import Report
from shared.access.rules import RULES

ROOT = Path(__file__).parents[5]
ALL = result_document(everything())


def rendered(document: Document, form: str) -> str:
    return render(document, form, Screen())


def check(instance: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(instance)


def test_the_published_schemas_are_those_that_are_checked() -> None:
    for name, schema in (("plan", schemas.plan()), ("plan-csv", schemas.table())):
        assert json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text("utf-8")) == schema
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("report", [everything(), Report(), every_rule_breached(3)], ids=["all", "empty", "bad"])
def test_json_is_by_its_schema(report: Report) -> None:
    check(json.loads(rendered(result_document(report), "json")), schemas.plan())


@pytest.mark.parametrize("key", ["grants", "counts", "version", "unknown", "lookedAt"])
def test_the_schema_misses_what_is_missing(key: str) -> None:
    with pytest.raises(ValidationError):
        check({name: value for name, value in ALL.items() if name != key}, schemas.plan())
    with pytest.raises(ValidationError):
        check({**ALL, key: "else"} if key != "version" else {**ALL, key: 1}, schemas.plan())


def test_json_says_when_by_what_and_of_which_workspaces() -> None:
    assert ALL["time"] == "2026-11-02T12:00:00+00:00"
    assert (ALL["version"], ALL["policy"]) == ("0.1.0", "policy.yaml")
    assert ALL["scope"] == ["/subscriptions/11111111-1111-4111-8111-111111111111"]
    assert ALL["counts"]["grants"] == len(ALL["grants"]) == 3
    assert ALL["counts"]["findings"] == {"high": 1, "medium": 0, "low": 1, "informational": 0}
    lists = ("grants", "settings", "removals", "findings", "withheld", "deferred", "unknown")
    assert all(one["workspace"] in one["workspaces"] for name in lists for one in ALL[name])


def test_what_two_workspaces_have_in_common_is_there_once() -> None:
    shared = [one for one in ALL["grants"] if len(one["workspaces"]) == 2]
    assert [one["workspaces"] for one in shared] == [[str(workspace_id()), str(workspace_id("other"))]]


def test_what_could_not_be_read_is_unknown() -> None:
    said = {one["what"]: one["reason"] for one in ALL["unknown"]}
    assert said["the workspace"] == "Azure answered 503"
    assert said["other is unread"] == "Do it"
    assert any(what.startswith("whether to set adminUserEnabled") for what in said)
    assert [one["workspace"] for one in ALL["unknown"] if one["what"] == "the workspace"] == [str(LOST)]
    assert len(said) == 3, "and nothing else is"


def test_people_have_no_name() -> None:
    made = everything()
    one = made.plans[0].grants[0]
    person = replace(one, principal=replace(one.principal, label="Jane Doe", type="User"))
    made.plans[0] = replace(made.plans[0], grants=(person,))
    for form in ("text", "json", "csv", "markdown", "sarif", "html"):
        said = rendered(result_document(made), form)
        assert "Jane" not in said
        assert "user" in said or form in {"json", "csv"}


def test_csv_has_a_row_for_each_item_and_is_by_its_schema() -> None:
    rows = list(csv.DictReader(io.StringIO(rendered(ALL, "csv"))))
    lists = ("grants", "settings", "removals", "findings", "withheld", "deferred", "unknown")
    assert len(rows) == sum(len(ALL[name]) for name in lists)
    for row in rows:
        check(row, schemas.table())
    with pytest.raises(ValidationError):
        check({**rows[0], "status": "else"}, schemas.table())
    with pytest.raises(ValidationError):
        check({**rows[0], "reason": "=1+1"}, schemas.table())


def _run(document: Document) -> Document:
    (run,) = json.loads(rendered(document, "sarif"))["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_is_what_github_takes() -> None:
    """docs.github.com, "SARIF support for code scanning": what it asks of rules, results and locations."""
    run = _run(ALL)
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert len(rule["id"]) <= 255
        assert all(0 < len(rule[name]["text"]) <= 1024 for name in ("shortDescription", "fullDescription"))
        assert rule["help"]["text"]
        assert len(rule["properties"]["tags"]) <= 20
        score = rule["properties"].get("security-severity")
        assert score is None or 0 < float(score) <= 10
    assert {rule["id"] for rule in rules} >= {rule.name for rule in RULES}
    lists = ("grants", "settings", "removals", "findings", "withheld", "deferred", "unknown")
    assert len(run["results"]) == sum(len(ALL[name]) for name in lists)
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        (location,) = one["locations"]
        physical = location["physicalLocation"]
        assert physical["region"]["startLine"] == 1
        assert re.fullmatch(r"azure/[A-Za-z0-9._~%/-]+", physical["artifactLocation"]["uri"])
    assert run["results"][0]["level"] == "error", "the worst comes first"


def test_a_fingerprint_stays_and_is_its_own() -> None:
    """The same finding keeps its alert; two findings have two."""
    later = everything()
    later.plans.reverse()
    later.looked_at.reverse()
    prints = [
        [one["partialFingerprints"]["primaryLocationLineHash"] for one in _run(document)["results"]]
        for document in (ALL, result_document(later))
    ]
    assert sorted(prints[0]) == sorted(prints[1])
    assert len(set(prints[0])) == len(prints[0])


def test_github_gets_no_more_than_it_takes_the_worst_first_and_the_rest_is_said() -> None:
    report = every_rule_breached(210)
    document = result_document(report)
    every = len(document["findings"]) + len(document["grants"])
    run = _run(document)
    assert len(run["results"]) == sarif.MOST_RESULTS < every
    levels = [one["level"] for one in run["results"]]
    assert levels.index("note") > max(at for at, level in enumerate(levels) if level == "error" and at < 3000)
    assert run["properties"]["leftOut"] == every - sarif.MOST_RESULTS
    said = [one["message"]["text"] for one in run["invocations"][0]["toolExecutionNotifications"]]
    assert any(str(every - sarif.MOST_RESULTS) in one and str(every) in one for one in said)
    assert str(every) in sarif.left_out(document)
    assert sarif.left_out(ALL) == ""


def test_errors_of_a_plan_are_notifications() -> None:
    notes = _run(ALL)["invocations"][0]
    assert notes["executionSuccessful"] is False
    assert any("503" in one["message"]["text"] for one in notes["toolExecutionNotifications"])
    assert _run(result_document(every_rule_breached(1)))["invocations"][0]["executionSuccessful"] is True


def test_markdown_fits_a_comment() -> None:
    small, large = (rendered(document, "markdown") for document in (ALL, result_document(every_rule_breached(40))))
    assert small.startswith("## amlguard plan\n")
    assert small.count("<details>") == small.count("</details>") == 3
    assert "AcrPull" in small
    assert len(large) < 65_536
    assert large.count("<details>") == large.count("</details>")
    assert "✅ nothing to do" in rendered(result_document(Report()), "markdown")
    assert GROUP.name in small
