"""Holds az commands against the Azure CLI: its own parser, for extensions Microsoft's reference, for `--set` schemas.

Nothing is run, and nothing asks the network. Both live in .venv-az, which `make test` sets up.
"""

import atexit
import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from az.extensions import COMMANDS, settings

_HERE = Path(__file__).parent
_PYTHON = _HERE.parents[1] / ".venv-az" / "bin" / "python"
_GUID = "11111111-1111-4111-8111-111111111111"
_ID = f"/subscriptions/{_GUID}/resourceGroups/group/providers/Microsoft.Network/virtualNetworks/net/subnets/subnet"

_CODE = re.compile(r"(?<!`)(`+)(az .+?)(?<!`)\1(?!`)", re.DOTALL)
_SHELL = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_BARE = re.compile(r"(?<![\w./-])az [a-z][\w-]*")
_PLACEHOLDER = re.compile(r"\b[A-Z][A-Z0-9]*(?:[-_][A-Z0-9]+)*[-_]IDS?(?:[-_][A-Z0-9]+)*\b")
_SUBSTITUTION = re.compile(r"\$\((az [^()]*(?:\([^()]*\)[^()]*)*)\)")
_MORE = "…"


def remedies_commands(text: str) -> list[str]:
    """What a remedy (or another message) wants to be run: all between backquotes.

    ValueError where a command stands outside of them: nobody could tell where it ends.
    """
    outside = _BARE.search(_CODE.sub("", text))
    if outside:
        raise ValueError(f"{outside.group()} stands outside backquotes: {text}")
    return [command for _, command in _CODE.findall(text)]


def documents_commands(text: str) -> list[str]:
    """Of a Markdown document: in shell blocks and between backquotes."""
    blocks = [block.replace("\\\n", " ") for block in _SHELL.findall(text)]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [
        *(line for line in lines if "az " in line),
        *(command for _, command in _CODE.findall(_SHELL.sub("", text))),
    ]


def faults(commands: Iterable[str], *, naming: bool = False) -> dict[str, str]:
    """What is wrong, by command, of those that are not right. Each may hold several: `a && b`, `a > file`, `$(a)`.

    Placeholders (`NAME`, `<name>`, `SUBNET-ID`) stand for anything. `naming`: what is only named, without options or
    with `…`, lacks nothing.
    """
    pieces = [(command, piece) for command in dict.fromkeys(commands) for piece in _split(command)]
    answers = _answers([words for _, words in pieces])
    wrong: dict[str, str] = {}
    for (command, words), said in zip(pieces, answers, strict=True):
        only_named = naming and (_MORE in command or not any(word.startswith("-") for word in words))
        if said and not (only_named and "required" in said):
            wrong[command] = said
    return wrong


def _split(command: str) -> Iterator[list[str]]:
    """The words of each az command in it, without `az`."""
    for inner in _SUBSTITUTION.findall(command):
        yield from _split(inner)
    plain = re.sub(rf"(--[\w-]+) {_MORE}", r"\1 value", _SUBSTITUTION.sub("value", command)).replace(_MORE, " ")
    plain = re.sub(r"<[^<>|&;]+>", "value", plain)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    skip = False
    for word in [*lexer, ";"]:
        if word and set(word) <= set("&|;"):
            if words[:1] == ["az"]:
                yield [_plain(one) for one in words[1:]]
            words = []
        elif word and set(word) <= set("<>"):
            skip = True
        elif skip:
            skip = False
        else:
            words.append(word)


def _plain(word: str) -> str:
    """With an id in place of a placeholder for one; for the parser, other placeholders are as good as any name."""
    return _PLACEHOLDER.sub(lambda found: _value(found.group()), word)


def _value(placeholder: str) -> str:
    name = re.sub(r"[-_]", "-", placeholder)
    if name.endswith(("OBJECT-ID", "GROUP-ID", "CLIENT-ID", "SUBSCRIPTION-ID", "ASSIGNMENT-ID", "TENANT-ID")):
        return _GUID
    return _ID


def _answers(pieces: Sequence[list[str]]) -> list[str]:
    said = [_of_extension(words) for words in pieces]
    own = iter(_ask("azure_cli.py", [words for words, one in zip(pieces, said, strict=True) if one is None]))
    said = [next(own) if one is None else one for one in said]
    kinds = [_kind(words) for words in pieces]
    sets = [(kind, settings(words)) for kind, words in zip(kinds, pieces, strict=True) if kind]
    by_schema = iter(_ask("schemas.py", sets))
    return [one or (next(by_schema) if kind else "") for one, kind in zip(said, kinds, strict=True)]


def _name(words: Sequence[str]) -> str:
    return " ".join(takewhile(lambda word: not word.startswith("-"), words))


def _of_extension(words: list[str]) -> str | None:
    """None: the Azure CLI itself knows whether there is such a command."""
    if words[:1] not in ([name.split()[0]] for name in COMMANDS):
        return None
    name = _name(words)
    command = COMMANDS.get(name)
    if command is None:
        return f"{name} is not among the commands that were looked up in Microsoft's reference (tests/az/extensions.py)"
    return "; ".join(command.faults(words[len(name.split()) :]))


def _kind(words: Sequence[str]) -> str:
    command = COMMANDS.get(_name(words))
    return command.kind if command and settings(words) else ""


def _ask(script: str, given: Sequence[Any]) -> list[str]:
    if not given:
        return []
    process = _program(script)
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    said = process.stdout.readline()
    if not said:
        raise RuntimeError(f"{script} ended: {process.wait()}")
    answers: list[str] = json.loads(said)
    return answers


@cache
def _program(script: str) -> subprocess.Popen[str]:
    """It goes on until the tests end: to load it takes longer than all that they ask of it."""
    arguments = [str(_PYTHON), "-W", "ignore", str(_HERE / script)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process
