"""Makes a `Scalar` from an expression of the syntax tree: names are resolved, types checked, constants folded."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from emulator.kql import syntax as s
from emulator.kql.aggregates import is_aggregate
from emulator.kql.arithmetic import compute
from emulator.kql.comparisons import between, compare, matches, membership, search
from emulator.kql.core import Evaluate, Row, Scalar, Scope, Table
from emulator.kql.dynamics import DYNAMIC_FUNCTIONS
from emulator.kql.function import Function, compile_call
from emulator.kql.special import SPECIAL_FUNCTIONS
from emulator.kql.temporal import TEMPORAL_FUNCTIONS
from emulator.kql.text import TEXT_FUNCTIONS
from emulator.kql.values import WHOLE_NUMBERS, Type, null_of

FUNCTIONS: Mapping[str, Function] = {**TEXT_FUNCTIONS, **TEMPORAL_FUNCTIONS, **DYNAMIC_FUNCTIONS}


def compile_expression(scope: Scope, expression: s.Expression) -> Scalar:
    """Raises KqlSemanticError, which names what does not resolve or fit."""
    return _COMPILERS[type(expression)](scope, expression)


def compile_predicate(scope: Scope, expression: s.Expression) -> Scalar:
    predicate = compile_expression(scope, expression)
    if predicate.type is not Type.BOOL:
        raise scope.error(f"the predicate must be of type bool, not {predicate.type}", "SEM0057")
    return predicate


def compile_count(scope: Scope, expression: s.Expression) -> int:
    """The N of `take N` and `top N`."""
    rows = compile_expression(scope, expression)
    if rows.type not in WHOLE_NUMBERS or not rows.constant:
        raise scope.error("the number of rows must be a constant of type long", "SEM0052")
    return max(int(rows.evaluate(()) or 0), 0)


def _literal(_: Scope, node: s.Literal) -> Scalar:
    return Scalar.of(node.type, null_of(node.type) if node.value is None else node.value)


def _name(scope: Scope, node: s.Name) -> Scalar:
    if node.name in scope.columns:
        at, type_ = scope.columns[node.name]
        return Scalar(type_, itemgetter(at))
    bound = scope.environment.lets.get(node.name)
    if isinstance(bound, Scalar):
        return bound
    raise scope.error(f"Failed to resolve column or scalar expression named '{node.name}'", "SEM0100")


def _side(scope: Scope, node: s.Side) -> Scalar:
    raise scope.error(f"Failed to resolve column or scalar expression named '{node.side}'", "SEM0100")


def _star(scope: Scope, _: s.Star) -> Scalar:
    raise scope.error("'*' is not allowed in this context", "SEM0001")


def _member(scope: Scope, node: s.Member) -> Scalar:
    return _access(scope, compile_expression(scope, node.target), Scalar.of(Type.STRING, node.name), node.name)


def _index(scope: Scope, node: s.Index) -> Scalar:
    return _access(scope, compile_expression(scope, node.target), compile_expression(scope, node.key), "[]")


def _access(scope: Scope, target: Scalar, key: Scalar, name: str) -> Scalar:
    if target.type is not Type.DYNAMIC:
        raise scope.error(f"'{name}': a value of type {target.type} has no members", "SEM0100")
    if key.type not in WHOLE_NUMBERS | {Type.STRING, Type.DYNAMIC}:
        raise scope.error(f"a dynamic value is indexed by string or long, not {key.type}")
    return Scalar(Type.DYNAMIC, _accessor(target.evaluate, key), target.constant and key.constant).folded()


def _accessor(container: Evaluate, key: Scalar) -> Evaluate:
    """Missing keys and indexes give null; a negative index counts from the end."""
    if key.constant and key.type is Type.STRING:
        name = key.evaluate(())

        def member(row: Row) -> Any:
            value = container(row)
            return value.get(name) if isinstance(value, dict) else None

        return member

    def element(row: Row) -> Any:
        value, at = container(row), key.evaluate(row)
        if isinstance(value, dict) and isinstance(at, str):
            return value.get(at)
        if isinstance(value, list) and type(at) is int and -len(value) <= at < len(value):
            return value[at]
        return None

    return element


def _call(scope: Scope, node: s.Call) -> Scalar:
    if scope.aggregate is not None and (aggregate := scope.aggregate(node)) is not None:
        return aggregate
    if node.name == "column_ifexists":
        return _column_if_exists(scope, node)
    special, function = SPECIAL_FUNCTIONS.get(node.name), FUNCTIONS.get(node.name)
    if special is None and function is None:
        if is_aggregate(node.name):
            raise scope.error(f"the aggregate '{node.name}' is not allowed in this context", "SEM0101")
        raise scope.error(f"Unknown function: '{node.name}'.", "SEM0260")
    arguments = [compile_expression(scope, argument) for argument in node.arguments]
    if special is not None:
        return special(scope, arguments)
    return compile_call(scope, node.name, FUNCTIONS[node.name], arguments)


def _column_if_exists(scope: Scope, node: s.Call) -> Scalar:
    match node.arguments:
        case (s.Literal(Type.STRING, str(name)), default):
            known = name in scope.columns
            return compile_expression(scope, s.Name(name) if known else default)
        case _:
            raise scope.error("column_ifexists(): function expects a column's name and a default", "SEM0219")


def _binary(scope: Scope, node: s.Binary) -> Scalar:
    left, right = compile_expression(scope, node.left), compile_expression(scope, node.right)
    if node.operator in {"+", "-", "*", "/", "%"}:
        return compute(scope, node.operator, left, right)
    if node.operator == "matches regex":
        return matches(scope, left, right)
    if node.operator.strip("!")[:1].isalpha():
        return search(scope, node.operator, left, right)
    return compare(scope, node.operator, left, right)


def _logical(scope: Scope, node: s.Logical) -> Scalar:
    """Three-valued: false wins over null in `and`, true wins over null in `or`."""
    operands = [compile_predicate(scope, operand) for operand in node.operands]
    evaluates = [operand.evaluate for operand in operands]
    decisive = node.operator == "or"

    def evaluate(row: Row) -> bool | None:
        unknown = False
        for each in evaluates:
            value: bool | None = each(row)
            if value is decisive:
                return decisive
            unknown = unknown or value is None
        return None if unknown else (not decisive)

    return Scalar(Type.BOOL, evaluate, all(operand.constant for operand in operands)).folded()


def _membership(scope: Scope, node: s.Membership) -> Scalar:
    operand = compile_expression(scope, node.operand)
    match node.members:
        case s.Query():
            members = _first_column(scope, scope.environment.tabular(node.members))
        case (s.Name(name),) if name not in scope.columns and _is_table(scope, name):
            members = _first_column(scope, scope.environment.tabular(s.Query(s.TableName(name))))
        case expressions:
            members = [compile_expression(scope, member) for member in expressions]
    return membership(scope, node.operator, operand, members)


def _is_table(scope: Scope, name: str) -> bool:
    bound = scope.environment.lets.get(name)
    return isinstance(bound, Table) or (bound is None and scope.environment.table(name) is not None)


def _first_column(scope: Scope, table: Table) -> list[Scalar]:
    if not table.columns:
        raise scope.error("the table has no column to compare with")
    return [Scalar.of(table.columns[0].type, row[0]) for row in table.rows]


def _between(scope: Scope, node: s.Between) -> Scalar:
    operand, low, high = (compile_expression(scope, each) for each in (node.operand, node.low, node.high))
    return between(scope, operand, low, high, negated=node.negated)


def _to_scalar(scope: Scope, node: s.ToScalar) -> Scalar:
    table = scope.environment.tabular(node.query)
    if not table.columns:
        raise scope.error("toscalar(): the table has no column")
    type_ = table.columns[0].type
    return Scalar.of(type_, table.rows[0][0] if table.rows else null_of(type_))


_COMPILERS: Mapping[type, Callable[[Scope, Any], Scalar]] = {
    s.Literal: _literal,
    s.Name: _name,
    s.Side: _side,
    s.Star: _star,
    s.Member: _member,
    s.Index: _index,
    s.Call: _call,
    s.Binary: _binary,
    s.Logical: _logical,
    s.Membership: _membership,
    s.Between: _between,
    s.ToScalar: _to_scalar,
}


# Functions that keep the name of their first argument for a column without a name: `tostring(a.b)` is `a_b`.
_NAME_KEEPING = frozenset(
    {"bin", "floor", "parse_json", "round", "split", "startofday", "tobool", "toboolean", "todatetime"}
    | {"todouble", "todynamic", "toguid", "toint", "tolong", "toreal", "tostring", "totimespan"}
    | {"format_datetime"}
)


def derived_name(expression: s.Expression) -> str | None:
    """The name that Kusto gives a column without a name. None stands for `ColumnN`."""
    match expression:
        case s.Name(name):
            return name
        case s.Member(target, name) | s.Index(target, s.Literal(_, (str() | int()) as name)):
            base = derived_name(target)
            return None if base is None else f"{base}_{name}"
        case s.Call(name, (first, *_)) if name in _NAME_KEEPING:
            return derived_name(first)
        case _:
            return None
