"""A real Chromium that opens the report: it sees what a person sees, and tells."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from emulator.functions.node import NODE

_ROOT = Path(__file__).parents[1]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

type Step = Sequence[Any]


def found() -> str | None:
    """Where a Chromium is; `AMLGUARD_CHROMIUM` names another one."""
    return os.environ.get("AMLGUARD_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@dataclass(frozen=True, slots=True)
class Visit:
    """`seen` is what each step saw, `console` and `requests` what the page said and asked for. `loaded`: seconds."""

    loaded: float
    console: list[str]
    requests: list[str]
    seen: list[Any] = field(default_factory=list)


class BrowserError(Exception):
    """A step of a visit could not be made."""


class Browser:
    """One process for all visits; each has a profile of its own. Those that leave nothing behind may `keep_tabs`."""

    def __init__(self, chromium: str, *, keep_tabs: bool = False) -> None:
        env = {**os.environ, "AMLGUARD_CHROMIUM": chromium, "NODE_PATH": str(_ROOT / "node_modules")}
        env["AMLGUARD_KEEP_TABS"] = "yes" if keep_tabs else ""
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [str(NODE), str(Path(__file__).with_name("visit.cjs"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env,
        )

    def visit(self, page: Path, *steps: Step, **how: Any) -> Visit:
        """`axe` needs `bypass`: the page's policy lets no other script run."""
        if self._process.stdin is None or self._process.stdout is None:
            raise BrowserError("its pipes are closed")
        self._process.stdin.write(json.dumps({"page": str(page), "steps": steps, **how}) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        if "error" in said:
            raise BrowserError(said["error"])
        return Visit(**said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
