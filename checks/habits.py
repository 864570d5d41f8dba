"""`python -m checks.habits [FOLDER]`: the habits of this project that no linter checks.

It checks this repository, or FOLDER. If a habit is broken, it says where and exits 1:

- A module has at most 300 lines, a function at most 40. A longer one says why in a comment `# long: REASON`. For a
  module the comment comes before its first statement, for a function on the line of its `def` or above it.
- A comment that silences a check (`noqa`, `type: ignore` and the like) says why, in the same comment or beside it.

At the end it says how large the local Azure is beside the product.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_IN_A_MODULE = 300
MOST_IN_A_FUNCTION = 40
# Tests may be long, because truth tables are.
_SHORT = ("function_app.py", "handlers", "shared", "emulator", "demo", "infra", "bench", "docs", "checks", "clients")
_ALL = (*_SHORT, "tests")
_EMULATOR = ("emulator",)
_PRODUCT = ("shared", "handlers", "function_app.py")
_FEWEST_WORDS = 2

_LONG = re.compile(r"#\s*long:\s*(.*)")
_SILENCES = re.compile(
    r"#\s*(?:(?:ruff|flake8):\s*)?noqa(?::\s*[A-Z]+\d+(?:[,\s]\s*[A-Z]+\d+)*)?"
    r"|#\s*type:\s*ignore(?:\[[^]]*\])?"
    r"|#\s*pyright:\s*(?:ignore(?:\[[^]]*\])?|basic|off)"
    r"|#\s*mypy:\s*[\w-]+(?:=\S+)?"
    r"|#\s*(?:pragma:\s*no\s*\w+|nosec(?:\s+B\d+)*|pylint:\s*[\w-]+=\S+)",
    re.IGNORECASE,
)

type Comments = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Breach:
    path: Path
    line: int
    said: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.said}"


def main(arguments: list[str]) -> int:
    root = Path(arguments[0]) if arguments else ROOT
    found = list(breaches(root))
    for breach in found:
        print(breach)
    if not found:
        print(sizes(root))
    return 1 if found else 0


def breaches(root: Path) -> Iterator[Breach]:
    short = set(_sources(root, _SHORT))
    for path in _sources(root, _ALL):
        text, name = path.read_text("utf-8"), path.relative_to(root)
        comments = _comments(text)
        unexplained = (line for line, comment in comments.items() if not _is_explained(comment))
        yield from (Breach(name, line, "say beside it why the check is silenced") for line in unexplained)
        if path in short:
            yield from (Breach(name, line, said) for line, said in _too_long(text, comments))


def sizes(root: Path) -> str:
    """Lines of Python and of grammars. The local Azure serves the product and must not outgrow it."""
    emulator, product = (_lines(root, folders) for folders in (_EMULATOR, _PRODUCT))
    return f"emulator/ has {emulator:,} lines of Python and grammar, shared/, handlers/ and function_app.py {product:,}"


def _lines(root: Path, folders: Iterable[str]) -> int:
    paths = (*_sources(root, folders), *_sources(root, folders, "lark"))
    return sum(len(path.read_text("utf-8").splitlines()) for path in paths)


def _sources(root: Path, names: Iterable[str], kind: str = "py") -> Iterator[Path]:
    for name in names:
        place = root / name
        if place.is_dir():
            yield from sorted(place.rglob(f"*.{kind}"))
        elif place.suffix == f".{kind}" and place.exists():
            yield place


def _comments(text: str) -> Comments:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}


def _is_explained(comment: str) -> bool:
    said = _SILENCES.sub("", comment)
    return said == comment or _is_reason(said)


def _is_reason(said: str) -> bool:
    return len(re.findall(r"\w+", said)) >= _FEWEST_WORDS


def _too_long(text: str, comments: Comments) -> Iterator[tuple[int, str]]:
    tree, reasons = ast.parse(text), _reasons(comments)
    lengths = [
        (one.lineno, one.name, _end(one) - one.lineno + 1, MOST_IN_A_FUNCTION, _above(one))
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths.append((1, "the module", len(text.splitlines()), MOST_IN_A_MODULE, _above_the_code(tree)))
    for line, name, length, most, where in lengths:
        said = [reasons.pop(number) for number in where if number in reasons]
        if length > most and not any(map(_is_reason, said)):
            yield line, f"{name} has {length} lines, more than {most}: make it shorter, or say why (# long: REASON)"
        elif said and length <= most:
            yield line, f"{name} has {length} lines, which is not long: remove its `# long:`"
    yield from ((line, "nothing here is long: remove this `# long:`") for line in reasons)


def _reasons(comments: Comments) -> dict[int, str]:
    found = ((line, _LONG.search(comment)) for line, comment in comments.items())
    return {line: match[1] for line, match in found if match}


def _above_the_code(tree: ast.Module) -> range:
    """The lines before the first statement other than the docstring."""
    code = tree.body[1:] if ast.get_docstring(tree) is not None else tree.body
    return range(1, code[0].lineno if code else 2)


def _above(one: ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    """From the line above the function and its decorators to the line of its `def`."""
    return range(min((each.lineno for each in one.decorator_list), default=one.lineno) - 1, one.lineno + 1)


def _end(one: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return one.end_lineno or one.lineno


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
