"""`python -m checks.mutants`: changes the code in one place at a time, and checks whether a test notices.

It resumes where it stopped, here or on another machine (`killed.txt`). A verdict counts while the changed statement
stays the same. That something survived counts only while the tests stay the same, too. What is explained is not judged.
It ends with figures, and exits 1 if something survived that nobody has explained.
"""

import argparse
import fnmatch
import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from checks.mutants.covering import FILE, Covering
from checks.mutants.judging import Judge
from checks.mutants.making import mutants
from checks.mutants.mutant import Mutant
from checks.mutants.verdicts import ALIVE, Verdict, Verdicts, figures

ROOT = Path(__file__).parents[2]
RESULTS = Path(".mutants") / "results.jsonl"
EXPLAINED = ROOT / "checks" / "mutants" / "explained.toml"
KEPT = ROOT / "checks" / "mutants" / "killed.txt"
MEASURED = Path(".mutants") / "measured"
_TELL_EVERY = 100


def main() -> int:
    os.chdir(ROOT)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["amlguard"]["mutants"]
    asked = _arguments(settings)
    verdicts = Verdicts(RESULTS, digest(["tests"]), asked.slowest, None if asked.anew else KEPT)
    found = list(chosen(settings, asked.only))
    known = verdicts.known()
    explained = set() if asked.anew else {one.key for one in figures(found, known, EXPLAINED).explained}
    left = [one for one in found if one.key not in known and one.key not in explained]
    print(f"{len(found):,} mutants, {len(found) - len(left):,} judged or explained before", flush=True)
    if left and not asked.figures:
        measure(settings["tests"], digest(["tests", *settings["elsewhere"]]))
        judge(left, settings, verdicts, asked)
    told = figures(found, verdicts.known(), EXPLAINED)
    print("\n".join(told.lines()))
    if asked.keep:
        verdicts.keep(found, KEPT)
    return 1 if told.open else 0


def _arguments(settings: Mapping[str, Any]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.mutants", description=__doc__)
    parser.add_argument("--only", default="", metavar="PATTERN", help="modules, such as shared/access/p*.py")
    parser.add_argument("--most", type=int, default=None, metavar="N", help="judge so many, and stop")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="judge so many at once")
    parser.add_argument(
        "--slowest",
        type=float,
        default=settings["slowest"],
        metavar="SECONDS",
        help="tests that take longer judge nothing; more judges again what survived the others (default: %(default)s)",
    )
    parser.add_argument(
        "--anew", action="store_true", help="judge what other machines killed and what is explained, too"
    )
    parser.add_argument("--keep", action="store_true", help="note in killed.txt what was killed")
    parser.add_argument("--figures", action="store_true", help="only print what is known")
    asked = parser.parse_args()
    if asked.keep and asked.only:
        parser.error("--keep is about all modules, so it does not go with --only")
    return asked


def measure(tests: Sequence[str], now: str) -> None:
    """Which tests run which lines, unless that was measured with the same code and tests (`now`)."""
    if FILE.exists() and MEASURED.exists() and MEASURED.read_text("utf-8") == now:
        return
    print("measuring which tests run which lines …", flush=True)
    quietly = ("-q", "-n", "2", "-p", "no:cacheprovider", "-p", "checks.mutants.timing")
    covering = ("--cov=shared", "--cov=handlers", "--cov-branch", "--cov-context=test", "--cov-report=")
    FILE.parent.mkdir(exist_ok=True)
    environment = {**os.environ, "COVERAGE_FILE": str(FILE)}
    command = [sys.executable, "-m", "pytest", *quietly, *covering, *tests]
    code = subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - pytest of this very Python
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"pytest ended with {code}")
    MEASURED.write_text(now, "utf-8")


def chosen(settings: Mapping[str, Any], only: str) -> Iterator[Mutant]:
    """All mutants of the modules that are judged completely, and a sample of the others."""
    complete = [ROOT / one for one in settings["complete"]]
    for path in complete:
        if fnmatch.fnmatch(str(path.relative_to(ROOT)), only or "*"):
            yield from mutants(path, ROOT)
    others = [path for folder in settings["elsewhere"] for path in sorted((ROOT / folder).rglob("*.py"))]
    if only:
        others = [path for path in others if fnmatch.fnmatch(str(path.relative_to(ROOT)), only)]
        yield from (one for path in others if path not in complete for one in mutants(path, ROOT))
        return
    pool = [one for path in others if path not in complete for one in mutants(path, ROOT)]
    # Each is drawn or not by itself, so that the sample stays nearly the same when the code changes.
    yield from sorted(pool, key=lambda one: hashlib.sha256(f"{settings['seed']} {one.key}".encode()).digest())[
        : settings["sample"]
    ]


def judge(left: Iterable[Mutant], settings: Mapping[str, Any], verdicts: Verdicts, asked: argparse.Namespace) -> None:
    covering = Covering(ROOT, asked.slowest)
    # What an import runs takes a pytest of its own, and what ends in an exception tells least: both come last.
    left = sorted(left, key=lambda one: (covering.at_import(one.path, one.lines), one.plain))[: asked.most]
    count = 0

    def told(verdict: Verdict) -> None:
        nonlocal count
        count += 1
        verdicts.add(verdict)
        if verdict.word in ALIVE or not count % _TELL_EVERY:
            os.write(2, f"{count}/{len(left)} {verdict.word}: {verdict.mutant}\n".encode())

    plugin = Judge(
        ROOT,
        left,
        lambda one: covering.tests(one.path, one.lines),
        lambda one: covering.at_import(one.path, one.lines),
        covering.seconds,
        told,
        asked.jobs,
    )
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:cov", "-o", "addopts=", *settings["tests"]], [plugin])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"pytest ended with {code}")


def digest(folders: Iterable[str]) -> str:
    paths = [path for one in folders for kind in ("*.py", "*.json") for path in sorted((ROOT / one).rglob(kind))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


if __name__ == "__main__":
    sys.exit(main())
