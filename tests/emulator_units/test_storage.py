"""The storage account's front: Azure's rights of queues and blobs, asked of every caller."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from emulator_units.arm_calls import BLOB_READER, OWNER, RG, STORAGE, SUB, held, principal, resource
from yarl import URL

from emulator.errors import AzureError
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller, Tokens
from emulator.storage import StorageFront, needs
from emulator.tenant import Tenant

ME = Caller(principal(1), "me", "me")
OPERATOR = Caller(principal(2), "operator", "Operator", "User", operator=True)
TOKENS = Tokens("tenant", app=ME, operator=OPERATOR)
RESOURCE = "https://storage.azure.com/"
QUEUE_CONTRIBUTOR = "974c5e8b-45b9-4653-ba55-5f855dd0fb88"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
WORK, STATE = "/queue/devstoreaccount1/work", "/blob/devstoreaccount1/state"
CALLS = {
    "put": ("POST", f"{WORK}/messages"),
    "get": ("GET", f"{WORK}/messages?numofmessages=8"),
    "peek": ("GET", f"{WORK}/messages?peekonly=true"),
    "update": ("PUT", f"{WORK}/messages/id?popreceipt=x"),
    "done": ("DELETE", f"{WORK}/messages/id?popreceipt=x"),
    "make queue": ("PUT", WORK),
    "about queue": ("GET", f"{WORK}?comp=metadata"),
    "read": ("GET", f"{STATE}/caps/2026%2D11"),
    "write": ("PUT", f"{STATE}/caps/2026-11"),
    "delete": ("DELETE", f"{STATE}/caps/2026-11"),
    "list": ("GET", f"{STATE}?restype=container&comp=list&prefix=caps%2F"),
    "make container": ("PUT", f"{STATE}?restype=container"),
}
QUEUE_CALLS = {"put", "get", "peek", "update", "done", "make queue", "about queue"}
type Ask = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]


@asynccontextmanager
async def front(*assignments: dict[str, Any], kept_seconds: float = 3600.0) -> AsyncIterator[Ask]:
    """Asks a front as ME, unless told otherwise; behind it answers what was asked, from where, with which headers."""

    async def echo(request: web.Request) -> web.Response:
        peer = request.transport.get_extra_info("peername")[1] if request.transport else None
        asked = {
            "path": request.raw_path,
            "peer": peer,
            "body": (await request.read()).decode(),
            **dict(request.headers),
        }
        return web.json_response(asked, status=201, headers={"ETag": '"1"'})

    behind, app = web.Application(), web.Application()
    behind.router.add_route("*", "/{_:.*}", echo)
    rbac = Rbac(Tenant({"resources": [resource(STORAGE)], "roleAssignments": list(assignments)}))
    async with TestServer(behind) as azurite:
        url = str(azurite.make_url("")).rstrip("/")
        async with StorageFront(
            {"queue": url, "blob": url}, TOKENS, rbac, STORAGE, kept_seconds=kept_seconds
        ) as storage:
            app.add_routes(storage.routes())
            async with TestServer(app) as server, aiohttp.ClientSession() as http:
                mine = f"Bearer {TOKENS.issue(ME, RESOURCE)['access_token']}"

                def ask(call: str, authorization: str = mine) -> Any:
                    method, path = CALLS[call]
                    target = f"{str(server.make_url('')).rstrip('/')}{path}"
                    headers = {"Authorization": authorization, "x-ms-version": "2026-02-06"}
                    return http.request(method, URL(target, encoded=True), headers=headers, data=b"body")

                yield ask


async def allowed(*assignments: dict[str, Any]) -> set[str]:
    """Those of CALLS that get through."""
    async with front(*assignments) as ask:
        through = set()
        for call in CALLS:
            async with ask(call) as answer:
                if answer.status == 201:
                    through.add(call)
                else:
                    assert answer.status == 403
                    assert answer.headers["x-ms-error-code"] == "AuthorizationPermissionMismatch"
        return through


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (QUEUE_CONTRIBUTOR, QUEUE_CALLS),
        (BLOB_OWNER, set(CALLS) - QUEUE_CALLS),
        (BLOB_READER, {"read", "list"}),
        (OWNER, {"make queue", "about queue", "make container"}),  # the control plane's own, no data
    ],
)
@pytest.mark.parametrize("scope", [STORAGE, RG, SUB])
async def test_roles(role: str, expected: set[str], scope: str) -> None:
    assert await allowed(held(scope, role, ME.object_id)) == expected


async def test_nobody_else_and_nowhere_else() -> None:
    assert await allowed() == set()
    assert (
        await allowed(held(STORAGE, QUEUE_CONTRIBUTOR, principal(3)), held(f"{RG}-2", BLOB_OWNER, ME.object_id))
        == set()
    )


async def test_a_role_on_one_queue_or_container() -> None:
    queues, containers = f"{STORAGE}/queueServices/default/queues", f"{STORAGE}/blobServices/default/containers"
    assert await allowed(held(f"{queues}/work", QUEUE_CONTRIBUTOR, ME.object_id)) == QUEUE_CALLS
    assert await allowed(held(f"{queues}/other", QUEUE_CONTRIBUTOR, ME.object_id)) == set()
    assert await allowed(held(f"{containers}/state", BLOB_READER, ME.object_id)) == {"read", "list"}


async def test_what_is_allowed_passes_as_it_is_but_for_who_asks() -> None:
    async with front(held(STORAGE, BLOB_OWNER, ME.object_id)) as ask, ask("read") as answer:
        told = await answer.json()
        assert answer.headers["ETag"] == '"1"'
    assert told["path"].startswith("/devstoreaccount1/state/caps/2026%2D11?")
    assert "sig=" in told["path"]
    assert "Authorization" not in told
    assert (told["body"], told["x-ms-version"]) == ("body", "2026-02-06")


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        ("", 403, "KeyBasedAuthenticationNotPermitted"),
        ("SharedKey devstoreaccount1:c2ln", 403, "KeyBasedAuthenticationNotPermitted"),
        ("Bearer nonsense", 401, "InvalidAuthenticationToken"),
        (f"Bearer {TOKENS.issue(ME, 'https://management.azure.com/')['access_token']}", 401, "…Audience"),
    ],
)
async def test_only_tokens_for_storage(authorization: str, status: int, code: str) -> None:
    async with front(held(STORAGE, BLOB_OWNER, ME.object_id)) as ask, ask("read", authorization) as answer:
        assert answer.status == status
        assert code.removeprefix("…") in answer.headers["x-ms-error-code"]


async def test_the_operator_needs_no_role() -> None:
    async with front() as ask, ask("read", f"Bearer {TOKENS.operator_token()}") as answer:
        assert answer.status == 201


def test_what_storage_does_not_know() -> None:
    with pytest.raises(AzureError) as refused:
        needs("queue", "PATCH", 1, {})
    assert refused.value.status == 405


@pytest.mark.parametrize(("kept_seconds", "connections"), [(3600.0, 1), (1e-9, 3)])
async def test_a_connection_that_is_too_old_is_not_used_again(kept_seconds: float, connections: int) -> None:
    """How long Azurite keeps one, `test_azurite.py` asks Azurite."""
    peers = set()
    async with front(held(STORAGE, BLOB_OWNER, ME.object_id), kept_seconds=kept_seconds) as ask:
        for _ in range(3):
            async with ask("read") as answer:
                peers.add((await answer.json())["peer"])
    assert len(peers) == connections
