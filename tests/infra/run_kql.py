"""Runs KQL on rows with ClickHouse's Kusto dialect. Run by .venv-infra's Python, which has chdb; see `kusto.py`.

stdin: {"tables": {name: [[column, type]]}, "cases": [{"query", "rows": {table: [row]}}]}
stdout: one answer a case, {"rows": [row]} or {"error": text}.
"""

import json
import sys
from typing import Any

from chdb.session import Session

_TYPES = {"datetime": "Nullable(DateTime64(3, 'UTC'))", "long": "Nullable(Int64)", "boolean": "Nullable(Bool)"}


def answer(session: Session, tables: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    session.query("SET dialect = 'clickhouse'")
    for name, columns in tables.items():
        described = ", ".join(f"`{column}` {_TYPES.get(kind, 'String')}" for column, kind in columns)
        session.query(f"CREATE OR REPLACE TABLE {name} ({described}) ENGINE = Memory")
        rows = case["rows"].get(name, [])
        if rows:
            text = "\n".join(json.dumps(row) for row in rows)
            session.query(
                f"INSERT INTO {name} SETTINGS date_time_input_format = 'best_effort' FORMAT JSONEachRow {text}"
            )
    session.query("SET dialect = 'kusto'")
    try:
        found = session.query(case["query"], "JSONEachRow").bytes().decode()
    except RuntimeError as error:
        return {"error": str(error)[:500]}
    return {"rows": [json.loads(line) for line in found.splitlines() if line]}


def main() -> None:
    given = json.load(sys.stdin)
    session = Session()
    session.query("SET allow_experimental_kusto_dialect = 1")
    json.dump([answer(session, given["tables"], case) for case in given["cases"]], sys.stdout)


if __name__ == "__main__":
    main()
