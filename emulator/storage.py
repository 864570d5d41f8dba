"""Queues and blobs of the app's storage account: Azure's authorisation in front, Azurite behind.

Azurite knows keys and signatures, but no roles. This front checks of a caller what Azure checks, and passes on what is
allowed.
https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory#permissions-for-calling-data-operations
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Self

import aiohttp
from aiohttp import web
from azure.storage.queue import AccountSasPermissions, ResourceTypes, Services, generate_account_sas
from yarl import URL

from emulator.errors import AzureError
from emulator.functions.azurite import ACCOUNT, KEY
from emulator.http.bodies import xml_response
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Audience, Tokens

_QUEUES = "Microsoft.Storage/storageAccounts/queueServices/queues"
_CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
_HOP_BY_HOP = frozenset({"authorization", "connection", "content-length", "host", "transfer-encoding"})
_EVERYTHING = AccountSasPermissions(
    read=True, write=True, delete=True, list=True, add=True, create=True, update=True, process=True
)
KEPT_SECONDS = 2.0
"""For so long an idle connection to Azurite is used again.

Azurite closes it after five seconds, and a request that is sent just then fails.
"""
_FOR_EVER = timedelta(days=36500)  # somebody may set the local Azure's clock forward by years

type Needs = tuple[tuple[str, ...], ...]
"""Alternatives. Each has actions that must all be allowed. Those below messages and blobs are data actions."""

_MESSAGES, _BLOBS = f"{_QUEUES}/messages", f"{_CONTAINERS}/blobs"
_TAKE: Needs = ((f"{_MESSAGES}/process/action",), (f"{_MESSAGES}/delete", f"{_MESSAGES}/read"))
_DELETE: Needs = ((f"{_MESSAGES}/process/action",), (f"{_MESSAGES}/delete",))
_ADD: Needs = ((f"{_MESSAGES}/add/action",), (f"{_MESSAGES}/write",))

# The service, the method and how many names follow the account's in the path.
_OPERATIONS: Mapping[tuple[str, str, int], Needs] = {
    ("queue", "GET", 0): ((f"{_QUEUES}/read",),),
    ("queue", "GET", 1): ((f"{_QUEUES}/read",),),
    ("queue", "HEAD", 1): ((f"{_QUEUES}/read",),),
    ("queue", "PUT", 1): ((f"{_QUEUES}/write",),),
    ("queue", "DELETE", 1): ((f"{_QUEUES}/delete",),),
    ("queue", "GET", 2): _TAKE,
    ("queue", "POST", 2): _ADD,
    ("queue", "DELETE", 2): ((f"{_MESSAGES}/delete",),),
    ("queue", "PUT", 3): ((f"{_MESSAGES}/write",),),
    ("queue", "DELETE", 3): _DELETE,
    ("blob", "GET", 0): ((f"{_CONTAINERS}/read",),),
    ("blob", "GET", 1): ((f"{_CONTAINERS}/read",),),
    ("blob", "HEAD", 1): ((f"{_CONTAINERS}/read",),),
    ("blob", "PUT", 1): ((f"{_CONTAINERS}/write",),),
    ("blob", "DELETE", 1): ((f"{_CONTAINERS}/delete",),),
    ("blob", "GET", 2): ((f"{_BLOBS}/read",),),
    ("blob", "HEAD", 2): ((f"{_BLOBS}/read",),),
    ("blob", "PUT", 2): ((f"{_BLOBS}/write",),),
    ("blob", "DELETE", 2): ((f"{_BLOBS}/delete",),),
}


def needs(service: str, method: str, names: int, query: Mapping[str, str]) -> Needs:
    """What Azure requires for a call. Raises `AzureError` for a call that this storage account does not know."""
    if (service, method, names) == ("queue", "GET", 2) and query.get("peekonly") == "true":
        return ((f"{_MESSAGES}/read",),)
    if (service, method, names) == ("blob", "GET", 1) and query.get("comp") == "list":
        return ((f"{_BLOBS}/read",),)
    found = _OPERATIONS.get((service, method, names))
    if found is None:
        raise AzureError(405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
    return found


class StorageFront:
    """`routes` serve /queue/{account} and /blob/{account} over TLS, because clients send tokens over nothing else."""

    def __init__(
        self,
        behind: Mapping[str, str],
        tokens: Tokens,
        rbac: Rbac,
        account: str,
        *,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        """`behind` has Azurite's URL of each service. `account` is the ARM id of the storage account."""
        self._behind = behind
        self._tokens = tokens
        self._rbac = rbac
        self._account = account
        self._kept_seconds = kept_seconds
        self._signature = _signature()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        # Bodies pass unchanged. Names and signatures must not be encoded anew.
        connector = aiohttp.TCPConnector(keepalive_timeout=self._kept_seconds)
        self._http = await self._open.enter_async_context(
            aiohttp.ClientSession(connector=connector, auto_decompress=False, requote_redirect_url=False)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.route("*", f"/{{service:blob|queue}}/{ACCOUNT}{{names:.*}}", self._answer)]

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            self._require(request)
        except AzureError as error:
            return xml_response(error)
        return await self._passed_on(request)

    def _require(self, request: web.Request) -> None:
        if not request.headers.get("Authorization", "").lower().startswith("bearer "):
            message = "Key based authentication is not permitted on this storage account."
            raise AzureError(403, "KeyBasedAuthenticationNotPermitted", message)
        caller = self._tokens.verify(request.headers["Authorization"], Audience.STORAGE)
        service, names = (
            request.match_info["service"],
            [name for name in request.match_info["names"].split("/") if name],
        )
        if service == "blob":
            names[1:] = ["/".join(names[1:])] if names[1:] else []  # a blob's name may have slashes
        wanted = needs(service, request.method, len(names), request.query)
        scope = self._scope(service, names[:1])
        if not caller.operator and not any(
            all(self._allowed(caller.object_id, action, scope) for action in alternative) for alternative in wanted
        ):
            message = "This request is not authorized to perform this operation using this permission."
            raise AzureError(403, "AuthorizationPermissionMismatch", message)

    def _scope(self, service: str, container: list[str]) -> str:
        """Roles may be assigned on the account, or on one queue or container."""
        kind = "queueServices/default/queues" if service == "queue" else "blobServices/default/containers"
        return "/".join((self._account, kind, *container)) if container else self._account

    def _allowed(self, principal: str, action: str, scope: str) -> bool:
        return self._rbac.allowed(principal, action, scope, data=action.startswith((_MESSAGES, _BLOBS)))

    async def _passed_on(self, request: web.Request) -> web.Response:
        service = request.match_info["service"]
        path = request.raw_path.removeprefix(f"/{service}")
        base = self._behind[service]
        url = URL(f"{base}{path}{'&' if '?' in path else '?'}{self._signature}", encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        async with self._http.request(request.method, url, headers=headers, data=await request.read()) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


def _signature() -> str:
    """The signature with which this front itself gets into Azurite."""
    return str(
        generate_account_sas(
            ACCOUNT,
            KEY,
            ResourceTypes(service=True, container=True, object=True),
            _EVERYTHING,
            datetime.now(UTC) + _FOR_EVER,
            services=Services(blob=True, queue=True),
        )
    )
