"""Builds the expressions of the syntax tree."""

import re
from typing import Any

from lark import Token, Transformer, v_args

from emulator.kql import syntax as s
from emulator.kql.errors import KqlSemanticError
from emulator.kql.values import Type, converter, parse_timespan, type_named

_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def _unquote(token: str) -> str:
    token = token.lstrip("hH")
    if token.startswith("@"):
        quote = token[1]
        return token[2:-1].replace(quote * 2, quote)
    return _ESCAPE.sub(lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else _ESCAPED.get(m[1], m[1]), token[1:-1])


@v_args(inline=True)
class ExpressionBuilder(Transformer[Token, Any]):
    """Bottom-up: each method gets its rule's children and returns a node."""

    def bracketed(self, token: Token) -> str:
        return _unquote(token)

    def column(self, name: str) -> s.Name:
        return s.Name(str(name))

    def side(self, side: Token, name: str) -> s.Side:
        return s.Side(str(side), str(name))

    def star(self) -> s.Star:
        return s.Star()

    def call(self, name: Token, *arguments: s.Expression) -> s.Call:
        return s.Call(str(name), arguments)

    def to_scalar(self, query: s.Query) -> s.ToScalar:
        return s.ToScalar(query)

    def member(self, target: s.Expression, name: Token) -> s.Member:
        return s.Member(target, str(name))

    def index(self, target: s.Expression, key: s.Expression) -> s.Index:
        return s.Index(target, key)

    def string(self, *tokens: Token) -> s.Literal:
        return s.Literal(Type.STRING, "".join(map(_unquote, tokens)))

    def timespan(self, token: Token) -> s.Literal:
        return s.Literal(Type.TIMESPAN, parse_timespan(token))

    def long(self, token: Token) -> s.Literal:
        return s.Literal(Type.LONG, int(token, 16) if token[:2] in {"0x", "0X"} else int(token))

    def real(self, token: Token) -> s.Literal:
        return s.Literal(Type.REAL, float(token))

    def bool(self, token: Token) -> s.Literal:
        return s.Literal(Type.BOOL, token.lower() == "true")

    def typed(self, token: Token) -> s.Literal:
        """`datetime(2024-05-01)`, `guid(…)`, `int(null)`."""
        name, _, rest = token.partition("(")
        type_ = type_named(name.strip())
        text = rest[:-1].strip().strip("'\"")
        if type_ is None or text == "null":
            return s.Literal(type_ or Type.STRING, None)
        value = converter(type_)(text)
        if value is None:
            raise KqlSemanticError(f"'{token}' is not a valid {type_} literal")
        return s.Literal(type_, value)

    def dynamic(self, value: Any) -> s.Literal:
        return s.Literal(Type.DYNAMIC, value)

    def json_object(self, *pairs: tuple[str, Any]) -> dict[str, Any]:
        return dict(pairs)

    def pair(self, key: Token, value: Any) -> tuple[str, Any]:
        return _unquote(key), value

    def json_array(self, *items: Any) -> list[Any]:
        return list(items)

    def json_string(self, token: Token) -> str:
        return _unquote(token)

    def json_number(self, token: Token) -> float:
        return float(token) if set(token) & set(".eE") else int(token)

    def json_word(self, token: Token) -> Any:
        return {"true": True, "false": False, "null": None}[token]

    def sign(self, token: Token, operand: s.Expression) -> s.Expression:
        return operand if token == "+" else s.Call("-", (operand,))

    def binary(self, left: s.Expression, operator: Token, right: s.Expression) -> s.Binary:
        normal = re.sub(r"\s+", " ", operator)
        return s.Binary("!=" if normal == "<>" else normal, left, right)

    def disjunction(self, *operands: s.Expression) -> s.Logical:
        return s.Logical("or", operands)

    def conjunction(self, *operands: s.Expression) -> s.Logical:
        return s.Logical("and", operands)

    def members(self, *members: s.Expression) -> tuple[s.Expression, ...]:
        return members

    def members_of_table(self, query: s.Query) -> s.Query:
        return query

    def membership(
        self, operand: s.Expression, operator: Token, members: tuple[s.Expression, ...] | s.Query
    ) -> s.Membership:
        return s.Membership(str(operator), operand, members)

    def between(self, operand: s.Expression, operator: Token, low: s.Expression, high: s.Expression) -> s.Between:
        return s.Between(operand, low, high, negated=operator.startswith("!"))
