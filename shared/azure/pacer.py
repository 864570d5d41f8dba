"""Keeps requests below ARM's throttling, with a token bucket for each subscription and kind of request, as ARM has.

Each answer says how many requests are left. So the requests of other instances are known, too, one answer late. A sweep
leaves a part of each bucket to events. That also keeps instances that share a bucket from emptying it together.
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from shared.pace import is_in_the_background

_LIMITS: Mapping[str, tuple[float, float]] = {"reads": (250, 25), "writes": (200, 10), "deletes": (200, 10)}
_KINDS = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
_SUBSCRIPTION = re.compile(r"^https://[^/]+/subscriptions/([^/?]+)", re.IGNORECASE)
_LEFT_TO_EVENTS = 50
_AT_ONCE = 12  # for a sweep, in one subscription: 40 a second at 300 ms, more than the bucket ever gives
_TOGETHER = 5  # a process that wakes up for every single request spends half as much again on each
_MOST_BUCKETS = 3000


@dataclass(slots=True)
class _Bucket:
    capacity: float
    refill: float
    tokens: float
    filled_at: float
    under_way: int = 0
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    lines: tuple[asyncio.Lock, asyncio.Lock] = field(default_factory=lambda: (asyncio.Lock(), asyncio.Lock()))

    async def take(self, *, background: bool) -> None:
        """One after another, so that the request that has waited longest is next."""
        kept = _LEFT_TO_EVENTS if background else 0
        async with self.lines[background]:
            while (short := kept + 1 - self._level()) > 0:  # noqa: ASYNC110 - waits for time to pass, not for an event
                await asyncio.sleep((short + (_TOGETHER if background else 0)) / self.refill)
            self.tokens -= 1

    def learn(self, left: float) -> None:
        """`left` may or may not count requests that are under way."""
        self._level()
        self.tokens = left - self.under_way

    def _level(self) -> float:
        now = asyncio.get_running_loop().time()
        self.tokens = min(self.capacity, self.tokens + (now - self.filled_at) * self.refill)
        self.filled_at = now
        return self.tokens


class Pace:
    """What one process knows about the buckets. Its clients share it."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()

    @asynccontextmanager
    async def turn(self, method: str, url: str) -> AsyncIterator[_Bucket | None]:
        """None if the request is not about a subscription. Such requests have limits of their own."""
        bucket = self._bucket(method, url)
        if bucket is None:
            yield None
        elif is_in_the_background():
            async with bucket.slots:
                await bucket.take(background=True)
                yield bucket
        else:
            await bucket.take(background=False)
            yield bucket

    def _bucket(self, method: str, url: str) -> _Bucket | None:
        found = _SUBSCRIPTION.match(url)
        if found is None:
            return None
        kind = _KINDS.get(method, "writes")
        key = found[1].casefold(), kind
        if key not in self._buckets:
            capacity, refill = _LIMITS[kind]
            self._buckets[key] = _Bucket(capacity, refill, capacity, asyncio.get_running_loop().time())
        self._buckets.move_to_end(key)
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return self._buckets[key]


class Pacer(AsyncHTTPPolicy[Any, Any]):
    """Belongs before the retry policy, because waiting in line is not a failure of the request."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        asked = request.http_request
        async with self._pace.turn(asked.method, asked.url) as bucket:
            if bucket is None:
                return await self.next.send(request)
            bucket.under_way += 1
            try:
                response = await self.next.send(request)
            finally:
                bucket.under_way -= 1
            answered = response.http_response
            left = answered.headers.get(f"x-ms-ratelimit-remaining-subscription-{_KINDS.get(asked.method, 'writes')}")
            if answered.status_code == 429:
                bucket.learn(0)
            elif left and left.isdecimal():
                bucket.learn(int(left))
            return response
