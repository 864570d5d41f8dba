"""How long the app waits for its storage account: no longer than Event Grid waits for the app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.azure.errors import storing
from shared.ports import AzureFailureError


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: for a connection, for the next byte of an answer, and for all requests of an operation together."""

    connection: float = 4
    silence: float = 8
    operation: float = 20


PATIENCE = Patience()


def options(shared: AsyncHttpTransport[Any, Any], patience: Patience) -> dict[str, Any]:
    """For a client of the storage libraries. Their own patience is a minute an answer, and 15 s before a retry."""
    return {
        "transport": _Limited(shared, patience),
        "retry_total": 2,
        "initial_backoff": 0.4,
        "increment_base": 1,  # 1.4 s, twice
        "random_jitter_range": 0.2,
    }


@asynccontextmanager
async def operating(operation: str, role: str, patience: Patience) -> AsyncIterator[None]:
    """Raises `AzureFailureError` for whatever goes wrong inside. `role` is the role that amlguard has for it."""
    try:
        async with asyncio.timeout(patience.operation):
            with storing(operation, role):
                yield
    except TimeoutError:
        raise AzureFailureError(operation, "Timeout", "the storage account did not answer in time") from None


class _Limited(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """The process's transport, which stays open. A client's own limits count only for a transport that it makes."""

    def __init__(self, shared: AsyncHttpTransport[Any, Any], patience: Patience) -> None:
        self._shared = shared
        self._limits = {"connection_timeout": patience.connection, "read_timeout": patience.silence}

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        answer: AsyncHttpResponse = await self._shared.send(request, **{**self._limits, **kwargs})
        return answer

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aexit__(self, *_: object) -> None: ...
