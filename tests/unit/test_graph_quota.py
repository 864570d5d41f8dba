"""Queries of Resource Graph are held back before Azure has to refuse them."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.rest import HttpRequest

from shared.azure.graph_quota import GraphQuota

_WINDOW_SECONDS, _QUOTA = 1, 4
_URL = "https://arm.example/providers/Microsoft.ResourceGraph/resources"


class _ResourceGraph(AsyncHTTPPolicy[Any, Any]):
    """Lets `_QUOTA` queries through in a window that begins with the first, as Azure counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[int] = []
        self.unreachable = 0
        self._began = self._used = 0.0

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        await asyncio.sleep(0.01)
        if self.unreachable:
            self.unreachable -= 1
            raise ServiceRequestError("no connection")
        if time.monotonic() >= self._began + _WINDOW_SECONDS:
            self._began, self._used = time.monotonic(), 0
        self._used += 1
        status = 200 if self._used <= _QUOTA else 429
        self.statuses.append(status)
        answer: Any = SimpleNamespace(
            status_code=status,
            headers={
                "x-ms-user-quota-remaining": str(max(0, int(_QUOTA - self._used))),
                "x-ms-user-quota-resets-after": f"00:00:0{_WINDOW_SECONDS}",
            },
        )
        return PipelineResponse(request.http_request, answer, request.context)


def _limited() -> tuple[GraphQuota, _ResourceGraph]:
    quota, graph = GraphQuota(), _ResourceGraph()
    quota.next = graph
    return quota, graph


async def _ask(quota: GraphQuota, url: str = _URL) -> int:
    context: Any = None
    answer = await quota.send(PipelineRequest(HttpRequest("POST", url), context))
    return int(answer.http_response.status_code)


async def test_many_at_once_stay_within_each_window() -> None:
    quota, graph = _limited()
    assert await asyncio.gather(*(_ask(quota) for _ in range(11))) == [200] * 11
    assert graph.statuses == [200] * 11


async def test_one_that_does_not_arrive_holds_up_nobody() -> None:
    quota, graph = _limited()
    graph.unreachable = 1
    answers = await asyncio.gather(*(_ask(quota) for _ in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers].count(ServiceRequestError) == 1
    assert graph.statuses == [200] * 3


async def test_other_requests_do_not_count() -> None:
    quota, graph = _limited()
    await asyncio.gather(*(_ask(quota, "https://arm.example/subscriptions") for _ in range(_QUOTA + 1)))
    assert graph.statuses == [200] * _QUOTA + [429]
