"""The query for what amlguard did before, as the local Azure's interpreter of KQL answers it, also of older tables."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from unit.build import REGISTRY, WORKSPACE, guid, sai

from emulator.kql.core import KUSTO, Column, Environment, Table
from emulator.kql.evaluate import run
from emulator.kql.values import Type, parse_datetime
from shared.access.actions import Grant
from shared.access.history import DAYS, THERE_ALREADY, past, query
from shared.access.needs import PULL

NOW = datetime.fromisoformat("2026-11-28T12:00:00+00:00")
HOUR = timedelta(hours=1)
GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "rule", (), "why", "source")
_TABLES = Path(__file__).parents[2] / "infra" / "tables.json"
_KINDS = {"boolean": "bool"}


def _row(ago: timedelta = HOUR, **columns: Any) -> dict[str, Any]:
    row = {"TimeGenerated": (NOW - ago).isoformat(), "RunId": guid("r"), "ActionId": GRANT.action_id}
    return row | {"Outcome": "Applied", "Reason": "why", "Found": False} | columns


def _times(*rows: dict[str, Any], without: tuple[str, ...] = ()) -> int:
    """How often the grant was made, by a table `without` some columns."""
    columns = json.loads(_TABLES.read_text(encoding="utf-8"))["tables"]["AmlGuardRemediation_CL"]["columns"]
    named = [one for one in columns if one["name"] not in without]
    kinds = tuple(Column(one["name"], Type(_KINDS.get(one["type"], one["type"]))) for one in named)
    cells = [tuple(_cell(one.name, row.get(one.name)) for one in kinds) for row in rows]
    now = parse_datetime(NOW.isoformat())
    assert now is not None
    answer = run(query([GRANT]), Environment({"AmlGuardRemediation_CL": Table(kinds, cells)}.get, now, KUSTO))
    names = [column.name for column in answer.columns]
    found = past(dict(zip(names, row, strict=True)) for row in answer.rows)
    return found[GRANT.action_id].times if GRANT.action_id in found else 0


def _cell(name: str, value: Any) -> Any:
    return parse_datetime(value) if name == "TimeGenerated" else value


@pytest.mark.parametrize(
    ("rows", "times"),
    [
        ([_row()], 1),
        ([_row(), _row(2 * HOUR)], 1),
        ([_row(), _row(RunId=guid("another run"))], 2),
        ([_row(timedelta(days=DAYS + 1))], 0),
        ([_row(Outcome="Failed")], 0),
        ([_row(ActionId=guid("another action"))], 0),
        ([_row(Found=True)], 0),
        ([_row(Found=None)], 1),
        ([_row(Found=None, Reason=f"{THERE_ALREADY}: why")], 0),
    ],
)
def test_what_was_made_in_the_last_week_counts_by_run(rows: list[dict[str, Any]], times: int) -> None:
    assert _times(*rows) == times


@pytest.mark.parametrize(("reason", "times"), [("why", 1), (f"{THERE_ALREADY}: why", 0)])
def test_a_table_of_before_has_no_column_for_what_was_found(reason: str, times: int) -> None:
    assert _times(_row(Reason=reason), without=("Found",)) == times
