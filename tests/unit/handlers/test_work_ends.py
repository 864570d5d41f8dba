"""Work of the queue ends before the host would end the function and its whole process. Time is the loop's own."""

import asyncio
from collections.abc import Sequence

import pytest
import raw
from app import App
from event_grid import event
from fakes import FakeAzure
from raw import Raw
from unit.build import MANAGEMENT_GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, sai, terms
from unit.hurried import run, seconds

from handlers import resource_changed, work_queue
from shared.access.intents import LONGEST_RUN
from shared.access.scope import Scope
from shared.messages import Dependency, encode


class _Silent(FakeAzure):
    """It does not answer to a list."""

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        await asyncio.sleep(10_000)
        return await super().children(parent, collection, pages=pages)


def test_it_ends_before_the_host_would_end_it() -> None:
    async def work() -> None:
        one = App(azure=_Silent())
        one.azure.have(raw.workspace(sai("ws")))
        with pytest.raises(TimeoutError):
            await work_queue.handle(encode(Dependency(str(SUBSCRIPTION))), one.services)
        assert 60 < seconds() < LONGEST_RUN.total_seconds()

    run(work())


def _silent() -> App:
    one = App(azure=_Silent())
    one.azure.have(raw.workspace(sai("ws")), raw.registry())
    return one


def test_a_look_without_an_event_ends_long_before() -> None:
    """A message has up to ten of them, and a write may follow each for minutes."""

    async def work() -> None:
        one = _silent()
        with pytest.raises(TimeoutError):
            await one.run()
        assert 60 < seconds() < LONGEST_RUN.total_seconds() / 2

    run(work())


def test_nobody_waits_for_a_turn_for_longer_than_for_a_look() -> None:
    async def work() -> None:
        one = _silent()
        async with one.memory.exclusively(WORKSPACE):
            with pytest.raises(TimeoutError):
                await one.run()
        assert 60 < seconds() < LONGEST_RUN.total_seconds() / 2

    run(work())


@pytest.mark.parametrize("about", [WORKSPACE, REGISTRY], ids=["a workspace", "a dependency"])
def test_an_event_is_answered_in_time_while_nobody_says_what_the_policy_watches(about: Scope) -> None:
    """The policy names a management group, and Azure does not say what lies in it. The queue goes on."""

    class Closed(_Silent):
        async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
            if collection == "descendants":
                return await super().children(parent, collection, pages=pages)
            return await FakeAzure.children(self, parent, collection, pages=pages)

    async def work() -> None:
        one = App(terms(scopes=(MANAGEMENT_GROUP,)), Closed())
        one.azure.have(raw.workspace(sai("ws")), raw.registry())
        await resource_changed.handle(event(str(about)), one.services)
        assert seconds() < one.services.deadline_seconds + 1
        assert len(one.queue.messages) == 1

    run(work())
