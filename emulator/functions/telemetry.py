"""What the host sends to Application Insights: a request for each invocation, and the exception of one that failed."""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential

from emulator.functions.channel import InvocationError

_LOG = logging.getLogger(__name__)
_SCOPE = "https://monitor.azure.com/.default"
_EXCEPTION = "Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException"

type Json = dict[str, Any]


class Telemetry:
    """Sends with the app's identity to where APPLICATIONINSIGHTS_CONNECTION_STRING says. Sends nothing without it.

    What is refused is lost, as with the real host, because nothing waits for telemetry.
    """

    def __init__(self, environment: Mapping[str, str], identity: AsyncTokenCredential) -> None:
        text = environment.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "")
        parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
        self._url = f"{parts['IngestionEndpoint'].rstrip('/')}/v2.1/track" if "IngestionEndpoint" in parts else ""
        self._key = parts.get("InstrumentationKey", "")
        self._identity = identity
        self._trusted = environment.get("SSL_CERT_FILE")
        self._sending: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def ended(self, name: str, seconds: float, error: InvocationError | None) -> None:
        """Reports an invocation, in the background."""
        if not self._url:
            return
        items = [self._item(name, "RequestData", {"name": name, "success": error is None, "duration": seconds})]
        if error is not None:
            items.append(self._item(name, "ExceptionData", exception_data(name, error)))
        task = asyncio.create_task(self._send(items))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._session:
            await self._session.close()

    def _item(self, operation: str, kind: str, data: Json) -> Json:
        return {
            "name": f"Microsoft.ApplicationInsights.{kind.removesuffix('Data')}",
            "time": datetime.now(UTC).isoformat(),
            "iKey": self._key,
            "tags": {"ai.operation.name": operation},
            "data": {"baseType": kind, "baseData": data},
        }

    async def _send(self, items: list[Json]) -> None:
        token = await self._identity.get_token(_SCOPE)
        headers = {"Authorization": f"Bearer {token.token}"}
        try:
            async with self._http().post(self._url, json=items, headers=headers) as answer:
                if answer.status >= 400:
                    _LOG.warning("Application Insights refused telemetry: %d %s", answer.status, await answer.text())
        except aiohttp.ClientError as error:
            _LOG.warning("Application Insights cannot be reached: %s", error)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self._trusted))
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


def exception_data(name: str, error: InvocationError) -> Json:
    """Outermost first, as the host gives it for a Python worker."""
    outer = {"typeName": "FunctionInvocationException", "message": f"Exception while executing function: {name}"}
    inner = {"typeName": _EXCEPTION, "message": f"Result: Failure\nException: {error.message}\nStack: {error.stack}"}
    return {"exceptions": [outer, inner]}
