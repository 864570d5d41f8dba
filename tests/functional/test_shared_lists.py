"""What the workspaces of one shard share: lists of a subscription's services, and nothing else."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
import raw
from app import App
from fakes import FakeAzure
from unit.build import SUBSCRIPTION, registry_id, sai, terms, workspace_id

from shared.access.scope import Scope
from shared.access.services import SERVICES
from shared.ports import ReadFailedError
from shared.reading.shared_lists import SharedLists

COLLECTIONS = [service.collection for service in SERVICES]
NAMES = ["first", "second", "third", "fourth"]


class Counting(FakeAzure):
    asked: Counter[str]
    failing: str = ""

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        self.asked[collection] += 1
        if collection == self.failing:
            self.failing = ""
            raise ReadFailedError("list", "ServerBusy", "Azure answered 503")
        return await super().children(parent, collection, pages=pages)


def tenant() -> App:
    """Four workspaces, each with a registry of its own whose admin user may go off."""
    azure = Counting()
    azure.asked = Counter()
    for name in NAMES:
        acr = registry_id(name)
        azure.have(raw.workspace(sai(name), on=workspace_id(name), registry=acr), raw.registry(acr))
    azure.have(raw.storage(), raw.vault())
    return App(terms(), azure=azure)


async def test_a_sweep_lists_the_services_of_a_subscription_once_a_shard() -> None:
    one = tenant()
    assert isinstance(one.azure, Counting)
    await one.sweep()
    await one.settle()
    assert not any(one.azure.admin_user(registry_id(name)) for name in NAMES)
    assert {collection: one.azure.asked[collection] for collection in COLLECTIONS} == dict.fromkeys(COLLECTIONS, 1)
    assert one.azure.asked["jobs"] >= len(NAMES), "a workspace's own are read for each decision"


async def test_an_event_reads_them_anew() -> None:
    one = tenant()
    assert isinstance(one.azure, Counting)
    for name in NAMES:
        await one.event(workspace_id(name))
    assert one.azure.asked[COLLECTIONS[0]] >= len(NAMES)


async def test_a_read_that_failed_is_tried_again_by_the_next() -> None:
    one = tenant()
    assert isinstance(one.azure, Counting)
    one.azure.failing = COLLECTIONS[0]
    shared = SharedLists(one.azure)
    with pytest.raises(ReadFailedError):
        await shared.children(SUBSCRIPTION, COLLECTIONS[0])
    assert await shared.children(SUBSCRIPTION, COLLECTIONS[0]) == []
    assert await shared.children(SUBSCRIPTION, COLLECTIONS[0]) == []
    assert one.azure.asked[COLLECTIONS[0]] == 2


async def test_where_an_admin_user_goes_off_a_list_is_at_most_a_minute_old() -> None:
    one = tenant()
    assert isinstance(one.azure, Counting)
    shared = SharedLists(one.azure)
    await shared.children(SUBSCRIPTION, COLLECTIONS[0])
    one.azure.clock += timedelta(seconds=60)
    await shared.fresh().children(SUBSCRIPTION, COLLECTIONS[0])
    assert one.azure.asked[COLLECTIONS[0]] == 1
    one.azure.clock += timedelta(seconds=1)
    await shared.children(SUBSCRIPTION, COLLECTIONS[0])
    assert one.azure.asked[COLLECTIONS[0]] == 1
    await shared.fresh().children(SUBSCRIPTION, COLLECTIONS[0])
    await shared.children(SUBSCRIPTION, COLLECTIONS[0])
    assert one.azure.asked[COLLECTIONS[0]] == 2


async def test_a_list_is_believed_for_ten_minutes() -> None:
    one = tenant()
    assert isinstance(one.azure, Counting)
    shared = SharedLists(one.azure)
    for minutes, asked in ((0, 1), (10, 1), (1, 2)):
        one.azure.clock += timedelta(minutes=minutes)
        await shared.children(SUBSCRIPTION, COLLECTIONS[0])
        assert one.azure.asked[COLLECTIONS[0]] == asked


async def test_who_gives_up_waiting_takes_the_answer_from_nobody() -> None:
    goes_on = asyncio.Event()

    class Slow(FakeAzure):
        async def children(
            self, parent: Scope, collection: str, *, pages: int | None = None
        ) -> Sequence[raw.Raw] | None:
            await goes_on.wait()
            return await super().children(parent, collection, pages=pages)

    azure = Slow()
    azure.have(raw.workspace(sai("mlw")))
    shared = SharedLists(azure)
    impatient, patient = (asyncio.ensure_future(shared.children(SUBSCRIPTION, COLLECTIONS[0])) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait((impatient,))
    goes_on.set()
    assert await patient == []
    assert impatient.cancelled()
