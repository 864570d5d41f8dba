"""Every az command of the documents, of the rules' code and of other messages is one that the Azure CLI takes."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from az.parse import documents_commands, faults, remedies_commands

_ROOT = Path(__file__).parents[2]
_CODE = sorted(path for folder in ("handlers", "infra", "shared") for path in _ROOT.glob(f"{folder}/**/*.py"))
_OF_DOCUMENTS = {
    path.relative_to(_ROOT).as_posix(): commands
    for path in sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/**/*.md")])
    if (commands := documents_commands(path.read_text(encoding="utf-8")))
}


def _texts(nodes: list[ast.AST]) -> Iterator[str]:
    """All strings that a program can print: with a name for whatever it puts in, and without docstrings."""
    within = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    documented = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    apart = within | documented
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "VALUE-ID" for part in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart:
            yield node.value


def _made(nodes: list[ast.AST]) -> Iterator[str]:
    """What calls of `az` would print, as far as the code says it; what is not said there is left open."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "az" and node.args:
            command = ast.literal_eval(node.args[0])
            given = {one.arg.replace("_", "-"): one.value for one in node.keywords if one.arg}
            yield " ".join(["az", command, "…", *(f"--{name} {_said(value)}" for name, value in given.items())])


def _said(value: ast.expr) -> str:
    if not isinstance(value, ast.Constant):
        return "SOME-ID"
    return "" if value.value is True else f"'{value.value!s}'"


@pytest.fixture(scope="module")
def nodes() -> list[list[ast.AST]]:
    """Of each file."""
    return [list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))) for path in _CODE]


@pytest.fixture(scope="module")
def printed(nodes: list[list[ast.AST]]) -> list[str]:
    return [command for one in nodes for text in _texts(one) for command in remedies_commands(text)]


@pytest.fixture(scope="module")
def made(nodes: list[list[ast.AST]]) -> list[str]:
    return [command for one in nodes for command in _made(one)]


@pytest.fixture(scope="module")
def wrong(printed: list[str], made: list[str]) -> dict[str, str]:
    every = [*(command for commands in _OF_DOCUMENTS.values() for command in commands), *printed, *made]
    return faults(every, naming=True)


def _wrong_of(commands: Iterable[str], wrong: dict[str, str]) -> dict[str, str]:
    return {command: wrong[command] for command in commands if command in wrong}


@pytest.mark.parametrize("document", _OF_DOCUMENTS)
def test_documents(document: str, wrong: dict[str, str]) -> None:
    assert _wrong_of(_OF_DOCUMENTS[document], wrong) == {}


def test_messages_in_code(printed: list[str], wrong: dict[str, str]) -> None:
    """Of errors and help. A command that no backquotes set off is an error of `remedies_commands`."""
    assert "az login" in printed
    assert _wrong_of(printed, wrong) == {}


def test_commands_that_rules_make(made: list[str], wrong: dict[str, str]) -> None:
    """All of them, the branches that no case of the catalogue takes included; values are held there, as printed."""
    assert len(made) > 50
    about_values = ("not a valid value", "invalid", "InvalidArgumentValueError", "none of")
    said = _wrong_of(made, wrong)
    assert {command: why for command, why in said.items() if not any(one in why for one in about_values)} == {}
