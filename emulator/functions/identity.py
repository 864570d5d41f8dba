"""The app's identity, as the Functions host itself uses it: for queues and telemetry of an app without keys."""

import time
from collections.abc import Mapping
from typing import Any, Self

import aiohttp
from azure.core.credentials import AccessToken

_RENEW_SECONDS = 300


class HostIdentity:
    """Tokens of the managed identity endpoint that the app's settings name; an async token credential of the SDKs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._endpoint = environment.get("IDENTITY_ENDPOINT", "")
        self._secret = environment.get("IDENTITY_HEADER", "")
        self._tokens: dict[str, AccessToken] = {}

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        resource = scopes[0].removesuffix("/.default")
        held = self._tokens.get(resource)
        if held is None or held.expires_on < time.time() + _RENEW_SECONDS:
            held = self._tokens[resource] = await self._asked(resource)
        return held

    async def _asked(self, resource: str) -> AccessToken:
        query = {"api-version": "2019-08-01", "resource": resource}
        async with (
            aiohttp.ClientSession(headers={"X-IDENTITY-HEADER": self._secret}, raise_for_status=True) as http,
            http.get(self._endpoint, params=query) as answer,
        ):
            token = await answer.json()
        return AccessToken(token["access_token"], int(token["expires_on"]))

    async def close(self) -> None:
        self._tokens.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
