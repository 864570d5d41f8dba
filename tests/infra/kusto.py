"""A real KQL engine for tests: ClickHouse's Kusto dialect (chdb), in a process of its own."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.check import ROOT, tables

type Row = Mapping[str, Any]

_PYTHON = ROOT / ".venv-infra" / "bin" / "python"


@dataclass(frozen=True)
class Case:
    """`rows` of each table; a row's `age` is how many minutes ago it was generated."""

    query: str
    rows: Mapping[str, Sequence[Row]]
    window: timedelta | None = None

    def stored(self) -> dict[str, list[dict[str, Any]]]:
        """What the engine gets: rows inside the window, which is what an alert rule reads."""
        now = datetime.now(UTC)
        return {
            name: [
                {key: value for key, value in row.items() if key != "age"}
                | {"TimeGenerated": (now - timedelta(minutes=row["age"])).isoformat()}
                for row in rows
                if self.window is None or timedelta(minutes=row["age"]) < self.window
            ]
            for name, rows in self.rows.items()
        }


def run(cases: Sequence[Case]) -> list[list[dict[str, Any]]]:
    """The rows that each query gives; AssertionError when the engine refuses one."""
    # ClickHouse does not know isfuzzy, which lets Azure pass over tables that nothing was written to yet: here all are.
    queries = [one.query.replace("union isfuzzy=true", "union") for one in cases]
    rows = [one.stored() for one in cases]
    given = {"tables": tables(), "cases": [{"query": q, "rows": r} for q, r in zip(queries, rows, strict=True)]}
    script = Path(__file__).with_name("run_kql.py")
    ended = subprocess.run([_PYTHON, script], input=json.dumps(given), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    answers = json.loads(ended.stdout)
    for case, answer in zip(cases, answers, strict=True):
        assert "error" not in answer, f"{case.query}\n{answer['error']}"
    return [answer["rows"] for answer in answers]
