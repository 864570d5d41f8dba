"""Tenants of any size, as tenant files hold them: workspaces with 5 computes and 2 endpoints each.

Every workspace has its own resource group, registry and storage account. Its identities hold everything that the rules
ask for. In a workspace that is `lacking`, the first compute cannot pull.
"""

import uuid
from collections.abc import Iterator
from typing import Any

from emulator import tenant_builder as build

type Json = dict[str, Any]

COMPUTES = 5
ENDPOINTS = 2
# Lists that the default rules need and that Resource Graph does not have: computes, datastores, connections,
# environments, and the diagnostic settings of the workspace and of each endpoint.
LISTS = 5 + ENDPOINTS

_TENANT_ID = "7d1c2b6e-0d0b-4d0e-9f3e-5a4f2f6b9a01"


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
    return build.tenant_file(_TENANT_ID, resources, roleAssignments=assignments)


def neglected(size: int, subscriptions: int, *, computes: int = 3, endpoints: int = 1) -> Json:
    """Nothing is granted to anybody, and every registry's admin user is on."""
    resources: list[Json] = []
    for workspace in workspaces(size, subscriptions):
        resources += _resources(workspace, computes, endpoints, admin=True)
    return build.tenant_file(_TENANT_ID, resources, roleAssignments=[])


def first_compute(workspace: str) -> str:
    return f"{workspace}/computes/cpu0"


def _workspace(number: int, subscriptions: int) -> str:
    subscription = uuid.UUID(int=(0x5B << 120) + number % subscriptions)
    return build.below(build.group(str(subscription), f"ml-{number}"), build.WORKSPACES, f"mlw-{number}")


def _resources(
    workspace: str, computes: int = COMPUTES, endpoints: int = ENDPOINTS, *, admin: bool = False
) -> Iterator[Json]:
    yield _made(workspace)
    yield build.registry(_registry(workspace), admin=admin)
    yield build.storage(_storage(workspace))
    for compute in _computes(workspace, computes):
        yield build.compute(workspace, _name(compute), identity=_identity(compute))
    for endpoint in _endpoints(workspace, endpoints):
        yield build.endpoint(workspace, _name(endpoint), _identity(endpoint))


def _made(workspace: str) -> Json:
    dependencies: Json = {"containerRegistry": _registry(workspace), "storageAccount": _storage(workspace)}
    return build.workspace(workspace, _identity(workspace), **dependencies)


def _held(workspace: str) -> Iterator[Json]:
    registry, storage = _registry(workspace), _storage(workspace)
    for compute in _computes(workspace):
        yield build.role_assignment(registry, _principal(compute), build.ACR_PULL)
    for endpoint in _endpoints(workspace):
        yield build.role_assignment(registry, _principal(endpoint), build.ACR_PULL)
        yield build.role_assignment(storage, _principal(endpoint), build.BLOB_READER)
    yield from build.granted_by_aml(_made(workspace))


def _computes(workspace: str, many: int = COMPUTES) -> list[str]:
    return [f"{workspace}/computes/cpu{number}" for number in range(many)]


def _endpoints(workspace: str, many: int = ENDPOINTS) -> list[str]:
    return [f"{workspace}/onlineEndpoints/serve{number}" for number in range(many)]


def _registry(workspace: str) -> str:
    return build.below(_group(workspace), build.REGISTRIES, _short(workspace, "registry"))


def _storage(workspace: str) -> str:
    return build.below(_group(workspace), build.STORAGE_ACCOUNTS, _short(workspace, "st"))


def _group(workspace: str) -> str:
    return workspace.partition("/providers/")[0]


def _short(workspace: str, prefix: str) -> str:
    return f"{prefix}{int(workspace.rpartition('-')[2]):05}"


def _name(identifier: str) -> str:
    return identifier.rpartition("/")[2]


def _identity(owner: str) -> Json:
    return build.system_assigned(_principal(owner), _TENANT_ID)


def _principal(owner: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, owner))
