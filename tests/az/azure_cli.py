"""Parses az commands with the Azure CLI's own parser, and runs none. Run by .venv-az's Python; see `parse.py`.

stdin: a line for each question, [[word, …], …], each command without its `az`. stdout: a line for each, one answer a
command, "" or what the CLI says of it.
"""

import io
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

_PARSED = "CommandInvoker.OnPostParseArgs"  # knack.events.EVENT_INVOKER_POST_PARSE_ARGS


class _ParsedError(Exception):
    """Stops the CLI once it has parsed a command, checks of `--ids` included."""


def _cli(home: Path) -> Any:
    """Signed in as nobody, with no extensions, and silent: it sends no telemetry and asks for no advice."""
    os.environ.update(
        AZURE_CONFIG_DIR=str(home),
        AZURE_EXTENSION_DIR=str(home / "extensions"),
        AZURE_CORE_COLLECT_TELEMETRY="no",
        AZURE_CORE_ERROR_RECOMMENDATION="off",
        AZURE_CORE_NO_COLOR="yes",
        AZURE_EXTENSION_USE_DYNAMIC_INSTALL="no",
        AZURE_LOGGING_ENABLE_LOG_FILE="no",
        HTTPS_PROXY="http://127.0.0.1:9",  # nothing listens there: what asks the network after all, fails
    )
    from azure.cli.core import MainCommandsLoader, get_default_cli  # noqa: PLC0415 -- reads the environment at once

    def stop(*_: object, args: Any, **__: object) -> NoReturn:
        missing = _missing(args)
        if missing:
            raise ValueError(f"the following arguments are required: {' '.join(missing)}")
        raise _ParsedError

    cli = get_default_cli()
    # Nobody asks for help on all commands at once, which the CLI gathers after each command that it does not find.
    cli.commands_loader_cls = type("Loader", (MainCommandsLoader,), {"_cache_help_index": lambda *_: None})
    cli.register_event(_PARSED, stop)
    return cli


def _missing(parsed: Any) -> list[str]:
    """Parts of an id that generated commands ask for only when they run, as `--ids` might give them."""
    from azure.cli.core.aaz import AAZUndefined  # noqa: PLC0415 -- as above

    schema: Any = getattr(parsed._cmd, "get_arguments_schema", lambda: None)()
    if getattr(parsed, "_ids", None) or schema is None:
        return []
    fields = ((name, arg) for name, arg in schema._fields.items() if arg._required and arg._id_part)
    given = ((arg, getattr(parsed, name, None)) for name, arg in fields)
    return [arg._options[0] for arg, value in given if value is None or value == AAZUndefined]


class _Parser:
    """The CLI loads one command's module and arguments at a time; what it made of one serves all others like it."""

    def __init__(self, cli: Any) -> None:
        self._cli = cli
        self._loaded: dict[str, Any] = {}

    def answer(self, words: Sequence[str]) -> str:
        said = io.StringIO()
        try:
            with redirect_stderr(said):
                self._parse(list(words))
        except _ParsedError:
            return ""
        except SystemExit:
            return said.getvalue().strip().splitlines()[0] if said.getvalue().strip() else "refused"
        except Exception as error:  # noqa: BLE001 -- the CLI's own errors have no base class of their own
            return f"{type(error).__name__}: {error}"
        return "was not parsed"

    def _parse(self, words: list[str]) -> None:
        name = " ".join(takewhile(lambda word: not word.startswith("-"), words))
        invocation = self._loaded.get(name)
        if invocation:
            self._cli.invocation = invocation
            parsed = invocation.parser.parse_args(words)
            self._cli.raise_event(_PARSED, command=parsed.command, args=parsed)
        else:
            made = {"parser_cls": self._cli.parser_cls, "help_cls": self._cli.help_cls}
            made["commands_loader_cls"] = self._cli.commands_loader_cls
            self._cli.invocation = self._cli.invocation_cls(cli_ctx=self._cli, **made)
            try:
                self._cli.invocation.execute(words)
            finally:
                if set(self._cli.invocation.commands_loader.command_table) == {name}:
                    self._loaded[name] = self._cli.invocation


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        parser = _Parser(_cli(Path(home)))
        for line in sys.stdin:
            sys.stdout.write(json.dumps([parser.answer(words) for words in json.loads(line)]) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
