"""The `join` operator."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from emulator.kql import syntax as s
from emulator.kql.core import Column, Environment, Row, Scope, Table
from emulator.kql.names import Names
from emulator.kql.values import WHOLE_NUMBERS, Type, null_of

type Key = Callable[[Row], tuple[Any, ...]]

_ONE_SIDED = {"leftsemi", "leftanti", "leftantisemi", "anti", "rightsemi", "rightanti", "rightantisemi"}
_TWO_SIDED = {"inner", "innerunique", "leftouter", "rightouter", "fullouter"}


def join(environment: Environment, node: s.Join, left: Table) -> Table:
    scope = Scope.over(environment, "'join' operator: ", left.columns)
    if node.kind not in _ONE_SIDED | _TWO_SIDED:
        raise scope.error(f"unknown join kind '{node.kind}'")
    right = environment.tabular(node.right)
    pairs = [pair for condition in node.conditions for pair in _conditions(scope, condition)]
    left_at = [_key_column(scope, left, name, "left") for name, _ in pairs]
    right_at = [_key_column(scope, right, name, "right") for _, name in pairs]
    for at_left, at_right in zip(left_at, right_at, strict=True):
        _check_types(scope, left.columns[at_left].type, right.columns[at_right].type)
    if node.kind in _ONE_SIDED:
        return _one_sided(node.kind, left, right, _key(left_at), _key(right_at))
    names = Names(scope, (column.name for column in left.columns))
    columns = (*left.columns, *(Column(names.unique(column.name), column.type) for column in right.columns))
    return Table(columns, list(_two_sided(node.kind, left, right, _key(left_at), _key(right_at))))


def _conditions(scope: Scope, condition: s.Expression) -> Iterator[tuple[str, str]]:
    """(left column, right column) of `on a` and of `on $left.a == $right.b and …`."""
    match condition:
        case s.Name(name):
            yield name, name
        case s.Binary("==", s.Side("$left", left), s.Side("$right", right)):
            yield left, right
        case s.Logical("and", operands):
            for operand in operands:
                yield from _conditions(scope, operand)
        case _:
            raise scope.error("conditions must be a column's name or '$left.a == $right.b'", "SEM0038")


def _key_column(scope: Scope, table: Table, name: str, side: str) -> int:
    at = table.index(name)
    if at is None:
        raise scope.error(f"Failed to resolve column named '{name}' on the {side} side", "SEM0100")
    if table.columns[at].type is Type.DYNAMIC:
        raise scope.error(
            f"join key '{name}' is of a 'dynamic' type. Please use an explicit cast using extend operator "
            f"(for example, '| extend {name} = tostring({name})') as joining by a 'dynamic' type is not supported",
            "SEM0024",
        )
    return at


def _check_types(scope: Scope, left: Type, right: Type) -> None:
    if left is not right and not {left, right} <= WHOLE_NUMBERS:
        raise scope.error(f"join keys must be of one type: {left} and {right}", "SEM0025")


def _key(indexes: Sequence[int]) -> Key:
    if len(indexes) == 1:
        (at,) = indexes
        return lambda row: (row[at],)
    return itemgetter(*indexes)


def _by_key(table: Table, key: Key) -> Mapping[tuple[Any, ...], list[Row]]:
    grouped = defaultdict[tuple[Any, ...], list[Row]](list)
    for row in table.rows:
        grouped[key(row)].append(row)
    return grouped


def _one_sided(kind: str, left: Table, right: Table, left_key: Key, right_key: Key) -> Table:
    if kind.startswith("right"):
        left, right, left_key, right_key = right, left, right_key, left_key
    wanted, keys = "anti" not in kind, {right_key(row) for row in right.rows}
    return Table(left.columns, [row for row in left.rows if (left_key(row) in keys) is wanted])


def _two_sided(kind: str, left: Table, right: Table, left_key: Key, right_key: Key) -> Iterator[Row]:
    matches, matched = _by_key(right, right_key), set[tuple[Any, ...]]()
    no_left = [null_of(column.type) for column in left.columns]
    no_right = [null_of(column.type) for column in right.columns]
    for row in left.rows:
        key = left_key(row)
        if kind == "innerunique" and key in matched:
            continue
        found = matches.get(key, [])
        matched.add(key)
        for other in found:
            yield [*row, *other]
        if not found and kind in {"leftouter", "fullouter"}:
            yield [*row, *no_right]
    if kind in {"rightouter", "fullouter"}:
        yield from ([*no_left, *other] for other in right.rows if right_key(other) not in matched)
