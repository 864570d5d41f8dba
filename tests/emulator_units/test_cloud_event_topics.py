"""A topic takes CloudEvents from whoever may send, and refuses what Event Grid refuses."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from emulator_units.arm_calls import RG, held, principal, resource

from emulator.http.bodies import handled
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller, Tokens
from emulator.tenant import Tenant
from emulator.topics import MOST_BYTES, Topic, TopicFront

ME, STRANGER = Caller(principal(1), "me", "me"), Caller(principal(3), "stranger", "stranger")
OPERATOR = Caller(principal(2), "operator", "Operator", "User", operator=True)
TOKENS = Tokens("tenant", app=ME, operator=OPERATOR)
TOPIC = f"{RG}/providers/Microsoft.EventGrid/topics/told"
SENDER = "d5a91429-5739-47e2-a06b-3470a27159e7"
URL = "/topics/told/api/events?api-version=2018-01-01"
EVENT = {"id": "1", "source": "urn:me", "specversion": "1.0", "type": "t", "data": {"n": 1}}
BATCH, ONE = "application/cloudevents-batch+json; charset=utf-8", "application/cloudevents+json"
RESOURCE = "https://eventgrid.azure.net"


@pytest.fixture
def topics() -> dict[str, Topic]:
    return {"told": Topic(TOPIC), "keyed": Topic(TOPIC, "a key")}


@pytest.fixture
async def http(topics: dict[str, Topic]) -> AsyncIterator[TestClient[Any, Any]]:
    rbac = Rbac(Tenant({"resources": [resource(TOPIC)], "roleAssignments": [held(TOPIC, SENDER, ME.object_id)]}))
    application = web.Application(middlewares=[web.middleware(handled)], client_max_size=4 * MOST_BYTES)
    application.add_routes(TopicFront(topics, TOKENS, rbac).routes())
    async with TestClient(TestServer(application)) as client:
        yield client


def bearer(caller: Caller = ME, audience: str = RESOURCE) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS.issue(caller, audience)['access_token']}"}


async def send(
    http: TestClient[Any, Any], body: Any, kind: str = BATCH, url: str = URL, headers: dict[str, str] | None = None
) -> aiohttp.ClientResponse:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await http.post(
        url, data=io.BytesIO(data), headers={"Content-Type": kind, **(bearer() if headers is None else headers)}
    )


async def test_it_takes_a_batch_and_one(http: TestClient[Any, Any], topics: dict[str, Topic]) -> None:
    assert (await send(http, [EVENT, EVENT])).status == 200
    assert (await send(http, EVENT, ONE)).status == 200
    assert list(topics["told"].events) == [EVENT] * 3


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"url": "/topics/told/api/events"}, 400),
        ({"url": "/topics/told/api/events?api-version=2023-11-01"}, 400),
        ({"url": "/topics/none/api/events?api-version=2018-01-01"}, 404),
        ({"headers": {}}, 401),
        ({"headers": bearer(audience="https://management.azure.com")}, 401),
        ({"headers": bearer(STRANGER)}, 401),
        ({"headers": {"aeg-sas-key": "a key"}}, 401),
        ({"headers": {"aeg-sas-key": "another"}, "url": URL.replace("told", "keyed")}, 401),
        ({"body": b"{"}, 400),
        ({"body": EVENT}, 400),
        ({"kind": ONE}, 400),
        ({"kind": "application/json"}, 400),
        ({"body": ["text"]}, 400),
        *(({"body": [{**EVENT, name: None}]}, 400) for name in ("id", "source", "type", "specversion")),
        ({"body": [{**EVENT, "specversion": "0.3"}]}, 400),
        ({"body": [{**EVENT, "Upper": "x"}]}, 400),
        ({"body": [{**EVENT, "time": "yesterday"}]}, 400),
        ({"body": [{**EVENT, "data_base64": "eA=="}]}, 400),
        ({"body": [EVENT, {**EVENT, "subject": 7}]}, 400),
        ({"body": [{**EVENT, "data": "x" * MOST_BYTES}]}, 413),
    ],
)
async def test_it_refuses(
    http: TestClient[Any, Any], topics: dict[str, Topic], changed: dict[str, Any], status: int
) -> None:
    answer = await send(http, **{"body": [EVENT], **changed})
    assert answer.status == status
    assert (await answer.json())["error"]["code"]
    assert not any(topic.events for topic in topics.values())


async def test_a_key_opens_a_topic_that_has_one(http: TestClient[Any, Any], topics: dict[str, Topic]) -> None:
    answer = await send(http, [EVENT], url=URL.replace("told", "keyed"), headers={"aeg-sas-key": "a key"})
    assert answer.status == 200
    assert list(topics["keyed"].events) == [EVENT]
