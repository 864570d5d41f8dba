"""`python -m checks.mutants`: changes the code in one place at a time, and checks whether a test notices.

It resumes where it stopped. A verdict counts while the changed statement stays the same. That something survived counts
only while the tests stay the same, too. It ends with figures, and exits 1 if something survived that nobody has
explained.
"""

import argparse
import fnmatch
import hashlib
import json
import os
import random
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from checks.mutants.covering import FILE, Covering
from checks.mutants.judging import KILLED, SURVIVED, TIMED_OUT, UNCOVERED, Judge, Verdict
from checks.mutants.making import Mutant, mutants

ROOT = Path(__file__).parents[2]
RESULTS = Path(".mutants") / "results.jsonl"
EXPLAINED = ROOT / "checks" / "mutants" / "explained.toml"
_ALIVE = (SURVIVED, UNCOVERED)


def main() -> int:
    os.chdir(ROOT)
    asked = _arguments()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["amlguard"]["mutants"]
    tests = _digest(settings["tests"])
    if asked.measure or not FILE.exists():
        measure(settings["tests"])
    found = list(chosen(settings, asked.only))
    known = _known(tests)
    # What an import runs takes a pytest of its own, and what ends in an exception tells least: both come last.
    left = sorted((one for one in found if one.key not in known), key=lambda one: (one.plain, one.where == "module"))
    print(f"{len(found):,} mutants, {len(found) - len(left):,} judged before", flush=True)
    if left and not asked.figures:
        judge(left[: asked.most], settings["tests"], tests, asked.jobs)
    return _report(found, _known(tests))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.mutants", description=__doc__)
    parser.add_argument("--only", default="", metavar="PATTERN", help="modules, such as shared/access/p*.py")
    parser.add_argument("--most", type=int, default=None, metavar="N", help="judge so many, and stop")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="judge so many at once")
    parser.add_argument("--measure", action="store_true", help="measure anew which tests run which lines")
    parser.add_argument("--figures", action="store_true", help="only print what is known")
    return parser.parse_args()


def measure(tests: Sequence[str]) -> None:
    print("measuring which tests run which lines …", flush=True)
    quietly = ("-q", "-n", "2", "-p", "no:cacheprovider", "-p", "checks.mutants.timing")
    covering = ("--cov=shared", "--cov=handlers", "--cov-branch", "--cov-context=test", "--cov-report=")
    FILE.parent.mkdir(exist_ok=True)
    environment = {**os.environ, "COVERAGE_FILE": str(FILE)}
    command = [sys.executable, "-m", "pytest", *quietly, *covering, *tests]
    subprocess.run(command, env=environment, check=True)  # noqa: S603 - pytest of this very Python


def chosen(settings: Mapping[str, Any], only: str) -> Iterator[Mutant]:
    """All mutants of the modules that are judged completely, and the same sample of the others each time."""
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
    yield from random.Random(settings["seed"]).sample(pool, min(settings["sample"], len(pool)))  # noqa: S311 - a sample


def judge(left: Sequence[Mutant], tests: Sequence[str], digest: str, jobs: int) -> None:
    covering = Covering(ROOT)
    count = 0

    def told(verdict: Verdict) -> None:
        nonlocal count
        count += 1
        one = verdict.mutant
        row = {"key": one.key, "word": verdict.word, "by": verdict.by, "tests": digest, "mutant": str(one)}
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if verdict.word in _ALIVE:
            os.write(2, f"{count}/{len(left)} {verdict.word}: {one}\n".encode())

    plugin = Judge(ROOT, left, lambda one: covering.tests(one.path, one.lines), covering.seconds, told, jobs)
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:cov", "-o", "addopts=", *tests], [plugin])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"pytest ended with {code}")


def _digest(tests: Iterable[str]) -> str:
    paths = [path for one in tests for path in (sorted((ROOT / one).rglob("*.py")) or [ROOT / one])]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:12]


def _known(tests: str) -> dict[str, dict[str, str]]:
    if not RESULTS.exists():
        return {}
    rows = map(json.loads, RESULTS.read_text("utf-8").splitlines())
    return {row["key"]: row for row in rows if row["word"] not in _ALIVE or row["tests"] == tests}


def _report(found: Sequence[Mutant], known: Mapping[str, Mapping[str, str]]) -> int:
    explained = tomllib.loads(EXPLAINED.read_text("utf-8"))["survivor"]
    words: dict[str, Counter[str]] = {}
    open_ones = []
    for one in found:
        word = known[one.key]["word"] if one.key in known else "not judged"
        if word in _ALIVE:
            word = "explained" if any(_explains(each, one) for each in explained) else "survived"
            open_ones += [one] if word == "survived" else []
        words.setdefault(one.path, Counter())[word] += 1
    columns = (KILLED, TIMED_OUT, "explained", "survived", "not judged")
    print(f"{'':44}" + "".join(f"{one:>12}" for one in columns))
    for path in (*sorted(words), "all"):
        counts = words[path] if path in words else sum(words.values(), Counter())
        print(f"{path:44}" + "".join(f"{counts[one]:>12,}" for one in columns))
    for one in open_ones:
        print(f"survived: {one}")
    return 1 if open_ones else 0


def _explains(said: Mapping[str, str], one: Mutant) -> bool:
    """An explanation names the module, the function and the change, as patterns."""
    asked = (("path", one.path), ("where", one.where), ("before", one.before), ("after", one.after))
    return all(fnmatch.fnmatchcase(" ".join(text.split()), said.get(key, "*")) for key, text in asked)


if __name__ == "__main__":
    sys.exit(main())
