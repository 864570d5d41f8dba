"""+ - * / % over numbers, datetimes and timespans."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from emulator.kql.comparisons import cast
from emulator.kql.core import Row, Scalar, Scope
from emulator.kql.values import NUMBERS, Type

_D, _T, _R = Type.DATETIME, Type.TIMESPAN, Type.REAL


def _divide(a: Any, b: Any) -> Any:
    if isinstance(a, timedelta | float) or isinstance(b, float):
        if not b:
            return None if isinstance(a, timedelta) else math.nan if not a else math.copysign(math.inf, a)
        return a / b
    if b == 0:
        return None
    quotient = abs(a) // abs(b)  # Kusto truncates towards zero
    return quotient if (a < 0) == (b < 0) else -quotient


def _modulo(a: Any, b: Any) -> Any:
    return a % abs(b) if b else None


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "%": _modulo,
}
_TEMPORAL: dict[tuple[str, Type, Type], Type] = {
    ("+", _D, _T): _D,
    ("+", _T, _D): _D,
    ("+", _T, _T): _T,
    ("-", _D, _D): _T,
    ("-", _D, _T): _D,
    ("-", _T, _T): _T,
    ("/", _T, _T): _R,
    ("%", _T, _T): _T,
}


def compute(scope: Scope, operator: str, left: Scalar, right: Scalar) -> Scalar:
    left, right = _undynamic(left, right), _undynamic(right, left)
    result = _result(scope, operator, left, right)
    first, second, operation = left.evaluate, right.evaluate, _OPERATIONS[operator]

    def evaluate(row: Row) -> Any:
        a, b = first(row), second(row)
        if a is None or b is None:
            return None
        try:
            return operation(a, b)
        except OverflowError:
            return None

    return Scalar(result, evaluate, left.constant and right.constant).folded()


def _undynamic(operand: Scalar, other: Scalar) -> Scalar:
    """A dynamic operand is taken as the type of the other one, or as a number."""
    if operand.type is not Type.DYNAMIC:
        return operand
    target = other.type if other.type in NUMBERS | {_D, _T} else _R
    return Scalar(target, cast(operand, target), operand.constant)


def _result(scope: Scope, operator: str, left: Scalar, right: Scalar) -> Type:
    types = {left.type, right.type}
    if types <= NUMBERS:
        return _R if _R in types else Type.LONG
    if operator in "*/" and left.type is _T and right.type in NUMBERS:
        return _T
    if operator == "*" and right.type is _T and left.type in NUMBERS:
        return _T
    if (temporal := _TEMPORAL.get((operator, left.type, right.type))) is not None:
        return temporal
    raise scope.error(f"operator '{operator}' is not defined for types {left.type} and {right.type}", "SEM0062")


def negate(scope: Scope, operand: Scalar) -> Scalar:
    zero: Any = timedelta() if operand.type is _T else 0
    type_ = operand.type if operand.type in {_T, _R} else Type.LONG
    return compute(scope, "-", Scalar.of(type_, zero), operand)


def bin_down(value: Any, size: Any) -> Any:
    """`bin`: the greatest multiple of `size` that is not above `value`. Datetimes count from year 1."""
    if not size:
        return None
    if isinstance(value, datetime):
        start = datetime(1, 1, 1, tzinfo=value.tzinfo)
        return start + (value - start) // size * size
    return math.floor(value / size) * size if isinstance(size, float) else value // size * size
