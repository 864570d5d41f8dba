"""What it costs to find out whom an event concerns: nothing is read that something cheaper tells, or that is no use."""

from collections.abc import Sequence
from typing import Any

import pytest
import raw
from app import App, waiting
from event_grid import event
from fakes import FakeAzure
from unit.build import GROUP, OTHER_SUBSCRIPTION, REGISTRY, STORAGE, SUBSCRIPTION, sai, terms, workspace_id

from handlers import resource_changed
from shared.access.scope import Scope
from shared.access.terms import Boundary
from shared.messages import Dependency
from shared.ports import ReadFailedError
from shared.reading.discover import workspaces_at

NEAR = SUBSCRIPTION.child("resourceGroups", "near")
FAR = OTHER_SUBSCRIPTION.child("resourceGroups", "far")
DATA = NEAR.child("providers", "Microsoft.Storage", "storageAccounts", "data")
USER, OTHER, ABROAD = workspace_id("user", NEAR), workspace_id("other", GROUP), workspace_id("abroad", FAR)


def _beside(kind: str) -> Scope:
    return NEAR.child("providers", *kind.split("/"), "thing")


class WorkspaceAsks(FakeAzure):
    """`below` are the lists below workspaces that were read, `broken` workspaces whose lists cannot be."""

    below: list[tuple[Scope, str]]
    broken: frozenset[Scope] = frozenset()

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        if parent in (USER, OTHER, ABROAD):
            self.below.append((parent, collection))
        if parent in self.broken:
            raise ReadFailedError("list", "InternalServerError", "Azure answered 500")
        return await super().children(parent, collection, pages=pages)


@pytest.fixture
def azure() -> WorkspaceAsks:
    """Nobody names the account `data` but by a datastore, `user` does."""
    azure = WorkspaceAsks()
    azure.below = []
    for one in (USER, OTHER, ABROAD):
        azure.have(raw.workspace(sai(one.name), on=one))
    azure.have(raw.registry(admin_user=False), raw.storage(), raw.vault(), raw.storage(DATA))
    named = {"datastoreType": "AzureBlob", "accountName": "DATA", "credentials": {"credentialsType": "None"}}
    azure.have(raw.resource(USER.child("datastores", "d"), named))
    return azure


class TestWhatIsAsked:
    async def test_whoever_names_it_in_the_open_is_not_asked(self, azure: WorkspaceAsks) -> None:
        assert set(await workspaces_at(STORAGE, azure)) == {USER, OTHER, ABROAD}
        assert azure.below == []

    @pytest.mark.parametrize(
        ("resource", "lists"),
        [
            (DATA, ("datastores", "connections")),
            (_beside("Microsoft.ContainerRegistry/registries"), ("connections", "onlineEndpoints", "environments")),
            (
                _beside("Microsoft.ManagedIdentity/userAssignedIdentities"),
                ("connections", "computes", "onlineEndpoints"),
            ),
            (_beside("Microsoft.KeyVault/vaults"), ("connections",)),
            (_beside("Microsoft.Insights/components"), ("connections",)),
            (_beside("Microsoft.ContainerService/managedClusters"), ("computes",)),
        ],
    )
    async def test_only_lists_that_could_name_it_are_read_each_once(
        self, azure: WorkspaceAsks, resource: Scope, lists: tuple[str, ...]
    ) -> None:
        """What docs/architecture.md says that it costs."""
        azure.have(raw.resource(resource, {}))
        assert await workspaces_at(resource, azure) == ([USER] if resource == DATA else [])
        asked = [one for workspace in (USER, OTHER, ABROAD) for one in ((workspace, name) for name in lists)]
        assert sorted(azure.below, key=str) == sorted(asked, key=str)

    async def test_a_part_of_it_is_asked_for_as_it_is(self, azure: WorkspaceAsks) -> None:
        assert await workspaces_at(DATA.child("blobServices", "default", "containers", "c"), azure) == [USER]

    @pytest.mark.parametrize(
        ("more", "asked"),
        [
            ({}, {USER}),
            ({"boundary": Boundary.SUBSCRIPTION}, {USER, OTHER}),
            ({"allow": (NEAR,)}, {USER, OTHER, ABROAD}),
            ({"allow": (DATA.child("blobServices", "default"),)}, {USER, OTHER, ABROAD}),
            ({"allow": (FAR,)}, {USER}),
        ],
    )
    async def test_an_event_asks_where_something_below_could_lead_to_a_change(
        self, azure: WorkspaceAsks, more: dict[str, Any], asked: set[Scope]
    ) -> None:
        assert await workspaces_at(DATA, azure, terms(**more)) == [USER]
        assert {one for one, _ in azure.below} == asked

    async def test_nobody_is_asked_about_what_no_workspace_can_use(self, azure: WorkspaceAsks) -> None:
        disk = NEAR.child("providers", "Microsoft.Compute", "disks", "disk")
        assert await workspaces_at(disk, azure, terms()) == []
        assert azure.below == []

    async def test_environments_of_many_workspaces_are_left_to_the_sweep(self, azure: WorkspaceAsks) -> None:
        azure.have(*(raw.workspace(on=workspace_id(f"mlw{n}", FAR), registry=None) for n in range(60)))
        shared = _beside("Microsoft.ContainerRegistry/registries")
        azure.have(raw.registry(shared, admin_user=False))
        assert await workspaces_at(shared, azure) == []
        assert {name for _, name in azure.below} == {"connections"}

    async def test_what_cannot_be_told_is_looked_at(self, azure: WorkspaceAsks) -> None:
        azure.broken = frozenset({OTHER})
        assert set(await workspaces_at(DATA, azure)) == {USER, OTHER}


class TestDeliveries:
    async def test_a_few_are_asked_within_the_delivery(self, azure: WorkspaceAsks) -> None:
        one = App(terms(allow=(NEAR,)), azure)
        await resource_changed.handle(event(str(DATA)), one.services)
        assert waiting(one) == []
        assert (USER, "computes") in azure.below
        assert (OTHER, "computes") not in azure.below

    async def test_many_are_left_to_the_queue(self, azure: WorkspaceAsks) -> None:
        azure.have(*(raw.workspace(on=workspace_id(f"mlw{n}", FAR), registry=REGISTRY) for n in range(10)))
        one = App(terms(allow=(NEAR,)), azure)
        await resource_changed.handle(event(str(DATA)), one.services)
        (work,) = waiting(one)
        assert isinstance(work, Dependency)
        assert azure.below == []
        await one.settle()
        assert (USER, "computes") in azure.below
        assert (OTHER, "computes") not in azure.below
