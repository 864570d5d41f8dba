"""When the registry's admin user goes off, when it stays on, and what follows: grants, then the switch, then keys."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, CONTRIBUTOR, Tenant, group_id, oid, system_assigned, user_assigned
from wire import Json

SETTLE_MINUTES = 15
POLICY = f"mode: enforce\nsettle_minutes: {SETTLE_MINUTES}\n"
SUBSCRIPTIONS = tuple(f"{digit * 8}-{digit * 4}-4{digit * 3}-8{digit * 3}-{digit * 12}" for digit in "123")


@dataclass(frozen=True)
class Place:
    """One resource group with a workspace on a registry whose admin user is on."""

    group: str
    workspace: Json
    registry: Json


@dataclass(frozen=True)
class Case:
    name: str
    build: Callable[[Tenant, Place], None]
    first: bool
    """Whether the admin user is on after the first look, and `settled` after the settle time."""
    settled: bool
    outcome: str
    """Of the switch, as the audit log has it first: Applied, Deferred or Withheld; with `guard` for the latter."""
    guard: str = ""


def _covered(tenant: Tenant, place: Place) -> None:
    tenant.compute(place.workspace, "cluster", identity=system_assigned(place.group))
    tenant.assign(place.registry["id"], oid(place.group), ACR_PULL)


def _to_be_granted(tenant: Tenant, place: Place) -> None:
    tenant.compute(place.workspace, "cluster", identity=system_assigned(place.group))


def _no_puller(tenant: Tenant, place: Place) -> None:
    tenant.compute(place.workspace, "bricks", kind="Databricks")


def _outside_the_boundary(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    foreign = tenant.uai(f"{place.group}-others", "foreign")
    tenant.compute(place.workspace, "second", identity=user_assigned(foreign))


def _without_identity(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    tenant.compute(place.workspace, "second")


def _container_group(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    image = f"{place.registry['properties']['loginServer'].upper()}/azureml/scoring:1"
    tenant.container_group(f"{place.group}-scoring", "scoring", image)


def _container_instance_compute(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    tenant.compute(place.workspace, "aci", kind="ContainerInstance")


def _serverless(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    place.workspace["properties"]["serverlessComputeSettings"] = {"serverlessComputeNoPublicIP": True}


def _locked(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    tenant.lock(place.group, "ReadOnly")


def _locked_against_deletion(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    tenant.lock(place.registry["id"], "CanNotDelete")


def _denied(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    tenant.deny(place.registry["id"], oid(place.group), actions=["Microsoft.ContainerRegistry/registries/pull/*"])


def _neighbour_uncovered(tenant: Tenant, place: Place) -> None:
    """Another workspace, in another subscription, pulls from the registry and cannot be granted anything there."""
    _covered(tenant, place)
    elsewhere = group_id("rg-neighbour", SUBSCRIPTIONS[2])
    neighbour = tenant.workspace(elsewhere, "neighbour", containerRegistry=place.registry["id"].upper())
    tenant.compute(neighbour, "cluster", identity=system_assigned("neighbour's cluster"))


def _neighbour_covered(tenant: Tenant, place: Place) -> None:
    _covered(tenant, place)
    elsewhere = group_id("rg-good-neighbour", SUBSCRIPTIONS[2])
    neighbour = tenant.workspace(elsewhere, "neighbour", containerRegistry=place.registry["id"])
    tenant.assign(place.registry["id"], oid(neighbour["id"]), CONTRIBUTOR)
    tenant.compute(neighbour, "cluster", identity=system_assigned("good neighbour's cluster"))
    tenant.assign(place.registry["id"], oid("good neighbour's cluster"), ACR_PULL)


CASES = (
    Case("covered long ago", _covered, first=False, settled=False, outcome="Applied"),
    Case("nobody pulls", _no_puller, first=False, settled=False, outcome="Applied"),
    Case("locked against deletion only", _locked_against_deletion, first=False, settled=False, outcome="Applied"),
    Case("neighbour covered", _neighbour_covered, first=False, settled=False, outcome="Applied"),
    Case("granted just now", _to_be_granted, first=True, settled=False, outcome="Deferred"),
    Case("puller outside", _outside_the_boundary, True, True, "Withheld", "uncovered-puller"),
    Case("puller without identity", _without_identity, True, True, "Withheld", "compute-identity"),
    Case("puller denied", _denied, True, True, "Withheld", "uncovered-puller"),
    Case("neighbour uncovered", _neighbour_uncovered, True, True, "Withheld", "uncovered-puller"),
    Case("container group", _container_group, True, True, "Withheld", "container-instances"),
    Case("container instance", _container_instance_compute, True, True, "Withheld", "container-instances"),
    Case("serverless", _serverless, True, True, "Withheld", "serverless-pull"),
    Case("locked", _locked, True, True, "Withheld", "lock"),
)


@dataclass
class World:
    azure: LocalAzure
    places: dict[str, Place]
    first: dict[str, bool]
    """Whether each case's admin user is on: after the first look, before and after the settle time was over."""
    almost: dict[str, bool]
    settled: dict[str, bool]


@pytest.fixture(scope="module")
def world(start_azure: Start) -> World:
    tenant, places = Tenant(), {}
    for number, case in enumerate(CASES):
        group = group_id(f"rg-{case.name.replace(' ', '-')}", SUBSCRIPTIONS[number % 2])
        registry = tenant.registry(group, f"acrml{case.name.replace(' ', '')}", admin=True)
        place = Place(group, tenant.workspace(group, containerRegistry=registry["id"]), registry)
        case.build(tenant, place)
        places[case.name] = place
    azure = start_azure(tenant.document(), POLICY)

    def admin_users() -> dict[str, bool]:
        azure.until_quiet()
        return {name: azure.admin_user(place.registry["id"]) for name, place in places.items()}

    assert azure.deliver(*(event(place.workspace["id"]) for place in places.values())).status_code == 202
    first = admin_users()
    azure.advance(SETTLE_MINUTES * 60 - 60)
    azure.sweep_all(place.workspace["id"] for place in places.values())
    almost = admin_users()
    azure.advance(120)
    waiting = places["granted just now"].registry["id"]
    azure.until(lambda: not azure.admin_user(waiting), "the deferred switch is made")
    return World(azure, places, first, almost, admin_users())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_admin_user(case: Case, world: World) -> None:
    name, place = case.name, world.places[case.name]
    assert (world.first[name], world.almost[name], world.settled[name]) == (case.first, case.first, case.settled)
    switched = [
        row
        for row in world.azure.rows(where=f"Property == 'adminUserEnabled' and Scope =~ '{place.registry['id']}'")
        if row["Outcome"] != "Planned"
    ]
    assert switched[0]["Outcome"] == case.outcome
    assert switched[0]["Guard"] == case.guard
    assert switched[0]["Reason"]
    assert ("Applied" in {row["Outcome"] for row in switched}) != case.settled


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_keys_are_resynced_after_the_switch_and_only_then(case: Case, world: World) -> None:
    place = world.places[case.name]
    asked = [(one["method"], one["path"].partition("?")[0].lower()) for one in world.azure.writes()]
    switch = ("PATCH", place.registry["id"].lower())
    resync = ("POST", f"{place.workspace['id'].lower()}/resynckeys")
    if case.settled:
        assert switch not in asked
        assert resync not in asked
    else:
        # The clock jumps here while a run goes on, so that its reminder may resync as well, which is harmless.
        assert asked.count(switch) == 1
        assert resync in asked
        assert asked.index(switch) < asked.index(resync)


def test_the_grant_comes_before_the_switch(world: World) -> None:
    place = world.places["granted just now"]
    registry = place.registry["id"].lower()
    asked = [(one["method"], one["path"].lower()) for one in world.azure.writes() if registry in one["path"].lower()]
    assert [method for method, _ in asked] == ["PUT", "PATCH"]
    assert "/roleassignments/" in asked[0][1]
    assert (registry, ACR_PULL) in world.azure.grants(oid(place.group), registry)


def test_all_who_share_the_registry_are_resynced(world: World) -> None:
    asked = [one["path"].partition("?")[0].lower() for one in world.azure.writes()]
    neighbour = f"{group_id('rg-good-neighbour', SUBSCRIPTIONS[2])}/providers/microsoft.machinelearningservices"
    assert f"{neighbour}/workspaces/neighbour/resynckeys".lower() in asked
