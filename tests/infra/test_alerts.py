"""Every alert fires on rows on which it must, and not on those on which it must not, in a real KQL engine."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from alert_cases import FIRES, QUIET, Rows, finding, remediation, sweep
from deployments import WHOLE, alerts, duration, only
from kql_parser import Parser
from kusto import Case, run

from infra.check import INFRA, ROOT, queries, unbound
from infra.snapshots import made
from shared.audit_rows import FINDINGS, REMEDIATIONS, SWEEPS

ALERTS = alerts()
_CASES = [
    (fires, alert, title)
    for fires, cases in ((True, FIRES), (False, QUIET))
    for alert, titles in cases.items()
    for title in titles
]
_METRIC = made(WHOLE, "Microsoft.Insights/metricAlerts")


@pytest.fixture(scope="module")
def found() -> dict[tuple[bool, str, str], int]:
    """How many rows each case's query gives; the rules fire above none."""
    cases = []
    for fires, name, title in _CASES:
        given = (FIRES if fires else QUIET)[name][title]
        rows = given() if callable(given) else given
        cases.append(Case(ALERTS[name]["query"], rows, duration(ALERTS[name]["windowSize"])))
    return dict(zip(_CASES, map(len, run(cases)), strict=True))


@pytest.mark.parametrize(("fires", "alert", "title"), _CASES)
def test_alert(found: dict[tuple[bool, str, str], int], alert: str, title: str, *, fires: bool) -> None:
    assert (found[fires, alert, title] > 0) is fires


NEVER = "datetime(1970-01-01T00:00:00Z)"
YOUNG = ("nothing-heard", "sweep-overdue")
# Alert, hours since the app was made, what it recorded since, whether somebody is told.
_FIRST_DAY: Sequence[tuple[str, float, Rows, bool]] = (
    ("sweep-overdue", 0.1, {}, False),
    ("sweep-overdue", 12.9, {}, False),
    ("sweep-overdue", 13.1, {}, True),
    ("sweep-overdue", 24 * 90, {}, True),
    ("sweep-overdue", 7, {SWEEPS: [sweep(30, "Started")]}, False),
    ("sweep-overdue", 7, {SWEEPS: [sweep(30, "Incomplete")]}, True),
    ("sweep-overdue", 14, {SWEEPS: [sweep(12 * 60, "Started")]}, True),
    ("sweep-overdue", 14, {SWEEPS: [sweep(12 * 60, "Completed")]}, False),
    ("nothing-heard", 0.1, {}, False),
    ("nothing-heard", 23.9, {}, False),
    ("nothing-heard", 24.1, {}, True),
    ("nothing-heard", 24 * 90, {}, True),
    ("nothing-heard", 25, {SWEEPS: [sweep(20 * 60, "Started")]}, False),
    ("nothing-heard", 25, {REMEDIATIONS: [remediation(10, "Planned")]}, False),
    ("nothing-heard", 25, {FINDINGS: [finding(10, "compute-settings")]}, False),
)


def _deployed(alert: str, hours: float) -> str:
    """As ARM answers with the time at which an account was made: seven places after the point."""
    made = datetime.now(UTC) - timedelta(hours=hours)
    query: str = ALERTS[alert]["query"]
    return query.replace(NEVER, f"datetime({made:%Y-%m-%dT%H:%M:%S}.2097094Z)")


@pytest.fixture(scope="module")
def first_day() -> list[int]:
    cases = [
        Case(_deployed(alert, hours), rows, duration(ALERTS[alert]["windowSize"]))
        for alert, hours, rows, _ in _FIRST_DAY
    ]
    return list(map(len, run(cases)))


@pytest.mark.parametrize(
    "place", range(len(_FIRST_DAY)), ids=[f"{alert} after {hours} hours" for alert, hours, *_ in _FIRST_DAY]
)
def test_a_new_app_has_time_to_be_heard(first_day: list[int], place: int) -> None:
    assert (first_day[place] > 0) is _FIRST_DAY[place][3]


def test_the_age_that_is_deployed_is_bound(parser: Parser) -> None:
    assert unbound({alert: _deployed(alert, 1) for alert in YOUNG}, parser.bind) == []


def test_the_deployment_puts_the_apps_age_into_the_queries() -> None:
    """That of its storage account: ARM keeps it, so that a deployment that is repeated mutes nothing."""
    assert sorted(name for name, one in ALERTS.items() if NEVER in one["query"]) == sorted(YOUNG)
    assert all(ALERTS[name]["query"].count(NEVER) == 1 for name in YOUNG)
    for one in made(WHOLE, "Microsoft.Insights/scheduledQueryRules"):
        (criterion,) = one["properties"]["criteria"]["allOf"]
        deployed = (
            f"', '{NEVER}', format('datetime({{0}})', reference('{only('Microsoft.Storage/storageAccounts')['id']}'"
        )
        waits = one["name"].removeprefix("amlguard-") in YOUNG
        assert (deployed in criterion["query"] and ").creationTime" in criterion["query"]) is waits


def test_every_alert_has_rows_of_both_kinds() -> None:
    assert set(FIRES) == set(QUIET) == set(ALERTS)


def test_alerts_count_the_rows_of_their_query() -> None:
    assert {(one["timeAggregation"], one["operator"], one["threshold"]) for one in ALERTS.values()} == {
        ("Count", "GreaterThan", 0)
    }
    texts = queries()
    assert {name: one["query"] for name, one in ALERTS.items()} == {name: texts[name] for name in ALERTS}


def test_alerts_look_without_gaps() -> None:
    """Ingestion takes minutes: what is looked at once must be long enough to be seen."""
    gaps = [n for n, one in ALERTS.items() if duration(one["windowSize"]) < duration(one["evaluationFrequency"])]
    assert gaps == []
    assert all(timedelta_minutes(one["windowSize"]) <= 24 * 60 for one in ALERTS.values())


def timedelta_minutes(text: str) -> float:
    return duration(text).total_seconds() / 60


@pytest.mark.parametrize(("count", "fires"), [(0, False), (1, True), (250, True)])
def test_dead_lettered_events(count: int, *, fires: bool) -> None:
    (alert,) = _METRIC
    (criterion,) = alert["properties"]["criteria"]["allOf"]
    assert (criterion["metricName"], criterion["timeAggregation"]) == ("DeadLetteredCount", "Total")
    assert criterion["operator"] == "GreaterThan"
    assert (count > criterion["threshold"]) is fires


def test_every_alert_has_a_severity_and_a_runbook() -> None:
    names = [*ALERTS, *(one["name"].removeprefix("amlguard-") for one in _METRIC)]
    severities = [one["severity"] for one in chain(ALERTS.values(), (one["properties"] for one in _METRIC))]
    assert set(severities) <= {0, 1, 2, 3, 4}
    runbooks = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert runbooks == set(names)


@pytest.mark.parametrize("runbook", sorted((ROOT / "docs" / "runbooks").glob("[a-z]*.md")), ids=lambda path: path.stem)
def test_a_runbook_says_what_to_do(runbook: Path) -> None:
    text = runbook.read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["What it means", "First look", "Put it right", "It is over when"]


def test_overdue_follows_the_schedule() -> None:
    """Two periods of the timer and an hour."""
    hours = re.search(r'schedule="0 \d+ \*/(\d+) ', (ROOT / "function_app.py").read_text("utf-8"))
    assert hours
    query = (INFRA / "queries" / "sweep-overdue.kql").read_text("utf-8")
    assert set(re.findall(r"ago\((\d+)h\)", query)) == {str(2 * int(hours[1]) + 1)}
