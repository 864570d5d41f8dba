"""Functions whose result type follows from their arguments, or that need the environment."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from emulator.kql.arithmetic import bin_down, negate
from emulator.kql.core import Evaluate, Row, Scalar, Scope
from emulator.kql.values import NUMBERS, ORDERED, Type, null_of

type Special = Callable[[Scope, Sequence[Scalar]], Scalar]


def _expect(scope: Scope, name: str, arguments: Sequence[Scalar], *counts: int) -> None:
    if len(arguments) not in counts:
        expected = " or ".join(map(str, counts))
        raise scope.error(f"{name}(): function expects {expected} argument(s)", "SEM0219")


def _one_type(scope: Scope, name: str, scalars: Sequence[Scalar]) -> Type:
    types = {scalar.type for scalar in scalars}
    if len(types) == 1:
        return types.pop()
    if types <= NUMBERS:
        return Type.REAL if Type.REAL in types else Type.LONG
    raise scope.error(f"{name}(): argument types must match: {', '.join(sorted(types))}", "SEM0219")


def _constant(scalars: Sequence[Scalar]) -> bool:
    return all(scalar.constant for scalar in scalars)


def _iff(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    _expect(scope, "iff", arguments, 3)
    return _choose(scope, "iff", arguments)


def _case(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        raise scope.error("case(): function expects an odd number of arguments, 3 or more", "SEM0219")
    return _choose(scope, "case", arguments)


def _choose(scope: Scope, name: str, arguments: Sequence[Scalar]) -> Scalar:
    """Predicate, value, predicate, value, …, otherwise."""
    predicates, values = arguments[:-1:2], [*arguments[1::2], arguments[-1]]
    if any(predicate.type is not Type.BOOL for predicate in predicates):
        raise scope.error(f"{name}(): the predicate must be of type bool", "SEM0219")
    type_ = _one_type(scope, name, values)
    branches = [(p.evaluate, v.evaluate) for p, v in zip(predicates, values[:-1], strict=True)]
    otherwise = values[-1].evaluate

    def evaluate(row: Row) -> Any:
        for test, value in branches:
            if test(row):
                return value(row)
        return otherwise(row)

    return Scalar(type_, evaluate, _constant(arguments)).folded()


def _coalesce(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    if len(arguments) < 2:
        raise scope.error("coalesce(): function expects at least 2 argument(s)", "SEM0219")
    type_ = _one_type(scope, "coalesce", arguments)
    evaluates, null = [argument.evaluate for argument in arguments], null_of(type_)

    def evaluate(row: Row) -> Any:
        return next((value for each in evaluates if (value := each(row)) not in (None, "")), null)

    return Scalar(type_, evaluate, _constant(arguments)).folded()


def _bin(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    _expect(scope, "bin", arguments, 2)
    value, size = arguments
    numbers = {value.type, size.type} <= NUMBERS
    if not numbers and not (value.type in {Type.DATETIME, Type.TIMESPAN} and size.type is Type.TIMESPAN):
        raise scope.error(f"bin(): cannot round {value.type} down to a multiple of {size.type}", "SEM0219")
    type_ = _one_type(scope, "bin", arguments) if numbers else value.type
    return Scalar(type_, _nulls_through(bin_down, value, size), _constant(arguments)).folded()


def _nulls_through(call: Callable[..., Any], *arguments: Scalar) -> Evaluate:
    def evaluate(row: Row) -> Any:
        values = [argument.evaluate(row) for argument in arguments]
        return None if None in values else call(*values)

    return evaluate


def _extreme(name: str, pick: Callable[..., Any]) -> Special:
    def build(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
        if len(arguments) < 2:
            raise scope.error(f"{name}(): function expects at least 2 argument(s)", "SEM0219")
        type_ = _one_type(scope, name, arguments)
        if type_ not in ORDERED:
            raise scope.error(f"{name}(): arguments cannot be of type {type_}", "SEM0219")

        def evaluate(row: Row) -> Any:
            values = [value for each in arguments if (value := each.evaluate(row)) is not None]
            return pick(values) if values else None

        return Scalar(type_, evaluate, _constant(arguments)).folded()

    return build


def _abs(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    _expect(scope, "abs", arguments, 1)
    (value,) = arguments
    if value.type not in NUMBERS | {Type.TIMESPAN}:
        raise scope.error(f"abs(): argument #1 cannot be of type {value.type}", "SEM0219")
    return Scalar(value.type, _nulls_through(abs, value), value.constant).folded()


def _now(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    _expect(scope, "now", arguments, 0, 1)
    return _from_now(scope, "now", arguments, 1)


def _ago(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    _expect(scope, "ago", arguments, 1)
    return _from_now(scope, "ago", arguments, -1)


def _from_now(scope: Scope, name: str, arguments: Sequence[Scalar], sign: int) -> Scalar:
    now = scope.environment.now
    if not arguments:
        return Scalar.of(Type.DATETIME, now)
    (span,) = arguments
    if span.type is not Type.TIMESPAN:
        raise scope.error(f"{name}(): argument #1 must be of type timespan", "SEM0219")
    return Scalar(Type.DATETIME, _nulls_through(lambda by: now + by * sign, span), span.constant).folded()


def _negative(scope: Scope, arguments: Sequence[Scalar]) -> Scalar:
    return negate(scope, arguments[0])


SPECIAL_FUNCTIONS: Mapping[str, Special] = {
    "-": _negative,
    "abs": _abs,
    "ago": _ago,
    "bin": _bin,
    "case": _case,
    "coalesce": _coalesce,
    "floor": _bin,
    "iff": _iff,
    "iif": _iff,
    "max_of": _extreme("max_of", max),
    "min_of": _extreme("min_of", min),
    "now": _now,
}
