"""Requests stay below ARM's token bucket, and a sweep's below what is left to events. Time is the loop's own."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import HttpRequest
from unit.hurried import run, seconds

from shared.azure.pacer import Pace, Pacer
from shared.pace import in_the_background

_CAPACITY, _A_SECOND, _LEFT_TO_EVENTS = 250, 25, 50
_SUBSCRIPTION = "https://arm.example/subscriptions/s1/resources"


class _Arm(AsyncHTTPPolicy[Any, Any]):
    """A bucket for each subscription, as Azure counts: what it has not got it refuses. Its clock is the loop's."""

    def __init__(self, used_by_others: int = 0) -> None:
        super().__init__()
        self._full = float(_CAPACITY - used_by_others), 0.0
        self._buckets: dict[str, tuple[float, float]] = {}
        self.asked: list[float] = []
        self.refused = 0

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        now = seconds()
        subscription = request.http_request.url.casefold()
        left, filled = self._buckets.get(subscription, self._full)
        left = min(_CAPACITY, left + (now - filled) * _A_SECOND)
        status = 200 if left >= 1 else 429
        left -= status == 200
        self._buckets[subscription] = left, now
        self.asked.append(now)
        self.refused += status == 429
        await asyncio.sleep(0.1)
        headers = {"x-ms-ratelimit-remaining-subscription-reads": str(int(left))}
        answer: Any = SimpleNamespace(status_code=status, headers=headers)
        return PipelineResponse(request.http_request, answer, request.context)


def _paced(arm: _Arm) -> Pacer:
    pacer = Pacer(Pace())
    pacer.next = arm
    return pacer


async def _read(pacer: Pacer, times: int, url: str = _SUBSCRIPTION) -> None:
    context: Any = None
    await asyncio.gather(*(pacer.send(PipelineRequest(HttpRequest("GET", url), context)) for _ in range(times)))


def test_a_sweep_takes_as_long_as_the_bucket_makes_necessary() -> None:
    async def sweep() -> None:
        arm = _Arm()
        with in_the_background():
            await _read(_paced(arm), 600)
        assert arm.refused == 0
        necessary = (600 - _CAPACITY + _LEFT_TO_EVENTS) / _A_SECOND
        assert necessary <= seconds() <= necessary * 1.05 + 0.5

    run(sweep())


def test_a_waiting_sweep_does_not_wake_for_each_request() -> None:
    async def sweep() -> None:
        arm = _Arm()
        with in_the_background():
            await _read(_paced(arm), 600)
        waited = [moment for moment in arm.asked if moment > 3]  # seconds, in which the full bucket is used up
        assert len(waited) > 300
        assert len({round(moment, 3) for moment in waited}) <= len(waited) / 4

    run(sweep())


def test_an_event_does_not_wait_for_the_sweep() -> None:
    async def both() -> None:
        arm = _Arm()
        pacer = _paced(arm)
        with in_the_background():
            sweeping = asyncio.create_task(_read(pacer, 600))
        await asyncio.sleep(8)
        await _read(pacer, 15)
        assert seconds() == pytest.approx(8.1)
        await sweeping
        assert arm.refused == 0

    run(both())


def test_what_others_take_is_learnt_from_the_answers() -> None:
    async def sweep() -> None:
        arm = _Arm(used_by_others=180)
        with in_the_background():
            await _read(_paced(arm), 100)
        assert arm.refused == 0
        assert seconds() >= (100 - (_CAPACITY - 180 - _LEFT_TO_EVENTS)) / _A_SECOND - 1

    run(sweep())


def test_each_subscription_has_a_bucket_of_its_own() -> None:
    async def two() -> None:
        pacer = _paced(_Arm())
        with in_the_background():
            await asyncio.gather(_read(pacer, 150), _read(pacer, 150, "https://arm.example/subscriptions/s2/resources"))
        assert seconds() < 2  # 250 of one bucket would take four

    run(two())


def test_events_take_all_that_the_bucket_has_and_no_more() -> None:
    async def burst() -> None:
        arm = _Arm()
        await _read(_paced(arm), _CAPACITY + 20)
        assert sum(moment < 0.02 for moment in arm.asked) == _CAPACITY

    run(burst())
