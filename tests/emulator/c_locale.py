"""Commands in the C locale, which only a new interpreter reads: one that has read it forks them (`c_locale_forks`)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from forked import LOADED

ENV = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@dataclass(frozen=True, slots=True)
class CLocale:
    process: subprocess.Popen[bytes]

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        program = [sys.executable, str(Path(__file__).with_name("c_locale_forks.py")), *LOADED]
        env = os.environ | ENV | {"PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(program, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            yield cls(process)

    def ended(self, folder: Path, arguments: list[str], env: Mapping[str, str]) -> int:
        """The exit code of `amlguard`; `folder` holds what it reads and writes: stdin, stdout and stderr."""
        assert ENV.items() <= env.items()
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([str(folder), arguments, dict(env)]).encode() + b"\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())
