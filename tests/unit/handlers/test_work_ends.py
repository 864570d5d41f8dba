"""Work of the queue ends before the host would end the function and its whole process. Time is the loop's own."""

import asyncio
from collections.abc import Sequence

import pytest
import raw
from app import App
from fakes import FakeAzure
from raw import Raw
from unit.build import SUBSCRIPTION, sai
from unit.hurried import run, seconds

from handlers import work_queue
from shared.access.intents import LONGEST_RUN
from shared.access.scope import Scope
from shared.messages import Dependency, encode


class _Silent(FakeAzure):
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
