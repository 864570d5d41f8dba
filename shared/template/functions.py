"""The functions of ARM expressions whose arguments are known. None: nobody can tell what it comes to."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.template.symbols import Holder, has_symbol, parts

_PLACE = re.compile(r"\{(\d+)\}")

type Value = Any


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever deploys."""


def of_holders(function: str, arguments: Sequence[Value]) -> Value:
    """`format('{0}', X)` and `string(X)` are X, whatever it is."""
    match function, arguments:
        case "format", ["{0}", one]:
            return one
        case (("string" | "tolower" | "concat"), [Holder() | Person() as one]):
            return one
    return None


def _format(arguments: Sequence[Value]) -> Value:
    shape, *values = arguments or ("",)
    if len(values) == 1 and shape == "{0}" and isinstance(values[0], Holder | Person):
        return values[0]
    if not isinstance(shape, str) or not all(
        isinstance(one, str | int) and not isinstance(one, bool) for one in values
    ):
        return None
    if "{" in _PLACE.sub("", shape) or "}" in _PLACE.sub("", shape):
        return None
    places = [int(one) for one in _PLACE.findall(shape)]
    if any(at >= len(values) for at in places):
        return None
    return _PLACE.sub(lambda found: str(values[int(found[1])]), shape)


def _concat(arguments: Sequence[Value]) -> Value:
    if len(arguments) == 1 and isinstance(arguments[0], Holder | Person):
        return arguments[0]
    return "".join(arguments) if all(isinstance(one, str) for one in arguments) else None


def _equals(arguments: Sequence[Value]) -> Value:
    if len(arguments) != 2:
        return None
    one, other = arguments
    if one == other and type(one) is type(other):
        return True
    texts = isinstance(one, str) and isinstance(other, str)
    if texts and (has_symbol(one) or has_symbol(other)):
        return None if _may_equal(one, other) else False
    known = (str, int, float, bool)
    return False if isinstance(one, known) and isinstance(other, known) else None


def _may_equal(one: str, other: str) -> bool:
    if has_symbol(one) and has_symbol(other):
        return True
    pattern, text = (one, other) if has_symbol(one) else (other, one)
    return re.fullmatch(".+".join(map(re.escape, parts(pattern))), text, re.DOTALL) is not None


def _starts_with(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [str() as text, str() as start] if not has_symbol(start):
            known = parts(text)[0]
            if known.casefold().startswith(start.casefold()):
                return True
            if not has_symbol(text) or not start.casefold().startswith(known.casefold()):
                return False
    return None


def _not(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [bool() as one]:
            return not one
    return None


def _lower(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [str() as text] if not has_symbol(text):
            return text.lower()
        case [Holder() | Person() as one]:
            return one
    return None


def _upper(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [str() as text] if not has_symbol(text):
            return text.upper()
    return None


def _string(arguments: Sequence[Value]) -> Value:
    match arguments:
        case [str() | Holder() | Person() as one]:
            return one
    return None


PLAIN: Mapping[str, Callable[[Sequence[Value]], Value]] = {
    "concat": _concat,
    "equals": _equals,
    "false": lambda _: False,
    "format": _format,
    "not": _not,
    "startswith": _starts_with,
    "string": _string,
    "tolower": _lower,
    "toupper": _upper,
    "true": lambda _: True,
}
