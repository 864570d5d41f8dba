"""Tenants of any size, as tenant files hold them: workspaces with 5 computes and 2 endpoints each.

Every workspace has its own resource group, registry and storage account. Its identities hold everything that the rules
ask for. In a workspace that is `lacking`, the first compute cannot pull.
"""

import uuid
from collections.abc import Iterator
from typing import Any

type Json = dict[str, Any]

COMPUTES = 5
ENDPOINTS = 2
# Lists that the default rules need and that Resource Graph does not have: computes, datastores, connections,
# environments, and the diagnostic settings of the workspace and of each endpoint.
LISTS = 5 + ENDPOINTS

_TENANT_ID = "7d1c2b6e-0d0b-4d0e-9f3e-5a4f2f6b9a01"
_LONG_AGO = "2024-02-01T08:00:00.0000000Z"
_ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
_BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"


def workspaces(size: int, subscriptions: int) -> list[str]:
    """The ids of the workspaces, spread evenly over the subscriptions."""
    return [_workspace(number, subscriptions) for number in range(size)]


def tenant(size: int, subscriptions: int, *, lacking: int = 0) -> Json:
    """The first `lacking` workspaces miss one grant."""
    resources: list[Json] = []
    assignments: list[Json] = []
    for number, workspace in enumerate(workspaces(size, subscriptions)):
        resources += _resources(workspace)
        held = list(_held(workspace))
        assignments += held[1:] if number < lacking else held
    return {"tenantId": _TENANT_ID, "resources": resources, "roleAssignments": assignments}


def first_compute(workspace: str) -> str:
    return f"{workspace}/computes/c0"


def _workspace(number: int, subscriptions: int) -> str:
    subscription = uuid.UUID(int=(0x5B << 120) + number % subscriptions)
    group = f"/subscriptions/{subscription}/resourceGroups/ml-{number}"
    return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/ws-{number}"


def _resources(workspace: str) -> Iterator[Json]:
    yield _resource(
        workspace,
        identity=_identity(workspace),
        containerRegistry=_registry(workspace),
        storageAccount=_storage(workspace),
    )
    yield _resource(
        _registry(workspace),
        adminUserEnabled=False,
        creationDate=_LONG_AGO,
        roleAssignmentMode="LegacyRegistryPermissions",
    )
    yield _resource(_storage(workspace), allowSharedKeyAccess=True)
    for compute in _computes(workspace):
        yield _resource(
            compute, identity=_identity(compute), computeType="AmlCompute", createdOn=_LONG_AGO, properties={}
        )
    for endpoint in _endpoints(workspace):
        yield _resource(endpoint, identity=_identity(endpoint), authMode="AADToken", traffic={})


def _held(workspace: str) -> Iterator[Json]:
    registry, storage = _registry(workspace), _storage(workspace)
    for compute in _computes(workspace):
        yield _assignment(registry, _principal(compute), _ACR_PULL)
    for endpoint in _endpoints(workspace):
        yield _assignment(registry, _principal(endpoint), _ACR_PULL)
        yield _assignment(storage, _principal(endpoint), _BLOB_READER)
    # What AML grants the workspace itself.
    yield _assignment(_group(workspace), _principal(workspace), _CONTRIBUTOR)
    yield _assignment(storage, _principal(workspace), _BLOB_CONTRIBUTOR)


def _computes(workspace: str) -> list[str]:
    return [f"{workspace}/computes/c{number}" for number in range(COMPUTES)]


def _endpoints(workspace: str) -> list[str]:
    return [f"{workspace}/onlineEndpoints/e{number}" for number in range(ENDPOINTS)]


def _registry(workspace: str) -> str:
    return f"{_group(workspace)}/providers/Microsoft.ContainerRegistry/registries/{_short(workspace, 'cr')}"


def _storage(workspace: str) -> str:
    return f"{_group(workspace)}/providers/Microsoft.Storage/storageAccounts/{_short(workspace, 'st')}"


def _group(workspace: str) -> str:
    return workspace.partition("/providers/")[0]


def _short(workspace: str, prefix: str) -> str:
    return prefix + workspace.rpartition("-")[2]


def _resource(identifier: str, *, identity: Json | None = None, **properties: Any) -> Json:
    namespace, *words = identifier.partition("/providers/")[2].split("/")
    return {
        "id": identifier,
        "name": words[-1],
        "type": "/".join((namespace, *words[::2])),
        "location": "westeurope",
        **({"identity": identity} if identity else {}),
        "properties": {"provisioningState": "Succeeded", **properties},
    }


def _identity(owner: str) -> Json:
    return {"type": "SystemAssigned", "principalId": _principal(owner), "tenantId": _TENANT_ID}


def _principal(owner: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, owner))


def _assignment(scope: str, principal: str, role: str) -> Json:
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{scope}|{principal}|{role}"))
    subscription = "/".join(scope.split("/")[:3])
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "scope": scope,
            "createdOn": _LONG_AGO,
        },
    }
