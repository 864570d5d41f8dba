"""Microsoft's parser of KQL for tests: loaded once for all that one process of pytest runs."""

from collections.abc import Iterator

import pytest
from kql_parser import Parser


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    with Parser.running() as one:
        yield one
