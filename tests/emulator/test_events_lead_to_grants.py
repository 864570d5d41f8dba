"""Whatever says that something changed, in whichever schema: the missing grant is made, once, and nothing else is."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from event_grid import cloud_event, cloud_notification, event, notification
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, BLOB_READER, Tenant, child, group_id, oid, system_assigned
from wire import Json

OTHER_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Place:
    """A workspace whose cluster cannot pull from its registry yet."""

    name: str
    group: str
    workspace: Json
    registry: Json
    compute: Json

    @property
    def puller(self) -> str:
        return oid(self.name)

    @property
    def granted(self) -> set[tuple[str, str]]:
        return {(self.registry["id"].lower(), ACR_PULL)}


type Tell = Callable[[Place], Json]


def _below_workspace(*words: str, verb: str = "write") -> Tell:
    return lambda place: event("/".join((place.workspace["id"], *words)), verb)


def _beside(provider: str, name: str) -> Tell:
    return lambda place: event(child(place.group, provider, name))


TELLING: dict[str, Tell] = {
    "event": lambda place: event(place.workspace["id"]),
    "cloud event": lambda place: cloud_event(place.workspace["id"]),
    "notification": lambda place: notification(place.workspace),
    "cloud notification": lambda place: cloud_notification(place.workspace),
    "notification of the registry": lambda place: notification(place.registry),
    "compute": lambda place: event(place.compute["id"]),
    "compute as a cloud event": lambda place: cloud_event(place.compute["id"]),
    "another compute deleted": _below_workspace("computes", "gone", verb="delete"),
    "online endpoint deleted": _below_workspace("onlineEndpoints", "gone", verb="delete"),
    "batch endpoint": _below_workspace("batchEndpoints", "nightly"),
    "registry": lambda place: event(place.registry["id"]),
    "registry as a cloud event": lambda place: cloud_event(place.registry["id"]),
    "vault": _beside("Microsoft.KeyVault/vaults", "vault"),
    "storage account": _beside("Microsoft.Storage/storageAccounts", "storage"),
    "role assignment deleted": lambda place: event(child(place.registry["id"], _ASSIGNMENT), "delete"),
    "role assignment of the group deleted": lambda place: event(child(place.group, _ASSIGNMENT), "delete"),
    "shouted": lambda place: event(place.workspace["id"].upper().replace("/SUBSCRIPTIONS/", "/Subscriptions/")),
}
# What they touch is not the compute, which lacks the grant.
BESIDE_IT: dict[str, Tell] = {
    "online endpoint": _below_workspace("onlineEndpoints", "scoring"),
    "datastore": _below_workspace("datastores", "workspaceblobstore"),
    "connection": _below_workspace("connections", "images"),
}
OTHERS = ("own", "own by evidence", "repeated", "crowd", "returned", "uai", "foreign deletion", "subscription")


@dataclass(frozen=True)
class World:
    azure: LocalAzure
    places: dict[str, Place]


def _place(tenant: Tenant, name: str, number: int) -> Place:
    """Each in a subscription of its own, since ARM throttles by subscription."""
    group = group_id(f"rg-{name.replace(' ', '-')}", f"{number:08}-0000-4000-8000-000000000000")
    registry = tenant.registry(group, f"acrml{name.replace(' ', '')}")
    workspace = tenant.workspace(
        group,
        containerRegistry=registry["id"],
        storageAccount=tenant.storage(group, "storage")["id"],
        keyVault=child(group, "Microsoft.Keyvault/vaults", "vault"),  # as AML spells it
    )
    compute = tenant.compute(workspace, "cluster", identity=system_assigned(name))
    return Place(name, group, workspace, registry, compute)


@pytest.fixture(scope="module")
def world(start_azure: Start) -> World:
    tenant = Tenant()
    places = {name: _place(tenant, name, number) for number, name in enumerate((*TELLING, *BESIDE_IT, *OTHERS))}
    returned = places["returned"]
    tenant.assign(returned.registry["id"], returned.puller, ACR_PULL)
    tenant.uai(places["uai"].group, "scoring")

    shared = tenant.registry(group_id("rg-images"), "acrimages")
    abroad = tenant.workspace(group_id("rg-abroad", OTHER_SUBSCRIPTION), "abroad", containerRegistry=shared["id"])
    tenant.compute(abroad, "cluster", identity=system_assigned("abroad"))

    lazy = tenant.workspace(group_id("rg-without"), "without", storageAccount=None)
    tenant.compute(lazy, "cluster", identity=system_assigned("without"))
    policy = f"mode: enforce\ntrust: {{allow: ['{group_id('rg-images')}']}}\n"
    return World(start_azure(tenant.document(), policy), places)


def _held(world: World, name: str) -> set[tuple[str, str]]:
    place = world.places[name]
    return world.azure.grants(place.puller, place.group)


@pytest.mark.parametrize("name", TELLING)
def test_an_event_leads_to_the_grant(world: World, name: str) -> None:
    assert _held(world, name) == set()
    answer = world.azure.deliver(TELLING[name](world.places[name]))
    assert answer.status_code == 202, answer.text
    assert _held(world, name) == world.places[name].granted


@pytest.mark.parametrize("name", BESIDE_IT)
def test_an_event_about_something_beside_it_leaves_that_to_its_own_event(world: World, name: str) -> None:
    place = world.places[name]
    assert world.azure.deliver(BESIDE_IT[name](place)).status_code == 202
    assert _held(world, name) == set()
    assert world.azure.deliver(event(place.compute["id"])).status_code == 202
    assert _held(world, name) == place.granted


def test_a_role_assignment_of_the_subscription_deleted(world: World) -> None:
    """That may concern every workspace in it: work for the queue."""
    place = world.places["subscription"]
    assert world.azure.deliver(event(child(place.group.rpartition("/resourceGroups/")[0], _ASSIGNMENT), "delete")).ok
    world.azure.until(lambda: _held(world, "subscription") == place.granted, "the queue looks at the subscription")
    world.azure.until_quiet()


@pytest.mark.parametrize("name", ["own", "own by evidence"])
def test_events_of_our_own_doing_are_ignored(world: World, name: str) -> None:
    place, own = world.places[name], world.azure.app
    told = event(place.workspace["id"], caller=own.upper())
    if name == "own by evidence":
        del told["data"]["claims"]
        told["data"]["authorization"]["evidence"]["principalId"] = own.replace("-", "")
    before = len(world.azure.asked())
    assert world.azure.deliver(told).status_code == 202
    assert [one for one in world.azure.asked()[before:] if one["caller"] == own] == []
    assert _held(world, name) == set()


def test_repeated_reordered_and_foreign_events_change_nothing_more(world: World) -> None:
    place = world.places["repeated"]
    told = [TELLING[name](place) for name in ("event", "cloud event", "notification", "compute", "registry", "shouted")]
    assert world.azure.deliver(*told, *told).status_code == 202
    assert _held(world, "repeated") == place.granted
    writes = len(world.azure.writes())
    rows = len(world.azure.rows())
    foreign = world.places["foreign deletion"].workspace["id"].replace("/rg-", "/rg-no-")
    random.Random(7).shuffle(told)
    for one in (*told, told[0], event(foreign), event(foreign, "delete"), event(place.workspace["id"], "action")):
        assert world.azure.deliver(one).status_code == 202
    assert _held(world, "repeated") == place.granted
    assert len(world.azure.writes()) == writes
    assert len(world.azure.rows()) == rows


def test_deliveries_at_the_same_time_make_one_grant(world: World) -> None:
    place = world.places["crowd"]
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(world.azure.deliver, event(place.workspace["id"])) for _ in range(8)]
        assert {answer.result().status_code for answer in answers} == {202}
    assert _held(world, "crowd") == place.granted
    made = [one for one in world.azure.writes() if place.registry["id"].lower() in one["path"].lower()]
    assert [one["status"] for one in made].count(201) == 1
    rows = world.azure.rows(where=f"PrincipalId == '{place.puller}'")
    runs = [row["RunId"] for row in rows]
    assert all(runs.count(run) == 2 for run in runs)
    assert {row["Outcome"] for row in rows} == {"Planned", "Applied"}


def test_a_registry_leads_to_its_workspaces_in_other_subscriptions(world: World) -> None:
    registry = child(group_id("rg-images"), "Microsoft.ContainerRegistry/registries", "acrimages")
    assert world.azure.deliver(event(registry)).status_code == 202
    assert world.azure.grants(oid("abroad"), registry) == {(registry.lower(), ACR_PULL)}


# From here on Azure itself tells: what is done through ARM comes as events.


def test_a_needed_assignment_that_someone_deletes_is_back(world: World) -> None:
    place = world.places["returned"]
    (held,) = [
        one
        for one in world.azure.get(child(place.registry["id"], "Microsoft.Authorization/roleAssignments"))["value"]
        if one["properties"]["principalId"] == place.puller
    ]
    world.azure.delete(held["id"])
    world.azure.until(lambda: _held(world, "returned") == place.granted, "the assignment is back")


def test_an_endpoint_with_a_user_assigned_identity_pulls_and_reads(world: World) -> None:
    place = world.places["uai"]
    identity = world.azure.get(child(place.group, "Microsoft.ManagedIdentity/userAssignedIdentities", "scoring"))
    block = {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    body = {"location": "westeurope", "identity": block, "properties": {"authMode": "AADToken"}}
    world.azure.put(f"{place.workspace['id']}/onlineEndpoints/scoring", body)
    account = child(place.group, "Microsoft.Storage/storageAccounts", "storage")
    wanted = place.granted | {(account.lower(), BLOB_READER)}
    principal = identity["properties"]["principalId"]
    world.azure.until(lambda: world.azure.grants(principal, place.group) == wanted, "the endpoint pulls and reads")


_JOB = {
    "jobType": "Command",
    "command": "true",
    "environmentId": "azureml://registries/azureml/environments/sklearn-1.5/labels/latest",
}


def test_the_first_job_makes_a_registry_that_the_cluster_cannot_pull_from(world: World) -> None:
    group = group_id("rg-without")
    workspace = child(group, "Microsoft.MachineLearningServices/workspaces", "without")
    world.azure.put(f"{workspace}/jobs/first", {"properties": _JOB})
    registry = world.azure.get(workspace)["properties"]["containerRegistry"]
    assert world.azure.admin_user(registry)
    wanted = {(registry.lower(), ACR_PULL)}
    world.azure.until(lambda: world.azure.grants(oid("without"), group) == wanted, "the cluster pulls")
