"""A small table to ask, and the rows of an answer as plain values."""

from typing import Any

from emulator.kql.core import KUSTO, Column, Dialect, Environment, Table
from emulator.kql.evaluate import run
from emulator.kql.values import Type, parse_datetime, parse_timespan

NOW = parse_datetime("2024-03-01T00:00:00Z")
ONE, TWO = "74be27de-1e4e-49d9-b579-fe0b331d3641", "74be27de-1e4e-49d9-b579-fe0b331d3642"
_TYPES = "s:string n:long r:real b:bool d:dynamic t:datetime ts:timespan g:guid"
_ROWS: list[tuple[Any, ...]] = [
    ("abc", 1, 1.5, True, {"a": "x", "b": {"c": [1, 2]}}, "2024-01-01T00:00:00Z", "01:00:00", ONE),
    ("", None, None, None, None, None, None, None),
    ("xyz", 3, 3.5, False, {"a": ["p", "q"]}, "2024-02-01T00:00:00Z", "02:00:00", TWO),
]


def tables() -> dict[str, Table]:
    columns = tuple(Column(name, Type(type_)) for name, type_ in (pair.split(":") for pair in _TYPES.split()))
    rows = [(*row[:5], row[5] and parse_datetime(row[5]), row[6] and parse_timespan(row[6]), row[7]) for row in _ROWS]
    return {"T": Table(columns, rows), "Empty": Table(columns, [])}


def answer(query: str, dialect: Dialect = KUSTO) -> Table:
    assert NOW is not None
    return run(query, Environment(tables().get, NOW, dialect))


def ask(query: str) -> list[list[Any]]:
    return [list(row) for row in answer(query).rows]


def value(expression: str) -> Any:
    [[only]] = ask(f"print {expression}")
    return only


def names(query: str) -> list[str]:
    return [column.name for column in answer(query).columns]
