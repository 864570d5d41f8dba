"""What could not be read is unknown and never empty, and no waiting and no list is without an end."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from app import App, app
from event_grid import event
from fakes import FakeAzure
from local_azure import LocalAzure
from raw import Raw
from reliability.conftest import Connect
from reliability.host import at_a_desk, deliver, work_off
from reliability.on_record import given
from reliability.wired import Endless, Team, Wired
from tenants import REPOSITORY_READER, Tenant
from unit.build import REGISTRY
from wire import Json

from handlers import resource_changed
from shared.access.scope import Scope
from shared.audit_rows import Run
from shared.messages import Reconcile, encode
from shared.ports import AzureFailureError

_NO_OBJECT = {"empty": "", "null": "null", "text": '"x"', "list": "[]"}
_LISTS = ("computes", "datastores")
_TEAMS = ("itself", "two", "graph", "hour", "hourwrite", "hourdesk", "dependency", *_LISTS)
_BOUND = 300
"""Seconds that one message may sleep: half of what the host allows a function."""


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    tenant = Tenant()
    for name in _TEAMS:
        Team(name).build(tenant)
    for name in _NO_OBJECT:
        Team(f"off{name}").build(tenant, tags={"amlguard": "off"})
        Team(f"mlw{name}").build(tenant)
        Team(f"abac{name}").build(tenant, admin=False, abac=True)
    made = LocalAzure.start(tmp_path_factory.mktemp("reads"), tenant.document(), functions=False)
    yield made
    made.stop()


def _answers(of: Team, azure: LocalAzure, path: str, name: str) -> None:
    azure.faults(of.fault("GET", path, status=200, body=_NO_OBJECT[name]))


async def test_a_group_that_says_off_is_left_alone(azure: LocalAzure, connect: Connect) -> None:
    of = Team("offnull")
    one = await connect(azure, of)
    await deliver(event(of.workspace), one)
    given(one.audit.rows("Withheld"), "something is asked for")
    assert one.audit.rows("Applied") == []


@pytest.mark.parametrize("name", _NO_OBJECT)
async def test_a_group_that_is_no_object_may_say_off(name: str, azure: LocalAzure, connect: Connect) -> None:
    of = Team(f"off{name}")
    one = await connect(azure, of)
    _answers(of, azure, r"\?", name)
    await deliver(event(of.workspace), one)
    assert one.audit.rows("Applied") == []


@pytest.mark.parametrize("name", _NO_OBJECT)
async def test_a_registry_that_is_no_object_may_be_one_of_repositories(
    name: str, azure: LocalAzure, connect: Connect
) -> None:
    of = Team(f"abac{name}")
    one = await connect(azure, of)
    _answers(of, azure, r"/providers/Microsoft.ContainerRegistry/registries/[^/]*\?", name)
    await deliver(event(of.workspace), one)
    assert not [role for roles in of.roles(azure).values() for role in roles if role != REPOSITORY_READER]


@pytest.mark.parametrize("name", _NO_OBJECT)
async def test_a_workspace_that_is_no_object_is_not_compliant(name: str, azure: LocalAzure, connect: Connect) -> None:
    of = Team(f"mlw{name}")
    one = await connect(azure, of)
    _answers(of, azure, r"/providers/Microsoft.MachineLearningServices/workspaces/mlw\?", name)
    error = await deliver(event(of.workspace), one)
    assert error or one.audit.findings()


def _page(link: str) -> Json:
    return {"status": 200, "body": json.dumps({"value": [], "nextLink": link})}


async def _ends(one: Wired, work: Awaitable[object]) -> bool:
    """By itself, with an error or without, before more was asked than any answer could need."""
    one.wire.left = 200
    try:
        await work
    except AzureFailureError:
        return True
    except Endless:
        return False
    return True


async def _comes_to_an_end(of: Team, one: Wired, azure: LocalAzure, path: str) -> None:
    """What the queue leaves to a worker has no deadline; a list that leads nowhere is none that was read."""
    ends = await _ends(one, one.run(of.scope))
    given(path.lower() in [asked["path"].lower() for asked in azure.asked()], "the page was asked for")
    assert ends
    assert azure.admin_user(of.registry)


@pytest.mark.parametrize("name", _LISTS)
async def test_a_page_that_leads_to_itself_comes_to_an_end(name: str, azure: LocalAzure, connect: Connect) -> None:
    of = Team(name)
    one = await connect(azure, of)
    path = f"{of.workspace}/{name}?api-version=2025-12-01&page=2"
    azure.faults(of.fault("GET", f"/.*/{name}[?]", **_page(azure.ready["arm"] + path)))
    await _comes_to_an_end(of, one, azure, path)


async def test_pages_that_lead_to_one_another_come_to_an_end(azure: LocalAzure, connect: Connect) -> None:
    of = Team("two")
    one = await connect(azure, of)
    path = f"{of.workspace}/computes?api-version=2025-12-01"
    link = azure.ready["arm"] + path
    azure.faults(
        of.fault("GET", "/.*/computes[?].*page=2", **_page(link)),
        of.fault("GET", "/.*/computes[?]", **_page(f"{link}&page=2")),
    )
    await _comes_to_an_end(of, one, azure, f"{path}&page=2")


async def test_a_token_of_resource_graph_that_comes_again_comes_to_an_end(azure: LocalAzure, connect: Connect) -> None:
    of = Team("graph")
    one = await connect(azure, of)
    page = {"totalRecords": 0, "count": 0, "data": [], "facets": [], "resultTruncated": "true", "$skipToken": "again"}
    azure.faults({"method": "POST", "path": "ResourceGraph", "status": 200, "body": json.dumps(page)})
    assert await _ends(one, deliver(event(of.registry), one))


_AN_HOUR: Json = {"status": 429, "code": "TooManyRequests", "headers": {"Retry-After": "3600"}}


async def _within_bounds(one: Wired, azure: LocalAzure, of: Team) -> None:
    """Azure says so for half an hour, and no message is given up meanwhile; afterwards it is done."""
    await work_off(one, hours=0.5)
    assert sum(one.wire.slept) <= _BOUND
    assert one.poison == []
    azure.faults()
    await work_off(one, hours=3)
    assert of.all_pull(azure)


@pytest.mark.parametrize(
    ("name", "method", "path"), [("hour", "GET", "/.*/computes[?]"), ("hourwrite", "PUT", "/.*/roleAssignments/")]
)
async def test_an_hour_is_no_sleep_of_a_worker(
    name: str, method: str, path: str, azure: LocalAzure, connect: Connect
) -> None:
    of = Team(name)
    one = await connect(azure, of)
    azure.faults(of.fault(method, path, **_AN_HOUR))
    await one.queue.put(encode(Reconcile((of.workspace,))), timedelta())
    await _within_bounds(one, azure, of)


async def test_an_hour_is_no_sleep_of_a_command(azure: LocalAzure, connect: Connect) -> None:
    of = Team("hourdesk")
    one = await connect(azure, of)
    azure.faults(of.fault("GET", "/.*/computes[?]", **_AN_HOUR))
    with suppress(AzureFailureError):
        await at_a_desk(one).run(of.scope, Run(one.terms.mode))
    assert sum(one.wire.slept) <= _BOUND


async def test_finding_the_users_of_a_registry_is_within_the_deadline(azure: LocalAzure, connect: Connect) -> None:
    of = Team("dependency")
    one = await connect(azure, of)
    one.deadline_seconds, one.wire.hurries = 0.5, False
    patience = 120.0
    later = {"status": 429, "code": "RateLimiting", "headers": {"Retry-After": f"{patience:.0f}"}}
    azure.faults({"method": "POST", "path": "ResourceGraph", "times": 1, **later})
    started = time.monotonic()
    error = await deliver(event(of.registry), one)
    took = time.monotonic() - started
    given(any("resourcegraph" in asked["path"].lower() for asked in azure.asked()), "Resource Graph was asked")
    assert took < patience
    assert error or one.queue.messages


class _SilentGraph(FakeAzure):
    """Resource Graph does not answer, for as long as anybody waits."""

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        await asyncio.Event().wait()
        async for row in super().query(kql, subscription):
            yield row


async def test_a_resource_graph_that_is_silent_holds_no_delivery() -> None:
    azure = _SilentGraph()
    azure.have(*app().azure.resources.values())
    one = App(app().terms, azure)
    hurried = replace(one.services, deadline_seconds=0.2)
    delivery = asyncio.create_task(resource_changed.handle(event(str(REGISTRY)), hurried))
    answered, _ = await asyncio.wait([delivery], timeout=60)
    delivery.cancel()
    assert answered
    assert delivery.exception() or one.queue.messages
