"""Credential, clouds and pipelines. A process makes them once, when it first needs them, and all clients share them."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.request import getproxies

from azure.core import AsyncPipelineClient
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.policies import (
    AsyncBearerTokenCredentialPolicy,
    RequestIdPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport
from azure.core.rest import HttpRequest
from azure.identity.aio import DefaultAzureCredential

from shared.access.raw import rows
from shared.azure import answers
from shared.azure.errors import reading
from shared.azure.pacer import Pace, Pacer
from shared.azure.retries import Retries
from shared.azure.settings import PUBLIC_ARM

# For how many seconds an answer may take, or send nothing. The SDKs' own limit is five minutes of silence, and none for
# an answer that comes byte by byte.
_LONGEST_ANSWER = 60.0


class Clock(SansIOHTTPPolicy[Any, Any]):
    """ARM's clock: the Date of its last answer. `answers` is how many there were.

    A gateway's clock may be any. ARM's answers have an id (github.com/Azure/azure-resource-manager-rpc, v1.0,
    common-api-details.md). After the first that has one, answers without an id set the clock no more.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: datetime | None = None
        self._are_named = False
        self.answers = 0

    def on_response(self, request: Any, response: Any) -> None:  # noqa: ARG002 - azure-core's signature
        self.answers += 1
        headers = response.http_response.headers
        is_named = bool(headers.get("x-ms-request-id") or headers.get("x-ms-correlation-request-id"))
        if is_named or not self._are_named:
            self._are_named = is_named
            with suppress(ValueError, OverflowError):  # what is no time says nothing
                self._told = parsedate_to_datetime(headers.get("Date") or "").astimezone(UTC)

    def now(self) -> datetime:
        return self._told or datetime.now(UTC)


def policies(credential: AsyncTokenCredential, scope: str, *before_retry: Any) -> list[Any]:
    """A pipeline with only what amlguard needs. The SDKs' own pipelines cost more CPU than the requests themselves."""
    return [
        RequestIdPolicy(),
        UserAgentPolicy(sdk_moniker="amlguard"),
        *before_retry,
        Retries(),
        AsyncBearerTokenCredentialPolicy(credential, scope),
    ]


def arm_policies(credential: AsyncTokenCredential, scope: str, clock: Clock, pace: Pace) -> list[Any]:
    """The pipeline of every ARM client, those of SDKs included (beside `ContentDecodePolicy`, which they rely on)."""
    return [*policies(credential, scope, Pacer(pace)), clock]


@dataclass(frozen=True, slots=True)
class Cloud:
    """The token scopes and endpoints of the cloud to which the ARM endpoint belongs."""

    arm_scope: str
    logs_endpoint: str
    logs_scope: str
    ingestion_scope: str


PUBLIC = Cloud(
    "https://management.azure.com/.default",
    "https://api.loganalytics.io/v1",
    "https://api.loganalytics.io/.default",
    "https://monitor.azure.com/.default",
)


def cloud_of(metadata: Mapping[str, Any]) -> Cloud:
    """From `GET {arm}/metadata/endpoints`. The domain of Log Analytics tells the cloud's ingestion audience."""
    audiences = (metadata.get("authentication") or {}).get("audiences") or [PUBLIC.arm_scope.removesuffix("/.default")]
    logs = str(metadata.get("logAnalyticsResourceId") or PUBLIC.logs_endpoint.removesuffix("/v1")).rstrip("/")
    ingestion = {"us": "https://monitor.azure.us", "cn": "https://monitor.azure.cn"}.get(
        logs.rpartition(".")[2], "https://monitor.azure.com"
    )
    arm = str(audiences[-1]).rstrip("/")
    return Cloud(f"{arm}/.default", f"{logs}/v1", f"{logs}/.default", f"{ingestion}/.default")


def quiet_sdk_logging() -> None:
    """azure-core logs every request at INFO.

    That is noise and costs money in Application Insights, and URLs hold ids.
    """
    for name in ("azure", "msal"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Credential(DefaultAzureCredential):
    """Waits for a token no longer than for any other answer. The SDK would wait for as long as the service asks."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        with _in_time("no token"):
            async with asyncio.timeout(_LONGEST_ANSWER):
                return await super().get_token(*scopes, **options)

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        with _in_time("no token"):
            async with asyncio.timeout(_LONGEST_ANSWER):
                return await super().get_token_info(*scopes, options=options)


@contextmanager
def _in_time(missing: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise ServiceResponseError(missing) from None


def credential() -> AsyncTokenCredential:
    """A managed identity in the cloud. On a person's machine, the environment, the Azure CLI and so on."""
    return _Credential(process_timeout=30)


class _InTime(AioHttpTransport):  # type: ignore[misc]  # azure-core loads it late, so that it has no type
    """Waits for a whole answer, and for a connection to be free, no longer than `longest` seconds."""

    def __init__(self, longest: float) -> None:
        # Without a proxy in the environment, aiohttp must not look for one, which it would do at each request.
        super().__init__(use_env_settings=bool(getproxies()), read_timeout=longest)
        self._longest = longest

    async def send(self, request: Any, **options: Any) -> Any:
        with _in_time("no whole answer"):
            async with asyncio.timeout(self._longest):
                return await super().send(request, **options)


def transport(longest: float = _LONGEST_ANSWER) -> AsyncHttpTransport[Any, Any]:
    """Uses a proxy from the environment."""
    made: AsyncHttpTransport[Any, Any] = _InTime(longest)
    return made


async def discover(arm_endpoint: str, shared_transport: AsyncHttpTransport[Any, Any]) -> Cloud:
    """The public cloud is known. Every other cloud is asked (law 12). Raises `ReadFailedError`."""
    if arm_endpoint == PUBLIC_ARM:
        return PUBLIC
    client: AsyncPipelineClient[Any, Any] = AsyncPipelineClient(
        arm_endpoint, transport=shared_transport, policies=[Retries()]
    )
    with reading("read the cloud's metadata"):
        response = await client.send_request(
            HttpRequest("GET", f"{arm_endpoint}/metadata/endpoints?api-version=2022-09-01")
        )
        response.raise_for_status()
        told = answers.document(response)
        if not rows(told, "authentication", "audiences"):
            raise ValueError("the metadata names no audience")
        return cloud_of(told)
