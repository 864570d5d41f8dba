"""The condition language of role assignments (ABAC 2.0): exactly what constrained delegation needs of it.

A condition that cannot be parsed, or that asks for something unknown to this evaluator, is not fulfilled.
"""

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import LarkError

from emulator.identity.wildcards import matches

type Values = Sequence[str]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a condition may look at: lower-case `namespace/type:attribute` → its values."""

    request: Mapping[str, Values] = field(default_factory=dict)
    resource: Mapping[str, Values] = field(default_factory=dict)

    def of(self, source: str, name: str) -> Values | None:
        """None if there is no such attribute."""
        known = {"request": self.request, "resource": self.resource}.get(source.lower(), {})
        return known.get(name.lower())


@dataclass(frozen=True, slots=True)
class _Asked:
    action: str
    attributes: Attributes


type _Test = Callable[[_Asked], bool]
type _Operand = Callable[[_Asked], Values | None]


class _UnsupportedError(Exception):
    pass


class Conditions:
    """Parses each distinct condition once."""

    def __init__(self) -> None:
        self._parsed: dict[str, _Test] = {}

    def fulfilled(self, condition: str, action: str, attributes: Attributes) -> bool:
        if condition not in self._parsed:
            self._parsed[condition] = _parse(condition)
        try:
            return self._parsed[condition](_Asked(action, attributes))
        except _UnsupportedError:
            return False


@cache
def _grammar() -> Lark:
    return Lark((Path(__file__).parent / "conditions.lark").read_text(), parser="earley", lexer="dynamic")


def _parse(condition: str) -> _Test:
    try:
        test: _Test = _Builder().transform(_grammar().parse(condition))
    except LarkError:
        return lambda _: False
    return test


@v_args(inline=True)
class _Builder(Transformer[Token, _Test]):
    def either(self, *tests: _Test) -> _Test:
        return lambda asked: any(test(asked) for test in tests)

    def both(self, *tests: _Test) -> _Test:
        return lambda asked: all(test(asked) for test in tests)

    def negated(self, test: _Test) -> _Test:
        return lambda asked: not test(asked)

    def action_matches(self, *patterns: _Operand) -> _Test:
        return lambda asked: any(matches(text, asked.action) for pattern in patterns for text in pattern(asked) or ())

    def suboperation_matches(self, *_: _Operand) -> _Test:
        return _unsupported

    def exists(self, attribute: _Operand) -> _Test:
        return lambda asked: attribute(asked) is not None

    def attribute(self, source: Token, name: Token) -> _Operand:
        return lambda asked: asked.attributes.of(source, name.strip())

    def list(self, *literals: _Operand | None) -> _Operand:
        return lambda asked: [text for literal in literals if literal for text in literal(asked) or ()]

    def text(self, token: Token) -> _Operand:
        value = token[1:-1].replace("\\'", "'").replace("''", "'")
        return lambda _: [value]

    def bare(self, token: Token) -> _Operand:
        return lambda _: [str(token)]

    def operator(self, quantifier: Token | None, name: Token) -> "_Comparison":
        compare = _COMPARISONS.get(name.lower())
        if compare is None:
            return lambda *_: _unsupported()
        over_left, over_right = _QUANTIFIERS[(quantifier or "ForAnyOfAnyValues").lower()]
        return lambda left, right: over_left(over_right(compare(one, other) for other in right) for one in left)

    def comparison(self, left: _Operand, compare: "_Comparison", right: _Operand) -> _Test:
        def test(asked: _Asked) -> bool:
            one, other = left(asked), right(asked)
            return one is not None and other is not None and compare(one, other)

        return test


type _Comparison = Callable[[Values, Values], bool]
type _Quantifier = Callable[[Iterable[bool]], bool]


def _unsupported(*_: object) -> bool:
    raise _UnsupportedError


def _like(value: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


_QUANTIFIERS: Mapping[str, tuple[_Quantifier, _Quantifier]] = {
    "foranyofanyvalues": (any, any),
    "foranyofallvalues": (any, all),
    "forallofanyvalues": (all, any),
    "forallofallvalues": (all, all),
}

_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "guidequals": lambda one, other: one.lower() == other.lower(),
    "guidnotequals": lambda one, other: one.lower() != other.lower(),
    "stringequals": lambda one, other: one == other,
    "stringnotequals": lambda one, other: one != other,
    "stringequalsignorecase": lambda one, other: one.lower() == other.lower(),
    "stringnotequalsignorecase": lambda one, other: one.lower() != other.lower(),
    "stringstartswith": lambda one, other: one.startswith(other),
    "stringnotstartswith": lambda one, other: not one.startswith(other),
    "stringstartswithignorecase": lambda one, other: one.lower().startswith(other.lower()),
    "stringlike": _like,
    "stringnotlike": lambda one, other: not _like(one, other),
    "stringlikeignorecase": lambda one, other: _like(one.lower(), other.lower()),
    "boolequals": lambda one, other: one.lower() == other.lower(),
    "boolnotequals": lambda one, other: one.lower() != other.lower(),
}
