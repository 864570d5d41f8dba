"""Gives a mutant that an import runs a pytest of its own, in a fork of a process that has imported all but the project.

Else most of the time would go into importing pytest and the SDKs, once for each of some thousand mutants.
"""

import gc
import importlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from socketserver import ForkingMixIn, StreamRequestHandler, UnixStreamServer

import pytest

from checks.mutants.limits import limit, silence
from checks.mutants.mutant import Mutant

_OPTIONS = (
    *("-q", "-x", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "checks.mutants.replacing"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # pytest's plugins were imported before
)
_READY = "ready\n"
NOT_JUDGED = 70
"""An exit code that pytest does not have: a mutant is not dead because its judge is."""


class _Server(ForkingMixIn, UnixStreamServer):
    block_on_close = False

    def service_actions(self) -> None:
        """Ends with whoever asks, however that ended: nothing more comes from there, so only an end can be read."""
        super().service_actions()
        if select.select([sys.stdin], [], [], 0)[0]:
            raise SystemExit


class _Handler(StreamRequestHandler):
    def handle(self) -> None:
        """Answers with pytest's exit code; with nothing, if a limit ended it."""
        said = json.loads(self.rfile.readline())
        limit(said["seconds"])
        silence()
        os.environ["AMLGUARD_MUTANT"] = said["mutant"]
        files = dict.fromkeys(one.partition("::")[0] for one in json.loads(Path(said["mutant"]).read_text())["tests"])
        code = NOT_JUDGED
        try:
            code = int(pytest.main([*_OPTIONS, *files]))
        finally:
            self.wfile.write(f"{code}\n".encode())


class Fresh:
    """`folder` gets the socket. The process ends with this one."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._folder = folder
        self._socket = str(folder / "fresh")
        foreign = [name for name, one in list(sys.modules.items()) if not _is_ours(one, root)]
        command = (sys.executable, "-m", "checks.mutants.fresh", self._socket)
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this very Python
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(foreign) + "\n")
        self._process.stdin.flush()
        if self._process.stdout.readline() != _READY:
            raise RuntimeError("the process that imports everything but the project ended early")

    def judge(self, mutant: Mutant, named: Sequence[str], seconds: float) -> int | None:
        """The exit code of pytest with the tests `named`; None if a limit ended it."""
        file = self._folder / f"{os.getpid()}.json"
        file.write_text(json.dumps({"path": mutant.path, "code": mutant.code, "tests": list(named)}), "utf-8")
        with socket.socket(socket.AF_UNIX) as to, to.makefile("rw", encoding="utf-8") as line:
            to.connect(self._socket)
            line.write(json.dumps({"mutant": str(file), "seconds": seconds}) + "\n")
            line.flush()
            code = line.readline()
        file.unlink()
        return int(code) if code else None

    def close(self) -> None:
        with self._process:  # closes its pipes, and waits
            self._process.terminate()


def _is_ours(module: object, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is None or (str(file).startswith(str(root)) and "site-packages" not in str(file))


def main() -> None:
    for name in json.loads(sys.stdin.readline()):
        with suppress(Exception):  # some can only be imported by what needs them
            importlib.import_module(name)
    gc.freeze()
    with _Server(sys.argv[1], _Handler) as server:
        sys.stdout.write(_READY)
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
