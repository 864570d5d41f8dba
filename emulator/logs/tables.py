"""The tables of a Log Analytics workspace: rows as stored, and typed for queries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.kql.core import Column, Row, Table
from emulator.kql.values import Type, converter, null_of, parse_datetime, to_string, type_named

type Json = dict[str, Any]

TIME = "TimeGenerated"
RESOURCE = "_ResourceId"


@dataclass(frozen=True, slots=True)
class Declared:
    """A table of a schema file: filled by a data collection rule's stream, or one of Azure's own if there is none."""

    name: str
    stream: str
    columns: tuple[Column, ...]


def declared_tables(schema: Path) -> dict[str, Declared]:
    """By name, from `{"tables": {"<name>": {"stream"?, "columns": [{"name", "type"}]}}}`."""
    tables = json.loads(schema.read_text())["tables"]
    return {name: Declared(name, table.get("stream", ""), _columns(table["columns"])) for name, table in tables.items()}


def _columns(described: Sequence[Json]) -> tuple[Column, ...]:
    columns = []
    for column in described:
        type_ = type_named(column["type"])
        if type_ is None:
            raise ValueError(f"column {column['name']}: '{column['type']}' is not a type")
        columns.append(Column(column["name"], type_))
    return tuple(columns)


class LogsTables:
    """`stored` has plain JSON rows and may grow at any time. What was typed once is kept."""

    def __init__(self, stored: dict[str, list[Json]], declared: dict[str, Declared]) -> None:
        self._stored = stored
        self._declared = declared
        self._typed: dict[str, tuple[tuple[Column, ...], list[Row]]] = {}

    def table(
        self, name: str, workspace_id: str, within: tuple[datetime, datetime] | None, about: str = "/"
    ) -> Table | None:
        """None for an unknown table. Every table has `TenantId` (the workspace) and `Type` (its own name).

        `about` is the lower-case id of what the rows are about or lie in.
        """
        if name not in self._stored and name not in self._declared:
            return None
        columns, rows = self._rows(name)
        at = next((i for i, column in enumerate(columns) if column.name == TIME), None)
        if within is not None and at is not None:
            start, end = within
            rows = [row for row in rows if row[at] is not None and start <= row[at] <= end]
        if about != "/":
            of = next((i for i, column in enumerate(columns) if column.name == RESOURCE), None)
            rows = [] if of is None else [row for row in rows if f"{row[of]}/".lower().startswith(f"{about}/")]
        first, last = Column("TenantId", Type.STRING), Column("Type", Type.STRING)
        return Table((first, *columns, last), [(workspace_id, *row, name) for row in rows])

    def _rows(self, name: str) -> tuple[tuple[Column, ...], list[Row]]:
        stored = self._stored.get(name, [])
        columns, rows = self._typed.get(name, ((), []))
        if not rows or len(rows) > len(stored) or (len(rows) < len(stored) and name not in self._declared):
            columns = self._declared[name].columns if name in self._declared else _inferred(stored)
            rows = []
        converters = [(c.name, converter(c.type), null_of(c.type)) for c in columns]
        for raw in stored[len(rows) :]:
            rows.append([null if raw.get(key) is None else to(raw[key]) for key, to, null in converters])
        self._typed[name] = columns, rows
        return columns, rows


def _inferred(rows: Sequence[Json]) -> tuple[Column, ...]:
    """The columns of a table without schema, in order of appearance."""
    values: dict[str, list[Any]] = {TIME: []}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return tuple(
        Column(name, Type.DATETIME if name == TIME else _type_of([v for v in found if v is not None]))
        for name, found in values.items()
        if name not in {"TenantId", "Type"}
    )


def _type_of(values: Sequence[Any]) -> Type:
    kinds = set(map(type, values))
    if kinds & {dict, list}:
        return Type.DYNAMIC
    if kinds == {bool}:
        return Type.BOOL
    if kinds == {int}:
        return Type.LONG
    if kinds and kinds <= {int, float}:
        return Type.REAL
    if kinds == {str} and all(len(v) > 10 and v[10] == "T" and parse_datetime(v) for v in values):
        return Type.DATETIME
    return Type.STRING


def rendered(table: Table) -> Json:
    """As the query API returns it: dynamic values are JSON text, datetimes have no needless digits."""
    return {
        "name": "PrimaryResult",
        "columns": [{"name": column.name, "type": column.type.value} for column in table.columns],
        "rows": [list(map(_cell, row)) for row in table.rows],
    }


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return timestamp(value)
    return to_string(value)


def timestamp(at: datetime) -> str:
    fraction = f".{at.microsecond:06d}".rstrip("0") if at.microsecond else ""
    return f"{at:%Y-%m-%dT%H:%M:%S}{fraction}Z"
