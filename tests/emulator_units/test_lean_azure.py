"""The lean Azure of the bench: it answers as the local Azure does, or refuses what it does not know."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bench.lean.azure import LeanAzure
from bench.lean.graph import SweptGraph
from bench.lean.http import Answer, Connection, Request
from bench.tenant import tenant, workspaces
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.resource_graph.graph import ResourceGraph
from emulator.tenant import Tenant
from shared.access.scope import Scope
from shared.ports import Raw
from shared.reading.discover import all_workspaces
from shared.reading.from_resource_graph import ResourceGraphReads

type Json = dict[str, Any]

_SIZE, _SUBSCRIPTIONS = 30, 3
_WORKSPACES = workspaces(_SIZE, _SUBSCRIPTIONS)
_SUBSCRIPTION = _WORKSPACES[0].partition("/resourceGroups/")[0]
_GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
_COMPUTES = f"{_WORKSPACES[0]}/computes?api-version=2025-12-01"


class _Queries:
    """A fake of what queries: keeps them, and knows one workspace."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        self.asked.append((kql, subscription.name if subscription else None))
        yield {"id": _WORKSPACES[0]}


async def _bodies() -> list[Json]:
    """Each query of a sweep, as the app asks it."""
    queries = _Queries()
    _ = [one async for one in all_workspaces(queries)]  # type: ignore[arg-type]  # only queries are asked
    some = [Scope.parse(text) for text in _WORKSPACES[::_SUBSCRIPTIONS]]
    await ResourceGraphReads.read(some[:6], queries)  # type: ignore[arg-type]  # only queries are asked
    return [
        {
            "query": kql,
            "options": {"$top": 7, "resultFormat": "objectArray"}
            | ({"authorizationScopeFilter": "AtScopeAboveAndBelow"} if subscription else {}),
        }
        | ({"subscriptions": [subscription]} if subscription else {})
        for kql, subscription in queries.asked
    ]


def _pages(graph: ResourceGraph, body: Json) -> list[Json]:
    pages, options = [], dict(body["options"])
    while True:
        page, _ = graph.query("someone", {**body, "options": options})
        pages.append(page)
        if "$skipToken" not in page:
            return pages
        options["$skipToken"] = page["$skipToken"]


async def test_queries_are_answered_as_if_they_were_interpreted() -> None:
    store = Tenant(tenant(_SIZE, _SUBSCRIPTIONS))
    quick = SweptGraph(store, Clock(), throttles=False)
    slow = ResourceGraph(store, lambda _, __: True, Clock(), throttles=False)
    bodies = await _bodies()
    assert len(bodies) == 3
    for body in bodies:
        assert _pages(quick, body) == _pages(slow, body)


async def test_a_query_of_another_shape_is_refused() -> None:
    graph = SweptGraph(Tenant(tenant(_SIZE, _SUBSCRIPTIONS)), Clock(), throttles=False)
    body = (await _bodies())[-1]
    with pytest.raises(AzureError, match="501"):
        graph.query("someone", {**body, "query": body["query"].replace("order by id asc", "order by id desc")})


@pytest.fixture
def azure() -> LeanAzure:
    return LeanAzure(Tenant(tenant(_SIZE, _SUBSCRIPTIONS)), latency=0, throttles=True)


def _request(azure: LeanAzure, method: str, target: str, body: object = None, *, audience: str = "") -> Request:
    query = {"api-version": "2019-08-01", "resource": audience or "https://management.azure.com/"}
    token = azure.tokens.managed_identity(azure.tokens.identity_header, query)["access_token"]
    return Request(method, target, f"\r\nAuthorization: Bearer {token}".encode(), json.dumps(body).encode())


def _refused(azure: LeanAzure) -> list[tuple[int, str]]:
    token = f"\r\nAuthorization: Bearer {azure.tokens.operator_token()}".encode()
    return [
        (one["status"], one["path"])
        for one in json.loads(azure.answer(Request("GET", "/_local/refused", token, b"")).body)
    ]


def test_a_list_is_what_the_tenant_holds(azure: LeanAzure) -> None:
    answer = azure.answer(_request(azure, "GET", _COMPUTES))
    assert answer.status == 200
    assert {one["name"] for one in json.loads(answer.body)["value"]} == {"cpu0", "cpu1", "cpu2", "cpu3", "cpu4"}
    assert answer.headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    assert _refused(azure) == []


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"{_WORKSPACES[0]}/jobs?api-version=2025-12-01"),
        ("GET", f"{_WORKSPACES[0]}/computes?api-version=2020-01-01"),
        ("PUT", _COMPUTES),
        ("POST", "/v1/workspaces/anything/query"),
    ],
)
def test_what_no_sweep_asks_is_refused_and_counted(azure: LeanAzure, method: str, target: str) -> None:
    assert azure.answer(_request(azure, method, target)).status == 501
    assert _refused(azure) == [(501, target)]


def _assignment(principal: str) -> Json:
    role = f"{_SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
    return {"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}}


def test_a_live_one_makes_grants_and_shows_them_wherever_they_are_listed() -> None:
    azure = LeanAzure(Tenant(tenant(_SIZE, _SUBSCRIPTIONS, lacking=1)), latency=0, throttles=True, live=True)
    group = _WORKSPACES[0].partition("/providers/")[0]
    clusters = json.loads(azure.answer(_request(azure, "GET", _COMPUTES)).body)["value"]
    (principal,) = (one["identity"]["principalId"] for one in clusters if one["name"] == "cpu0")
    all_of_it = "providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    lists = f"{group}/{all_of_it}", f"{_SUBSCRIPTION}/{all_of_it}&$filter=assignedTo('{principal}')"

    def listed(target: str) -> int:
        found = json.loads(azure.answer(_request(azure, "GET", target)).body)["value"]
        return sum(one["properties"]["principalId"] == principal for one in found)

    assert [listed(one) for one in lists] == [0, 0]
    registry = f"{group}/providers/Microsoft.ContainerRegistry/registries/registry00000"
    name = "0d8f7a0e-30f4-4e0c-9d86-1d3a5e8a5a11"
    grant = f"{registry}/providers/Microsoft.Authorization/roleAssignments/{name}?api-version=2022-04-01"
    assert azure.answer(_request(azure, "PUT", grant, _assignment(principal))).status == 201
    assert [listed(one) for one in lists] == [1, 1]
    assert _refused(azure) == []


def test_a_live_one_refuses_what_arm_refuses() -> None:
    azure = LeanAzure(Tenant(tenant(_SIZE, _SUBSCRIPTIONS)), latency=0, throttles=True, live=True)
    missing = _COMPUTES.replace("mlw-0/", "mlw-none/")
    assert azure.answer(_request(azure, "GET", missing)).status == 404
    assert _refused(azure) == [(404, missing)]


def test_nobody_reads_without_a_token_or_with_one_for_something_else(azure: LeanAzure) -> None:
    assert azure.answer(Request("GET", _COMPUTES, b"", b"")).status == 401
    assert azure.answer(_request(azure, "GET", _COMPUTES, audience="https://monitor.azure.com")).status == 401
    assert [status for status, _ in _refused(azure)] == [401, 401]


def test_each_subscription_has_its_bucket(azure: LeanAzure) -> None:
    other = _COMPUTES.replace(_WORKSPACES[0], _WORKSPACES[1])
    request, elsewhere = _request(azure, "GET", _COMPUTES), _request(azure, "GET", other)
    answers = [azure.answer(request) for _ in range(300)]
    assert [answer.status for answer in answers[:250]] == [200] * 250
    assert answers[-1].status == 429
    assert answers[-1].headers["Retry-After"] == "1"
    assert azure.answer(elsewhere).status == 200
    assert _refused(azure) == []


async def test_resource_graph_has_its_quota(azure: LeanAzure) -> None:
    asked = _request(azure, "POST", _GRAPH, (await _bodies())[0])
    answers = [azure.answer(asked) for _ in range(16)]
    assert [answer.status for answer in answers] == [200] * 15 + [429]
    assert [answer.headers["x-ms-user-quota-remaining"] for answer in answers[:2]] == ["14", "13"]


class _Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False


@pytest.fixture
def spoken() -> Callable[..., list[bytes]]:
    """What is written back for pieces of what a client sends: method, target and body of each request."""

    def speak(*pieces: bytes) -> list[bytes]:
        def answer(request: Request) -> Answer:
            return Answer(200, f"{request.method} {request.target} {request.body.decode()}".encode())

        wire, connection = _Wire(), Connection(answer, lambda _: 0)
        connection.connection_made(wire)
        for piece in pieces:
            connection.data_received(piece)
        return [one.partition(b"\r\n\r\n")[2] for one in wire.written]

    return speak


def test_requests_come_in_any_pieces(spoken: Callable[..., list[bytes]]) -> None:
    sent = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
    sent += b"POST /b HTTP/1.1\r\ncontent-length: 4\r\nHost: x\r\n\r\nbody"
    sent += b"GET /c HTTP/1.1\r\n\r\n"
    whole = [b"GET /a ", b"POST /b body", b"GET /c "]
    assert spoken(sent) == whole
    assert spoken(*(sent[at : at + 1] for at in range(len(sent)))) == whole


def test_a_body_of_unknown_length_is_refused(spoken: Callable[..., list[bytes]]) -> None:
    with pytest.raises(ValueError, match="chunks"):
        spoken(b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
