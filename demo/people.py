"""What people do: they write to Azure Resource Manager with the operator's token.

Also the local Azure's control routes.
"""

import asyncio
import ssl
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Self

import aiohttp

from demo import places
from demo.local_azure import Ready
from demo.story_clock import StoryClock, parsed

type Json = dict[str, Any]

_API_VERSIONS = {
    "microsoft.machinelearningservices": "2025-12-01",
    "microsoft.containerregistry": "2025-11-01",
    "microsoft.keyvault": "2026-02-01",
    "microsoft.storage": "2025-08-01",
    "microsoft.managedidentity": "2024-11-30",
    "microsoft.insights": "2020-02-02",
    "microsoft.authorization": "2022-04-01",
    "microsoft.resources": "2025-04-01",
}
_ASSIGNMENTS = f"{places.SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments"
_POLL_SECONDS = 0.05
_UNFINISHED = {"creating", "provisioning"}


class RefusedError(Exception):
    """The local Azure refused something that the story does, which should not happen."""


class People:
    """Everybody except amlguard and AML itself."""

    def __init__(self, ready: Ready, clock: StoryClock) -> None:
        self._ready = ready
        self._clock = clock
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self._ready.ca))
        token = {"Authorization": f"Bearer {self._ready.operator_token}"}
        self._arm = await self._open.enter_async_context(
            aiohttp.ClientSession(self._ready.arm, headers=token, connector=trusted)
        )
        self._functions = await self._open.enter_async_context(aiohttp.ClientSession(self._ready.functions))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def put(self, path: str, body: Json) -> Json:
        """Waits until the resource is provisioned, as the Azure CLI does, and returns it as it is then."""
        await self._call("PUT", path, body)
        while True:
            made = await self.get(path)
            if str((made.get("properties") or {}).get("provisioningState", "")).lower() not in _UNFINISHED:
                return made
            await asyncio.sleep(_POLL_SECONDS)

    async def get(self, path: str) -> Json:
        answer: Json = await self._call("GET", path)
        return answer

    async def find(self, path: str) -> Json | None:
        """None if the resource does not exist (yet), or if the id has no path at all."""
        try:
            return await self.get(path) if path.startswith("/") else None
        except RefusedError:
            return None

    async def delete(self, path: str) -> None:
        await self._call("DELETE", path)

    async def assignments(self, assigned_to: str | None = None) -> list[Json]:
        """The role assignments of the subscription, above it and below it. With a principal, groups are expanded."""
        only = f"&$filter=assignedTo('{assigned_to}')" if assigned_to else ""
        url = f"{_ASSIGNMENTS}?api-version={_API_VERSIONS['microsoft.authorization']}{only}"
        found: list[Json] = []
        while url:
            page = await self._send("GET", url)
            found += page["value"]
            url = str(page.get("nextLink") or "").removeprefix(self._ready.arm)
        return found

    async def control(self, name: str) -> list[Json]:
        """What the local Azure has logged: `requests` or `events`."""
        noted: list[Json] = await self._send("GET", f"/_local/{name}")
        return noted

    async def let_time_pass(self, by: timedelta) -> None:
        answer = await self._send("POST", "/_local/clock", {"advanceSeconds": by.total_seconds()})
        self._clock.advanced(parsed(answer["now"]), by)

    async def deliver(self, event: Json) -> int:
        """Hands an event to the app's webhook, as Event Grid does, and returns the status of the answer."""
        headers = {"aeg-event-type": "Notification", "aeg-subscription-name": "AMLGUARD", "aeg-delivery-count": "0"}
        url = "/runtime/webhooks/EventGrid?functionName=resource_changed"
        async with self._functions.post(url, json=[event], headers=headers) as response:
            return response.status

    async def fire_sweep(self) -> None:
        async with self._functions.post("/admin/functions/sweep", json={"input": ""}) as response:
            if response.status != 202:
                raise RefusedError(f"the sweep could not be started: {response.status}")

    async def _call(self, method: str, path: str, body: Json | None = None) -> Any:
        provider = path.rpartition("/providers/")[2].split("/")[0].lower() if "/providers/" in path else ""
        version = _API_VERSIONS.get(provider, _API_VERSIONS["microsoft.resources"])
        return await self._send(method, f"{path}?api-version={version}", body)

    async def _send(self, method: str, url: str, body: Json | None = None) -> Any:
        async with self._arm.request(method, url, json=body) as response:
            answer = await response.json(content_type=None)
            if response.status >= 400:
                raise RefusedError(f"{method} {url}: {response.status} {answer}")
            return answer
