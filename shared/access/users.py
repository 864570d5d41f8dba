"""What may choose workspaces (law 13), and the names by which a workspace is a user of a resource: the only list."""

from shared.access.raw import get, scope_or_none
from shared.access.routing import WORKSPACE
from shared.access.scope import Scope

IDENTITY = "microsoft.managedidentity/userassignedidentities"
_USED = {
    "microsoft.containerregistry/registries",
    "microsoft.insights/components",
    "microsoft.keyvault/vaults",
    "microsoft.storage/storageaccounts",
    IDENTITY,
}
_NAMED_AT = (
    ("properties", "containerRegistry"),
    ("properties", "storageAccount"),
    ("properties", "keyVault"),
    ("properties", "applicationInsights"),
    ("properties", "primaryUserAssignedIdentity"),
    ("properties", "encryption", "keyVaultProperties", "keyVaultArmId"),
    ("properties", "encryption", "identity", "userAssignedIdentity"),
)
_RESOURCE = 8  # segments of a resource in a resource group
_EXAMPLE = (
    "name a management group (/providers/Microsoft.Management/managementGroups/NAME), a subscription "
    "(/subscriptions/ID), a resource group (/subscriptions/ID/resourceGroups/NAME), a workspace, or a registry, "
    "storage account, key vault, Application Insights component or user-assigned identity that workspaces use"
)


def named_by(raw: object) -> frozenset[Scope]:
    """What a workspace, compute or endpoint uses, by its raw self. What is no ARM id leads nowhere."""
    values = [get(raw, *path) for path in _NAMED_AT]
    attached = get(raw, "identity", "userAssignedIdentities")
    values += attached if isinstance(attached, dict) else ()
    rules = get(raw, "properties", "managedNetwork", "outboundRules")
    named = rules.values() if isinstance(rules, dict) else ()
    values += [get(rule, "destination", "serviceResourceId") for rule in named]
    return frozenset(scope for value in values if (scope := scope_or_none(value)))


def is_used(scope: Scope) -> bool:
    """Whether it is of a kind that chooses the workspaces that use it."""
    return len(scope.segments) == _RESOURCE and scope.resource_group is not None and scope.resource_type in _USED


def workspace_of(scope: Scope) -> Scope | None:
    """The workspace that it is, or is a child of."""
    found = scope.ancestor(WORKSPACE)
    whole = found is not None and len(found.segments) == _RESOURCE
    return found if whole and scope.resource_type.startswith(WORKSPACE) else None


def is_container(scope: Scope) -> bool:
    """Whether it chooses the workspaces that lie in it."""
    return scope.is_management_group or scope in (scope.subscription, scope.resource_group)


def unsuitable(scope: Scope) -> str | None:
    """Why no workspace can be chosen by it, and what can choose some; None where it can."""
    if scope.is_root:
        return (
            "the root is above every tenant: name the tenant root group, "
            "/providers/Microsoft.Management/managementGroups/TENANT-ID"
        )
    if is_container(scope) or is_used(scope) or workspace_of(scope):
        return None
    return f"workspaces are not chosen by this kind of resource ({scope.resource_type}): {_EXAMPLE}"
