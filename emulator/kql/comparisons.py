"""The operators that return a bool: equality, order, text search, membership, between."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from emulator.kql.core import Evaluate, Row, Scalar, Scope
from emulator.kql.values import NUMBERS, Type, converter, to_string

_TEXT = frozenset({Type.STRING, Type.DYNAMIC, Type.GUID})
_COMPARABLE = NUMBERS | {Type.BOOL}


def compare(scope: Scope, operator: str, left: Scalar, right: Scalar) -> Scalar:
    if operator in {"==", "!="}:
        return _equality(scope, operator, left, right)
    if operator in {"=~", "!~"}:
        return _fold(_ignoring_case(scope, operator, left, right), left, right)
    return _order(scope, operator, left, right)


def _fold(evaluate: Evaluate, *operands: Scalar) -> Scalar:
    return Scalar(Type.BOOL, evaluate, all(operand.constant for operand in operands)).folded()


def _refuse(scope: Scope, left: Scalar, right: Scalar) -> Exception:
    return scope.error(
        f"Cannot compare values of types {left.type} and {right.type}. Try adding explicit casts", "SEM0064"
    )


def common_type(scope: Scope, left: Scalar, right: Scalar) -> Type:
    """The type in which two operands are compared. A dynamic one is cast to the other's type."""
    types = {left.type, right.type}
    if types == {Type.DYNAMIC}:
        raise _refuse(scope, left, right)
    if len(types) == 1:
        return left.type
    if Type.DYNAMIC in types:
        return (types - {Type.DYNAMIC}).pop()
    if types <= _COMPARABLE:
        return Type.REAL if Type.REAL in types else Type.LONG
    if types == {Type.STRING, Type.GUID}:
        return Type.GUID
    raise _refuse(scope, left, right)


def cast(operand: Scalar, target: Type) -> Evaluate:
    """`operand` as `target`. Numbers are compared with each other unchanged."""
    if operand.type is target or (operand.type in _COMPARABLE and target in NUMBERS):
        return operand.evaluate
    convert, evaluate = converter(target), operand.evaluate
    return lambda row: convert(evaluate(row))


def _equality(scope: Scope, operator: str, left: Scalar, right: Scalar) -> Scalar:
    target = common_type(scope, left, right)
    first, second, equal = cast(left, target), cast(right, target), operator == "=="
    if right.constant and (value := second(())) is not None:
        if equal:
            return _fold(lambda row: first(row) == value, left, right)
        return _fold(lambda row: first(row) != value, left, right)

    def evaluate(row: Row) -> bool | None:
        a, b = first(row), second(row)
        return None if a is None and b is None else (a == b) is equal

    return _fold(evaluate, left, right)


def _ignoring_case(scope: Scope, operator: str, left: Scalar, right: Scalar) -> Evaluate:
    if not {left.type, right.type} <= _TEXT:
        raise _refuse(scope, left, right)
    first, second, equal = cast(left, Type.STRING), cast(right, Type.STRING), operator == "=~"
    if right.constant:
        value = second(()).lower()
        return lambda row: (first(row).lower() == value) is equal
    return lambda row: (first(row).lower() == second(row).lower()) is equal


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _order(scope: Scope, operator: str, left: Scalar, right: Scalar) -> Scalar:
    types = {left.type, right.type}
    ordered = len(types) == 1 and types <= {Type.DATETIME, Type.TIMESPAN}
    if not (ordered or (types <= NUMBERS | {Type.DYNAMIC} and types & NUMBERS)):
        raise _refuse(scope, left, right)
    target = left.type if left.type is not Type.DYNAMIC else right.type
    first, second, test = cast(left, target), cast(right, target), _ORDER[operator]

    def evaluate(row: Row) -> bool | None:
        a, b = first(row), second(row)
        return None if a is None or b is None else test(a, b)

    return _fold(evaluate, left, right)


def between(scope: Scope, operand: Scalar, low: Scalar, high: Scalar, *, negated: bool) -> Scalar:
    """`x between (a .. b)`, both ends included. A timespan as `b` counts from `a`."""
    if operand.type is Type.DATETIME and high.type is Type.TIMESPAN:
        start, span = low.evaluate, high.evaluate
        high = Scalar(Type.DATETIME, lambda row: start(row) + span(row), low.constant and high.constant)
    above, below = _order(scope, ">=", operand, low).evaluate, _order(scope, "<=", operand, high).evaluate

    def evaluate(row: Row) -> bool | None:
        a, b = above(row), below(row)
        return None if a is None or b is None else (a and b) is not negated

    return _fold(evaluate, operand, low, high)


def _terms(text: str, sought: str) -> bool:
    """Whether `text` contains `sought` as whole terms: runs of letters and digits, which is what `has` means."""
    at = text.find(sought)
    while at >= 0:
        end = at + len(sought)
        starts = at == 0 or not (text[at - 1].isalnum() and sought[0].isalnum())
        ends = end == len(text) or not (text[end].isalnum() and sought[-1].isalnum())
        if starts and ends:
            return True
        at = text.find(sought, at + 1)
    return False


def _has(text: str, sought: str) -> bool:
    return not sought or _terms(text, sought)


def _has_prefix(text: str, sought: str) -> bool:
    return any(term.startswith(sought) for term in re.findall(r"[^\W_]+", text))


def _has_suffix(text: str, sought: str) -> bool:
    return any(term.endswith(sought) for term in re.findall(r"[^\W_]+", text))


_SEARCH: dict[str, Callable[[str, str], bool]] = {
    "has": _has,
    "hasprefix": _has_prefix,
    "hassuffix": _has_suffix,
    "contains": lambda text, sought: sought in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def search(scope: Scope, operator: str, left: Scalar, right: Scalar) -> Scalar:
    """`has`, `contains`, `startswith`, `endswith` and similar. `_cs` respects the case, `!` negates."""
    if not {left.type, right.type} <= _TEXT:
        raise scope.error(f"operator '{operator}' is not defined for types {left.type} and {right.type}", "SEM0062")
    sensitive, wanted = operator.endswith("_cs"), not operator.startswith("!")
    test = _SEARCH[operator.removeprefix("!").removesuffix("_cs")]
    first, second = cast(left, Type.STRING), cast(right, Type.STRING)
    if sensitive:
        return _fold(lambda row: test(first(row), second(row)) is wanted, left, right)
    if right.constant:
        sought = second(()).lower()
        return _fold(lambda row: test(first(row).lower(), sought) is wanted, left, right)
    return _fold(lambda row: test(first(row).lower(), second(row).lower()) is wanted, left, right)


def matches(scope: Scope, left: Scalar, right: Scalar) -> Scalar:
    if not {left.type, right.type} <= _TEXT:
        raise _refuse(scope, left, right)
    first, pattern = cast(left, Type.STRING), cast(right, Type.STRING)
    if not right.constant:
        return _fold(lambda row: re.search(pattern(row), first(row)) is not None, left, right)
    try:
        compiled = re.compile(pattern(()))
    except re.error as error:
        raise scope.error(f"'{pattern(())}' is not a valid regular expression: {error}") from error
    return _fold(lambda row: compiled.search(first(row)) is not None, left, right)


def membership(scope: Scope, operator: str, operand: Scalar, members: Sequence[Scalar]) -> Scalar:
    """`in` and similar. A dynamic array among the members stands for its elements."""
    if operator in {"has_any", "has_all"}:
        return _has_members(operator, operand, members)
    target = operand.type
    for member in members:
        if member.type is not Type.DYNAMIC:
            target = common_type(scope, operand, member)
    target = Type.STRING if target is Type.DYNAMIC else target
    ignoring_case, wanted = operator.endswith("~"), not operator.startswith("!")
    convert, value = converter(target), cast(operand, target)

    def key(item: Any) -> Any:
        item = item if item is None else convert(item)
        return item.lower() if ignoring_case and isinstance(item, str) else item

    if all(member.constant for member in members):
        fixed = {key(item) for item in _items(members, ())} - {None}
        return _fold(lambda row: (key(value(row)) in fixed) is wanted, operand, *members)
    return _fold(
        lambda row: any(key(value(row)) == key(item) for item in _items(members, row)) is wanted, operand, *members
    )


def _items(members: Sequence[Scalar], row: Row) -> Iterator[Any]:
    for member in members:
        value = member.evaluate(row)
        if member.type is Type.DYNAMIC and isinstance(value, list):
            yield from value
        else:
            yield value


def _has_members(operator: str, operand: Scalar, members: Sequence[Scalar]) -> Scalar:
    text, quantifier = cast(operand, Type.STRING), any if operator == "has_any" else all

    def evaluate(row: Row) -> bool:
        lowered = text(row).lower()
        return quantifier(_has(lowered, to_string(item).lower()) for item in _items(members, row))

    return _fold(evaluate, operand, *members)
