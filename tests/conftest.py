"""Beside this file lies what tests share: pytest puts its folder on the path (`from fakes import …`, `unit.build`)."""

import os

import pytest
from hypothesis import settings

settings.register_profile("amlguard", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("amlguard")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests tell of themselves in figures (`record_property`), whichever worker they ran on."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, told in report.user_properties:
            terminalreporter.write_line(f"{name}: {told}")


def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: tests on the local Azure wait for much of their time."""
    return (os.process_cpu_count() or 1) + 1
