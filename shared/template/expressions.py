"""ARM template expressions, as the compiler leaves them where only a deployment knows the value.

The language: learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions. Functions and properties
are told apart without regard to case.
"""

import re
from dataclasses import dataclass, field

LONGEST = 100_000
_DEEPEST = 60
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[(),.\[\]]))"
)


class ExpressionError(ValueError):
    """The text is none of the expressions that are known."""


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float

    def __str__(self) -> str:
        return "'" + self.value.replace("'", "''") + "'" if isinstance(self.value, str) else str(self.value)


@dataclass(frozen=True, slots=True)
class Call:
    """`name` is in lower case."""

    name: str
    arguments: tuple["Node", ...]
    written: str

    def __str__(self) -> str:
        return f"{self.written}({', '.join(map(str, self.arguments))})"


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name` or `of['name']`; `key` is what stands in the brackets, or the name as a literal."""

    of: "Node"
    key: "Node"
    dotted: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.of}.{self.dotted}" if self.dotted else f"{self.of}[{self.key}]"


type Node = Literal | Call | Member


def is_expression(value: object) -> bool:
    """`[[…` is how a template writes a text that begins with a bracket."""
    return isinstance(value, str) and value.startswith("[") and value.endswith("]") and not value.startswith("[[")


def plain(value: str) -> str:
    """A text that is no expression, as Azure gets it."""
    return value[1:] if value.startswith("[[") else value


def parse(value: str) -> Node:
    """Raises `ExpressionError`."""
    if not is_expression(value) or len(value) > LONGEST:
        raise ExpressionError("it is no expression")
    tokens = _tokens(value[1:-1])
    node, at = _node(tokens, 0, 0)
    if at != len(tokens):
        raise ExpressionError("something follows the expression")
    return node


type _Tokens = list[tuple[str, str]]


def _tokens(text: str) -> _Tokens:
    found: _Tokens = []
    at, end = 0, len(text.rstrip())
    while at < end:
        one = _TOKEN.match(text, at)
        if one is None or one.lastgroup is None:
            raise ExpressionError("a character has no place in an expression")
        found.append((one.lastgroup, one[one.lastgroup]))
        at = one.end()
    return found


def _node(tokens: _Tokens, at: int, depth: int) -> tuple[Node, int]:
    if depth > _DEEPEST:
        raise ExpressionError("it is nested too deeply")
    kind, written = _token(tokens, at)
    node: Node
    at += 1
    match kind:
        case "text":
            node = Literal(written[1:-1].replace("''", "'"))
        case "number":
            node = Literal(float(written) if "." in written else int(written))
        case "name":
            arguments, at = _arguments(tokens, at, depth)
            node = Call(written.casefold(), arguments, written)
        case _:
            raise ExpressionError("a value is wanted there")
    while at < len(tokens) and tokens[at][1] in (".", "[") and tokens[at][0] == "sign":
        if tokens[at][1] == ".":
            kind, written = _token(tokens, at + 1)
            if kind != "name":
                raise ExpressionError("the name of a property is wanted there")
            node, at = Member(node, Literal(written), written), at + 2
        else:
            key, at = _node(tokens, at + 1, depth + 1)
            node, at = Member(node, key), _after(tokens, at, "]")
    return node, at


def _arguments(tokens: _Tokens, at: int, depth: int) -> tuple[tuple[Node, ...], int]:
    at = _after(tokens, at, "(")
    found: list[Node] = []
    if _token(tokens, at) == ("sign", ")"):
        return (), at + 1
    while True:
        one, at = _node(tokens, at, depth + 1)
        found.append(one)
        if _token(tokens, at) == ("sign", ")"):
            return tuple(found), at + 1
        at = _after(tokens, at, ",")


def _after(tokens: _Tokens, at: int, sign: str) -> int:
    if _token(tokens, at) != ("sign", sign):
        raise ExpressionError(f"{sign} is wanted there")
    return at + 1


def _token(tokens: _Tokens, at: int) -> tuple[str, str]:
    if at >= len(tokens):
        raise ExpressionError("it ends too early")
    return tokens[at]
