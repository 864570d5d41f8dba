"""Where in the files of a template a resource is declared: for people who look at a pull request."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from handlers.cli.bicep_text import quoted
from shared.access.scope import Scope

_DECLARED = re.compile(r"^\s*resource\s+[A-Za-z_]\w*\s+'([^'@]+)@[^']*'\s*=(?!\s*existing\b)", re.MULTILINE)
_EXISTING = re.compile(r"^\s*resource\s+[A-Za-z_]\w*\s+'[^']*'\s+existing\b", re.MULTILINE)
type Place = tuple[str, int]


def places(sources: Mapping[Scope, str], shown: Iterable[tuple[Scope, str]]) -> dict[str, list[str | int]]:
    """For each of the ids, the file that has it, and the line of its symbolic name. Line 1 if the text has none."""
    found: dict[str, list[str | int]] = {}
    for scope, written in shown:
        file = sources.get(scope) or next((sources[one] for one in sources if scope.contains(one)), None)
        if file:
            found[written] = [relative(file), line_of(Path(file), scope)]
    return found


def relative(file: str) -> str:
    """As seen from the working folder, with slashes."""
    path = Path(file)
    inside = path.is_absolute() and path.is_relative_to(Path.cwd())
    return (path.relative_to(Path.cwd()) if inside else path).as_posix()


def line_of(file: Path, scope: Scope) -> int:
    if file.suffix.casefold() != ".bicep":
        return 1
    text = _text(file)
    ends = [one.start() for one in _DECLARED.finditer(text)] + [one.start() for one in _EXISTING.finditer(text)]
    alike = [one for one in _DECLARED.finditer(text) if _is_of(one[1], scope)]
    named = [one for one in alike if _says(text[one.start() : _end(one.start(), ends, text)], scope.name)]
    chosen = next(iter(named or alike), None)
    return text.count("\n", 0, _start(text, chosen)) + 1 if chosen else 1


def _start(text: str, found: re.Match[str]) -> int:
    """The line of the declaration itself: blank lines before it are part of the match."""
    return found.start() + len(found[0]) - len(found[0].lstrip()) if text else 0


def _end(start: int, ends: list[int], text: str) -> int:
    return min((one for one in ends if one > start), default=len(text))


def _is_of(kind: str, scope: Scope) -> bool:
    """A resource that is declared inside its parent has only the last part of its type."""
    own = kind.casefold()
    return own == scope.resource_type or ("/" not in own and scope.resource_type.endswith(f"/{own}"))


def _says(declaration: str, name: str) -> bool:
    return f"name: {quoted(name)}" in declaration or f"/{name}'" in declaration


@lru_cache(maxsize=64)
def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""
