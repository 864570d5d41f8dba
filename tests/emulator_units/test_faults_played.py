"""What a client sees of the faults that the local Azure plays, over TLS."""

import json
import ssl
import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from emulator_units.arm_calls import ACR_PULL, REGISTRY, RG, SUB, WORKSPACE, principal, resource

from emulator.options import Options
from emulator.server import LocalAzure

type Json = dict[str, Any]

CLUSTER = f"{WORKSPACE}/computes/cpu1"
IDENTITY = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai1"
TENANT = {
    "resources": [
        resource(REGISTRY, properties={"adminUserEnabled": True}),
        resource(WORKSPACE, identity={"type": "SystemAssigned", "principalId": principal(1)}),
        resource(
            CLUSTER,
            identity={"type": "SystemAssigned", "principalId": principal(2)},
            properties={"computeType": "AmlCompute"},
        ),
        resource(IDENTITY, properties={"principalId": principal(3), "clientId": principal(4)}),
    ],
}
_VERSIONS = {"ContainerRegistry": "2025-11-01", "Authorization/locks": "2020-05-01", "Authorization": "2022-04-01"}
_VERSIONS |= {"MachineLearningServices": "2025-12-01", "ManagedIdentity": "2024-11-30"}
_GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"


class Client:
    """The operator, by plain HTTP."""

    def __init__(self, azure: LocalAzure, http: aiohttp.ClientSession) -> None:
        self.azure = azure
        self.http = http

    async def faults(self, *faults: Json) -> None:
        answer = await self.http.post("/_local/faults", json=list(faults))
        assert answer.status == 204, await answer.text()

    async def ask(self, path: str, method: str = "GET", body: Any = None) -> aiohttp.ClientResponse:
        """The answer, whole."""
        if path.startswith("/") and "api-version" not in path:
            kind = path.partition("?")[0].rpartition("/providers/Microsoft.")[2]
            version = next((one for name, one in _VERSIONS.items() if kind.startswith(name)), "2021-04-01")
            path = f"{path}{'&' if '?' in path else '?'}api-version={version}"
        answer = await self.http.request(method, path, json=body)
        await answer.read()
        return answer

    async def get(self, path: str) -> Json:
        found: Json = await (await self.ask(path)).json()
        return found

    async def graph(self, **options: Any) -> Json:
        query = {
            "query": "resources | where type =~ 'microsoft.containerregistry/registries' | project id",
            "options": options,
        }
        found: Json = await (await self.ask(_GRAPH, "POST", query)).json()
        return found

    async def advance(self, seconds: int) -> None:
        await self.ask("/_local/clock", "POST", {"advanceSeconds": seconds})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalAzure]:
    folder = tmp_path_factory.mktemp("azure")
    file = folder / "tenant.json"
    file.write_text(json.dumps(TENANT))
    local = LocalAzure(Options(tenant=file, functions=False, operation_ms=10), folder)
    await local.start()
    yield local
    await local.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def client(running: LocalAzure) -> AsyncIterator[Client]:
    trusted = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(running.ca)))
    token = {"Authorization": f"Bearer {running.tokens.operator_token()}"}
    async with aiohttp.ClientSession(running.url, headers=token, connector=trusted) as http:
        one = Client(running, http)
        yield one
        await one.faults()


pytestmark = pytest.mark.asyncio(loop_scope="module")


def _unreadable(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("answer", ["truncated", "empty", "notUtf8", "notJson", "html"])
async def test_answers_that_are_no_json(client: Client, answer: str) -> None:
    await client.faults({"path": "registries/regml", "answer": answer, "times": 1})
    spoilt = await client.ask(REGISTRY)
    assert spoilt.status == 200
    assert _unreadable(await spoilt.read())
    assert spoilt.headers["Date"]
    assert (await client.get(REGISTRY))["name"] == "regml"


@pytest.mark.parametrize(("answer", "kind"), [("null", type(None)), ("list", list), ("text", str), ("number", int)])
async def test_answers_of_another_type(client: Client, answer: str, kind: type) -> None:
    await client.faults({"path": "registries/regml", "answer": answer})
    assert type(await client.get(REGISTRY)) is kind


async def test_an_answer_of_another_content_type(client: Client) -> None:
    await client.faults({"path": "registries/regml", "answer": "plainText"})
    answer = await client.ask(REGISTRY)
    assert answer.content_type == "text/plain"
    assert json.loads(await answer.text())["name"] == "regml"


@pytest.mark.parametrize("connection", ["reset", "stall"])
async def test_connections_that_end_amid_a_body(client: Client, connection: str) -> None:
    await client.faults({"path": "registries/regml", "connection": connection, "stallMs": 3000, "times": 1})
    started = time.monotonic()
    with pytest.raises(aiohttp.ClientError):
        await client.ask(REGISTRY)
    assert (time.monotonic() - started >= 3) == (connection == "stall")
    assert (await client.get(REGISTRY))["name"] == "regml"


async def test_a_slow_body_arrives(client: Client) -> None:
    await client.faults({"path": "registries/regml", "connection": "slow", "stallMs": 200})
    started = time.monotonic()
    assert (await client.get(REGISTRY))["name"] == "regml"
    assert time.monotonic() - started >= 0.2


async def test_a_delay_after_the_effect(client: Client) -> None:
    await client.faults({"method": "PATCH", "delayMs": 200, "after": True})
    started = time.monotonic()
    await client.ask(REGISTRY, "PATCH", {"tags": {"slow": "yes"}})
    assert time.monotonic() - started >= 0.2
    assert (await client.get(REGISTRY))["tags"] == {"slow": "yes"}


async def _pages(client: Client, first: str, most: int = 6) -> list[int]:
    """How many items each page has."""
    sizes, link = list[int](), first
    while link and len(sizes) < most:
        page = await client.get(link)
        sizes.append(len(page["value"]))
        link = page.get("nextLink", "").removeprefix(client.azure.url)
    return sizes


@pytest.mark.parametrize(("answer", "sizes"), [("pageRepeats", [1] * 6), ("pagesLoop", [1] * 6), ("emptyPage", [0, 1])])
async def test_pages_of_arm(client: Client, answer: str, sizes: list[int]) -> None:
    await client.faults({"path": "/computes", "answer": answer})
    assert await _pages(client, f"{WORKSPACE}/computes") == sizes


async def test_an_empty_page_leads_to_the_list_even_if_it_comes_once(client: Client) -> None:
    await client.faults({"path": "/computes", "answer": "emptyPage", "times": 1})
    assert await _pages(client, f"{WORKSPACE}/computes") == [0, 1]


@pytest.mark.parametrize(("answer", "sizes"), [("pageRepeats", [1] * 5), ("pagesLoop", [1] * 5), ("emptyPage", [0, 1])])
async def test_pages_of_resource_graph(client: Client, answer: str, sizes: list[int]) -> None:
    await client.faults({"endpoint": "graph", "answer": answer, "times": 1})
    page = await client.graph()
    found = [len(page["data"])]
    while page.get("$skipToken") and len(found) < 5:
        page = await client.graph(**{"$skipToken": page["$skipToken"]})
        found.append(len(page["data"]))
    assert found == sizes


async def test_a_token_that_lives_for_a_moment(client: Client) -> None:
    env = client.azure.environment()
    await client.faults({"endpoint": "token", "tokenSeconds": -1})
    url = f"{env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource=https://management.azure.com/"
    async with (
        aiohttp.ClientSession() as http,
        http.get(url, headers={"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]}) as a,
    ):
        token = (await a.json())["access_token"]
    late = await client.http.get(f"{RG}?api-version=2021-04-01", headers={"Authorization": f"Bearer {token}"})
    assert late.status == 401
    assert "ExpiredAuthenticationToken" in await late.text()


async def test_each_endpoint_alone(client: Client) -> None:
    await client.faults({"endpoint": "graph", "status": 503})
    assert (await client.ask(_GRAPH, "POST", {"query": "resources"})).status == 503
    assert (await client.ask(REGISTRY)).status == 200
    await client.faults({"endpoint": "arm", "status": 503})
    assert (await client.ask(_GRAPH, "POST", {"query": "resources"})).status == 200
    assert (await client.ask(REGISTRY)).status == 503


async def test_a_clock_that_is_wrong(client: Client) -> None:
    await client.faults({"path": "registries", "skewSeconds": -3600})
    skewed, right = await client.ask(REGISTRY), await client.ask(RG)
    apart = _date(right) - _date(skewed)
    assert timedelta(minutes=59) < apart < timedelta(minutes=61)


def _date(answer: aiohttp.ClientResponse) -> datetime:
    return parsedate_to_datetime(answer.headers["Date"])


def _lock(scope: str) -> Json:
    identifier = f"{scope}/providers/Microsoft.Authorization/locks/sudden"
    return {"id": identifier, "name": "sudden", "properties": {"level": "ReadOnly"}}


async def test_a_lock_that_appears_after_the_second_read(client: Client) -> None:
    await client.faults(
        {
            "method": "GET",
            "path": "registries/regml",
            "nth": 2,
            "times": 1,
            "after": True,
            "change": {"put": _lock(REGISTRY)},
        }
    )
    body = {"tags": {"a": "b"}}
    assert [(await client.ask(REGISTRY)).status, (await client.ask(REGISTRY, "PATCH", body)).status] == [200, 200]
    assert [(await client.ask(REGISTRY)).status, (await client.ask(REGISTRY, "PATCH", body)).status] == [200, 409]
    await client.faults({"path": "registries/regml", "times": 1, "change": {"delete": _lock(REGISTRY)["id"]}})
    assert (await client.ask(REGISTRY, "PATCH", body)).status == 200


@pytest.mark.parametrize("made", [CLUSTER, IDENTITY])
async def test_made_anew_with_another_principal(client: Client, made: str) -> None:
    before = _principal_of(await client.get(made))
    await client.faults({"path": made.rpartition("/")[2] + r"\?", "times": 1, "change": {"remake": made}})
    after = _principal_of(await client.get(made))
    assert before != after
    assert before not in client.azure.tenant.principals
    assert after in client.azure.tenant.principals


def _principal_of(raw: Json) -> str:
    block: Any = raw.get("identity") or raw["properties"]
    return str(block["principalId"])


async def _grant(client: Client, name: int, to: str, scope: str = REGISTRY) -> Json:
    role = f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}"
    properties = {"roleDefinitionId": role, "principalId": to, "principalType": "ServicePrincipal"}
    path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/22222222-0000-0000-0000-{name:012}"
    made: Json = await (await client.ask(path, "PUT", {"properties": properties})).json()
    return made


async def test_a_new_principal_is_known_late(client: Client) -> None:
    await client.faults({"principalsAfterSeconds": 120})
    made = await (await client.ask(f"{IDENTITY}2", "PUT", {"location": "westeurope"})).json()
    new = made["properties"]["principalId"]
    assert (await _grant(client, 1, new))["error"]["code"] == "PrincipalNotFound"
    assert "error" not in await _grant(client, 2, principal(1))
    await client.advance(121)
    assert "error" not in await _grant(client, 1, new)


async def test_an_assignment_acts_late(client: Client) -> None:
    rbac, action = client.azure.rbac, "Microsoft.ContainerRegistry/registries/pull/read"
    await client.faults({"assignmentsActAfterSeconds": 600})
    one = _principal_of(await client.get(IDENTITY))
    made = await _grant(client, 3, one)
    assert "error" not in made
    assert not rbac.allowed(one, action, REGISTRY)
    assert (await client.get(made["id"]))["name"] == made["name"]
    await client.advance(601)
    assert rbac.allowed(one, action, REGISTRY)


async def test_resource_graph_is_behind(client: Client) -> None:
    await client.faults({"graphBehindSeconds": 300})
    new = f"{REGISTRY}new"
    await client.ask(new, "PUT", {"location": "westeurope", "sku": {"name": "Basic"}})
    assert (await client.get(new))["name"] == "regmlnew"
    assert new not in {one["id"] for one in (await client.graph())["data"]}
    await client.advance(301)
    assert new in {one["id"] for one in (await client.graph())["data"]}
    await client.ask(new, "DELETE")
    assert new in {one["id"] for one in (await client.graph())["data"]}


async def test_cut_answers_are_logged_as_such(client: Client) -> None:
    await client.ask("/_local/requests", "DELETE")
    await client.faults({"path": "registries/regml", "connection": "reset", "times": 1})
    with pytest.raises(aiohttp.ClientError):
        await client.ask(REGISTRY)
    await client.ask(REGISTRY)
    logged = await (await client.ask("/_local/requests")).json()
    assert [one["status"] for one in logged] == [0, 200]
