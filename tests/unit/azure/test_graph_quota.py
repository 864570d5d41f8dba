"""Queries of Resource Graph are held back before Azure has to refuse them."""

import asyncio
import math
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import HttpRequest
from hypothesis import given
from hypothesis import strategies as st
from unit.hurried import run, seconds

from shared.azure.graph_quota import GraphQuota

_WINDOW_SECONDS, _QUOTA = 5, 15
_URL = "https://arm.example/providers/Microsoft.ResourceGraph/resources"


class _ResourceGraph(AsyncHTTPPolicy[Any, Any]):
    """Lets `_QUOTA` queries through in a window that begins with the first, as Azure counts them.

    `delays` are seconds until a query is counted, and from then until its answer is read.
    """

    def __init__(self, delays: Callable[[], float]) -> None:
        super().__init__()
        self.statuses: list[int] = []
        self.unreachable = 0
        self._delays = delays
        self._began, self._used = -math.inf, 0

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        await asyncio.sleep(self._delays())
        if self.unreachable:
            self.unreachable -= 1
            raise ServiceRequestError("no connection")
        answer = self._answer()
        self.statuses.append(answer.status_code)
        await asyncio.sleep(self._delays())
        return PipelineResponse(request.http_request, answer, request.context)

    def use(self, queries: int) -> None:
        """By others."""
        for _ in range(queries):
            self._answer()

    def _answer(self) -> Any:
        if seconds() >= self._began + _WINDOW_SECONDS:
            self._began, self._used = seconds(), 0
        self._used += 1
        headers = {
            "x-ms-user-quota-remaining": str(max(0, _QUOTA - self._used)),
            "x-ms-user-quota-resets-after": f"00:00:{math.ceil(self._began + _WINDOW_SECONDS - seconds()):02d}",
        }
        return SimpleNamespace(status_code=200 if self._used <= _QUOTA else 429, headers=headers)


def _limited(delays: Callable[[], float] = lambda: 0.05) -> tuple[GraphQuota, _ResourceGraph]:
    quota, graph = GraphQuota(), _ResourceGraph(delays)
    quota.next = graph
    return quota, graph


async def _ask(quota: GraphQuota, url: str = _URL) -> int:
    context: Any = None
    answer = await quota.send(PipelineRequest(HttpRequest("POST", url), context))
    return int(answer.http_response.status_code)


def test_many_at_once_stay_within_each_window() -> None:
    async def ask() -> None:
        quota, graph = _limited()
        assert await asyncio.gather(*(_ask(quota) for _ in range(50))) == [200] * 50
        assert graph.statuses == [200] * 50
        assert 15 <= seconds() <= 16  # the fourth window opens at 15

    run(ask())


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_answers_that_overtake_one_another_are_not_believed_twice(random: Random, at_once: int) -> None:
    async def ask() -> None:
        quota, graph = _limited(lambda: random.uniform(0.0, 0.4))
        slots = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with slots:
                await _ask(quota)

        await asyncio.gather(*(one() for _ in range(60)))
        assert graph.statuses == [200] * 60

    run(ask())


@given(st.floats(0.0, 3.0))
def test_a_slow_asker_is_never_held_back(pause: float) -> None:
    async def ask() -> None:
        quota, graph = _limited()
        waited = 0.0
        for _ in range(40):
            began = seconds()
            await _ask(quota)
            waited += seconds() - began - 0.1
            await asyncio.sleep(1 / 3 + pause)
        assert graph.statuses == [200] * 40
        assert waited < 0.5

    run(ask())


def test_what_others_used_is_learnt() -> None:
    async def ask() -> None:
        quota, graph = _limited()
        graph.use(10)
        await asyncio.gather(*(_ask(quota) for _ in range(10)))
        assert graph.statuses == [200] * 10
        assert seconds() >= _WINDOW_SECONDS

    run(ask())


def test_one_that_does_not_arrive_holds_up_nobody() -> None:
    async def ask() -> None:
        quota, graph = _limited()
        graph.unreachable = 1
        answers = await asyncio.gather(*(_ask(quota) for _ in range(4)), return_exceptions=True)
        assert [type(answer) for answer in answers].count(ServiceRequestError) == 1
        assert graph.statuses == [200] * 3
        assert seconds() < 1

    run(ask())


def test_other_requests_do_not_count() -> None:
    async def ask() -> None:
        quota, graph = _limited()
        await asyncio.gather(*(_ask(quota, "https://arm.example/subscriptions") for _ in range(_QUOTA + 1)))
        assert graph.statuses == [200] * _QUOTA + [429]

    run(ask())
