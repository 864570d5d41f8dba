"""The local Azure over TLS, as Microsoft's own clients see it, and its control routes."""

import asyncio
import json
import os
import re
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from azure.mgmt.containerregistry.aio import ContainerRegistryManagementClient
from azure.monitor.ingestion.aio import LogsIngestionClient
from azure.monitor.query import LogsQueryResult
from azure.monitor.query.aio import LogsQueryClient
from emulator_units.arm_calls import ACR_PULL, OWNER, REGISTRY, RG, SUB, WORKSPACE, principal, resource

from emulator.options import Options
from emulator.server import LocalAzure

ME = principal(1)
SUBSCRIPTION = SUB.rpartition("/")[2]
AUDIENCE = "https://api.loganalytics.io"
NAME = "22222222-0000-0000-0000-000000000001"
TENANT = {
    "tenantId": "11111111-1111-1111-1111-111111111111",
    "resources": [
        resource(REGISTRY, properties={"adminUserEnabled": True}),
        resource(WORKSPACE, identity={"type": "SystemAssigned", "principalId": ME}),
    ],
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LocalAzure]:
    file = tmp_path / "tenant.json"
    file.write_text(json.dumps(TENANT))
    local = LocalAzure(Options(tenant=file, functions=False, operation_ms=10), tmp_path)
    await local.start()
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, local.environment()[name])
    yield local
    await local.stop()


@pytest.fixture
async def credential(azure: LocalAzure) -> AsyncIterator[ManagedIdentityCredential]:
    assert azure.identity_url
    async with ManagedIdentityCredential() as one:
        yield one


@pytest.fixture
async def operator(azure: LocalAzure) -> AsyncIterator[aiohttp.ClientSession]:
    async with operator_of(azure) as session:
        yield session


def operator_of(azure: LocalAzure) -> aiohttp.ClientSession:
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(azure.ca)))
    token = {"Authorization": f"Bearer {azure.tokens.operator_token()}"}
    return aiohttp.ClientSession(azure.url, headers=token, connector=trusted)


def trusting(azure: LocalAzure) -> dict[str, Any]:
    # aiohttp reads SSL_CERT_FILE only once, when it is imported: too early for a test
    return {"connection_verify": str(azure.ca)}


def arm(azure: LocalAzure) -> dict[str, Any]:
    scopes = ["https://management.azure.com/.default"]
    return {"base_url": azure.url, "credential_scopes": scopes, **trusting(azure)}


def grant(role: str) -> RoleAssignmentCreateParameters:
    role_id = f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return RoleAssignmentCreateParameters(
        role_definition_id=role_id, principal_id=ME, principal_type="ServicePrincipal"
    )


async def test_role_assignments_with_the_sdk(azure: LocalAzure, credential: ManagedIdentityCredential) -> None:
    async with AuthorizationManagementClient(credential, SUBSCRIPTION, **arm(azure)) as client:
        created = await client.role_assignments.create(REGISTRY, NAME, grant(ACR_PULL))
        assert created.principal_id == ME
        listed = client.role_assignments.list_for_scope(REGISTRY, filter=f"assignedTo('{ME}')")
        assert [item.name async for item in listed] == [NAME]
        with pytest.raises(HttpResponseError) as forbidden:
            await client.role_assignments.create(REGISTRY, ME, grant(OWNER))
        assert forbidden.value.status_code == 403
        assert "ABAC condition not fulfilled" in str(forbidden.value)
        deleted = await client.role_assignments.delete(REGISTRY, NAME)
        assert deleted
        assert deleted.name == NAME


async def test_registries_with_the_sdk(azure: LocalAzure, credential: ManagedIdentityCredential) -> None:
    async with ContainerRegistryManagementClient(credential, SUBSCRIPTION, **arm(azure)) as client:
        body = {"properties": {"adminUserEnabled": False}}
        registry = await (await client.registries.begin_update("rg", "regml", body)).result()
        assert registry.properties
        assert registry.properties.admin_user_enabled is False
        assert [item.name async for item in client.registries.list()] == ["regml"]
        with pytest.raises(HttpResponseError):
            await client.registries.list_credentials("rg", "regml")


async def test_logs_with_the_sdk(
    azure: LocalAzure, credential: ManagedIdentityCredential, operator: aiohttp.ClientSession
) -> None:
    now = datetime.now(UTC).isoformat()
    row = {"TimeGenerated": now, "RunId": "run", "Outcome": "Planned"}
    table = "AmlGuardRemediation_CL"
    environment = azure.environment()
    ingestion = environment["AMLGUARD_LOGS_INGESTION_ENDPOINT"]
    async with LogsIngestionClient(ingestion, credential, **trusting(azure)) as client:
        await client.upload(azure.deployment.rule_id, f"Custom-{table}", [row])
        with pytest.raises(HttpResponseError) as unknown:
            await client.upload("dcr-0", f"Custom-{table}", [row])
        assert unknown.value.status_code == 404
    endpoint = environment["AMLGUARD_LOGS_QUERY_ENDPOINT"]
    async with LogsQueryClient(credential, endpoint=endpoint, audience=AUDIENCE, **trusting(azure)) as client:
        answer = await client.query_workspace(
            azure.deployment.workspace_id, f"{table} | project RunId, Outcome", timespan=None
        )
        assert isinstance(answer, LogsQueryResult)
        assert [list(found) for found in answer.tables[0].rows] == [["run", "Planned"]]
    stored = await (await operator.get(f"/_local/logs/{table}")).json()
    assert [found["RunId"] for found in stored] == ["run"]


async def test_resource_graph(operator: aiohttp.ClientSession) -> None:
    url = "/providers/Microsoft.ResourceGraph/resources"
    query = {"query": "resources | where type =~ 'microsoft.containerregistry/registries' | project id"}
    answer = await operator.post(url, params={"api-version": "2024-04-01"}, json=query)
    assert [found["id"] for found in (await answer.json())["data"]] == [REGISTRY]
    assert (await operator.post(url, json=query)).status == 400


async def test_answers_carry_azures_headers_and_the_clocks_date(
    azure: LocalAzure, operator: aiohttp.ClientSession
) -> None:
    before = await operator.get(f"{RG}?api-version=2021-04-01")
    assert before.headers["x-ms-request-id"]
    assert before.headers["x-ms-correlation-request-id"]
    advanced = await operator.post("/_local/clock", json={"advanceSeconds": 86400})
    assert datetime.fromisoformat((await advanced.json())["now"]) == pytest.approx(azure.clock.now(), abs=_HOUR)
    after = await operator.get(f"{RG}?api-version=2021-04-01")
    passed = parsedate_to_datetime(after.headers["Date"]) - parsedate_to_datetime(before.headers["Date"])
    assert 86400 <= passed.total_seconds() < 86400 + _HOUR.total_seconds()
    assert (await operator.post("/_local/clock", json={"advanceSeconds": -1})).status == 400


_HOUR = timedelta(hours=1)


async def test_the_request_log(operator: aiohttp.ClientSession) -> None:
    await operator.get(f"{RG}?api-version=2021-04-01")
    await operator.get("/nonsense")
    going = await (await operator.get("/_local/running")).json()
    assert going == {"invocations": 0, "events": 0, "requests": 2, "workers": []}
    log = await (await operator.get("/_local/requests")).json()
    assert [(entry["method"], entry["path"], entry["caller"], entry["status"]) for entry in log] == [
        ("GET", f"{RG}?api-version=2021-04-01", "operator", 200),
        ("GET", "/nonsense", "operator", 400),
    ]
    await operator.delete("/_local/requests")
    assert await (await operator.get("/_local/requests")).json() == []


async def test_control_is_for_the_operator_alone(
    credential: ManagedIdentityCredential, operator: aiohttp.ClientSession
) -> None:
    token = (await credential.get_token("https://management.azure.com/.default")).token
    for headers, status in (({"Authorization": f"Bearer {token}"}, 403), ({"Authorization": ""}, 401)):
        assert (await operator.get("/_local/requests", headers=headers)).status == status
    assert (await operator.get("/_local/nonsense")).status == 404


async def test_tokens_are_for_one_audience(azure: LocalAzure, credential: ManagedIdentityCredential) -> None:
    scopes = {"credential_scopes": ["https://monitor.azure.com/.default"]}
    async with AuthorizationManagementClient(credential, SUBSCRIPTION, **{**arm(azure), **scopes}) as client:
        with pytest.raises(ClientAuthenticationError) as refused:
            await client.role_assignments.get(REGISTRY, NAME)
        assert "InvalidAuthenticationTokenAudience" in str(refused.value)


async def test_faults(azure: LocalAzure, operator: aiohttp.ClientSession) -> None:
    url = f"{RG}?api-version=2021-04-01"
    fault = {"method": "GET", "path": "resourceGroups/rg", "status": 503, "code": "Busy", "times": 1}
    assert (await operator.post("/_local/faults", json=[fault])).status == 204
    answer = await operator.get(url)
    assert (answer.status, (await answer.json())["error"]["code"]) == (503, "Busy")
    assert (await operator.get(url)).status == 200
    await operator.post("/_local/faults", json=[{"path": "msi/token", "status": 500}, {"path": "rg", "drop": True}])
    with pytest.raises(aiohttp.ClientError):
        await operator.get(url)
    async with aiohttp.ClientSession() as app:
        asked = {"api-version": "2019-08-01", "resource": "https://management.azure.com"}
        header = {"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}
        assert (await app.get(azure.identity_url, params=asked, headers=header)).status == 500
    assert (await operator.post("/_local/faults", json=[{"nonsense": 1}])).status == 400
    await operator.post("/_local/faults", json=[])
    assert (await operator.get(url)).status == 200


async def test_a_fault_after_the_effect_answers_as_it_is_told(operator: aiohttp.ClientSession) -> None:
    url = f"{RG}/providers/Microsoft.Storage/storageAccounts/late?api-version=2025-08-01"
    wanted = {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}
    answer = {"status": 201, "body": "[\udcff", "headers": {"Content-Type": "text/html", "X-Odd": "1"}}
    await operator.post("/_local/faults", json=[{"method": "PUT", "path": "late", "after": True, "times": 1} | answer])
    response = await operator.put(url, json=wanted)
    assert (response.status, await response.read(), response.content_type) == (201, b"[\xff", "text/html")
    assert response.headers["X-Odd"] == "1"
    assert (await operator.get(url)).status == 200
    await operator.post("/_local/faults", json=[{"method": "DELETE", "path": "late", "after": True, "drop": True}])
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await operator.delete(url)
    await operator.post("/_local/faults", json=[])
    assert (await operator.get(url)).status == 404


async def test_metadata_is_for_everybody(azure: LocalAzure, operator: aiohttp.ClientSession) -> None:
    url = "/metadata/endpoints?api-version={}"
    cloud = await (await operator.get(url.format("2022-09-01"), headers={"Authorization": ""})).json()
    assert cloud["resourceManager"] == f"{azure.url}/"
    assert "https://management.azure.com/" in cloud["authentication"]["audiences"]
    assert (await operator.get(url.format("1999-01-01"))).status == 400


@pytest.mark.parametrize("version", ["2022-09-01", "2023-01-01", "2023-12-01", "2019-05-01", "2020-06-01"])
async def test_the_cloud_bears_no_name_of_a_real_one(
    azure: LocalAzure, operator: aiohttp.ClientSession, version: str
) -> None:
    """Clients replace the address of a cloud whose name they know: azure-ai-ml's and az's tables are these."""
    known = {"azurecloud", "azurechinacloud", "azuregermancloud", "azureusgovernment", "azureusgovernmentcloud"}
    answer = await operator.get(f"/metadata/endpoints?api-version={version}", headers={"Authorization": ""})
    assert answer.status == 200
    said = await answer.json()
    [cloud] = said if isinstance(said, list) else [said]
    assert cloud["name"] == "AmlGuardLocal"
    assert cloud["name"].lower() not in known
    assert cloud["resourceManager"] == f"{azure.url}/"
    # what azure-ai-ml reads of a cloud that it does not know (_convert_arm_to_cli)
    assert cloud["portal"].startswith("https://")
    assert cloud["authentication"]["loginEndpoint"].startswith("https://")
    assert cloud["suffixes"]["storage"]
    words = set(re.findall(r"azure\w*", await answer.text(), re.IGNORECASE))
    assert not {word.lower() for word in words} & known


async def test_bodies_that_are_no_json(operator: aiohttp.ClientSession) -> None:
    url = f"{REGISTRY}?api-version=2025-11-01"
    for body in ("{", "[1]", "[" * 100_000, ""):
        answer = await operator.patch(url, data=body)
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "InvalidRequestContent")
    assert (await operator.head(url)).status == 204


@pytest.mark.parametrize(("throttle", "most"), [(True, 10_000), (False, 251)])
async def test_throttling(tmp_path: Path, *, throttle: bool, most: int) -> None:
    local = LocalAzure(Options(functions=False, throttle=throttle), tmp_path)
    await local.start()
    try:
        trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(local.ca)))
        token = local.tokens.issue(local.deployment.app, "https://management.azure.com")["access_token"]
        async with aiohttp.ClientSession(
            local.url, headers={"Authorization": f"Bearer {token}"}, connector=trusted
        ) as app:
            statuses: list[int] = []
            while len(statuses) < most and 429 not in statuses:  # the bucket fills while a busy machine asks
                statuses.append((await app.delete("/subscriptions/x?api-version=2021-04-01")).status)
    finally:
        await local.stop()
    assert (statuses.count(429) > 0) is throttle
    assert set(statuses[:200]) == {405}


async def test_latency_delays_azure_but_not_its_control_routes(tmp_path: Path) -> None:
    local = LocalAzure(Options(functions=False, latency_ms=3000), tmp_path)
    await local.start()
    try:
        async with operator_of(local) as operator:
            await operator.get("/subscriptions?api-version=2022-12-01")
            started = asyncio.get_running_loop().time()
            (logged,) = await (await operator.get("/_local/requests")).json()
            assert asyncio.get_running_loop().time() - started < 3
            assert logged["durationMs"] >= 3000
    finally:
        await local.stop()


async def test_the_same_events_reach_the_webhook(tmp_path: Path) -> None:
    received: list[dict[str, Any]] = []
    got = asyncio.Event()

    async def hook(request: web.Request) -> web.Response:
        (event,) = await request.json()
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            return web.json_response({"validationResponse": event["data"]["validationCode"]})
        received.append(event)
        got.set()
        return web.Response()

    application = web.Application()
    application.router.add_post("/", hook)
    local = LocalAzure(Options(functions=False, operation_ms=10), tmp_path)
    async with TestServer(application) as server:
        local.events.webhook = str(server.make_url("/"))
        await local.start()
        try:
            async with operator_of(local) as operator:
                group = f"/subscriptions/{next(iter(local.tenant.subscriptions))}/resourceGroups/made"
                await operator.put(f"{group}?api-version=2021-04-01", json={"location": "westeurope"})
                await asyncio.wait_for(got.wait(), 5)
        finally:
            await local.stop()
    assert {event["subject"] for event in received} == {group}
    assert received[0]["data"]["operationName"] == "Microsoft.Resources/subscriptions/resourceGroups/write"
