"""The `mv-expand` operator."""

from itertools import zip_longest
from typing import Any

from emulator.kql import syntax as s
from emulator.kql.core import Column, Environment, Row, Scope, Table
from emulator.kql.expressions import compile_expression, derived_name
from emulator.kql.values import Type, converter, null_of, type_named


def mv_expand(environment: Environment, node: s.MvExpand, table: Table) -> Table:
    """One row for each element. Arrays expand side by side. Null gives one row, an empty array or bag none."""
    scope = Scope.over(environment, "'mv-expand' operator: ", table.columns)
    columns, places = list(table.columns), list[int]()
    evaluates, types = [], []
    for item in node.items:
        scalar = compile_expression(scope, item.expression)
        if scalar.type is not Type.DYNAMIC:
            raise scope.error(f"expanded expression must be of type dynamic, not {scalar.type}", "SEM0060")
        types.append(_target(scope, item.to_type))
        evaluates.append(scalar.evaluate)
        places.append(_place(columns, item, types[-1]))
    if node.index_name is not None:
        columns.append(Column(node.index_name, Type.LONG))
    width, limit = len(columns) - len(table.columns), _limit(scope, node)
    rows: list[Row] = []
    for row in table.rows:
        lists = [_elements(evaluate(row), as_arrays=node.bags_as_arrays) for evaluate in evaluates]
        for number, elements in enumerate(list(zip_longest(*lists))[:limit]):
            values = [*row, *[None] * width]
            for at, element, type_ in zip(places, elements, types, strict=True):
                values[at] = _converted(element, type_)
            if node.index_name is not None:
                values[-1] = number
            rows.append(values)
    return Table(tuple(columns), rows)


def _limit(scope: Scope, node: s.MvExpand) -> int | None:
    dialect = scope.environment.dialect
    if node.limit is not None and dialect.most_expansion_rows and node.limit > dialect.most_expansion_rows:
        raise scope.error(f"the row limit must not exceed {dialect.most_expansion_rows}")
    return dialect.expansion_rows if node.limit is None else node.limit


def _target(scope: Scope, name: str | None) -> Type:
    target = Type.DYNAMIC if name is None else type_named(name)
    if target is None:
        raise scope.error(f"'{name}' is not a known type")
    return target


def _place(columns: list[Column], item: s.Expansion, type_: Type) -> int:
    """Where the element goes: into the column of that name, or into a new one."""
    name = item.name or derived_name(item.expression) or "Column1"
    at = next((i for i, column in enumerate(columns) if column.name == name), len(columns))
    columns[at : at + 1] = [Column(name, type_)]
    return at


def _elements(value: Any, *, as_arrays: bool) -> list[Any]:
    if isinstance(value, dict):
        return [[key, item] if as_arrays else {key: item} for key, item in value.items()]
    return value if isinstance(value, list) else [value]


def _converted(element: Any, type_: Type) -> Any:
    if type_ is Type.DYNAMIC:
        return element
    return null_of(type_) if element is None else converter(type_)(element)
