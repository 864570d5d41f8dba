"""Programs of amlguard in processes of their own, forked from one that has already loaded their modules.

To load the SDKs of Azure takes several times as long as most commands take. What an interpreter reads when it starts
(encodings, limits, its own variables) and the installed script need a process that starts from nothing.
"""

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from aiohttp import connector

from emulator import __main__ as emulator
from handlers.cli import main as command
from handlers.cli.arguments import parser
from handlers.cli.emulate import emulator_arguments

type Program = Callable[[list[str]], int]

_COMMANDS = ("apply", "approve", "desk", "explain", "status", "sweeps", "undo")
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "__main__",  # else each process would load pytest
        emulator.__name__,
        command.__name__,
        *(f"handlers.cli.{name}" for name in _COMMANDS),
    ]
)


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


def amlguard(arguments: list[str]) -> int:
    return command.main(arguments)


def amlguard_emulate(arguments: list[str]) -> int:
    """Says the same to the emulator as `amlguard emulate`, which becomes another program."""
    options = parser(defaultdict(lambda: amlguard_emulate)).parse_args(["emulate", *arguments])
    return emulator.main(emulator_arguments(options))


def local_azure(arguments: list[str]) -> int:
    return emulator.main(arguments)


def start(program: Program, arguments: list[str], env: Mapping[str, str], folder: Path) -> ForkServerProcess:
    """Reads `folder`/stdin, and writes stdout and stderr there."""
    assert not any(name.startswith(("PYTHON", "LC_")) for name in env), "only a new interpreter reads these"
    (folder / "stdin").touch()
    process = _CONTEXT.Process(target=_run, args=(program, arguments, dict(env), folder), daemon=True)
    process.start()
    return process


def run(program: Program, arguments: list[str], env: Mapping[str, str], stdin: str, seconds: float) -> Ended:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "stdin").write_text(stdin, encoding="utf-8")
        process = start(program, arguments, env, folder)
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(arguments, seconds)
        code = process.exitcode
        process.close()
        return Ended(code, *((folder / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")))


def _run(program: Program, arguments: list[str], env: dict[str, str], folder: Path) -> None:
    os.environ.clear()
    os.environ.update(env)
    aiohttp: Any = connector  # read SSL_CERT_FILE when it was loaded
    aiohttp._SSL_CONTEXT_VERIFIED = aiohttp._make_ssl_context(verified=True)
    for stream, name, mode in ((sys.stdin, "stdin", "r"), (sys.stdout, "stdout", "w"), (sys.stderr, "stderr", "w")):
        with (folder / name).open(mode) as opened:
            os.dup2(opened.fileno(), stream.fileno())
    sys.exit(program(arguments))
