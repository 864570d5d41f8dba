"""Beside this file lies what tests share: pytest puts its folder on the path (`from fakes import …`, `unit.build`)."""

import pytest
from hypothesis import settings

settings.register_profile("amlguard", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("amlguard")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A module shares its local Azure, and its tests may follow one another: one process runs all of it."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
