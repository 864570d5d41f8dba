"""The workbook's queries mean what they say, in a real KQL engine; and the workbook holds no other."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alert_cases import finding, remediation
from deployments import alerts
from kql_parser import Parser
from kusto import Case, run

from emulator.kql.core import Column, Environment, Table
from emulator.kql.evaluate import run as run_kql
from emulator.kql.values import Type
from infra.check import INFRA, queries, unbound
from infra.derive import WORKBOOK
from shared.audit_rows import FINDINGS, REMEDIATIONS

QUERIES = queries()
WORKSPACE = "/subscriptions/S1/resourceGroups/RG/providers/Microsoft.MachineLearningServices/workspaces/MLW"
STORE = "/subscriptions/s1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/store"
OTHER = "/subscriptions/s2/resourceGroups/rg2/providers/Microsoft.MachineLearningServices/workspaces/ws2/computes/cpu"


def opened(age: float, identifier: str, on: str, severity: str = "low", message: str = "now") -> dict[str, Any]:
    said = {"FindingId": identifier, "ResourceId": on, "Severity": severity, "Message": message, "Remedy": "mend it"}
    return finding(age, f"rule-{severity}") | said


OPEN: dict[str, Any] = {
    FINDINGS: [
        opened(700, "f1", WORKSPACE, "high", "before"),
        opened(20, "f1", WORKSPACE.lower(), "high"),
        opened(20, "f2", f"{WORKSPACE}/computes/cpu"),
        opened(20, "f3", STORE),
        opened(20, "f4", OTHER),
        opened(20, "f4", OTHER),
        opened(800, "gone", OTHER, "high"),
    ],
    REMEDIATIONS: [
        remediation(800, "Withheld", ActionId="gone", Guard="approval"),
        remediation(40, "Withheld", ActionId="a3", Guard="cap"),
        remediation(40, "Withheld", ActionId="a4", Guard="approval"),
        remediation(40, "Withheld", ActionId="a5", Guard="approval"),
        remediation(20, "Applied", ActionId="a5"),
        remediation(20, "Applied", ActionId="a6"),
        remediation(10, "Withheld", ActionId="a6", Guard="approval"),
    ],
}
ROWS: dict[str, Any] = {
    REMEDIATIONS: [
        remediation(50, "Planned"),
        remediation(50, "Applied"),
        remediation(50, "Applied"),  # written twice: the log does not de-duplicate
        remediation(40, "Applied", RunId="r2"),
        remediation(40, "Failed", ActionId="a2", Reason="a lock"),
        remediation(40, "Withheld", ActionId="a3", Guard="cap"),
        remediation(30, "Withheld", ActionId="a3", Guard="cap", RunId="r3"),
        remediation(40, "Withheld", ActionId="a4", Guard="approval"),
        remediation(40, "Withheld", ActionId="a5", Guard="approval"),
        remediation(20, "Applied", ActionId="a5"),
        remediation(20, "Applied", ActionId="a6"),
        remediation(10, "Withheld", ActionId="a6", Guard="approval"),
        remediation(9, "Withheld", ActionId="s", RuleId="registry-admin-user", Guard="admin-login", ResourceId="/r"),
        remediation(9, "Applied", ActionId="s2", RuleId="registry-admin-user", ResourceId="/off"),
    ],
    FINDINGS: [
        finding(50, "compute-settings"),
        finding(20, "compute-settings"),
        finding(20, "endpoint-authentication", "called with keys 3 times") | {"ResourceId": "/e"},
    ],
}
WANTED: dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]] = {
    "posture-over-time": (("Severity", "Findings"), [("low", 2)]),
    "remediations-by-rule": (
        ("RuleId", "Outcome", "Actions"),
        [
            ("compute-pull", "Applied", 4),
            ("compute-pull", "Failed", 1),
            ("compute-pull", "Withheld", 5),
            ("registry-admin-user", "Applied", 1),
            ("registry-admin-user", "Withheld", 1),
        ],
    ),
    "withheld-and-contested": (
        ("Guard", "RuleId", "Actions"),
        [("approval", "compute-pull", 3), ("admin-login", "registry-admin-user", 1), ("cap", "compute-pull", 1)],
    ),
    "changes-over-time": (("Outcome", "Actions"), [("Applied", 5), ("Failed", 1), ("Withheld", 6)]),
    "endpoints-called-with-keys": (("ResourceId", "Message"), [("/e", "called with keys 3 times")]),
    "admin-users-still-used": (("ResourceId", "Guard"), [("/r", "admin-login")]),
}


WANTED_OF_OPEN: dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]] = {
    "open-findings": (
        ("Severity", "ResourceId", "Message", "Remedy"),
        [
            ("high", WORKSPACE.lower(), "now", "mend it"),
            ("low", f"{WORKSPACE}/computes/cpu", "now", "mend it"),
            ("low", STORE, "now", "mend it"),
            ("low", OTHER, "now", "mend it"),
        ],
    ),
    "open-by-workspace": (
        ("Group", "Workspace", "Findings", "High"),
        [("rg", "mlw", 2, 1), ("rg", "", 1, 0), ("rg2", "ws2", 1, 0)],
    ),
    "open-by-subscription": (("Subscription", "Findings", "High"), [("s1", 3, 1), ("s2", 1, 0)]),
    "open-by-rule": (
        ("RuleId", "Severity", "Findings", "Resources"),
        [("rule-low", "low", 3, 3), ("rule-high", "high", 1, 2)],
    ),
    "pending-approvals": (("ActionId", "Command"), [("a4", "amlguard approve a4"), ("a6", "amlguard approve a6")]),
}


def of_today(rows: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Some queries count each day (of UTC) by itself. So within an hour after midnight the rows are younger."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    share = min(1.0, (now - midnight) / timedelta(hours=1))
    return {table: [row | {"age": row["age"] * share} for row in rows[table]] for table in rows}


@pytest.mark.parametrize("clock", ["00:00:00", "00:00:30", "00:59:00", "12:00:00"])
def test_all_rows_are_of_today(clock: str) -> None:
    now = datetime.fromisoformat(f"2026-11-30T{clock}Z")
    ages = [timedelta(minutes=row["age"]) for rows in of_today(ROWS, now).values() for row in rows]
    assert {(now - age).date() for age in ages} == {now.date()}
    assert now.hour == 0 or max(ages) == timedelta(minutes=50)


@pytest.fixture(scope="module")
def found() -> dict[str, list[dict[str, Any]]]:
    rows = of_today(ROWS, datetime.now(UTC))
    return dict(zip(WANTED, run([Case(QUERIES[name], rows) for name in WANTED]), strict=True))


@pytest.mark.parametrize("name", WANTED_OF_OPEN)
def test_query_of_what_is_open(name: str) -> None:
    columns, wanted = WANTED_OF_OPEN[name]
    (rows,) = run([Case(QUERIES[name], OPEN)])
    assert [tuple(_number("" if row[one] is None else row[one]) for one in columns) for row in rows] == wanted


def test_open_findings_are_the_same_on_the_local_azure() -> None:
    """A second engine: what a join and `distinct` do differs between them most."""
    columns, wanted = WANTED_OF_OPEN["open-findings"]
    now = datetime.now(UTC)
    names = ("FindingId", "Severity", "RuleId", "ResourceId", "Message", "Remedy")
    kinds = (Column("TimeGenerated", Type.DATETIME), *(Column(one, Type.STRING) for one in names))
    rows: list[list[object]] = [
        [now - timedelta(minutes=one["age"]), *(one[name] for name in names)] for one in OPEN[FINDINGS]
    ]
    answer = run_kql(QUERIES["open-findings"], Environment({FINDINGS: Table(kinds, rows)}.get, now))
    places = [[each.name for each in answer.columns].index(one) for one in columns]
    assert [tuple(row[place] for place in places) for row in answer.rows] == wanted


@pytest.mark.parametrize("name", WANTED)
def test_query(found: dict[str, list[dict[str, Any]]], name: str) -> None:
    columns, wanted = WANTED[name]
    rows = [tuple(_number("" if row[one] is None else row[one]) for one in columns) for row in found[name]]
    assert rows == wanted


def _number(value: Any) -> Any:
    return int(value) if str(value).isdecimal() else value


@pytest.mark.parametrize(("seconds", "median"), [([2, 4, 6], 4), ([10], 10)])
def test_event_to_grant(seconds: list[int], median: int) -> None:
    """On the local Azure's own KQL: chdb's datetime_diff takes no column in every version."""
    now = datetime.now(UTC)
    columns = {
        "TimeGenerated": Type.DATETIME,
        "EventTime": Type.DATETIME,
        "Outcome": Type.STRING,
        "Action": Type.STRING,
        "Found": Type.BOOL,
    }
    rows: list[list[object]] = [[now, now - timedelta(seconds=one), "Applied", "Grant", False] for one in seconds]
    rows += [[now, now - timedelta(days=1), "Failed", "Grant", False], [now, None, "Applied", "Grant", False]]
    rows += [[now, now - timedelta(days=1), "Applied", "Grant", True], [now, None, "Applied", "Grant", None]]
    table = Table(tuple(Column(*one) for one in columns.items()), rows)
    answer = run_kql(QUERIES["event-to-grant"], Environment({REMEDIATIONS: table}.get, now))
    (row,) = answer.rows
    named = dict(zip([column.name for column in answer.columns], row, strict=True))
    assert named["P50"] == median
    assert named["Grants"] == len(seconds)


def test_the_workbook_holds_only_these_queries() -> None:
    book = json.loads((INFRA / "generated" / "workbook.json").read_text("utf-8"))
    held = [item["content"]["query"] for item in book["items"] if item["type"] == 3]
    assert held == [QUERIES[name] for _, name, _ in WORKBOOK]
    assert {item["type"] for item in book["items"]} == {3, 9}
    assert len({item["name"] for item in book["items"]}) == len(book["items"])
    (parameter,) = [item["content"]["parameters"] for item in book["items"] if item["type"] == 9]
    named = {item["content"].get("timeContextFromParameter") for item in book["items"] if item["type"] == 3}
    assert named == {one["name"] for one in parameter}


def test_every_query_is_used_and_tested() -> None:
    shown = {name for _, name, _ in WORKBOOK}
    assert set(QUERIES) == shown | set(alerts())
    assert shown - set(alerts()) == {*WANTED, *WANTED_OF_OPEN, "event-to-grant"}


def test_every_query_is_bound(parser: Parser) -> None:
    assert unbound(QUERIES, parser.bind) == []


_WRONG = (
    "AmlGuardRemediation_CL | where NoSuchColumn == 1",
    "NoSuchTable | count",
    "AmlGuardRemediation_CL | whre Outcome == ''",
    "AmlGuardRemediation_CL | where DurationMs has 'x'",
)


@pytest.fixture(scope="module")
def complaints(parser: Parser) -> list[str]:
    return unbound({text: text for text in _WRONG}, parser.bind)


@pytest.mark.parametrize("wrong", _WRONG)
def test_a_query_that_the_tables_do_not_bear_is_noticed(complaints: list[str], wrong: str) -> None:
    assert [one for one in complaints if one.startswith(f"{wrong}.kql: ")]
