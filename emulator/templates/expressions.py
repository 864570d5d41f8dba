"""Expressions of ARM templates: read, and worked out.

https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import LarkError

from emulator.errors import AzureError

type Json = dict[str, Any]
type Functions = Mapping[str, Callable[..., Any]]
"""By lower-case name."""


class TemplateError(AzureError):
    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidTemplate", f"Deployment template validation failed: '{message}'")


@cache
def _grammar() -> Lark:
    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", maybe_placeholders=False)


@cache
def parsed(text: str) -> Tree[Token] | str:
    """The expression in a string of a template. The string itself if it has none."""
    if not (text.startswith("[") and text.endswith("]")):
        return text
    if text.startswith("[["):
        return text[1:]
    try:
        return _grammar().parse(text[1:-1])
    except LarkError:
        raise TemplateError(f"The template language expression '{text}' is not valid.") from None


def require_known(value: Any, known: frozenset[str]) -> None:
    """Refuses by its name every function that is not known, before anything is made."""
    for text in _texts(value):
        expression = parsed(text)
        if isinstance(expression, Tree):
            for call in expression.find_data("call"):
                if str(call.children[0]).lower() not in known:
                    raise TemplateError(f"The template function '{call.children[0]}' is not valid.")


def worked_out(text: str, functions: Functions) -> Any:
    return _worked_out(parsed(text), functions)


def _worked_out(node: Tree[Token] | Token | str, functions: Functions) -> Any:
    if not isinstance(node, Tree):
        return node
    kind, children = node.data, node.children
    if kind == "text":
        return str(children[0])[1:-1].replace("''", "'")
    if kind == "number":
        return int(str(children[0]))
    if kind == "call":
        return _called(str(children[0]), children[1:], functions)
    held = _worked_out(children[0], functions)
    return _item(held, str(children[1]) if kind == "member" else _worked_out(children[1], functions))


def _called(name: str, arguments: list[Any], functions: Functions) -> Any:
    """`if` works out only what it gives."""
    if name.lower() == "if":
        return _worked_out(arguments[1 if _worked_out(arguments[0], functions) else 2], functions)
    try:
        return functions[name.lower()](*(_worked_out(one, functions) for one in arguments))
    except (TypeError, ValueError, IndexError):
        message = f"Unable to evaluate the template language function '{name}': its arguments are not valid."
        raise TemplateError(message) from None


def _item(held: Any, key: Any) -> Any:
    """Names of properties have no case."""
    if isinstance(held, list) and isinstance(key, int) and 0 <= key < len(held):
        return held[key]
    if isinstance(held, dict):
        for name, value in held.items():
            if name.lower() == str(key).lower():
                return value
    names = ", ".join(held) if isinstance(held, dict) else ""
    message = f"The language expression property '{key}' doesn't exist, available properties are '{names}'."
    raise TemplateError(message)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value:
            yield from _texts(one)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))
