"""Aggregates: what `summarize` makes of a group's rows. Null values never count."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from emulator.kql.core import Evaluate, Row, Scalar, Scope
from emulator.kql.values import NUMBERS, ORDERED, WHOLE_NUMBERS, Type, hashable, to_dynamic, to_real

type Fold = Callable[[Sequence[Row]], Any]
type Values = list[Any]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`of` folds the values of the first argument. The other arguments are constant numbers and come after it.

    `result` None means the type of the first argument. `prefix` makes the column's name: `set_x`, or just `x`.
    """

    of: Callable[..., Any]
    result: Type | None
    accepts: frozenset[Type]
    constants: int = 0
    optional: int = 0
    prefix: str | None = None


def is_aggregate(name: str) -> bool:
    return name in AGGREGATES or name in _CONDITIONAL or name in {"count", "arg_max", "arg_min"}


def prefix_of(name: str) -> str:
    """What the name of an unnamed aggregate's column starts with."""
    known = AGGREGATES.get(_CONDITIONAL.get(name, name))
    return name if known is None or known.prefix is None else known.prefix


def build(scope: Scope, name: str, arguments: Sequence[Scalar]) -> tuple[Type, Fold]:
    """The result type of `name(arguments)` and how to fold a group's rows into it."""
    if name not in _CONDITIONAL:
        return _unconditional(scope, name, arguments)
    base = _CONDITIONAL[name]
    at = 0 if base == "count" else 1
    if len(arguments) <= at or arguments[at].type is not Type.BOOL:
        raise scope.error(f"{name}(): argument #{at + 1} must be of type bool", "SEM0219")
    condition = arguments[at].evaluate
    type_, fold = _unconditional(scope, base, [*arguments[:at], *arguments[at + 1 :]])
    return type_, lambda rows: fold(list(filter(condition, rows)))


def _unconditional(scope: Scope, name: str, arguments: Sequence[Scalar]) -> tuple[Type, Fold]:
    if name == "count":
        if arguments:
            raise scope.error("count(): function expects 0 argument(s)", "SEM0219")
        return Type.LONG, len
    aggregate, given = AGGREGATES[name], len(arguments) - 1
    if not aggregate.constants <= given <= aggregate.constants + aggregate.optional:
        expected = 1 + aggregate.constants
        raise scope.error(f"{name}(): function expects {expected} argument(s)", "SEM0219")
    value, *constants = arguments
    if value.type not in aggregate.accepts:
        raise scope.error(f"{name}(): argument #1 cannot be of type {value.type}", "SEM0219")
    if any(not constant.constant or constant.type not in NUMBERS for constant in constants):
        raise scope.error(f"{name}(): argument #2 must be a constant number", "SEM0219")
    if value.type is Type.DYNAMIC and aggregate.accepts >= NUMBERS and aggregate.accepts != _ANYTHING:
        value = Scalar(Type.REAL, _number(value.evaluate))
    evaluate, extra = value.evaluate, [constant.evaluate(()) for constant in constants]
    result = _result(aggregate, value.type)
    return result, lambda rows: aggregate.of([v for row in rows if (v := evaluate(row)) is not None], *extra)


def _number(evaluate: Evaluate) -> Evaluate:
    return lambda row: to_real(evaluate(row))


def _result(aggregate: Aggregate, type_: Type) -> Type:
    if aggregate.of is _average and type_ is Type.TIMESPAN:
        return Type.TIMESPAN
    if aggregate.of is _sum and type_ in WHOLE_NUMBERS:
        return Type.LONG
    return aggregate.result or type_


def _sum(values: Values) -> Any:
    return sum(values, timedelta() if values and isinstance(values[0], timedelta) else 0)


def _average(values: Values) -> Any:
    return _sum(values) / len(values) if values else None


def _percentile(values: Values, percent: float) -> Any:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1] if ordered else None


def _set(values: Values, most: int | None = None) -> list[Any]:
    """Distinct values in order of appearance; the elements of arrays, as Kusto's make_set has it."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    distinct = {hashable(item): to_dynamic(item) for item in flat if item is not None}
    return list(distinct.values())[:most]


def _list(values: Values, most: int | None = None) -> list[Any]:
    return [to_dynamic(value) for value in values][:most]


def _bag(values: Values) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for value in values:
        merged = {**value, **merged} if isinstance(value, dict) else merged
    return merged


def _distinct_count(values: Values) -> int:
    return len(set(map(hashable, values)))


def _first(values: Values) -> Any:
    return values[0] if values else None


_ANYTHING = frozenset(Type)
_SUMMABLE = NUMBERS | {Type.TIMESPAN, Type.DYNAMIC}

AGGREGATES: Mapping[str, Aggregate] = {
    "any": Aggregate(_first, None, _ANYTHING),
    "avg": Aggregate(_average, Type.REAL, _SUMMABLE),
    "count_distinct": Aggregate(_distinct_count, Type.LONG, _ANYTHING),
    "dcount": Aggregate(_distinct_count, Type.LONG, _ANYTHING),
    "make_bag": Aggregate(_bag, Type.DYNAMIC, frozenset({Type.DYNAMIC}), prefix="bag"),
    "make_list": Aggregate(_list, Type.DYNAMIC, _ANYTHING, optional=1, prefix="list"),
    "make_set": Aggregate(_set, Type.DYNAMIC, _ANYTHING, optional=1, prefix="set"),
    "max": Aggregate(lambda values: max(values, default=None), None, ORDERED),
    "min": Aggregate(lambda values: min(values, default=None), None, ORDERED),
    "percentile": Aggregate(_percentile, None, _SUMMABLE | {Type.DATETIME}, constants=1),
    "sum": Aggregate(_sum, None, _SUMMABLE),
    "take_any": Aggregate(_first, None, _ANYTHING, prefix=""),
}
_CONDITIONAL: Mapping[str, str] = {
    **{f"{name}if": name for name in ("avg", "count", "dcount", "max", "min", "sum", "take_any")},
    **{f"{name}_if": name for name in ("make_bag", "make_list", "make_set")},
}


def select(name: str, by: Scalar, rows: Sequence[Row]) -> Row | None:
    """The row that `arg_max` or `arg_min` picks. Rows whose value is null count only if there is no other."""
    best, best_value = None, None
    for row in rows:
        value = by.evaluate(row)
        better = value is not None and (
            best_value is None or (value > best_value if name == "arg_max" else value < best_value)
        )
        if best is None or better:
            best, best_value = row, value
    return best
