"""docs/cli.md: what each command's help says, as a page."""

import argparse
import re
from collections.abc import Iterator

from handlers.cli.arguments import commands_of, parser
from handlers.cli.examples import EXAMPLES
from handlers.cli.main import COMMANDS

_INTRODUCTION = """\
# Command line

<!-- Generated from handlers/cli/arguments.py by `make docs`; edit that, not this file. -->

`amlguard COMMAND --help` says the same. All commands sign in as azure-identity does: with the environment, a managed
identity or the Azure CLI. [commands.md](commands.md) says what each command is for, what a scope
chooses, and how a change is recorded.
"""


def page() -> str:
    return "\n".join((_INTRODUCTION, *(_section(name, one) for name, one in commands_of(parser(COMMANDS)).items())))


def _section(name: str, command: argparse.ArgumentParser) -> str:
    lines = [f"## amlguard {name}".rstrip(), ""]
    lines += [f"{_text(command.description)}", ""] if command.description else []
    lines += ["```sh", *EXAMPLES[name], "```", ""]
    rows = list(_rows(command))
    if rows:
        lines += ["| argument | what |", "| --- | --- |", *rows, ""]
    lines += [f"{_text(command.epilog)}", ""] if command.epilog else []
    return "\n".join(lines)


def _rows(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:  # noqa: SLF001 - argparse has no public list of them
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):  # noqa: SLF001 - as above
            continue
        value = "" if action.nargs == 0 else str(action.metavar or _choices(action))
        named = ", ".join(f"`{one} {value}`".replace(" `", "`") for one in action.option_strings) or f"`{value}`"
        said = [_text(action.help or "")] if action.help else []
        if action.choices and action.metavar:
            said.append(f"one of {', '.join(map(str, action.choices))}")
        if isinstance(action.default, str | int) and action.default not in {"", False, argparse.SUPPRESS}:
            said.append(f"default: `{action.default}`")
        yield f"| {named} | {'; '.join(said) or '–'} |"


def _choices(action: argparse.Action) -> str:
    return "\\|".join(map(str, action.choices)) if action.choices else action.dest.upper()


def _text(said: str | None) -> str:
    return re.sub(r"\s+", " ", said or "").replace("%%", "%").replace("|", "\\|").strip()
