"""`python -m checks.cover [TESTS…|--figures]`: branch coverage of each package by the tests, and what no test runs.

Tests that run amlguard as a process of its own count, too: `coverage` measures every Python that they start, but not
what they fork. Exits 1 if a goal is missed.
"""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_FOLDER = Path(".mutants") / "cover"
_REPORT = _FOLDER / "report.json"
_TESTS = (
    "tests/unit",
    "tests/functional",
    "tests/properties",
    "tests/catalogue",
    "tests/reliability",
    "tests/emulator",
)
_HIGH, _REST = 98.0, 90.0
# The packages that decide, and those that write.
_DANGEROUS = ("shared/access", "shared/writing", "shared/undo.py", "shared/vetted.py", "shared/reconcile.py")
# A process with an environment of its own reports to coverage only through a line in its site-packages.
_IN_EVERY_PROCESS = """\
import os; os.environ.update({settings}); import coverage; coverage.process_startup()
"""


@dataclass(frozen=True, slots=True)
class Covered:
    name: str
    goal: float
    there: int
    run: int

    @property
    def percent(self) -> float:
        return 100 * self.run / self.there if self.there else 100.0

    @property
    def enough(self) -> bool:
        return self.percent >= self.goal


def main(arguments: list[str]) -> int:
    os.chdir(ROOT)
    if arguments != ["--figures"]:
        _measure(arguments or _TESTS)
    files: Mapping[str, Any] = json.loads(_REPORT.read_text("utf-8"))["files"]
    packages = list(covered(files))
    for one in packages:
        mark = "" if one.enough else "  <- too little"
        print(f"{one.name:24} {one.percent:6.1f} %   goal {one.goal:.0f} %{mark}")
    for path in sorted(one for one in files if not Path(one).is_absolute()):  # tests make modules of their own
        if missing := _missing(files[path]):
            print(f"not run: {path}: {missing}")
    return 0 if all(one.enough for one in packages) else 1


def covered(files: Mapping[str, Any]) -> Iterator[Covered]:
    """Lines and branches together, as coverage counts them."""
    found: dict[str, list[Mapping[str, int]]] = {}
    for path, one in files.items():
        if path.startswith("shared/"):
            found.setdefault(_package(path), []).append(one["summary"])
    for name in sorted(found):
        there = sum(one["num_statements"] + one["num_branches"] for one in found[name])
        run = sum(one["covered_lines"] + one["covered_branches"] for one in found[name])
        yield Covered(name, _HIGH if name in _DANGEROUS else _REST, there, run)


def _package(path: str) -> str:
    parts = path.split("/")
    if path in _DANGEROUS:
        return path
    return "/".join(parts[:2]) if len(parts) > 2 else "shared"


def _missing(one: Mapping[str, Any]) -> str:
    lines = [str(line) for line in one["missing_lines"]]
    branches = [f"{come}->{go}" for come, go in one["missing_branches"] if str(come) not in lines]
    return ", ".join((*lines, *branches))


def _measure(which: Sequence[str]) -> None:
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for left in _FOLDER.glob(".coverage*"):
        left.unlink()
    with _in_every_process():
        tests = (sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", "-p", "no:cov", *which)
        subprocess.run(tests, check=False)  # noqa: S603 - `make test` reports tests that fail
    settings = f"--data-file={_FOLDER / '.coverage'}"
    for step in (("combine", "--quiet"), ("json", "--quiet", "-o", str(_REPORT))):
        subprocess.run((sys.executable, "-m", "coverage", *step, settings), check=True)  # noqa: S603 - this Python's


@contextmanager
def _in_every_process() -> Iterator[None]:
    settings = {
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "COVERAGE_FILE": str(ROOT / _FOLDER / ".coverage"),
    }
    line = Path(sysconfig.get_path("purelib")) / "amlguard_cover.pth"
    line.write_text(_IN_EVERY_PROCESS.format(settings=settings), "utf-8")
    try:
        yield
    finally:
        line.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
