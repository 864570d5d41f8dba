"""Beside this file lies what tests share: pytest puts its folder on the path (`from fakes import …`, `unit.build`)."""

import os

from hypothesis import settings

settings.register_profile("amlguard", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("amlguard")


def pytest_xdist_auto_num_workers() -> int:
    """One more than processors: tests on the local Azure wait for much of their time."""
    return (os.process_cpu_count() or 1) + 1
