"""What is read before an admin user goes off: when, where, and how much of it. By event and by sweep."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import SETTLE, App
from fakes import FakeAzure
from properties.tenants_at_random import container_app, job
from unit.build import (
    FOREIGN,
    GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    registry_id,
    sai,
    terms,
    workspace_id,
)

from shared.access.model import Part
from shared.access.scope import Scope
from shared.access.services import SERVICES
from shared.ports import ReadFailedError

COLLECTIONS = {service.collection for service in SERVICES}
AS_ADMIN = {"username": REGISTRY.name}
ABROAD = OTHER_SUBSCRIPTION.child("resourceGroups", "apps")
PAGE = 5


@dataclass(repr=False)
class WorkspaceAsks(FakeAzure):
    """Counts what is listed in which subscription; lists jobs in pages. What is `closed` may not be read."""

    listed: Counter[tuple[str, Scope]] = field(default_factory=Counter)
    graph: int = 0
    closed: set[Scope] = field(default_factory=set)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        self.listed[collection, parent] += 1
        if parent in self.closed:
            raise ReadFailedError(f"list {collection}", "AuthorizationFailed", "Azure answered 403", forbidden=True)
        found = await super().children(parent, collection, pages=pages)
        if collection != "jobs" or not found or pages is None or len(found) <= pages * PAGE:
            return found
        first: Any = Part(found[: pages * PAGE])
        shown: Sequence[raw.Raw] = first
        return shown

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[raw.Raw]:
        self.graph += "!in~" in kql
        async for one in super().query(kql, subscription):
            yield one

    def services_asked_in(self) -> set[Scope]:
        return {scope for (collection, scope), _ in self.listed.items() if collection in COLLECTIONS}


def tenant(*raws: raw.Raw, settle: timedelta = timedelta()) -> App:
    azure = WorkspaceAsks()
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), *raws)
    return App(terms(settle=settle), azure=azure)


def asked(one: App) -> WorkspaceAsks:
    assert isinstance(one.azure, WorkspaceAsks)
    return one.azure


async def _by_event(one: App) -> bool:
    return await one.event(WORKSPACE)


WAYS: dict[str, Callable[[App], Awaitable[bool]]] = {"event": _by_event, "sweep": lambda one: one.sweep()}


@pytest.fixture(params=WAYS)
def look(request: pytest.FixtureRequest) -> Callable[[App], Awaitable[None]]:
    async def looked(one: App) -> None:
        assert await WAYS[request.param](one)
        await one.settle(hours=0)

    return looked


type Look = Callable[[App], Awaitable[None]]


class TestWhen:
    async def test_nobody_is_asked_while_something_keeps_it_on_anyway(self, look: Look) -> None:
        one = tenant(raw.compute("bare"))
        await look(one)
        assert one.azure.admin_user(REGISTRY)
        assert asked(one).services_asked_in() == set()
        assert asked(one).graph == 0

    async def test_nor_where_it_is_off_already(self, look: Look) -> None:
        one = tenant()
        one.azure.have(raw.registry(admin_user=False))
        await look(one)
        assert asked(one).services_asked_in() == set()

    async def test_all_are_asked_when_nothing_does(self, look: Look) -> None:
        one = tenant()
        await look(one)
        assert not one.azure.admin_user(REGISTRY)
        assert {collection for collection, _ in asked(one).listed} >= COLLECTIONS
        assert asked(one).graph


class TestWhere:
    def neighbour(self) -> list[raw.Raw]:
        """A workspace of another subscription on the same registry, all covered."""
        return [raw.workspace(sai("far"), on=workspace_id("far", ABROAD))]

    async def test_the_subscriptions_of_the_registry_and_of_each_workspace_on_it(self, look: Look) -> None:
        one = tenant(*self.neighbour())
        one.azure.automatic.append(assigned(sai("far"), "Contributor", REGISTRY))
        await look(one)
        assert asked(one).services_asked_in() == {SUBSCRIPTION, OTHER_SUBSCRIPTION}
        assert not one.azure.admin_user(REGISTRY)

    async def test_what_resource_graph_does_not_know_yet_keeps_it_on_there(self, look: Look) -> None:
        app = container_app("app", AS_ADMIN, ABROAD)
        one = tenant(*self.neighbour(), app)
        one.azure.automatic.append(assigned(sai("far"), "Contributor", REGISTRY))
        one.azure.hidden = {Scope.parse(app["id"])}
        await look(one)
        assert one.azure.admin_user(REGISTRY)

    async def test_elsewhere_resource_graph_keeps_it_on_and_no_list_is_read(self, look: Look) -> None:
        one = tenant(container_app("app", AS_ADMIN, ABROAD))
        await look(one)
        assert one.azure.admin_user(REGISTRY)
        assert asked(one).services_asked_in() == {SUBSCRIPTION}

    @pytest.mark.parametrize("group", [GROUP, FOREIGN])
    async def test_that_it_shows_nothing_authorises_nothing_near_the_registry(self, look: Look, group: Scope) -> None:
        app = container_app("app", AS_ADMIN, group)
        one = tenant(app)
        one.azure.hidden = {Scope.parse(app["id"])}
        await look(one)
        assert one.azure.admin_user(REGISTRY)


def _password(of: Scope, name: str = "images") -> raw.Raw:
    properties = {"category": "ContainerRegistry", "authType": "UsernamePassword", "target": "acrml.azurecr.io"}
    return raw.resource(of.child("connections", name), properties)


class TestWorkspacesThatOnlyBuild:
    """They name the registry in a connection and nowhere else (AML-24)."""

    FAR = workspace_id("builds", SUBSCRIPTION.child("resourceGroups", "far"))
    OTHERS = tuple(workspace_id(f"mlw{number}", SUBSCRIPTION.child("resourceGroups", "far")) for number in range(5))

    def builder(self, on: Scope = FAR) -> raw.Raw:
        return raw.workspace(on=on, registry=None)

    def connections_asked(self, one: App) -> dict[Scope, int]:
        counted = asked(one).listed.items()
        return {scope: times for (collection, scope), times in counted if collection == "connections"}

    async def test_keep_it_on_wherever_in_the_subscription_they_are(self, look: Look) -> None:
        one = tenant(self.builder(), _password(self.FAR))
        await look(one)
        assert one.azure.admin_user(REGISTRY)
        reasons = [row["Reason"] for row in one.audit.rows("Withheld") if row["Guard"] == "password-builds"]
        assert "connection images of workspace builds signs in to acrml with a password" in reasons[-1]

    async def test_keep_it_on_in_the_subscription_of_a_workspace_on_it(self, look: Look) -> None:
        beside = workspace_id("builds", OTHER_SUBSCRIPTION.child("resourceGroups", "beside"))
        one = tenant(raw.workspace(sai("far"), on=workspace_id("far", ABROAD)), self.builder(beside), _password(beside))
        one.azure.automatic.append(assigned(sai("far"), "Contributor", REGISTRY))
        await look(one)
        assert one.azure.admin_user(REGISTRY)

    async def test_let_it_off_where_none_signs_in(self, look: Look) -> None:
        one = tenant(*map(self.builder, self.OTHERS))
        await look(one)
        assert not one.azure.admin_user(REGISTRY)
        assert self.connections_asked(one).keys() >= {*self.OTHERS}

    async def test_are_not_asked_while_a_service_keeps_it_on(self, look: Look) -> None:
        one = tenant(*map(self.builder, self.OTHERS), container_app("app", AS_ADMIN, FOREIGN))
        await look(one)
        assert one.azure.admin_user(REGISTRY)
        asked_by_sweep = {scope for scope, _ in self.connections_asked(one).items() if scope in self.OTHERS}
        mine = {scope for scope in self.OTHERS if asked(one).listed["computes", scope]}
        assert asked_by_sweep == mine, "a sweep looks at them for their own sake, and nobody else does"

    async def test_are_not_asked_while_their_list_may_not_be_read(self) -> None:
        one = tenant(*map(self.builder, self.OTHERS))
        one.azure.unreadable = {"Microsoft.MachineLearningServices/workspaces"}
        await one.event(WORKSPACE)
        assert one.azure.admin_user(REGISTRY)

    async def test_keep_it_on_where_their_connections_may_not_be_read(self) -> None:
        one = tenant(self.builder())
        asked(one).closed = {self.FAR}
        assert await one.event(WORKSPACE)
        assert one.azure.admin_user(REGISTRY)
        assert "give it Reader there" in str(one.audit.rows("Withheld"))

    async def test_are_asked_once_for_all_that_a_sweep_looks_at(self) -> None:
        acrs = [registry_id(f"acrml{number}") for number in range(4)]
        users = [workspace_id(f"usr{number}") for number in range(4)]
        own = [raw.workspace(sai(on.name), on=on, registry=acr) for on, acr in zip(users, acrs, strict=True)]
        one = tenant(*map(self.builder, self.OTHERS), *own, *map(raw.registry, acrs))
        await one.sweep()
        await one.settle(hours=0)
        assert not any(map(one.azure.admin_user, acrs))
        assert {self.connections_asked(one)[scope] for scope in self.OTHERS} == {1}


class TestHowMuch:
    def busy(self, jobs: int, *, oldest: int) -> App:
        """The newest job runs nowhere near the first page's end unless it is within `oldest` days."""
        one = tenant(raw.compute("cpu", sai("cpu")))
        one.azure.automatic.append(assigned(sai("cpu"), "AcrPull", REGISTRY))
        one.azure.have(*(job(f"j{number:03}", "c", 1, WORKSPACE) for number in range(jobs)))
        one.azure.have(job("last", "c", oldest, WORKSPACE))
        return one

    @pytest.mark.parametrize(("jobs", "stays"), [(3, False), (60, False), (20 * PAGE + 1, True)])
    async def test_what_lies_beyond_the_last_page_is_unknown(self, look: Look, jobs: int, *, stays: bool) -> None:
        one = self.busy(jobs, oldest=1)
        await look(one)
        assert one.azure.admin_user(REGISTRY) is stays
        if stays:
            rows = [row for row in one.audit.rows("Withheld") if row["Guard"] == "serverless-jobs"]
            assert "not all recent jobs of mlw can be seen" in rows[0]["Reason"]

    async def test_a_page_that_reaches_beyond_the_look_back_is_enough(self, look: Look) -> None:
        one = tenant(raw.compute("cpu", sai("cpu")))
        one.azure.automatic.append(assigned(sai("cpu"), "AcrPull", REGISTRY))
        one.azure.have(job("new", "c", 1, WORKSPACE), job("old", None, 90, WORKSPACE))
        one.azure.have(*(job(f"j{number:03}", None, 100, WORKSPACE) for number in range(2 * PAGE)))
        await look(one)
        assert not one.azure.admin_user(REGISTRY)


class TestARegistryThatAmlHasJustMade:
    def made(self, minutes: int, *, by_aml: bool = True) -> App:
        created: raw.Raw = {"creationDate": (NOW - timedelta(minutes=minutes)).isoformat()}
        one = tenant(settle=SETTLE)
        workspace = raw.workspace(sai("mlw"))
        age = timedelta(days=9) if by_aml else timedelta(minutes=1)
        workspace["systemData"] = {"createdAt": (NOW - age).isoformat()}
        one.azure.have(workspace, raw.registry(**created))
        return one

    async def test_is_left_alone_for_its_settle_time_and_no_longer(self, look: Look) -> None:
        one = self.made(5)
        await look(one)
        assert one.azure.admin_user(REGISTRY)
        assert asked(one).services_asked_in() == set()
        one.azure.advance(timedelta(minutes=7))
        await look(one)
        assert one.azure.admin_user(REGISTRY)
        one.azure.advance(timedelta(minutes=1))
        await look(one)
        assert not one.azure.admin_user(REGISTRY)

    async def test_nobody_has_to_come_back_for_it(self) -> None:
        one = self.made(5)
        assert await one.event(WORKSPACE)
        await one.settle(hours=1)
        assert not one.azure.admin_user(REGISTRY)

    async def test_an_older_one_and_one_that_was_there_first_go_off_at_once(self, look: Look) -> None:
        for one in (self.made(16), self.made(5, by_aml=False)):
            await look(one)
            assert not one.azure.admin_user(REGISTRY)


async def test_two_registries_of_one_shard_are_each_asked_about_by_name() -> None:
    """What is shared is the list, not what it says of one registry."""
    second = registry_id("second")
    one = tenant(
        raw.workspace(sai("two"), on=workspace_id("two"), registry=second),
        raw.registry(second),
        container_app("app", AS_ADMIN, FOREIGN),
    )
    assert await one.sweep()
    await one.settle(hours=0)
    assert one.azure.admin_user(REGISTRY)
    assert not one.azure.admin_user(second)
