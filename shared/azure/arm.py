"""ARM REST on an azure-core pipeline, with the api-version pinned for each provider (azure-facts §5)."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.polling import AsyncLROPoller
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

from shared.access.scope import Scope
from shared.azure.errors import reading, writing
from shared.azure.graph_quota import GraphQuota
from shared.azure.session import Clock, arm_policies
from shared.ports import Raw, ReadFailedError

API_VERSIONS: Mapping[str, str] = {
    "microsoft.authorization/denyassignments": "2022-04-01",
    "microsoft.authorization/locks": "2020-05-01",
    "microsoft.authorization/roleassignments": "2022-04-01",
    "microsoft.authorization/roledefinitions": "2022-04-01",
    "microsoft.containerinstance": "2023-05-01",
    "microsoft.containerregistry": "2025-11-01",
    "microsoft.containerservice": "2025-05-01",
    "microsoft.keyvault": "2026-02-01",
    "microsoft.machinelearningservices": "2025-12-01",
    "microsoft.managedidentity": "2024-11-30",
    "microsoft.resources": "2022-12-01",
    "microsoft.storage": "2025-08-01",
}
_GRAPH_API = "2024-04-01"
_PAGE = 1000
_POLL_SECONDS = 2


class Arm:
    """Reads give raw JSON; `None` only where the very thing that was asked for does not exist."""

    def __init__(
        self,
        endpoint: str,
        credential: AsyncTokenCredential,
        scope: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
    ) -> None:
        self._endpoint = endpoint
        self._client: AsyncARMPipelineClient[Any, Any] = AsyncARMPipelineClient(
            endpoint,
            transport=transport,
            policies=[*arm_policies(credential, scope, clock), GraphQuota()],
        )

    async def get(self, scope: Scope) -> Raw | None:
        """Raises `ReadFailedError`."""
        with reading(f"read {scope.resource_type} {scope.name}"):
            return await self._get(self._url(str(scope), _api_version(scope.resource_type)))

    async def list(self, parent: Scope, collection: str, *, only: str = "") -> Sequence[Raw] | None:
        """All pages; None when the parent does not exist. Raises `ReadFailedError`, also for a broken page.

        `only` is an OData filter.
        """
        base = str(parent).rstrip("/")
        path = f"{base}/providers/{collection}" if "/" in collection else f"{base}/{collection}"
        kind = collection if "/" in collection else parent.resource_type
        url = self._url(path, _api_version(kind)) + (f"&$filter={quote(only)}" if only else "")
        operation = f"list {collection} of {parent.name}"
        with reading(operation):
            page = await self._get(url)
            if page is None:
                return None
            rows = [*_rows(page, operation)]
            while page and page.get("nextLink"):
                page = await self._get(page["nextLink"])
                rows += _rows(page, operation)
        return rows

    async def query(self, kql: str) -> AsyncIterator[Raw]:
        """Rows of Resource Graph, page by page. Raises `ReadFailedError`."""
        options: dict[str, Any] = {"$top": _PAGE, "resultFormat": "objectArray"}
        while True:
            with reading("query Resource Graph"):
                page = await self._send(
                    HttpRequest(
                        "POST",
                        self._url("/providers/Microsoft.ResourceGraph/resources", _GRAPH_API),
                        json={"query": kql, "options": options},
                    )
                )
            for row in _rows(page, "query Resource Graph", "data"):
                yield row
            token = page.get("$skipToken")
            if not token:
                if page.get("resultTruncated") == "true":
                    raise ReadFailedError("query Resource Graph", "Truncated", "rows are missing from the answer")
                return
            options["$skipToken"] = token

    async def post(self, scope: Scope, action: str) -> None:
        """A POST action; a long-running one is waited for. Raises `WriteRefusedError`."""
        request = HttpRequest("POST", self._url(f"{scope}/{action}", _api_version(scope.resource_type)))
        with writing(f"{action} {scope.name}"):
            answer = await self._client.send_request(request, _return_pipeline_response=True)
            _check(answer.http_response)
            polling = AsyncARMPolling(_POLL_SECONDS)
            await AsyncLROPoller(self._client, answer, lambda response: response, polling).result()

    async def put(self, path: str, provider: str, body: Mapping[str, Any]) -> None:
        """Raises `WriteRefusedError`."""
        with writing(f"write {path.rpartition('/')[2]}"):
            await self._send(HttpRequest("PUT", self._url(path, _api_version(provider)), json=dict(body)))

    async def _get(self, url: str) -> Raw | None:
        try:
            return await self._send(HttpRequest("GET", url))
        except HttpResponseError as error:
            if error.status_code == 404:
                return None
            raise

    async def _send(self, request: HttpRequest) -> dict[str, Any]:
        response = await self._client.send_request(request)
        _check(response)
        body = json.loads(response.content) if response.content else {}
        return body if isinstance(body, dict) else {}

    def _url(self, path: str, api_version: str) -> str:
        return f"{self._endpoint}{path}?api-version={api_version}"


def _check(response: AsyncHttpResponse) -> None:
    if not 200 <= response.status_code < 300:
        raise HttpResponseError(response=response, error_format=ARMErrorFormat)


def _api_version(resource_type: str) -> str:
    kind = resource_type.casefold() or "microsoft.resources"
    version = API_VERSIONS.get(kind) or API_VERSIONS.get(kind.partition("/")[0])
    if version is None:
        raise ReadFailedError(f"read {resource_type}", "NoApiVersion", "amlguard does not read this kind of resource")
    return version


def _rows(page: Raw | None, operation: str, key: str = "value") -> Sequence[Raw]:
    rows = page.get(key) if page else None
    if not isinstance(rows, list):
        raise ReadFailedError(operation, "PartialPage", "a page of the answer is missing or malformed")
    return rows
