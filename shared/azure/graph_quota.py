"""Resource Graph's quota: about 15 queries in 5 seconds for a caller. Its own headers say how many are left.

https://learn.microsoft.com/azure/governance/resource-graph/concepts/guidance-for-throttled-requests
"""

import asyncio
import math
import re
from collections.abc import Mapping
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

_REMAINING, _RESETS = "x-ms-user-quota-remaining", "x-ms-user-quota-resets-after"
_SPAN = re.compile(r"(\d+):(\d+):(\d+)(?:\.\d+)?")
_LONGEST_WINDOW = 60
"""Seconds. Windows take five: an answer that tells of hours is not believed, and nobody sleeps for it."""
_SAME_WINDOW = 2.0
"""Two answers about the end of one window may differ by this many seconds: they give whole ones and may be late."""


class GraphQuota(AsyncHTTPPolicy[Any, Any]):
    """Holds queries back until the quota has room for them, as the last answer says.

    It belongs behind the retry policy. If others have used the quota up, that policy waits as long as this class says.
    """

    def __init__(self) -> None:
        super().__init__()
        self._remaining = 1
        self._under_way = 0
        self._resets_at = 0.0
        self._line = asyncio.Lock()
        self._answered = asyncio.Event()

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        if "/microsoft.resourcegraph/" not in request.http_request.url.casefold():
            return await self.next.send(request)
        async with self._line:
            await self._room()
            self._remaining -= 1
            self._under_way += 1
        try:
            response = await self.next.send(request)
            self._learn(response.http_response.headers)
        finally:
            self._under_way -= 1
            self._answered.set()
        if response.http_response.status_code == 429:
            response.http_response.headers.setdefault("Retry-After", str(max(1, math.ceil(self._wait))))
        return response

    async def _room(self) -> None:
        """In a new window one query is certainly allowed. Its answer says how many more."""
        while self._remaining <= 0:
            if self._wait > 0:
                await asyncio.sleep(self._wait)
            elif self._under_way:
                self._answered.clear()
                await self._answered.wait()
            else:
                self._remaining = 1

    @property
    def _wait(self) -> float:
        return self._resets_at - asyncio.get_running_loop().time()

    def _learn(self, headers: Mapping[str, str]) -> None:
        """Answers may overtake one another.

        Within a window the rest only shrinks, and an older window says nothing new.
        """
        span, told = _SPAN.fullmatch(headers.get(_RESETS, "")), headers.get(_REMAINING, "")
        if not span or not told.isdecimal():
            return
        hours, minutes, seconds = map(int, span.groups())
        resets_at = asyncio.get_running_loop().time() + min(3600 * hours + 60 * minutes + seconds, _LONGEST_WINDOW)
        remaining = int(told) - (self._under_way - 1)  # this one is counted already
        if resets_at > self._resets_at + _SAME_WINDOW:
            self._resets_at, self._remaining = resets_at, remaining
        elif resets_at >= self._resets_at - _SAME_WINDOW:
            self._resets_at = min(self._resets_at, resets_at)
            self._remaining = min(self._remaining, remaining)
