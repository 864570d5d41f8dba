"""What Resource Graph does not show is read from ARM, and who names something anywhere below is found."""

from collections.abc import AsyncIterator, Sequence

import raw
from app import C1
from fakes import FakeAzure
from unit.build import GROUP, REGISTRY, VAULT, WORKSPACE, resource, sai, terms, workspace, workspace_id

from shared.access.scope import Scope
from shared.reading.cached import CachedReads
from shared.reading.discover import search, workspaces_at
from shared.reading.from_resource_graph import ResourceGraphReads
from shared.reading.neighbours import neighbours
from shared.reading.role_holdings import access, at_hand

ROOT = Scope.parse("/")
OTHER = workspace_id("other")
SHARED = resource("Microsoft.MachineLearningServices/registries", "shared")


class Listening(FakeAzure):
    """`asked` are the lists that were read; `odd` is what Resource Graph shows of workspaces besides."""

    asked: list[tuple[Scope, str]]
    odd: Sequence[raw.Raw] = ()

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        self.asked.append((parent, collection))
        return await super().children(parent, collection, pages=pages)

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[raw.Raw]:
        async for row in super().query(kql, subscription):
            yield row
        for row in self.odd:
            yield row


def tenant() -> Listening:
    azure = Listening()
    azure.asked = []
    azure.have(raw.workspace(sai("mlw")), raw.workspace(sai("other"), on=OTHER), raw.registry(), raw.vault())
    return azure


async def test_what_it_does_not_show_is_not_taken_as_absent() -> None:
    azure = tenant()
    azure.hidden = {VAULT, REGISTRY}
    seen = await ResourceGraphReads.read([WORKSPACE], azure)
    for scope in (VAULT, REGISTRY):
        assert await seen.resource(scope) == azure.resources[scope]


async def test_who_holds_what_is_asked_of_it_or_of_arm_as_the_caller_wants() -> None:
    azure = tenant()
    seen = await ResourceGraphReads.read([WORKSPACE], azure)
    shown = await seen.children(GROUP, "Microsoft.Authorization/roleAssignments")
    assert azure.asked == []
    live = await ResourceGraphReads.read([WORKSPACE], azure, assignments=False)
    assert await live.children(GROUP, "Microsoft.Authorization/roleAssignments") == shown
    assert azure.asked == [(GROUP, "Microsoft.Authorization/roleAssignments")]


async def test_groups_are_shown_with_their_tags() -> None:
    azure = tenant()
    azure.group_tags = {GROUP: {"team": "research"}}
    seen = await ResourceGraphReads.read([WORKSPACE], azure, assignments=False)
    group = await seen.resource(GROUP)
    assert group
    assert group["tags"] == {"team": "research"}


async def test_a_deployment_leads_to_its_workspace() -> None:
    """Every endpoint counts, and one without a deployment hides no other."""
    azure = tenant()
    azure.have(raw.endpoint("idle", on=OTHER), raw.endpoint("serve", on=OTHER))
    below = OTHER.child("onlineEndpoints", "serve").child("deployments", "blue")
    azure.have(raw.resource(below, {"environmentId": "azureml://registries/shared/environments/e/versions/1"}))
    assert await workspaces_at(SHARED, azure) == [OTHER]


async def test_a_search_is_about_the_scope_that_it_was_begun_for() -> None:
    azure = tenant()
    for scope in (ROOT, GROUP, WORKSPACE, REGISTRY):
        assert (await search(scope, azure)).scope == scope
    assert set((await search(ROOT, azure)).users) == {WORKSPACE, OTHER}


async def test_whoever_may_be_on_the_registry_counts_as_near_it_even_without_an_id() -> None:
    azure = tenant()
    azure.odd = [{"id": "no id", "registry": "https://acrml"}, {"id": "no id", "registry": "https://another"}]
    others, strays = await neighbours(workspace(), CachedReads(azure), terms())
    assert [one.id for one in others] == [OTHER]
    assert strays == {REGISTRY.parent}


async def test_where_nothing_was_asked_nothing_is_held_or_denied() -> None:
    azure = tenant()
    for known in (await access([C1.id], [], azure), await at_hand([C1.id], [], azure)):
        assert (known[C1.id].assignments, known[C1.id].denies) == ((), ())
