"""The `summarize` operator."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from emulator.kql import syntax as s
from emulator.kql.aggregates import Fold, build, is_aggregate, prefix_of, select
from emulator.kql.core import Column, Environment, Row, Scalar, Scope, Table
from emulator.kql.expressions import compile_expression, derived_name
from emulator.kql.names import Names
from emulator.kql.values import ORDERED, Type, null_of

type Output = tuple[Column, Scalar]


@dataclass(slots=True)
class _Plan:
    """The folds that a `summarize` needs. Each output reads their results by slot."""

    scope: Scope
    keys: list[Output]
    folds: list[Fold] = field(default_factory=list)

    def slot(self, type_: Type, fold: Fold) -> Scalar:
        self.folds.append(fold)
        return Scalar(type_, itemgetter(len(self.folds) - 1))

    def aggregate(self, call: s.Call) -> Scalar | None:
        if not is_aggregate(call.name):
            return None
        if call.name in {"arg_max", "arg_min"}:
            raise self.scope.error(f"{call.name}(): several columns are not allowed in an expression")
        arguments = [compile_expression(self.scope, argument) for argument in call.arguments]
        return self.slot(*build(self.scope, call.name, arguments))


def summarize(environment: Environment, node: s.Summarize, table: Table) -> Table:
    scope = Scope.over(environment, "'summarize' operator: ", table.columns)
    names = Names(scope)
    plan = _Plan(scope, [_key(scope, names, key) for key in node.keys])
    outputs = [output for named in node.aggregates for output in _outputs(plan, names, table, named)]
    columns = tuple(column for column, _ in [*plan.keys, *outputs])
    rows = [
        [*key, *(scalar.evaluate(folded) for _, scalar in outputs)]
        for key, group in _groups(plan.keys, table.rows, alone=not node.keys)
        for folded in [[fold(group) for fold in plan.folds]]
    ]
    return Table(columns, rows)


def _key(scope: Scope, names: Names, key: s.Named) -> Output:
    scalar = compile_expression(scope, key.expression)
    if scalar.type is Type.DYNAMIC:
        name = key.name or derived_name(key.expression) or "expression"
        raise scope.error(
            f"Summarize group key '{name}' is of a 'dynamic' type. Please use an explicit cast "
            f"(for example, 'summarize ... by tostring({name})') as grouping by a 'dynamic' type is not supported",
            "SEM0023",
        )
    return Column(names.add(key), scalar.type), scalar


def _groups(keys: list[Output], rows: Sequence[Row], *, alone: bool) -> list[tuple[tuple[Any, ...], list[Row]]]:
    """Without keys there is one group, even if it is empty."""
    if alone:
        return [((), list(rows))]
    evaluates, groups = [scalar.evaluate for _, scalar in keys], defaultdict[tuple[Any, ...], list[Row]](list)
    for row in rows:
        groups[tuple(evaluate(row) for evaluate in evaluates)].append(row)
    return list(groups.items())


def _outputs(plan: _Plan, names: Names, table: Table, named: s.Named) -> list[Output]:
    match named.expression:
        case s.Call(("arg_max" | "arg_min") as name, (by, *rest)):
            return _selected(plan, names, table, named.name, name, by, rest)
        case s.Call(("any" | "take_any") as name, arguments) if len(arguments) != 1 or s.Star() in arguments:
            return _any(plan, names, table, arguments)
        case s.Call() as call if is_aggregate(call.name):
            scalar = compile_expression(plan.scope.aggregating(plan.aggregate), call)
            return [(Column(names.add(named, _default_name(call)), scalar.type), scalar)]
        case expression:
            before = len(plan.folds)
            scalar = compile_expression(plan.scope.aggregating(plan.aggregate), expression)
            if len(plan.folds) == before:
                raise plan.scope.error("the expression is not an aggregate", "SEM0102")
            return [(Column(names.add(named), scalar.type), scalar)]


def _selected(
    plan: _Plan,
    names: Names,
    table: Table,
    alias: str | None,
    function: str,
    by: s.Expression,
    rest: Sequence[s.Expression],
) -> list[Output]:
    """`arg_max(t, *)` gives `t` and every column that is neither it nor a key."""
    scalar = compile_expression(plan.scope, by)
    if scalar.type not in ORDERED:
        raise plan.scope.error(f"{function}(): argument #1 cannot be of type {scalar.type}", "SEM0219")
    row = plan.slot(Type.DYNAMIC, lambda rows: select(function, scalar, rows))
    name = names.add(s.Named(alias, by), None if alias else derived_name(by))
    others = _expanded(plan, table, rest, but=by)
    return [_of_row(row, Column(name, scalar.type), scalar), *_values(plan, names, row, others)]


def _any(plan: _Plan, names: Names, table: Table, arguments: Sequence[s.Expression]) -> list[Output]:
    row = plan.slot(Type.DYNAMIC, lambda rows: rows[0] if rows else None)
    return _values(plan, names, row, _expanded(plan, table, arguments, but=None))


def _values(plan: _Plan, names: Names, row: Scalar, wanted: Sequence[s.Expression]) -> list[Output]:
    outputs = []
    for expression in wanted:
        value = compile_expression(plan.scope, expression)
        name = names.add(s.Named(None, expression), derived_name(expression))
        outputs.append(_of_row(row, Column(name, value.type), value))
    return outputs


def _expanded(
    plan: _Plan, table: Table, expressions: Sequence[s.Expression], but: s.Expression | None
) -> list[s.Expression]:
    if s.Star() not in expressions:
        return list(expressions)
    taken = {column.name for column, _ in plan.keys}
    return [s.Name(c.name) for c in table.columns if c.name not in taken and s.Name(c.name) != but]


def _of_row(row: Scalar, column: Column, value: Scalar) -> Output:
    null = null_of(column.type)

    def evaluate(folded: Row) -> Any:
        selected = row.evaluate(folded)
        return null if selected is None else value.evaluate(selected)

    return column, Scalar(column.type, evaluate)


def _default_name(call: s.Call) -> str:
    """`count_`, `dcount_x`, `set_x`, `percentile_x_95`; `take_any(x)` is `x`."""
    prefix = prefix_of(call.name)
    of = derived_name(call.arguments[0]) if call.arguments else None
    constants = [str(a.value) for a in call.arguments[1:] if isinstance(a, s.Literal)]
    suffix = constants if call.name == "percentile" else []
    return "_".join([*([prefix] if prefix else []), of or "", *suffix])
