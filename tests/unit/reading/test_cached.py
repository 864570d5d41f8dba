"""One reconcile reads nothing twice."""

import asyncio
from typing import Any

import pytest
from unit.build import GROUP, REGISTRY, SUBSCRIPTION

from shared.access.scope import Scope
from shared.ports import ReadFailedError
from shared.reading.cached import CachedReads


class Counting:
    """Azure that answers each read with its number, and fails for what it is told to."""

    def __init__(self, failing: str = "") -> None:
        self.reads: list[tuple[Any, ...]] = []
        self._failing = failing

    def __getattr__(self, name: str) -> Any:
        async def read(*arguments: Any, **options: Any) -> int:
            self.reads.append((name, *arguments, *options.values()))
            await asyncio.sleep(0)
            if name == self._failing:
                raise ReadFailedError(name, "Failed", "as told")
            return len(self.reads)

        return read


async def test_the_same_read_is_one_request_whoever_asks_and_when() -> None:
    azure = Counting()
    once = CachedReads(azure)
    upper = Scope.parse(str(REGISTRY).upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    answers: list[Any] = await asyncio.gather(*(once.resource(scope) for scope in (REGISTRY, upper, REGISTRY)))
    assert [*answers, await once.resource(REGISTRY)] == [1, 1, 1, 1]
    assert len(azure.reads) == 1


async def test_different_reads_are_different_requests() -> None:
    azure = Counting()
    once = CachedReads(azure)
    for read in (
        once.resource(GROUP),
        once.children(GROUP, "jobs"),
        once.children(GROUP, "jobs", pages=1),
        once.children(REGISTRY, "jobs"),
        once.role_assignments("one", SUBSCRIPTION),
        once.role_assignments("two", SUBSCRIPTION),
        once.deny_assignments(SUBSCRIPTION, None),
        once.deny_assignments(SUBSCRIPTION, "one"),
        once.role_definitions(frozenset({"a"}), SUBSCRIPTION),
        once.logs("T"),
    ):
        await read
    assert len(azure.reads) == 10


async def test_a_read_that_failed_stays_failed() -> None:
    azure = Counting(failing="resource")
    once = CachedReads(azure)
    for _ in range(2):
        with pytest.raises(ReadFailedError):
            await once.resource(REGISTRY)
    assert len(azure.reads) == 1
