"""A plugin of pytest: how long each test takes, so that the quick ones can run first. What fails has no time."""

import json
from pathlib import Path

import pytest

TIMES = Path(".mutants") / "times.json"
_times: dict[str, float] = {}
_failed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _times[report.nodeid] = _times.get(report.nodeid, 0.0) + report.duration
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):  # of several processes, the one that hears of all tests
        passed = {test: seconds for test, seconds in _times.items() if test not in _failed}
        TIMES.write_text(json.dumps(passed, indent=0), "utf-8")
