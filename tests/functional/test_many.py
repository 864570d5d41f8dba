"""The plans of many workspaces: the same by Resource Graph and ARM's lists as by ARM alone, and far fewer requests."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
import raw
from app import App
from fakes import FakeAzure
from unit.build import SUBSCRIPTION, assigned, guid, registry_id, resource, sai, terms, workspace_id

from handlers.cli.desk import at_a_desk
from handlers.cli.many import FEW, Looks, in_turns
from shared.access.actions import Plan
from shared.access.permissions import DenyAssignment, RoleAssignment
from shared.access.scope import Scope

SIZE = 30
MODE = "LegacyRegistryPermissions"


@dataclass(repr=False)
class Counting(FakeAzure):
    """Counts what Azure would be asked. The definitions of built-in roles are at hand."""

    asked: Counter[str] = field(default_factory=Counter)

    async def resource(self, scope: Scope) -> raw.Raw | None:
        self.asked["resource"] += 1
        return await super().resource(scope)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
        self.asked[collection.rpartition("/")[2]] += 1
        return await super().children(parent, collection, pages=pages)

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        self.asked["of a principal"] += 1
        return await super().role_assignments(principal_id, subscription)

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        self.asked["denies"] += 1
        return await super().deny_assignments(subscription, principal_id)

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[raw.Raw]:
        self.asked["query"] += 1
        async for one in super().query(kql, subscription):
            yield one


def group(number: int) -> Scope:
    return SUBSCRIPTION.child("resourceGroups", f"ml-{number}")


def ids(number: int) -> tuple[Scope, Scope, Scope]:
    """Workspace, registry and storage account."""
    at = group(number)
    storage = resource("Microsoft.Storage/storageAccounts", f"st{number}", at)
    return workspace_id(f"mlw-{number}", at), registry_id(f"acrml{number}", at), storage


def neglected(size: int = SIZE) -> Counting:
    """Three computes and an endpoint each, and nothing granted to any of them."""
    azure = Counting()
    for number in range(size):
        workspace, registry, storage = ids(number)
        azure.have(
            raw.registry(registry, admin_user=True, roleAssignmentMode=MODE),
            raw.storage(storage),
            raw.workspace(
                sai(f"mlw-{number}"), on=workspace, registry=registry, storageAccount=str(storage), keyVault=None
            ),
            *(raw.compute(f"cpu{at}", sai(f"{number}/cpu{at}"), on=workspace) for at in range(3)),
            raw.endpoint("serve", sai(f"{number}/serve"), on=workspace),
            aml=False,
        )
    return azure


def _by_name(azure: Counting) -> None:
    azure.assignments += [assigned(sai(f"{number}/cpu0"), "AcrPull", ids(number)[1]) for number in range(SIZE)]


def _above(azure: Counting) -> None:
    azure.assignments += [assigned(sai(f"{number}/cpu1"), "AcrPull", SUBSCRIPTION) for number in range(0, SIZE, 2)]


def _by_group(azure: Counting) -> None:
    azure.groups[guid("pullers")] = {sai(f"{number}/cpu2").id for number in range(0, SIZE, 3)}
    azure.assignments.append(assigned("pullers", "AcrPull", SUBSCRIPTION))


def _a_part_by_group(azure: Counting) -> None:
    """Somebody lets the members read one container only: the rest of the account is not theirs."""
    azure.groups[guid("readers")] = {sai(f"{number}/serve").id for number in range(SIZE)}
    for number in range(SIZE):
        container = ids(number)[2].child("blobServices", "default").child("containers", "one")
        azure.assignments.append(assigned("readers", "Storage Blob Data Reader", container))


def _another_group(azure: Counting) -> None:
    """Which does not have them, and whose role gives nothing of what they need."""
    azure.groups[guid("others")] = {guid("somebody")}
    azure.assignments.append(assigned("others", "Key Vault Secrets User", SUBSCRIPTION))


TENANTS: Mapping[str, Sequence[Callable[[Counting], None]]] = {
    "nothing granted": (),
    "by name": (_by_name, _above),
    "by group": (_by_group, _by_name),
    "a part by group": (_a_part_by_group,),
    "a group that matters nothing": (_another_group,),
}


def looks(app: App) -> Looks:
    return Looks(at_a_desk(app.services, None), [ids(number)[0] for number in range(SIZE)])


def _said(made: Plan) -> tuple[object, ...]:
    withheld = {(one.action.action_id, one.refusal.guard) for one in made.withheld}
    return {one.action_id for one in made.actions}, withheld, set(made.findings), made.satisfied, len(made.deferred)


@pytest.mark.parametrize("name", TENANTS)
async def test_both_ways_come_to_the_same(name: str) -> None:
    azure = neglected()
    for grant in TENANTS[name]:
        grant(azure)
    app = App(terms(), azure=azure)
    one, desk = looks(app), at_a_desk(app.services, None)
    for number in range(0, SIZE, 5):
        workspace = ids(number)[0]
        assert _said(await one.preview(workspace)) == _said(await desk.preview(workspace))


async def test_a_neglected_tenant_takes_at_most_eight_requests_a_workspace() -> None:
    azure = neglected()
    one = looks(App(terms(), azure=azure))
    plans = [await one.preview(ids(number)[0]) for number in range(SIZE)]
    assert all(len(made.grants) == 5 for made in plans)
    assert azure.asked["of a principal"] == 0
    assert azure.asked.total() <= 8 * SIZE, azure.asked


async def test_only_who_may_be_in_a_group_is_asked_about() -> None:
    azure = neglected()
    _by_group(azure)
    one = looks(App(terms(), azure=azure))
    made = await one.preview(ids(0)[0])
    assert sai("0/cpu2").id not in {grant.principal.id for grant in made.grants}
    assert azure.asked["of a principal"] > 0
    azure.asked.clear()
    _another_group(other := neglected())
    await looks(App(terms(), azure=other)).preview(ids(0)[0])
    assert other.asked["of a principal"] == 0


async def test_what_resource_graph_still_believes_is_asked_again_before_a_setting_is_shown() -> None:
    """The admin user is off by now; Resource Graph shows it on, and everybody is covered."""
    azure = neglected()
    workspace, registry, _ = ids(0)
    azure.assignments += [assigned(sai(f"0/{name}"), "AcrPull", registry) for name in ("cpu0", "cpu1", "cpu2", "serve")]
    azure.assignments.append(assigned(sai("mlw-0"), "Contributor", group(0)))
    azure.remembered = [azure.resources[registry]]
    azure.resources[registry] = raw.registry(registry, admin_user=False, roleAssignmentMode=MODE)
    made = await looks(App(terms(), azure=azure)).preview(workspace)
    assert not made.settings


async def test_few_of_a_subscription_and_fresh_ones_are_read_through_arm_alone() -> None:
    azure = neglected()
    desk = at_a_desk(App(terms(), azure=azure).services, None)
    many = [ids(number)[0] for number in range(FEW + 1)]
    elsewhere = Scope.parse(str(many[0]).replace(str(SUBSCRIPTION), f"/subscriptions/{guid('another')}"))
    for by_arm in (Looks(desk, many[:FEW]), Looks(desk, [*many[:FEW], elsewhere]), Looks(desk, many, fresh=True)):
        assert not by_arm.by_resource_graph
        await by_arm.preview(many[0])
        assert azure.asked["query"] == 0
    by_graph = Looks(desk, [*many, elsewhere])
    assert by_graph.by_resource_graph
    await by_graph.preview(elsewhere)
    assert azure.asked["query"] == 0
    await by_graph.preview(many[0])
    assert azure.asked["query"] == 2


def test_subscriptions_take_turns() -> None:
    one, two, three = (Scope.parse(f"/subscriptions/{guid(name)}") for name in "abc")
    group = [each.child("resourceGroups", f"g{number}") for each in (one, two, three) for number in range(2)]
    taken = in_turns([*group, one.child("resourceGroups", "g9")])
    assert [each.subscription for each in taken] == [one, two, three, one, two, three, one]
    assert set(taken) == {*group, taken[-1]}
    assert in_turns([]) == []


async def test_the_tag_that_stops_amlguard_stops_it_here_too() -> None:
    azure = neglected()
    azure.group_tags[group(0)] = {"amlguard": "off"}
    made = await looks(App(terms(), azure=azure)).preview(ids(0)[0])
    assert made.grants == ()
    assert {str(one.refusal.guard) for one in made.withheld} >= {"kill-switch"}
