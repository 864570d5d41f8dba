"""Runs a query: the one entry that the services use."""

from collections.abc import Iterator
from dataclasses import replace

from emulator.kql import syntax as s
from emulator.kql.core import Column, Dialect, Environment, Scalar, Scope, Table
from emulator.kql.errors import KqlSyntaxError, UnknownTableError, UnsupportedError
from emulator.kql.expressions import compile_expression
from emulator.kql.parse import parse
from emulator.kql.tabular import apply, project
from emulator.kql.unions import union
from emulator.kql.values import type_named


def run(text: str, environment: Environment) -> Table:
    """Raises KqlSyntaxError or KqlSemanticError. It never guesses about what it does not know."""
    script = parse(text)
    check(script, environment.dialect)
    environment = replace(environment, run=_query)
    for let in script.lets:
        environment = replace(environment, lets={**environment.lets, let.name: _bound(environment, let)})
    return _query(script.query, environment)


def operators_of(text: str) -> list[str]:
    """The operators of the query's own pipeline, by their names: `limit` is `take`, `sort` is `order`."""
    return [_operator_name(node) for node in parse(text).query.operators]


def _bound(environment: Environment, let: s.Let) -> Scalar | Table:
    value = let.value
    if isinstance(value, s.Query):
        return _query(value, environment)
    if isinstance(value, s.Name) and value.name not in environment.lets:
        return _table(environment, value.name, "").settled()
    if isinstance(value, s.Name) and isinstance(table := environment.lets[value.name], Table):
        return table
    return compile_expression(Scope.over(environment, "'let' statement: ", ()), value).folded()


def _query(query: s.Query, environment: Environment) -> Table:
    operator = f"'{_operator_name(query.operators[0])}' operator: " if query.operators else ""
    table = _source(query.source, environment, operator)
    for node in query.operators:
        table = apply(environment, node, table if isinstance(node, s.Where) else table.settled())
    return table.settled()


def _source(source: s.Source, environment: Environment, operator: str) -> Table:
    match source:
        case s.TableName(name):
            return _table(environment, name, operator)
        case s.DefaultTable(first_word):
            if environment.dialect.default_table is None:
                raise KqlSyntaxError(1, 0, first_word)
            return _table(environment, environment.dialect.default_table, operator)
        case s.Union():
            return union(environment, source)
        case s.Print(columns):
            named = [s.Named(c.name or f"print_{at}", c.expression) for at, c in enumerate(columns)]
            return project(Scope.over(environment, "'print' operator: ", ()), named, [()])
        case s.Datatable():
            return _datatable(environment, source)
        case s.Query():
            return _query(source, environment)


def _table(environment: Environment, name: str, operator: str) -> Table:
    bound = environment.lets.get(name)
    table = bound if isinstance(bound, Table) else environment.table(name)
    if table is None:
        raise UnknownTableError(operator, name)
    return table


def _datatable(environment: Environment, node: s.Datatable) -> Table:
    scope = Scope.over(environment, "'datatable' operator: ", ())
    columns = []
    for name, type_name in node.columns:
        type_ = type_named(type_name)
        if type_ is None:
            raise scope.error(f"'{type_name}' is not a known type")
        columns.append(Column(name, type_))
    if len(node.cells) % len(columns):
        raise scope.error("the number of values is not a multiple of the number of columns")
    values = [compile_expression(scope, cell).evaluate(()) for cell in node.cells]
    return Table(tuple(columns), [values[i : i + len(columns)] for i in range(0, len(values), len(columns))])


def _operator_name(node: s.Operator) -> str:
    special = {
        s.ProjectAway: "project-away",
        s.ProjectKeep: "project-keep",
        s.ProjectRename: "project-rename",
        s.MvExpand: "mv-expand",
        s.Sort: "order",
    }
    return special.get(type(node), type(node).__name__.lower())


def check(script: s.Script, dialect: Dialect) -> None:
    """Raises UnsupportedError for what the service does not accept of the language."""
    if script.lets and not dialect.lets:
        raise UnsupportedError("let", f"'let' is not supported by {dialect.name}")
    nodes = [node for query in _queries(script.query) for node in (query.source, *query.operators)]
    for node in nodes:
        if isinstance(node, s.Print | s.Datatable) and dialect.operators is not None:
            token = type(node).__name__.lower()
            raise UnsupportedError(token, f"'{token}' is not supported by {dialect.name}")
    operators = [node for query in _queries(script.query) for node in query.operators]
    for name in map(_operator_name, operators):
        if dialect.operators is not None and name not in dialect.operators:
            raise UnsupportedError(name, f"'{name}' is not supported by {dialect.name}")
    joins = [node for node in operators if isinstance(node, s.Join)]
    for node in joins:
        if dialect.join_kinds is not None and node.kind not in dialect.join_kinds:
            raise UnsupportedError(node.kind, f"join kind '{node.kind}' is not supported by {dialect.name}")
    if dialect.most_joins is not None and len(joins) > dialect.most_joins:
        raise UnsupportedError("join", f"a query takes at most {dialect.most_joins} joins")
    expansions = sum(isinstance(node, s.MvExpand) for node in operators)
    if dialect.most_expansions is not None and expansions > dialect.most_expansions:
        raise UnsupportedError("mv-expand", f"a query takes at most {dialect.most_expansions} mv-expands")


def _queries(query: s.Query) -> Iterator[s.Query]:
    """The query and those inside its sources, joins and unions."""
    yield query
    sources = [query.source, *query.operators]
    for node in sources:
        match node:
            case s.Query():
                yield from _queries(node)
            case s.Join():
                yield from _queries(node.right)
            case s.Union():
                for table in node.tables:
                    yield from _queries(table)
