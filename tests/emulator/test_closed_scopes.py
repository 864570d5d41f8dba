"""A user of a workspace names what the app may not read, or what is not there: that stops nothing else."""

from dataclasses import dataclass
from typing import Any

import pytest
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, SUBSCRIPTION, Tenant, child, group_id, oid, system_assigned

from emulator import tenant_builder as build

CLOSED = "55555555-5555-4555-8555-555555555555"
NOWHERE = "66666666-6666-4666-8666-666666666666"
POLICY = f"mode: enforce\ntrust: {{allow: [/subscriptions/{CLOSED}, /subscriptions/{NOWHERE}]}}\n"
ACCOUNTS = "Microsoft.Storage/storageAccounts"


@dataclass(frozen=True)
class World:
    azure: LocalAzure
    workspace: str
    registry: str


def _datastore(tenant: Tenant, workspace: dict[str, Any], name: str, subscription: str) -> None:
    named = {"subscriptionId": subscription, "resourceGroup": "lake", "accountName": name}
    tenant.add(build.datastore(workspace["id"], name, **named))


def _connection(tenant: Tenant, workspace: dict[str, Any], name: str, subscription: str) -> None:
    registry = child(group_id("images", subscription), "Microsoft.ContainerRegistry/registries", name)
    identity = child(group_id("images", subscription), "Microsoft.ManagedIdentity/userAssignedIdentities", name)
    named = {"metadata": {"ResourceId": registry}, "credentials": {"resourceId": identity, "clientId": oid("client")}}
    tenant.add(build.connection(workspace["id"], name, "ContainerRegistry", f"{name}.azurecr.io", **named))


@pytest.fixture(scope="module")
def world(start_azure: Start) -> World:
    tenant = Tenant()
    group = group_id("rg")
    registry = tenant.registry(group, "acrhome")
    workspace = tenant.workspace(group, containerRegistry=registry["id"])
    tenant.compute(workspace, "cpu1", identity=system_assigned("cpu1"))
    tenant.storage(group_id("lake", CLOSED), "closed")
    for name, subscription in (("closed", CLOSED), ("nowhere", NOWHERE)):
        _datastore(tenant, workspace, name, subscription)
        _connection(tenant, workspace, name, subscription)
    azure = start_azure(tenant.document(), POLICY)
    scope = f"/subscriptions/{CLOSED}"
    listed = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
    for one in azure.get(f"{listed}?$filter=principalId eq '{azure.app}'")["value"]:
        azure.delete(one["id"])
    return World(azure, workspace["id"], registry["id"])


def test_what_is_closed_is_withheld_and_the_rest_is_done(world: World) -> None:
    world.azure.sweep_all([world.workspace])
    assert (world.registry.lower(), ACR_PULL) in world.azure.grants(oid("cpu1"), f"/subscriptions/{SUBSCRIPTION}")
    guards = {(row["Guard"], row["Scope"].split("/")[2]) for row in world.azure.rows() if row["Outcome"] == "Withheld"}
    assert {("cross-tenant-storage", CLOSED), ("cross-tenant-storage", NOWHERE)} <= guards
    assert world.azure.poisoned_work() == []


def test_a_plan_says_so_without_an_error(world: World) -> None:
    document = world.azure.run("plan", "--format", "json").document
    assert document["errors"] == []
    assert {one["guard"] for one in document["withheld"]} >= {"cross-tenant-storage", "unreadable"}
