"""The query for open intents, as the local Azure's interpreter of KQL answers it over rows as amlguard writes them."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from unit.build import guid

from emulator.kql.core import KUSTO, Column, Environment, Table
from emulator.kql.evaluate import run
from emulator.kql.values import Type, parse_datetime
from shared.access.intents import OPEN_AFTER, PAGE, query

NOW = datetime.fromisoformat("2026-11-28T12:00:00+00:00")
_TABLES = Path(__file__).parents[2] / "infra" / "tables.json"
_KINDS = {"boolean": "bool"}


def _row(outcome: str, ago: timedelta, action: str = "a", mode: str = "enforce") -> dict[str, Any]:
    when = (NOW - ago).isoformat()
    return {"TimeGenerated": when, "RunId": guid("r"), "ActionId": guid(action), "Outcome": outcome, "Mode": mode}


def _open(*rows: dict[str, Any]) -> list[str]:
    return [str(row["ActionId"]) for row in _answer(*rows)]


def _answer(*rows: dict[str, Any], after: str = "") -> list[dict[str, Any]]:
    columns = json.loads(_TABLES.read_text(encoding="utf-8"))["tables"]["AmlGuardRemediation_CL"]["columns"]
    kinds = tuple(Column(one["name"], Type(_KINDS.get(one["type"], one["type"]))) for one in columns)
    times = {one["name"] for one in columns if one["type"] == "datetime"}
    cells = [
        tuple(parse_datetime(row[c.name]) if c.name in times and row.get(c.name) else row.get(c.name) for c in kinds)
        for row in rows
    ]
    now = parse_datetime(NOW.isoformat())
    assert now is not None
    answer = run(query(after), Environment({"AmlGuardRemediation_CL": Table(kinds, cells)}.get, now, KUSTO))
    names = [column.name for column in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("rows", "is_open"),
    [
        ([_row("Planned", HOUR)], True),
        ([_row("Planned", OPEN_AFTER + MINUTE)], True),
        ([_row("Planned", OPEN_AFTER - MINUTE)], False),
        ([_row("Planned", timedelta(days=8))], False),
        ([_row("Planned", HOUR, mode="report")], False),
        ([_row("Planned", HOUR), _row("Applied", HOUR - MINUTE)], False),
        ([_row("Planned", HOUR), _row("Withheld", HOUR - timedelta(microseconds=1))], False),
        ([_row("Planned", 2 * HOUR), _row("Deferred", 2 * HOUR - MINUTE), _row("Planned", HOUR)], True),
        ([_row("Deferred", HOUR)], False),
    ],
)
def test_an_intent_is_open_that_has_no_outcome_after_it(rows: list[dict[str, Any]], is_open: bool) -> None:
    others = [_row("Planned", HOUR, "b"), _row("Failed", HOUR - MINUTE, "b")]
    assert _open(*others, *rows) == ([guid("a")] if is_open else [])


@pytest.mark.parametrize("ids", [{"RunId": "x"}, {"ActionId": "y" * 37}, {"RunId": ""}], ids=str)
def test_what_amlguard_never_wrote_is_not_asked_for(ids: dict[str, str]) -> None:
    assert _open(_row("Planned", HOUR) | ids) == []


@pytest.mark.parametrize("apart", [timedelta(), timedelta(microseconds=1), MINUTE], ids=str)
def test_pages_have_each_once_oldest_first(apart: timedelta) -> None:
    """Also where all say that they are of one moment."""
    rows = [_row("Planned", 24 * HOUR - at * apart, f"a{at}") for at in range(2 * PAGE + 7)]
    pages = [_answer(*reversed(rows))]
    while len(pages[-1]) == PAGE:
        pages.append(_answer(*rows, after=str(pages[-1][-1]["Place"])))
    found = [str(row["ActionId"]) for page in pages for row in page]
    assert [len(page) for page in pages] == [PAGE, PAGE, 7]
    assert sorted(found) == sorted(row["ActionId"] for row in rows)
    if apart:
        assert found == [row["ActionId"] for row in rows]
