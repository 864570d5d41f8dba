"""A process of amlguard for the tests that go over the wire."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from local_azure import LocalAzure
from reliability.wired import Team, Wired

type Connect = Callable[..., Awaitable[Wired]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`connect(azure, team, **policy)`: a process of amlguard that ends with the test, and the faults with it."""
    running: list[Wired] = []

    async def connected(azure: LocalAzure, team: Team, **policy: Any) -> Wired:
        running.append(await Wired.to(azure, team, **policy))
        return running[-1]

    yield connected
    for one in running:
        one.local.faults()
        await one.close()
