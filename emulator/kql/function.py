"""How a scalar function is described: what it takes, what it returns, and what it does with null."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from emulator.kql.comparisons import cast
from emulator.kql.core import Evaluate, Row, Scalar, Scope
from emulator.kql.values import NUMBERS, WHOLE_NUMBERS, Type, null_of, to_dynamic


class Kind(Enum):
    """What an argument may be. TEXT takes text and dynamic, ANY_TEXT everything, both as their `tostring`;
    JSON takes everything as it stands inside a dynamic.
    """

    ANY = auto()
    ANY_TEXT = auto()
    BOOL = auto()
    DYNAMIC = auto()
    JSON = auto()
    NUMBER = auto()
    TEXT = auto()
    WHEN = auto()
    WHOLE = auto()


_ACCEPTS: Mapping[Kind, frozenset[Type]] = {
    Kind.ANY: frozenset(Type),
    Kind.ANY_TEXT: frozenset(Type),
    Kind.BOOL: frozenset({Type.BOOL}),
    Kind.DYNAMIC: frozenset({Type.DYNAMIC}),
    Kind.JSON: frozenset(Type),
    Kind.NUMBER: NUMBERS | {Type.DYNAMIC},
    Kind.TEXT: frozenset({Type.STRING, Type.DYNAMIC, Type.GUID}),
    Kind.WHEN: frozenset({Type.DATETIME}),
    Kind.WHOLE: WHOLE_NUMBERS | {Type.DYNAMIC},
}
_CASTS = {Kind.TEXT: Type.STRING, Kind.ANY_TEXT: Type.STRING, Kind.NUMBER: Type.REAL, Kind.WHOLE: Type.LONG}


@dataclass(frozen=True, slots=True)
class Function:
    """`optional` trailing parameters may be left out. With `repeats` the last one may be repeated.

    Unless it `takes_null`, a null argument makes the result null without a call.
    """

    result: Type
    parameters: tuple[Kind, ...]
    call: Callable[..., Any]
    optional: int = 0
    repeats: bool = False
    takes_null: bool = False


def compile_call(scope: Scope, name: str, function: Function, arguments: Sequence[Scalar]) -> Scalar:
    fewest = len(function.parameters) - function.optional
    most = len(function.parameters)
    if len(arguments) < fewest or (len(arguments) > most and not function.repeats):
        expected = str(most) if fewest == most else f"{fewest} to {most}"
        expected = f"at least {fewest}" if function.repeats else expected
        raise scope.error(f"{name}(): function expects {expected} argument(s)", "SEM0219")
    evaluates = [
        _argument(scope, name, at, function.parameters[min(at, most - 1)], argument)
        for at, argument in enumerate(arguments)
    ]
    constant = all(argument.constant for argument in arguments)
    return Scalar(function.result, _caller(function, evaluates), constant).folded()


def _argument(scope: Scope, name: str, at: int, kind: Kind, argument: Scalar) -> Evaluate:
    if argument.type not in _ACCEPTS[kind]:
        raise scope.error(f"{name}(): argument #{at + 1} cannot be of type {argument.type}", "SEM0219")
    if kind is Kind.JSON:
        evaluate = argument.evaluate
        return lambda row: to_dynamic(evaluate(row))
    target = _CASTS.get(kind)
    if target is None or (target in NUMBERS and argument.type in NUMBERS):
        return argument.evaluate
    return cast(argument, target)


def _caller(function: Function, arguments: list[Evaluate]) -> Evaluate:
    call, null = function.call, null_of(function.result)
    if function.takes_null:
        return lambda row: call(*[argument(row) for argument in arguments])
    if len(arguments) == 1:
        (only,) = arguments

        def of_one(row: Row) -> Any:
            value = only(row)
            return null if value is None else call(value)

        return of_one

    def of_many(row: Row) -> Any:
        values = [argument(row) for argument in arguments]
        return null if None in values else call(*values)

    return of_many
