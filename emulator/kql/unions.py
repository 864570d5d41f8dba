"""The `union` operator, and `union` as a query's source."""

from collections.abc import Sequence

from emulator.kql import syntax as s
from emulator.kql.core import Column, Environment, Scope, Table
from emulator.kql.errors import UnknownTableError
from emulator.kql.values import Type, null_of


def union(environment: Environment, node: s.Union, first: Table | None = None) -> Table:
    """The rows of all tables. Columns are matched by name, and by name and type if types differ."""
    scope = Scope.over(environment, "'union' operator: ", ())
    if node.kind not in {"inner", "outer"}:
        raise scope.error(f"unknown union kind '{node.kind}'")
    labelled = [] if first is None else [("union_arg0", first)]
    labelled += [
        (_label(query, at + len(labelled)), table)
        for at, query in enumerate(node.tables)
        if (table := _resolved(environment, query, fuzzy=node.fuzzy)) is not None
    ]
    if not labelled:
        raise scope.error("no table of a fuzzy union could be resolved", "SEM0529")
    columns = _columns([table for _, table in labelled], shared=node.kind == "inner")
    source = [] if node.with_source is None else [Column(node.with_source, Type.STRING)]
    rows = []
    for label, table in labelled:
        at = {column: index for index, column in enumerate(table.columns)}
        places = [(at.get(original), null_of(original.type)) for original, _ in columns]
        prefix = [label] if source else []
        rows += [[*prefix, *(null if i is None else row[i] for i, null in places)] for row in table.rows]
    return Table((*source, *(column for _, column in columns)), rows)


def _resolved(environment: Environment, query: s.Query, *, fuzzy: bool) -> Table | None:
    try:
        return environment.tabular(query)
    except UnknownTableError:
        if fuzzy:
            return None
        raise


def _label(query: s.Query, at: int) -> str:
    named = isinstance(query.source, s.TableName) and not query.operators
    return query.source.name if named and isinstance(query.source, s.TableName) else f"union_arg{at}"


def _columns(tables: Sequence[Table], *, shared: bool) -> list[tuple[Column, Column]]:
    """(column as a table has it, column as the union shows it)."""
    distinct = list(dict.fromkeys(column for table in tables for column in table.columns))
    if shared:
        distinct = [c for c in distinct if all(c in table.columns for table in tables)]
    names = [column.name for column in distinct]
    return [(c, c if names.count(c.name) == 1 else Column(f"{c.name}_{c.type}", c.type)) for c in distinct]
