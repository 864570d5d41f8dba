"""Which tests run which lines, and how long they take, as `make mutants` measured it (`.mutants/`)."""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from coverage import CoverageData

from checks.mutants.timing import TIMES

FILE = Path(".mutants") / "coverage"


_MOST = 100


class Covering:
    """`slowest`: a test that takes longer, in seconds, judges nothing. It would take hours for what survives it.

    All tests that judge a change together take at most a hundred times as long.
    """

    def __init__(self, root: Path, slowest: float) -> None:
        self._root = root
        self._data = CoverageData(str(FILE))
        self._data.read()
        times: dict[str, float] = json.loads(TIMES.read_text("utf-8"))
        self._most = slowest * _MOST
        self._times = {test: seconds for test, seconds in times.items() if seconds <= slowest}

    def tests(self, path: str, lines: Iterable[int]) -> Sequence[str]:
        """Those that run a line of `lines`, the quickest first. If only imports do, all tests that run the module.

        A test that fails without any mutant judges nothing.
        """
        known = self._of(path)
        found = {test for line in lines for test in known.get(line, ())}
        found = found or {test for each in known.values() for test in each}
        ordered = sorted(found & self._times.keys(), key=lambda test: (self._times[test], test))
        together = accumulate(self._times[test] for test in ordered)
        return [test for test, seconds in zip(ordered, together, strict=True) if seconds <= self._most]

    def at_import(self, path: str, lines: Iterable[int]) -> bool:
        """Whether an import runs a line of `lines`, and no test does: what is imported already is past it."""
        known = self._of(path)
        return not any(known.get(line) for line in lines) and any(line in known for line in lines)

    def seconds(self, tests: Iterable[str]) -> float:
        return sum(self._times[test] for test in tests)

    @lru_cache  # noqa: B019 - there is one, and it lives as long as the process
    def _of(self, path: str) -> dict[int, frozenset[str]]:
        lines = self._data.contexts_by_lineno(str(self._root / path))
        return {line: frozenset(one.partition("|")[0] for one in contexts if one) for line, contexts in lines.items()}
