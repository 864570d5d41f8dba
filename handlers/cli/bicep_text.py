"""Bicep as text: literals, and what a parameter file says."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_USING = re.compile(r"^\s*using\s+'((?:[^'\\\n]|\\.)*)'", re.MULTILINE)
_PARAM = re.compile(r"param\s+([A-Za-z_]\w*)\s*=")
_STATEMENT = re.compile(r"(using|param|var|import|extends|type|func|@|//|/\*)")
_NAME = re.compile(r"[A-Za-z_]\w*")


def quoted(text: str) -> str:
    """A text between single quotes."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    plain = escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"'{plain}'"


def literal(value: Any, depth: int = 0) -> str:  # noqa: PLR0911 - one line a type
    """A JSON value."""
    pad, end = "  " * (depth + 1), "  " * depth
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"json({quoted(json.dumps(value))})"
        case str():
            return quoted(value)
        case list():
            lines = [f"{pad}{literal(one, depth + 1)}" for one in value]
            return "\n".join(("[", *lines, f"{end}]")) if lines else "[]"
        case _:
            lines = [f"{pad}{_key(name)}: {literal(one, depth + 1)}" for name, one in value.items()]
            return "\n".join(("{", *lines, f"{end}}}")) if lines else "{}"


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else quoted(name)


def using(written: str) -> str | None:
    """The template that a parameter file is for."""
    found = _USING.search(written)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None


def assigned(written: str) -> frozenset[str]:
    """The parameters to which a parameter file gives a value."""
    return frozenset(found[1] for lines in _statements(written) if (found := _PARAM.match(lines)))


def overridden(written: str, values: Mapping[str, Any]) -> str:
    """A parameter file with these values, in place of its own or besides."""
    kept = [one for one in _statements(written) if not ((found := _PARAM.match(one)) and found[1] in values)]
    return "".join((*kept, "\n", *(f"param {name} = {literal(value)}\n" for name, value in values.items())))


def _statements(written: str) -> Iterator[str]:
    """Each begins at the start of a line: what is indented, or closes a bracket, goes on."""
    current = ""
    for line in written.splitlines(keepends=True):
        if current and _STATEMENT.match(line):
            yield current
            current = ""
        current += line
    yield current
