"""What Azure Machine Learning does by itself, and where it stops."""

import asyncio
from typing import Any

from emulator_units.arm_calls import (
    ACR_PULL,
    BLOB_READER,
    REGISTRY,
    RG,
    STORAGE,
    UAI,
    WORKSPACE,
    Azure,
    principal,
    resource,
)

AML = "?api-version=2025-12-01"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
AI_ADMINISTRATOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94"
METRICS_WRITER = "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"
SYSTEM = {"identity": {"type": "SystemAssigned"}, "location": "westeurope", "properties": {"computeType": "AmlCompute"}}


def workspace(**properties: Any) -> dict[str, Any]:
    return resource(WORKSPACE, properties={"storageAccount": STORAGE.upper(), **properties})


def azure(*resources: dict[str, Any]) -> Azure:
    return Azure({"resources": [resource(STORAGE), *resources]})


async def settled() -> None:
    await asyncio.sleep(0.05)


async def test_workspace_with_its_own_identity() -> None:
    one = azure()
    body = {**SYSTEM, "properties": {"storageAccount": STORAGE}}
    one.ask("PUT", f"{WORKSPACE}{AML}", body)
    await settled()
    identity = one.ask("GET", f"{WORKSPACE}{AML}").body["identity"]["principalId"]
    assert one.roles_of(identity, RG) == {AI_ADMINISTRATOR}
    assert one.roles_of(identity, STORAGE) == {BLOB_CONTRIBUTOR}
    callers = {event["data"]["authorization"]["evidence"]["role"] for event in one.events}
    assert callers == {"Owner", "Azure Machine Learning"}


async def test_nothing_for_a_workspace_with_a_user_assigned_identity() -> None:
    one = azure(resource(UAI, properties={"principalId": principal(1), "clientId": principal(2)}))
    attached = {"type": "UserAssigned", "userAssignedIdentities": {UAI: {}}}
    body = {"location": "westeurope", "identity": attached, "properties": {"storageAccount": STORAGE}}
    one.ask("PUT", f"{WORKSPACE}{AML}", body)
    await settled()
    identity = one.ask("GET", f"{WORKSPACE}{AML}").body["identity"]
    assert identity["userAssignedIdentities"] == {UAI: {"principalId": principal(1), "clientId": principal(2)}}
    assert one.tenant.role_assignments == {}


async def test_loading_a_tenant_grants_nothing() -> None:
    one = azure(
        workspace(containerRegistry=REGISTRY), resource(REGISTRY), resource(f"{WORKSPACE}/computes/cpu", **SYSTEM)
    )
    await settled()
    assert one.tenant.role_assignments == {}
    assert one.events == []


async def test_compute_after_its_registry_may_pull() -> None:
    one = azure(workspace(containerRegistry=REGISTRY.lower()), resource(REGISTRY))
    identity = one.ask("PUT", f"{WORKSPACE}/computes/cpu{AML}", SYSTEM).body["identity"]["principalId"]
    await settled()
    assert one.roles_of(identity, REGISTRY) == {ACR_PULL}
    assert one.tenant.principals[identity]["displayName"] == "mlw/computes/cpu"


async def test_compute_before_its_registry_may_not() -> None:
    one = azure(workspace())
    identity = one.ask("PUT", f"{WORKSPACE}/computes/cpu{AML}", SYSTEM).body["identity"]["principalId"]
    await settled()
    one.ask("PUT", f"{WORKSPACE}/jobs/first{AML}", {"properties": {"jobType": "Command"}})
    registry = one.ask("GET", f"{WORKSPACE}{AML}").body["properties"]["containerRegistry"]
    made = one.ask("GET", f"{registry}?api-version=2025-11-01").body
    assert made["properties"]["adminUserEnabled"] is True
    assert made["properties"]["provisioningState"] == "Succeeded"
    assert one.roles_of(identity, registry) == set()
    operations = [event["data"]["operationName"].rpartition("Microsoft.")[2] for event in one.events]
    assert "ContainerRegistry/registries/write" in operations
    one.ask("PUT", f"{WORKSPACE}/jobs/second{AML}", {"properties": {"jobType": "Sweep"}})
    assert one.ask("GET", f"{WORKSPACE}{AML}").body["properties"]["containerRegistry"] == registry


async def test_compute_without_identity_gets_nothing() -> None:
    one = azure(workspace(containerRegistry=REGISTRY), resource(REGISTRY))
    body = one.ask("PUT", f"{WORKSPACE}/computes/cpu{AML}", {"properties": {"computeType": "AmlCompute"}}).body
    await settled()
    assert "identity" not in body
    assert one.tenant.role_assignments == {}


async def test_endpoint_has_no_identity_before_it_is_there() -> None:
    one = azure(workspace(containerRegistry=REGISTRY), resource(REGISTRY))
    url = f"{WORKSPACE}/onlineEndpoints/serve{AML}"
    created = one.ask("PUT", url, {**SYSTEM, "properties": {"authMode": "Key"}}).body
    assert "identity" not in created
    assert created["properties"]["provisioningState"] == "Creating"
    assert one.tenant.role_assignments == {}
    await settled()
    identity = one.ask("GET", url).body["identity"]["principalId"]
    assert one.roles_of(identity, REGISTRY) == {ACR_PULL}
    assert one.roles_of(identity, STORAGE) == {BLOB_READER}
    assert one.roles_of(identity, WORKSPACE) == {METRICS_WRITER}
    other = {"identity": {"type": "None"}}
    assert one.refusal("PATCH", url, other).status == 400
    assert one.ask("PATCH", url, {"tags": {"a": "b"}}).body["identity"]["principalId"] == identity


async def test_endpoint_with_a_user_assigned_identity_gets_nothing() -> None:
    uai = resource(UAI, properties={"principalId": principal(1), "clientId": principal(2)})
    one = azure(workspace(containerRegistry=REGISTRY), resource(REGISTRY), uai)
    attached = {"type": "UserAssigned", "userAssignedIdentities": {UAI: {}}}
    one.ask("PUT", f"{WORKSPACE}/onlineEndpoints/serve{AML}", {"identity": attached, "properties": {}})
    await settled()
    assert one.tenant.role_assignments == {}


async def test_a_deleted_compute_leaves_its_assignments_behind() -> None:
    one = azure(workspace(containerRegistry=REGISTRY), resource(REGISTRY))
    identity = one.ask("PUT", f"{WORKSPACE}/computes/cpu{AML}", SYSTEM).body["identity"]["principalId"]
    await settled()
    one.ask("DELETE", f"{WORKSPACE}/computes/cpu{AML}")
    assert identity not in one.tenant.principals
    assert one.roles_of(identity, REGISTRY) == {ACR_PULL}
