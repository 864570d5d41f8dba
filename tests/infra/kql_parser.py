"""Microsoft's parser of KQL in a process that goes on: to load it takes longer than all that tests ask of it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from emulator.functions.node import NODE
from infra.check import BIND

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Parser:
    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        script = [NODE, _HERE / "kql_parser.cjs"]
        with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield cls(process)

    def bind(self, given: Any) -> Any:
        return self._ask(BIND, given)

    def literals(self, given: Any) -> Any:
        return self._ask(_HERE / "literals.cjs", given)

    def prose(self, given: Any) -> Any:
        return self._ask(_HERE / "prose.cjs", given)

    def _ask(self, script: Path, given: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([str(script), given]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the parser ended"
        return json.loads(answer)
