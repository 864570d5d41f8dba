"""Work of the queue ends before the host would end the function and its whole process. Time is the loop's own."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import raw
from app import C1, App, waiting
from event_grid import event
from fakes import FakeAuditLog, FakeAzure
from raw import Raw
from reliability.on_record import open_intents
from unit.build import MANAGEMENT_GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, sai, terms
from unit.hurried import run, seconds

from handlers import resource_changed, sweep, work_queue
from shared.access.actions import Grant
from shared.access.intents import LONGEST_RUN
from shared.access.scope import Scope
from shared.azure.storage import PATIENCE
from shared.messages import Dependency, Reconcile, encode
from shared.ports import AzureFailureError, Row


class _Silent(FakeAzure):
    """It does not answer to a list."""

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        await asyncio.sleep(10_000)
        return await super().children(parent, collection, pages=pages)


def test_it_ends_before_the_host_would_end_it() -> None:
    async def work() -> None:
        one = App(azure=_Silent())
        one.azure.have(raw.workspace(sai("mlw")))
        with pytest.raises(TimeoutError):
            await work_queue.handle(encode(Dependency(str(SUBSCRIPTION))), one.services)
        assert 60 < seconds() < LONGEST_RUN.total_seconds()

    run(work())


def _silent() -> App:
    one = App(azure=_Silent())
    one.azure.have(raw.workspace(sai("mlw")), raw.registry())
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
        one.azure.have(raw.workspace(sai("mlw")), raw.registry())
        await resource_changed.handle(event(str(about)), one.services)
        assert seconds() < one.services.deadline_seconds + 1
        assert len(one.queue.messages) == 1

    run(work())


class _Storage:
    """Whatever is asked of it takes as long as it may, and fails."""

    def __getattr__(self, _: str) -> Any:
        return self._fail

    async def _fail(self, *_: object, **__: object) -> None:
        await asyncio.sleep(PATIENCE.operation)
        raise AzureFailureError("ask the storage account", "Timeout", "it did not answer in time")


def test_the_timer_ends_before_the_host_would_end_it_whatever_the_storage_account_does() -> None:
    async def fire() -> None:
        silent: Any = _Storage()
        with pytest.raises(AzureFailureError):
            await sweep.handle(replace(App().services, queue=silent, store=silent, pause=asyncio.sleep))
        assert LONGEST_RUN.total_seconds() / 2 < seconds() < LONGEST_RUN.total_seconds() * 0.95

    run(fire())


class _SlowLog(FakeAuditLog):
    async def record(self, table: str, rows: Sequence[Row]) -> None:
        await asyncio.sleep(200)
        await super().record(table, rows)


class _SlowWrites(FakeAzure):
    async def grant(self, grant: Grant, description: str) -> bool:
        await asyncio.sleep(200)
        return await super().grant(grant, description)


@pytest.mark.parametrize("slow", ["the log", "the change"])
def test_an_event_is_answered_in_time_and_what_has_begun_goes_on_to_its_end(slow: str) -> None:
    """Event Grid waits 30 s. What is still under way then is not cut off, and the queue looks again."""

    async def work() -> None:
        one = App(azure=_SlowWrites() if slow == "the change" else FakeAzure())
        one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
        if slow == "the log":
            one.audit = _SlowLog(one.azure)
        await resource_changed.handle(event(str(WORKSPACE)), one.services)
        assert seconds() < 29
        assert [each for each in waiting(one) if isinstance(each, Reconcile) and not each.run]
        assert not one.audit.rows("Applied")
        await one.memory.ended()  # so does a command before it closes its connections
        if slow == "the change":
            assert one.azure.holders("AcrPull", REGISTRY)
        assert one.audit.rows("Planned")
        assert open_intents(one.audit.rows()) == set()

    run(work())


def test_without_a_queue_an_event_is_handled_to_its_end() -> None:
    """On the command line nobody waits for an answer, and nobody would look again."""

    async def work() -> None:
        one = App(azure=_SlowWrites())
        one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
        await resource_changed.handle(event(str(WORKSPACE)), replace(one.services, queue=None))
        assert one.azure.holders("AcrPull", REGISTRY)
        assert open_intents(one.audit.rows()) == set()

    run(work())
