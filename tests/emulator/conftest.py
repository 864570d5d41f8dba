"""The local Azure for tests: started once for as many tests as can share it, since each start takes seconds."""

from collections.abc import Iterator
from typing import Any

import pytest
from local_azure import LocalAzure, Start


def _starting(factory: pytest.TempPathFactory) -> Iterator[Start]:
    running: list[LocalAzure] = []

    def start(*arguments: Any, **options: Any) -> LocalAzure:
        running.append(LocalAzure.start(factory.mktemp("azure"), *arguments, **options))
        return running[-1]

    yield start
    for azure in reversed(running):
        azure.stop()


@pytest.fixture(scope="module")
def start_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts local Azures (arguments as `LocalAzure.start`, without the folder) that end with the module's tests."""
    yield from _starting(tmp_path_factory)


@pytest.fixture
def start_own_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """As `start_azure`, for one test alone."""
    yield from _starting(tmp_path_factory)
