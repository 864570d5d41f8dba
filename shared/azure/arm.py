"""ARM REST on an azure-core pipeline, with the api-version pinned for each provider or type (azure-facts §5)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.polling import AsyncLROPoller
from azure.core.polling.base_polling import BadResponse, LocationPolling
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core import AsyncARMPipelineClient
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.polling.arm_polling import AzureAsyncOperationPolling, BodyContentPolling
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

from shared.access import quoting
from shared.access.model import Part
from shared.access.scope import Scope
from shared.azure import answers
from shared.azure.errors import code, finishing, reading, writing
from shared.azure.graph_quota import GraphQuota
from shared.azure.pacer import Pace
from shared.azure.retries import asked_to_wait
from shared.azure.session import Clock, arm_policies
from shared.ports import Raw, ReadFailedError

API_VERSIONS: Mapping[str, str] = {
    "microsoft.authorization/denyassignments": "2022-04-01",
    "microsoft.authorization/locks": "2020-05-01",
    "microsoft.authorization/policyassignments": "2022-06-01",
    "microsoft.authorization/policydefinitions": "2023-04-01",
    "microsoft.authorization/policysetdefinitions": "2023-04-01",
    "microsoft.authorization/roleassignments": "2022-04-01",
    "microsoft.authorization/roledefinitions": "2022-04-01",
    "microsoft.cache/redis": "2024-03-01",
    "microsoft.cache/redisenterprise": "2024-02-01",
    "microsoft.app": "2025-01-01",
    "microsoft.apimanagement": "2024-05-01",
    "microsoft.batch": "2024-07-01",
    "microsoft.cognitiveservices": "2024-10-01",
    "microsoft.compute": "2024-07-01",
    "microsoft.containerinstance": "2023-05-01",
    "microsoft.containerregistry": "2025-11-01",
    "microsoft.containerservice": "2025-05-01",
    "microsoft.databricks": "2024-05-01",
    "microsoft.datafactory": "2018-06-01",
    "microsoft.dbformysql/flexibleservers": "2023-12-30",
    "microsoft.dbforpostgresql/flexibleservers": "2024-08-01",
    "microsoft.dbforpostgresql/servergroupsv2": "2022-11-08",
    "microsoft.documentdb": "2025-10-15",
    "microsoft.eventhub": "2024-01-01",
    "microsoft.hdinsight": "2021-06-01",
    "microsoft.insights": "2020-02-02",
    "microsoft.insights/diagnosticsettings": "2021-05-01-preview",
    "microsoft.insights/privatelinkscopes": "2021-09-01",
    "microsoft.keyvault": "2026-02-01",
    "microsoft.kubernetes": "2024-01-01",
    "microsoft.machinelearningservices": "2025-12-01",
    "microsoft.managedidentity": "2024-11-30",
    "microsoft.management": "2023-04-01",
    "microsoft.network": "2024-05-01",
    "microsoft.network/privatednszones": "2024-06-01",
    "microsoft.relay": "2021-11-01",
    "microsoft.resources": "2022-12-01",
    "microsoft.search": "2025-05-01",
    "microsoft.sql": "2021-11-01",
    "microsoft.storage": "2025-08-01",
    "microsoft.web": "2024-04-01",
}
_GRAPH_API = "2024-04-01"
# What a subscription answers for a provider that it does not use: nothing of that kind exists there. See
# learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-register-resource-provider
_UNREGISTERED = {"MissingSubscriptionRegistration", "SubscriptionNotRegistered"}
_ACCEPTED = (200, 201, 202, 204)
"""What ARM answers a change with.

https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
"""
_PAGE = 1000
_POLL_SECONDS = 2
_PATIENCE_SECONDS = 240  # ends before the host ends the function, so that the outcome is recorded


class _Status(AzureAsyncOperationPolling[Any, Any]):
    """The status of the operation is enough. Reading the resource, too, could only fail."""

    def get_final_get_url(self, pipeline_response: Any) -> None:  # noqa: ARG002 - azure-core's signature
        return None


class _Polling(AsyncARMPolling):
    """Between two looks at an operation, it sleeps no longer than the time for which the change is followed.

    As with the pages of a list, a link to another place than ARM is not followed: amlguard's token would go there.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(_POLL_SECONDS, lro_algorithms=[_Status(), LocationPolling(), BodyContentPolling()])
        self._endpoint = endpoint

    async def request_status(self, status_link: str) -> Any:
        if not answers.is_at(self._endpoint, status_link):
            raise BadResponse("its operation is not at Azure Resource Manager")
        return await super().request_status(status_link)

    def _extract_delay(self) -> float:
        answer = self._pipeline_response.http_response
        asked = asked_to_wait(answer.headers).total_seconds()
        if asked >= _PATIENCE_SECONDS:
            raise HttpResponseError(response=answer)
        return max(asked, 1.0) if asked else float(self._timeout)


class Arm:
    """Reads return raw JSON. Only a thing that was asked for and does not exist is `None`."""

    def __init__(
        self,
        endpoint: str,
        credential: AsyncTokenCredential,
        scope: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._endpoint = endpoint
        self._client: AsyncARMPipelineClient[Any, Any] = AsyncARMPipelineClient(
            endpoint,
            transport=transport,
            policies=[*arm_policies(credential, scope, clock, pace), GraphQuota()],
        )

    async def get(self, scope: Scope) -> Raw | None:
        """Raises `ReadFailedError`."""
        with reading(f"read {scope.resource_type} {scope.name}"):
            return await self._get(self._url(str(scope), api_version(scope.resource_type)), answers.resource)

    async def list(
        self, parent: Scope, collection: str, *, only: str = "", pages: int | None = None
    ) -> Sequence[Raw] | None:
        """All pages, or the first few. None if the parent does not exist.

        `only` is an OData filter. Raises `ReadFailedError`, also for a broken page.
        """
        name, _, narrowed = collection.partition("?")
        kind = name if "/" in name else f"{parent.resource_type or 'microsoft.resources'}/{name}"
        path = f"{str(parent).rstrip('/')}/{'providers/' if '/' in name else ''}{name}"
        url = self._url(path, api_version(kind))
        url += (f"&{narrowed}" if narrowed else "") + (f"&$filter={quoting.query(only)}" if only else "")
        operation = f"list {collection} of {parent.name}"
        way = answers.Pages(operation, self._endpoint)
        with reading(operation):
            try:
                page = await self._get(url)
            except HttpResponseError as error:
                if code(error) in _UNREGISTERED:
                    return []
                raise
            if page is None:
                return None
            rows, read = [*way.rows(page)], 1
            link = way.link(page)
            while link and read != pages:
                page = await self._get(link)
                rows += way.rows(page)
                link, read = way.link(page), read + 1
        return Part(rows) if link else rows

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        """Rows of Resource Graph, page by page. Raises `ReadFailedError`."""
        options: dict[str, Any] = {"$top": _PAGE, "resultFormat": "objectArray"}
        body: dict[str, Any] = {"query": kql, "options": options}
        if subscription:
            body["subscriptions"] = [subscription.name]
            options["authorizationScopeFilter"] = "AtScopeAboveAndBelow"
        operation, url = "query Resource Graph", self._url("/providers/Microsoft.ResourceGraph/resources", _GRAPH_API)
        way = answers.Pages(operation, self._endpoint)
        while True:
            with reading(operation):
                page = answers.document(await self._send(HttpRequest("POST", url, json=body)))
            found = way.rows(page, "data")
            if page.get("count", len(found)) != len(found):
                raise ReadFailedError(operation, "PartialPage", "a page has not as many rows as it says")
            for row in found:
                yield row
            token = way.token(page, "$skipToken")
            if not token:
                if page.get("resultTruncated") == "true":
                    raise ReadFailedError(operation, "Truncated", "rows are missing from the answer")
                return
            options["$skipToken"] = token

    async def post(self, scope: Scope, action: str) -> None:
        """Returns when it is done. Raises `WriteRefusedError`."""
        request = HttpRequest("POST", self._url(f"{scope}/{action}", api_version(scope.resource_type)))
        await self._change(request, f"{action} {scope.name}")

    async def put(self, path: str, provider: str, body: Mapping[str, Any]) -> None:
        """Returns when it is done. Raises `WriteRefusedError`."""
        request = HttpRequest("PUT", self._url(path, api_version(provider)), json=dict(body))
        await self._change(request, f"write {path.rpartition('/')[2]}")

    async def _change(self, request: HttpRequest, operation: str) -> None:
        with writing(operation):
            answer = await self._client.send_request(request, _return_pipeline_response=True)
            _check(answer.http_response, *_ACCEPTED)
        await self.follow(answer, operation)

    async def follow(self, answer: Any, operation: str) -> None:
        """Returns when the change is done. `answer`, a pipeline response, is how Azure answered it.

        Raises `WriteRefusedError`.
        """
        response = answer.http_response
        # If no header says where to look, the answer to a PATCH is a resource whose own state tells.
        patched = response.request.method == "PATCH"
        if response.status_code != 202 and "Azure-AsyncOperation" not in response.headers and not patched:
            return
        polling = _Polling(self._endpoint)
        with finishing(operation):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await AsyncLROPoller(self._client, answer, lambda response: response, polling).result()

    async def _get(self, url: str, read: Callable[[AsyncHttpResponse], Raw] = answers.document) -> Raw | None:
        try:
            return read(await self._send(HttpRequest("GET", url)))
        except HttpResponseError as error:
            if error.response is not None and answers.is_not_there(error.response):
                return None
            raise

    async def _send(self, request: HttpRequest) -> AsyncHttpResponse:
        """An answer with all of it: 206 and 207, say, are about a part."""
        response: AsyncHttpResponse = await self._client.send_request(request)
        _check(response, 200)
        return response

    def _url(self, path: str, api_version: str) -> str:
        return f"{self._endpoint}{quoting.url(path)}?api-version={api_version}"


def _check(response: AsyncHttpResponse, *right: int) -> None:
    if response.status_code not in right:
        raise HttpResponseError(response=response, error_format=ARMErrorFormat)


def api_version(resource_type: str) -> str:
    """The version of the closest type that has one, else the version of the provider."""
    names = (resource_type.casefold() or "microsoft.resources").split("/")
    for length in range(len(names), 0, -1):
        found = API_VERSIONS.get("/".join(names[:length]))
        if found:
            return found
    raise ReadFailedError(f"read {resource_type}", "NoApiVersion", "amlguard does not read this kind of resource")
