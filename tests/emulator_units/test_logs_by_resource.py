"""Logs of one resource: https://learn.microsoft.com/azure/azure-monitor/logs/api/azure-resource-queries."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from emulator_units.arm_calls import OPERATOR, READER, RG, STORAGE, VAULT, held, principal, resource

from emulator.clock import Clock
from emulator.deployment import ACCESS, Deployment, deploy
from emulator.fronts import LogsFront
from emulator.http.bodies import handled
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller, Tokens
from emulator.logs.logs import Logs
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

NOW = "2026-11-29T10:00:00Z"
ONE_TABLE = "cccccccc-0000-4000-8000-000000000001"
READS_ALL, READS_ONE_TABLE, NOBODY = (Caller(principal(n), principal(n), "someone") for n in (1, 2, 3))


class Queries:
    def __init__(self, client: TestClient[Any, Any], tokens: Tokens, own: Deployment) -> None:
        self._client, self._tokens, self.own = client, tokens, own

    async def ask(self, resource: str, text: str = "Reads | project Op", caller: Caller = READS_ALL) -> tuple[int, Any]:
        token = self._tokens.issue(caller, "https://api.loganalytics.io")["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self._client.post(f"/v1{resource}/query", json={"query": text}, headers=headers)
        body = await answer.json()
        if answer.status != 200:
            return answer.status, body["error"]["code"]
        return 200, [row[0] for row in body["tables"][0]["rows"]]


@pytest.fixture
async def queries() -> AsyncIterator[Queries]:
    rows = [
        {"TimeGenerated": NOW, "Op": "of storage", "_ResourceId": STORAGE.lower()},
        {"TimeGenerated": NOW, "Op": "of its blobs", "_ResourceId": f"{STORAGE}/blobServices/default"},
        {"TimeGenerated": NOW, "Op": "of another", "_ResourceId": f"{STORAGE}2"},
    ]
    reads = {"roleName": "one table", "type": "CustomRole", "assignableScopes": [RG]}
    actions = ["Microsoft.Insights/logs/read", "Microsoft.Insights/logs/Reads/read"]
    role = {"name": ONE_TABLE, "properties": {**reads, "permissions": [{"actions": actions}]}}
    tenant = Tenant(
        {
            "resources": [resource(one) for one in (STORAGE, f"{STORAGE}2", VAULT)],
            "roleDefinitions": [role],
            "roleAssignments": [
                held(RG, READER, READS_ALL.object_id),
                held(STORAGE, ONE_TABLE, READS_ONE_TABLE.object_id),
            ],
            "logs": {"Reads": rows, "Plain": [{"TimeGenerated": NOW, "Op": "of nothing"}]},
        }
    )
    own = deploy(tenant, SeededValues(7), ACCESS, None)
    tokens = Tokens(tenant.tenant_id, app=own.app, operator=OPERATOR)
    front = LogsFront(Logs(tenant.logs, Clock()), tenant, own, tokens, Rbac(tenant))
    application = web.Application(middlewares=[web.middleware(handled)])
    application.add_routes(front.routes())
    async with TestClient(TestServer(application)) as client:
        yield Queries(client, tokens, own)


async def test_its_rows_and_those_of_what_lies_below_it(queries: Queries) -> None:
    assert await queries.ask(STORAGE) == (200, ["of storage", "of its blobs"])
    assert await queries.ask(STORAGE.upper().replace("/SUBSCRIPTIONS", "/subscriptions")) == (
        200,
        ["of storage", "of its blobs"],
    )
    assert await queries.ask(f"{STORAGE}2") == (200, ["of another"])
    assert await queries.ask(VAULT) == (200, [])


async def test_a_group_has_the_logs_of_what_lies_in_it(queries: Queries) -> None:
    assert await queries.ask(RG) == (200, ["of storage", "of its blobs", "of another"])


async def test_a_log_workspace_has_all(queries: Queries) -> None:
    own, plain = queries.own.workspace_resource, "Plain | project Op"
    assert await queries.ask(own, plain, OPERATOR) == (200, ["of nothing"])
    assert await queries.ask(RG, "Plain | project Op") == (200, [])


async def test_each_table_takes_a_right(queries: Queries) -> None:
    assert await queries.ask(STORAGE, caller=READS_ONE_TABLE) == (200, ["of storage", "of its blobs"])
    assert await queries.ask(STORAGE, "Plain | project Op", READS_ONE_TABLE) == (400, "BadArgumentError")
    assert await queries.ask(RG, caller=READS_ONE_TABLE) == (403, "InsufficientAccessError")
    assert await queries.ask(STORAGE, caller=NOBODY) == (403, "InsufficientAccessError")


async def test_what_is_not_there(queries: Queries) -> None:
    assert await queries.ask(f"{STORAGE}3") == (404, "ResourceNotFoundError")
    assert await queries.ask(f"{RG}x") == (404, "ResourceNotFoundError")
    assert await queries.ask("/subscriptions/none/resourceGroups/rg") == (404, "ResourceNotFoundError")
