"""A template laid over what is there, asked as the rules ask: both are in its answers, and no row is lost."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import raw
from fakes import FakeAzure
from functional.test_templates_over import OLD, cluster, resource, there
from unit.build import GROUP, REGISTRY, STORAGE, WORKSPACE, guid

from shared.access.model import Part
from shared.access.permissions import PermissionBlock, RoleDefinition
from shared.access.scope import Scope
from shared.ports import NotShownError, ReadFailedError
from shared.template.overlay import LaidOver, laid_over
from shared.template.snapshot import snapshot

PULLER = RoleDefinition(guid("pullers"), "pullers", (PermissionBlock(("Microsoft.ContainerRegistry/registries/*",)),))


class Listing(FakeAzure):
    """`rows` are what is below a workspace. `fails`: with which code a list fails."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: Sequence[Any] = ()
        self.fails = ""

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:  # noqa: ARG002 - all is on one page
        if self.fails:
            raise ReadFailedError("list", self.fails, "Azure answered 404")
        return self.rows


def _over(azure: FakeAzure, *made: raw.Raw) -> LaidOver:
    return asyncio.run(laid_over([snapshot({"predictedResources": list(made)}, "x")], azure, azure.roles, {}))


def _children(azure: FakeAzure, *made: raw.Raw, at: Scope = WORKSPACE) -> Any:
    return asyncio.run(_over(azure, *made).children(at, "computes"))


def test_a_role_that_only_azure_has_counts_where_azure_shows_it_is_held() -> None:
    azure = there()
    azure.roles[PULLER.role_id] = PULLER
    built_in = {one: role for one, role in azure.roles.items() if one != PULLER.role_id}

    async def told() -> None:
        reads = await laid_over([snapshot({"predictedResources": [cluster("new", OLD)]}, "x")], azure, built_in, {})
        pull = next(one for one in built_in.values() if one.name == "AcrPull")
        wanted = frozenset({PULLER.role_id, pull.role_id})
        assert await reads.role_definitions(wanted, GROUP) == {PULLER.role_id: PULLER, pull.role_id: pull}

    asyncio.run(told())


def test_no_row_of_a_list_is_lost() -> None:
    azure = Listing()
    at = WORKSPACE.child("computes", "old")
    azure.rows = [{"no": "id"}, {"id": str(at), "properties": {"a": 1}}]
    found = _children(azure, cluster("new", OLD))
    assert {"no": "id"} in found
    assert {one.get("id") for one in found} == {None, str(at), str(WORKSPACE.child("computes", "new"))}
    assert not isinstance(found, Part)
    azure.rows = Part(azure.rows)
    assert isinstance(_children(azure, cluster("new", OLD)), Part), "it goes on"


@pytest.mark.parametrize("code", ["NotFound", "ResourceGroupNotFound"])
def test_below_what_is_not_there_yet_is_what_the_template_makes(code: str) -> None:
    azure = Listing()
    azure.fails = code
    (one,) = _children(azure, cluster("new", OLD))
    assert one["id"] == str(WORKSPACE.child("computes", "new"))
    azure.fails = "InternalServerError"
    with pytest.raises(ReadFailedError):
        _children(azure, cluster("new", OLD))


def test_what_the_template_does_not_say_all_of_is_not_shown() -> None:
    reads = _over(there(), resource(REGISTRY, {"roleAssignmentMode": "[parameters('x')]"}))
    with pytest.raises(NotShownError) as raised:
        asyncio.run(reads.resource(REGISTRY))
    assert str(REGISTRY) in str(raised.value)
    assert raised.value.code
    told = asyncio.run(reads.resource(STORAGE))
    assert told == there().resources[STORAGE]


def test_what_a_registry_is_created_without_is_the_default_again_and_the_rest_stays() -> None:
    azure = there()
    azure.resources[REGISTRY]["properties"] |= {"adminUserEnabled": True, "publicNetworkAccess": "Disabled"}
    told = asyncio.run(_over(azure, resource(REGISTRY, {"x": 1})).resource(REGISTRY))
    assert told is not None
    assert "adminUserEnabled" not in told["properties"]
    assert (told["properties"]["publicNetworkAccess"], told["properties"]["x"]) == ("Disabled", 1)
