"""What can choose workspaces (law 13). `shared.access.dependencies` says how a workspace uses a resource."""

from shared.access.datastores import STORAGE
from shared.access.dependencies import IDENTITY, REGISTRY
from shared.access.routing import WORKSPACE
from shared.access.scope import Scope

_USED = {REGISTRY, "microsoft.insights/components", "microsoft.keyvault/vaults", STORAGE, IDENTITY}
_RESOURCE = 8  # the segments of a resource in a resource group
_EXAMPLE = (
    "name a management group (/providers/Microsoft.Management/managementGroups/NAME), a subscription "
    "(/subscriptions/ID), a resource group (/subscriptions/ID/resourceGroups/NAME), a workspace, or a registry, "
    "storage account, key vault, Application Insights component or user-assigned identity that workspaces use"
)


def is_used(scope: Scope) -> bool:
    """Whether it is of a kind that chooses the workspaces that use it."""
    return len(scope.segments) == _RESOURCE and scope.resource_group is not None and scope.resource_type in _USED


def workspace_of(scope: Scope) -> Scope | None:
    """The workspace that it is, or of which it is a child."""
    found = scope.ancestor(WORKSPACE)
    whole = found is not None and len(found.segments) == _RESOURCE
    return found if whole and scope.resource_type.startswith(WORKSPACE) else None


def is_container(scope: Scope) -> bool:
    """Whether it chooses the workspaces that lie in it."""
    return scope.is_management_group or scope in (scope.subscription, scope.resource_group)


def unsuitable(scope: Scope) -> str | None:
    """Why it cannot choose workspaces, and what can. None if it can."""
    if scope.is_root:
        return (
            "the root is above every tenant: name the tenant root group, "
            "/providers/Microsoft.Management/managementGroups/TENANT-ID"
        )
    if is_container(scope) or is_used(scope) or workspace_of(scope):
        return None
    return f"workspaces are not chosen by this kind of resource ({scope.resource_type}): {_EXAMPLE}"
