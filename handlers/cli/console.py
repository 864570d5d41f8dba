r"""What commands read and write: UTF-8 everywhere, and plain letters on a stream that takes nothing else.

Nothing is lost to an encoding: what a stream cannot write it gets in letters (`->`) or as an escape (`\u4e2d`).
"""

import codecs
import io
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from shared.access.quoting import visible
from shared.access.scope import InvalidScopeError, Scope

PLAIN = "amlguard-plain"
_LONGEST_SHOWN = 200
_EXAMPLE = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/GROUP/providers/"
    "Microsoft.MachineLearningServices/workspaces/NAME (`az resource list --query '[].id'` lists the ids that exist)"
)
_LETTERS = {
    "─": "-",
    "●": "*",
    "•": "*",
    "→": "->",
    "…": "...",
    "–": "-",
    "—": "-",
    "×": "x",
    "≤": "<=",
    "≥": ">=",
    "✓": "ok",
    "✗": "!!",
}


class UsageError(Exception):
    """Somebody gave the command something that it cannot work with; the message says what it can work with."""


def prepare_streams() -> None:
    codecs.register_error(PLAIN, _in_letters)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=PLAIN)


def _in_letters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    written = (_LETTERS.get(one) or one.encode("ascii", "backslashreplace").decode("ascii") for one in lost)
    return "".join(written), error.end


def as_utf8(argument: str) -> str:
    """An argument that is not a path. If the locale has only ASCII, Python keeps its bytes as they came."""
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        return argument


def scope_of(text: str) -> Scope:
    """Raises `UsageError`."""
    try:
        return Scope.parse(text)
    except InvalidScopeError as error:
        shown = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        raise UsageError(f"{shown!r} is not a resource id: {error}; an id looks like {_EXAMPLE}") from error


def one_line(text: str) -> str:
    """For an error: nothing in it can move the cursor, or make a second line look like one of amlguard's."""
    return visible(" ".join(text.split()))


def in_lines(lines: Iterable[str]) -> str:
    """Each of them stays one line, whatever a tenant's names in it contain."""
    return "\n".join(map(visible, lines))


def read_text(path: Path) -> str:
    """With or without a byte order mark. Raises `UsageError`."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; a file is wanted here") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from error


def read_json(name: str) -> Any:
    """Of a file, or of standard input where `name` is `-`. Raises `UsageError`."""
    try:
        text = _standard_input() if name == "-" else read_text(Path(name))
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_once_each)
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deeply") from error
    except ValueError as error:
        raise UsageError(f"{name} is not JSON: {error}") from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One reader takes the first of two, another the last: what a person has read must be what is done."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for at, (name, _) in enumerate(pairs) if name in dict(pairs[:at]))
        raise ValueError(f"{visible(twice)} is there twice")
    return found


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 (byte {error.start})") from error


def counted(number: int, what: str) -> str:
    """`what` is the singular of a regular noun, perhaps with more words after it."""
    noun, _, rest = what.partition(" ")
    return f"{number} {noun}{'' if number == 1 else 's'}{f' {rest}' if rest else ''}"


def says_yes() -> bool:
    """The next line of standard input, whatever letters it has."""
    return sys.stdin.buffer.readline().decode("utf-8", "replace").strip().casefold() in {"y", "yes"}


def require_writable(option: str, path: Path) -> None:
    """Before the work is done, not after. Raises `UsageError`."""
    there = path.exists()
    try:
        with path.open("ab"):
            pass
    except OSError as error:
        folder = path.parent
        why = f"there is no folder {folder}: make it first" if not folder.is_dir() else error.strerror or str(error)
        raise UsageError(f"{option} {path} cannot be written: {why}") from error
    if not there:
        path.unlink()


def write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors=PLAIN) as file:
        file.write(text)


def let_go_of_output() -> None:
    """The reader (head, less) has closed the pipe, or the disk is full. Python must not complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
