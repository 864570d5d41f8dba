"""Where in the files of a template a resource is declared: for people who look at a pull request."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from shared.access.scope import Scope

_EXPRESSION = r"\$\{(?:[^{}']|'(?:[^'\\]|\\.)*'|\{[^{}]*\})*\}"
_QUOTED = rf"'(?:{_EXPRESSION}|[^'\\\n]|\\.)*'"
_ANY = re.compile(r"^[ \t]*(?P<resource>resource)\s+[A-Za-z_]\w*\s+'[^']*'", re.MULTILINE)
_DECLARED = re.compile(
    r"^[ \t]*(?P<resource>resource)\s+[A-Za-z_]\w*\s+'([^'@]+)@[^']*'\s*=(?!\s*existing\b)", re.MULTILINE
)
_TOKEN = re.compile(rf"//[^\n]*|\bname\s*:\s*(?P<value>{_QUOTED}|[A-Za-z_]\w*(?![\w(.\[])|\S)|{_QUOTED}|[{{}}\[\]]")
_HOLE = "\0"
_DEEPEST = 5
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
    """Of names with expressions in them it takes the declaration that has most of the name."""
    if file.suffix.casefold() != ".bicep":
        return 1
    text = _text(file)
    ends = [one.start() for one in _ANY.finditer(text)]
    found = [one for one in _DECLARED.finditer(text) if _is_of(one[2], scope)]
    fits = [(_fit(text, one.end(), _end(one.start(), ends, text), scope), one) for one in found]
    fits.sort(key=lambda each: each[0], reverse=True)
    if not fits or fits[0][0] < 0:
        return 1
    chosen = fits[0][1]
    return text.count("\n", 0, chosen.start("resource")) + 1


def _end(start: int, ends: list[int], text: str) -> int:
    return min((one for one in ends if one > start), default=len(text))


def _is_of(kind: str, scope: Scope) -> bool:
    """A resource that is declared inside its parent has only the last part of its type."""
    own = kind.casefold()
    return own == scope.resource_type or ("/" not in own and scope.resource_type.endswith(f"/{own}"))


def _fit(text: str, start: int, end: int, scope: Scope) -> int:
    """How many characters of the resource's name the declaration says, or -1 if it is another's."""
    pattern = _named(text, start, end)
    if pattern is None:
        return 0
    segments = len([one for one in pattern if one == "/"]) + 1
    names = str(scope).rpartition("/providers/")[2].split("/")[2::2][-segments:]
    wanted = ".*".join(map(re.escape, "".join(pattern).split(_HOLE)))
    fits = re.fullmatch(wanted, "/".join(names), re.IGNORECASE | re.DOTALL)
    return len([one for one in pattern if one != _HOLE]) if fits else -1


def _named(text: str, start: int, end: int) -> str | None:
    """What stands after `name:` of the declaration itself. `_HOLE` is in place of each expression."""
    least, written = end, ""
    depth = 0
    for one in _TOKEN.finditer(text, start, end):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(one[0], 0)
        if one["value"] and depth < least:
            least, written = depth, one["value"]
    return _pattern(written, text) if written else None


def _pattern(written: str, text: str, depth: int = 0) -> str:
    if written.startswith("'"):
        return re.sub(r"\\(.)", r"\1", re.sub(_EXPRESSION, _HOLE, written[1:-1]))
    said = re.search(rf"^\s*(?:var|param)\s+{re.escape(written)}\b[^=\n]*=\s*({_QUOTED})\s*$", text, re.MULTILINE)
    return _pattern(said[1], text, depth + 1) if said and depth < _DEEPEST else _HOLE


@lru_cache(maxsize=64)
def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""
