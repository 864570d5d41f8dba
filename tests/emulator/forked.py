"""Programs of amlguard in processes of their own, forked from one that has already loaded their modules.

To load the SDKs of Azure takes several times as long as most commands take. What an interpreter reads when it starts
(encodings, limits, its own variables) and the installed script need a process that starts from nothing.
"""

import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

from forked_workers import forked_workers, take_on
from lent import Lent
from wire import Json, clean

from emulator import __main__ as emulator
from emulator.functions import worker
from emulator.functions.azurite import Azurite
from emulator.functions.channel import new_interpreter
from emulator.processes import Processes
from handlers.cli import main as command
from handlers.cli.arguments import parser
from handlers.cli.emulate import emulator_arguments

_ENCODING = "PYTHONIOENCODING"
_READY_POLL_SECONDS = 0.02
_ENDED_SECONDS = 120
_MEASURED = "COVERAGE_PROCESS_START" in os.environ  # coverage counts what an interpreter runs, not what is forked

type Program = Callable[[list[str]], int]

_COMMANDS = (
    *("apply", "approve", "desk", "explain", "policy_blob", "policy_check", "policy_scopes", "report", "status"),
    *("sweeps", "template_over", "undo"),
)
_TRIGGERS = ("delivery", "resource_changed", "runtime", "sweep", "work_queue")
# What `function_app`, `shared.azure` and the SDKs load only when they need it.
_LATE = (
    "_strptime",
    "azure.core.messaging",
    "azure.core.rest._aiohttp",
    "azure.eventgrid.aio",
    "azure.identity.aio._credentials.app_service",
    "azure.mgmt.authorization.v2022_04_01.aio",
    "azure.mgmt.containerregistry.aio",
    "azure.monitor.query.aio",
    "azure.storage.blob.aio",
    "azure.storage.queue.aio",
    "cryptography.hazmat.backends.openssl.backend",
    "importlib.metadata._adapters",
    "jinja2",
)
LOADED = (command.__name__, *(f"handlers.cli.{name}" for name in _COMMANDS), *_LATE)  # by commands
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "__main__",  # else each process would load pytest
        emulator.__name__,
        worker.__name__,
        *(f"handlers.{name}" for name in _TRIGGERS),
        *LOADED,
        "tests.emulator.warm",  # as the forkserver finds it, which has the repository alone on its path
    ]
)


@dataclass(frozen=True, slots=True)
class Ran:
    """A command's end."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Json:
        loaded: Json = json.loads(self.out)
        return loaded


@dataclass(frozen=True, slots=True)
class Forked:
    """`folder` holds what it reads and writes: stdin, stdout and stderr."""

    folder: Path
    process: ForkServerProcess

    @classmethod
    def start(cls, folder: Path, program: Program, arguments: list[str], env: Mapping[str, str]) -> Self:
        assert not any(name.startswith("PYTHON") for name in env if name != _ENCODING), (
            "only a new interpreter reads them"
        )
        (folder / "stdin").touch()
        process = _CONTEXT.Process(target=_run, args=(program, arguments, dict(env), folder), daemon=True)
        process.start()
        return cls(folder, process)

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def runs(self) -> bool:
        return self.process.is_alive()

    @property
    def out(self) -> str:
        return self._text("stdout")

    @property
    def err(self) -> str:
        return self._text("stderr")

    def ready(self, seconds: float) -> Json:
        """The line by which it says so. AssertionError, with what it said, when it does not come."""
        end = time.monotonic() + seconds
        while not self.out.endswith("\n"):
            if not self.runs or time.monotonic() > end:
                raise AssertionError(f"it did not start: {self.ended(0)}")
            time.sleep(_READY_POLL_SECONDS)
        ready: Json = json.loads(self.out)
        return ready

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self, seconds: float) -> Ran:
        """One that does not end in time is killed, and an error."""
        self.process.join(seconds)
        late = self.process.exitcode is None
        if late:
            self.process.kill()
            self.process.join()
        ran = Ran(self.process.exitcode or 0, self.out, self.err)
        self.process.close()
        assert not late, f"not ended within {seconds} s: {ran}"
        return ran

    def _text(self, name: str) -> str:
        file = self.folder / name
        return file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else ""


def amlguard(arguments: list[str]) -> int:
    return command.main(arguments)


def amlguard_emulate(besides: Sequence[str], lent: Lent | None, arguments: list[str]) -> int:
    """Says the same to the emulator as `amlguard emulate`, which becomes another program, and what is `besides`."""
    options = parser(defaultdict(lambda: lambda _: 0)).parse_args(["emulate", *arguments])
    return local_azure(besides, lent, emulator_arguments(options))


def local_azure(besides: Sequence[str], lent: Lent | None, arguments: list[str]) -> int:
    with nullcontext(new_interpreter) if _MEASURED else forked_workers() as starting:
        processes = Processes(starting, lent.to if lent else Azurite)
        return emulator.main([*arguments, *besides], processes)


def emulator_ended(folder: Path, *arguments: str) -> Ran:
    """`python -m emulator` that does not start."""
    return Forked.start(folder, emulator.main, [*arguments], clean(folder)).ended(_ENDED_SECONDS)


def _run(program: Program, arguments: list[str], env: dict[str, str], folder: Path) -> None:
    take_on(env)
    streams: Any = ((sys.stdin, "stdin", "r"), (sys.stdout, "stdout", "w"), (sys.stderr, "stderr", "w"))
    for stream, name, mode in streams:
        with (folder / name).open(mode) as opened:
            os.dup2(opened.fileno(), stream.fileno())
        encoding, _, errors = env.get(_ENCODING, "utf-8").partition(":")
        stream.reconfigure(encoding=encoding, errors="backslashreplace" if name == "stderr" else errors or "strict")
    sys.exit(program(arguments))
