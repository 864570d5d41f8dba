"""Forks one process for each command of amlguard, in the locale that its own interpreter has read; see `c_locale`.

The streams are those that this interpreter made, on other files. Arguments: the modules to load before all else.
stdin: [folder, arguments, environment], a line each. stdout: the exit code of each.
"""

import gc
import json
import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

from forked_workers import end_with, take_on

from handlers.cli import main as command

_SECONDS = 180
_STREAMS = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY | os.O_CREAT), ("stderr", os.O_WRONLY | os.O_CREAT))


def _here(text: str) -> str:
    """As an interpreter in this locale would have read it from its arguments or from its environment."""
    return os.fsdecode(text.encode(errors="surrogateescape"))


def _run(folder: str, arguments: list[str], environment: Mapping[str, str]) -> int:
    signal.alarm(_SECONDS)  # ends a command that does not
    for descriptor, (name, flags) in enumerate(_STREAMS):
        os.dup2(os.open(Path(_here(folder), name), flags, 0o600), descriptor)
    take_on({name: _here(value) for name, value in environment.items()})
    return command.main([_here(one) for one in arguments])


def main() -> None:
    demands, answers = (os.dup(stream.fileno()) for stream in (sys.stdin, sys.stdout))
    for name in sys.argv[1:]:
        import_module(name)
    gc.freeze()
    with open(demands, "rb") as lines:  # noqa: PTH123 - a descriptor
        for line in lines:
            if not (pid := os.fork()):
                end_with(partial(_run, *json.loads(line)))
            os.write(answers, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main()
