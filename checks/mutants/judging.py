"""Judges mutants in forks of one pytest process that has collected all tests: a fork runs only those that matter."""

import gc
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from signal import SIGKILL, SIGTERM, SIGXCPU
from typing import NoReturn

import pytest

from checks.mutants.exchanging import Exchange, Imported
from checks.mutants.fresh import NOT_JUDGED, Fresh
from checks.mutants.limits import limit, silence
from checks.mutants.mutant import Mutant
from checks.mutants.verdicts import KILLED, SURVIVED, TIMED_OUT, UNCOVERED, Verdict

_IMPORTING = 60.0
# Importing a test module can take longer than its tests. What survives so many of them is shown as a survivor.
_MOST_FILES = 8


@dataclass(frozen=True, slots=True)
class _Trial:
    mutant: Mutant
    says: int
    until: float


@dataclass(slots=True)
class Judge:
    """A plugin of pytest, which takes over once the tests are collected. `told` gets every verdict."""

    root: Path
    mutants: Sequence[Mutant]
    tests: Callable[[Mutant], Sequence[str]]
    at_import: Callable[[Mutant], bool]
    seconds: Callable[[Iterable[str]], float]
    told: Callable[[Verdict], None]
    jobs: int = 2
    _killers: dict[str, list[str]] = field(default_factory=dict)
    _running: dict[int, _Trial] = field(default_factory=dict)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {one.nodeid: one for one in session.items}
        imported = Imported(self.root)
        gc.freeze()  # so that forks share what exists already
        with tempfile.TemporaryDirectory() as folder, closing(Fresh(self.root, Path(folder))) as fresh:
            self._try_unchanged(items, fresh)
            for mutant in self.mutants:
                while len(self._running) >= self.jobs:
                    self._wait()
                self._begin(mutant, items, imported, fresh)
            while self._running:
                self._wait()
        return True

    def _try_unchanged(self, items: Mapping[str, pytest.Item], fresh: Fresh) -> None:
        """Raises `RuntimeError` if tests fail in a fresh process without any change: it would kill every mutant."""
        same = replace(self.mutants[0], code=(self.root / self.mutants[0].path).read_text("utf-8"))
        named = of_few_files([one for one in self.tests(same) if one in items], same.path)
        if named and (code := fresh.judge(same, named, self.seconds(named) + _IMPORTING)):
            raise RuntimeError(f"pytest ended with {code} for {same.path} as it is")

    def _begin(self, mutant: Mutant, items: Mapping[str, pytest.Item], imported: Imported, fresh: Fresh) -> None:
        known = [one for one in self.tests(mutant) if one in items]
        first = [one for one in self._killers.get(_place(mutant), ()) if one in known]
        named = list(dict.fromkeys((*first, *known)))
        if not named:
            self.told(Verdict(mutant, UNCOVERED))
            return
        try:
            exchanges = None if self.at_import(mutant) else imported.exchanges(mutant)
        except SyntaxError:
            self.told(Verdict(mutant, KILLED, "it does not compile"))
            return
        if not exchanges:
            named = of_few_files(named, mutant.path)
        seconds = self.seconds(named) + (0 if exchanges else _IMPORTING)
        hears, says = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(hears)
            if not exchanges:
                _in_a_fresh_one(fresh, mutant, named, seconds)
            limit(seconds)
            silence()
            _in_this_fork(exchanges, [items[one] for one in named], says)
        os.close(says)
        self._running[pid] = _Trial(mutant, hears, time.monotonic() + 300 + 60 * seconds)

    def _wait(self) -> None:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            self._end(self._running.pop(pid), os.waitstatus_to_exitcode(status))
            return
        for late in [pid for pid, trial in self._running.items() if time.monotonic() > trial.until]:
            with suppress(ProcessLookupError):
                os.kill(late, SIGKILL)
        time.sleep(0.01)

    def _end(self, trial: _Trial, code: int) -> None:
        with os.fdopen(trial.says, encoding="utf-8") as told:
            by = told.read()
        # A usage error is none of ours: a mutant that an import runs can keep a conftest from being imported.
        if code in (pytest.ExitCode.NO_TESTS_COLLECTED, NOT_JUDGED, -SIGTERM):
            raise RuntimeError(f"no test was run for {trial.mutant}, or not to its end")
        word = {0: SURVIVED, -SIGXCPU: TIMED_OUT, -SIGKILL: TIMED_OUT}.get(code, KILLED)
        if by:
            before = self._killers.get(_place(trial.mutant), [])
            self._killers[_place(trial.mutant)] = [by, *(one for one in before if one != by)][:8]
        self.told(Verdict(trial.mutant, word, by or (f"exit {code}" if word == KILLED else "")))


def _place(mutant: Mutant) -> str:
    return f"{mutant.path} {mutant.where}"


def of_few_files(named: Sequence[str], path: str) -> list[str]:
    """First those that import the module: they look at what is in its tables."""
    files = dict.fromkeys(one.partition("::")[0] for one in named)
    few = sorted(files, key=lambda one: not _imports(one, path))[:_MOST_FILES]
    return [one for one in named if one.partition("::")[0] in few]


@lru_cache
def _imports(file: str, path: str) -> bool:
    package, _, name = path.removesuffix(".py").replace("/", r"\.").rpartition(r"\.")
    said = Path(file).read_text("utf-8")
    return re.search(rf"from {package}(\.{name} import| import .*\b{name}\b)", said) is not None


def _in_this_fork(exchanges: Sequence[Exchange], items: Sequence[pytest.Item], says: int) -> NoReturn:
    code = 1
    try:
        items[0].config.pluginmanager.unregister(name="terminalreporter")
        for one in exchanges:
            one.make()
        code = _first_failure(items, says)
    finally:
        os._exit(code)


def _in_a_fresh_one(fresh: Fresh, mutant: Mutant, named: Sequence[str], seconds: float) -> NoReturn:
    code: int | None = NOT_JUDGED
    try:
        code = fresh.judge(mutant, named, seconds)
    finally:
        if code is None:
            os.kill(os.getpid(), SIGKILL)
        os._exit(code or 0)


def _first_failure(items: Sequence[pytest.Item], says: int) -> int:
    for item, following in zip(items, (*items[1:], None), strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            os.write(says, item.nodeid.encode())
            return 1
    return 0
