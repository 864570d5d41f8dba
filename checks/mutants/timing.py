"""A plugin of pytest: how long each test takes, so that the quick ones can run first."""

import json
from pathlib import Path

import pytest

TIMES = Path(".mutants") / "times.json"
_times: dict[str, float] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _times[report.nodeid] = _times.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):  # of several processes, the one that hears of all tests
        TIMES.write_text(json.dumps(_times, indent=0), "utf-8")
