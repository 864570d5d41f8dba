"""The operators that turn one table into another."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from emulator.kql import syntax as s
from emulator.kql.core import Column, Environment, Row, Scope, Table
from emulator.kql.expand import mv_expand
from emulator.kql.expressions import compile_count, compile_expression, compile_predicate, derived_name
from emulator.kql.joins import join
from emulator.kql.names import Names
from emulator.kql.summarize import summarize
from emulator.kql.unions import union
from emulator.kql.values import Type


def apply(environment: Environment, node: s.Operator, table: Table) -> Table:
    return _OPERATORS[type(node)](environment, node, table)


def _where(environment: Environment, node: s.Where, table: Table) -> Table:
    """Keeps the rows for which the predicate is true: not false and not null."""
    predicate = compile_predicate(Scope.over(environment, "'where' operator: ", table.columns), node.predicate).evaluate
    return replace(table, rows=list(filter(predicate, table.rows)))


def _project(environment: Environment, node: s.Project, table: Table) -> Table:
    return project(Scope.over(environment, "'project' operator: ", table.columns), node.columns, table.rows)


def project(scope: Scope, columns: Sequence[s.Named], rows: Sequence[Row]) -> Table:
    names = Names(scope)
    scalars = [compile_expression(scope, named.expression) for named in columns]
    evaluates = [scalar.evaluate for scalar in scalars]
    made = tuple(Column(names.add(named), scalar.type) for named, scalar in zip(columns, scalars, strict=True))
    return Table(made, [[evaluate(row) for evaluate in evaluates] for row in rows])


def _extend(environment: Environment, node: s.Extend, table: Table) -> Table:
    """A new name is appended. A known one replaces its column in place."""
    scope = Scope.over(environment, "'extend' operator: ", table.columns)
    scalars = [compile_expression(scope, named.expression) for named in node.columns]
    columns, targets, names = list(table.columns), [], Names(scope)
    for named, scalar in zip(node.columns, scalars, strict=True):
        name = names.add(named, derived_name(named.expression))
        at = next((i for i, column in enumerate(columns) if column.name == name), len(columns))
        columns[at : at + 1] = [Column(name, scalar.type)]
        targets.append((at, scalar.evaluate))
    width = len(columns) - len(table.columns)

    def extended(row: Row) -> Row:
        values = [*row, *[None] * width]
        for at, evaluate in targets:
            values[at] = evaluate(row)
        return values

    return Table(tuple(columns), list(map(extended, table.rows)))


def _chosen(environment: Environment, operator: str, patterns: Sequence[str], table: Table) -> list[int]:
    """The columns that `patterns` name, in their order. A pattern that names none is an error."""
    chosen: list[int] = []
    for pattern in patterns:
        found = [at for at, c in enumerate(table.columns) if fnmatch.fnmatchcase(c.name, pattern)]
        if not found:
            scope = Scope.over(environment, f"'{operator}' operator: ", ())
            raise scope.error(f"Failed to resolve column or scalar expression named '{pattern}'", "SEM0100")
        chosen += [at for at in found if at not in chosen]
    return chosen


def _keep(table: Table, indexes: Sequence[int]) -> Table:
    columns = tuple(table.columns[at] for at in indexes)
    return Table(columns, [[row[at] for at in indexes] for row in table.rows])


def _project_away(environment: Environment, node: s.ProjectAway, table: Table) -> Table:
    away = _chosen(environment, "project-away", node.patterns, table)
    return _keep(table, [at for at in range(len(table.columns)) if at not in away])


def _project_keep(environment: Environment, node: s.ProjectKeep, table: Table) -> Table:
    return _keep(table, sorted(_chosen(environment, "project-keep", node.patterns, table)))


def _project_rename(environment: Environment, node: s.ProjectRename, table: Table) -> Table:
    scope = Scope.over(environment, "'project-rename' operator: ", table.columns)
    columns = list(table.columns)
    for new, old in node.names:
        at = table.index(old)
        if at is None:
            raise scope.error(f"Failed to resolve column or scalar expression named '{old}'", "SEM0100")
        columns[at] = Column(new, columns[at].type)
    names = Names(scope)
    for column in columns:
        names.add(s.Named(column.name, s.Star()))
    return Table(tuple(columns), table.rows)


def _distinct(environment: Environment, node: s.Distinct, table: Table) -> Table:
    scope = Scope.over(environment, "'distinct' operator: ", table.columns)
    columns = node.columns or tuple(s.Named(None, s.Name(column.name)) for column in table.columns)
    projected = project(scope, columns, table.rows)
    for column in projected.columns:
        if column.type is Type.DYNAMIC:
            raise scope.error(f"column '{column.name}' is of a 'dynamic' type. Please use an explicit cast")
    return Table(projected.columns, list({tuple(row): row for row in projected.rows}.values()))


def _sort(environment: Environment, node: s.Sort, table: Table) -> Table:
    scope = Scope.over(environment, "'order' operator: ", table.columns)
    return Table(table.columns, reduce(lambda rows, key: _sorted(scope, key, rows), node.keys[::-1], table.rows))


def _sorted(scope: Scope, key: s.SortKey, rows: Sequence[Row]) -> list[Row]:
    scalar = compile_expression(scope, key.expression)
    if scalar.type is Type.DYNAMIC:
        raise scope.error("key can't be of dynamic type. Please use an explicit cast", "SEM0059")
    evaluate = scalar.evaluate
    known: list[tuple[Any, Row]] = []
    nulls: list[Row] = []
    for row in rows:
        value = evaluate(row)
        nulls.append(row) if value is None else known.append((value, row))
    known.sort(key=lambda pair: pair[0], reverse=key.descending)
    ordered = [row for _, row in known]
    return [*nulls, *ordered] if key.nulls_first else [*ordered, *nulls]


def _take(environment: Environment, node: s.Take, table: Table) -> Table:
    rows = compile_count(Scope.over(environment, "'take' operator: ", ()), node.rows)
    return Table(table.columns, table.rows[:rows])


def _top(environment: Environment, node: s.Top, table: Table) -> Table:
    rows = compile_count(Scope.over(environment, "'top' operator: ", ()), node.rows)
    scope = Scope.over(environment, "'top' operator: ", table.columns)
    return Table(table.columns, _sorted(scope, node.key, table.rows)[:rows])


def _count(_environment: Environment, _node: s.Count, table: Table) -> Table:
    return Table((Column("Count", Type.LONG),), [[len(table.rows)]])


def _serialize(_environment: Environment, _node: s.Serialize, table: Table) -> Table:
    return table


_OPERATORS: Mapping[type, Callable[[Environment, Any, Table], Table]] = {
    s.Where: _where,
    s.Project: _project,
    s.ProjectAway: _project_away,
    s.ProjectKeep: _project_keep,
    s.ProjectRename: _project_rename,
    s.Extend: _extend,
    s.Summarize: summarize,
    s.Distinct: _distinct,
    s.Sort: _sort,
    s.Take: _take,
    s.Top: _top,
    s.Count: _count,
    s.Serialize: _serialize,
    s.Join: join,
    s.Union: union,
    s.MvExpand: mv_expand,
}
