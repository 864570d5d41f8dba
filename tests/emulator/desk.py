"""`amlguard`, command after command in one process: to start it anew takes several times as long as what it does.

Run as a program it reads commands from standard input, a JSON list of arguments a line, and answers each with a line.
"""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Self

from local_azure import Ran
from wire import clean

_ROOT = Path(__file__).parents[2]


class Desk:
    """Where somebody sits with nothing in the environment but `env`."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        paths = {"PYTHONPATH": str(_ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean(folder, {**env, **paths}),
        )

    def run(self, *arguments: str) -> Ran:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        return Ran(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def _serve() -> None:
    from handlers.cli.main import main  # noqa: PLC0415 - only the program needs it

    for line in sys.stdin:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                code: object = main(json.loads(line))
            except SystemExit as end:
                code = end.code
        sys.stdout.write(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
