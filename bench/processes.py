"""The processes that are measured: they are started and waited for, and their cost is read."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.tenant import Json

_ROOT = Path(__file__).parent.parent
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    id: int

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of the process since it started, in steps of a clock tick (10 ms)."""
        fields = self._read("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS  # utime and stime

    @property
    def peak_mib(self) -> float:
        """The largest resident set that the process ever had."""
        return (
            int(next(line for line in self._read("status").splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024
        )

    @property
    def command(self) -> str:
        return self._read("cmdline").replace("\0", " ")

    def children(self, word: str) -> "list[Process]":
        """The children whose command line has the word."""
        children = [Process(int(one)) for one in self._read(f"task/{self.id}/children").split()]
        return [one for one in children if word in one.command]

    def _read(self, name: str) -> str:
        return Path(f"/proc/{self.id}/{name}").read_text(encoding="utf-8")


@contextmanager
def running(*module: str, env: Mapping[str, str] | None = None) -> Iterator[tuple[Json, Process]]:
    """`python -m` with these arguments, and the JSON line that says that it is ready. It is stopped at the end."""
    command = [sys.executable, "-m", *module]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
        subprocess.Popen(  # noqa: S603 - our own code
            command,
            cwd=_ROOT,
            env=None if env is None else {**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                said.seek(0)
                raise RuntimeError(f"{module[0]} did not start: {said.read()}")
            yield json.loads(line), Process(process.pid)
        finally:
            process.terminate()
