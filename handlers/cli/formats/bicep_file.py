"""The missing role assignments of a plan as Bicep, to be pasted as a module beside the template.

Resources are referred to as `existing`. So the module comes after those that make them: `dependsOn`, where it is a part
of the same deployment. Azure takes a role assignment only in the deployment of the group where it is made. So there
is one part for each group.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.cli.bicep_text import quoted
from handlers.cli.console import one_line
from handlers.cli.formats.view import Item, View
from shared.access.raw import scope_or_none
from shared.access.scope import Scope

# Versions that the compiler knows. It needs one for each resource, and nothing here depends on which it is.
_VERSIONS = {
    "microsoft.containerregistry/registries": ("Microsoft.ContainerRegistry/registries", "2025-04-01", "registry"),
    "microsoft.storage/storageaccounts": ("Microsoft.Storage/storageAccounts", "2024-01-01", "storage"),
    "microsoft.storage/storageaccounts/blobservices": (
        "Microsoft.Storage/storageAccounts/blobServices",
        "2024-01-01",
        "blobs",
    ),
    "microsoft.storage/storageaccounts/blobservices/containers": (
        "Microsoft.Storage/storageAccounts/blobServices/containers",
        "2024-01-01",
        "container",
    ),
    "microsoft.keyvault/vaults": ("Microsoft.KeyVault/vaults", "2024-11-01", "vault"),
    "microsoft.insights/components": ("Microsoft.Insights/components", "2020-02-02", "insights"),
    "microsoft.managedidentity/userassignedidentities": (
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "2023-01-31",
        "identity",
    ),
    "microsoft.machinelearningservices/workspaces": (
        "Microsoft.MachineLearningServices/workspaces",
        "2025-06-01",
        "workspace",
    ),
    "microsoft.machinelearningservices/workspaces/computes": (
        "Microsoft.MachineLearningServices/workspaces/computes",
        "2025-06-01",
        "compute",
    ),
    "microsoft.machinelearningservices/workspaces/onlineendpoints": (
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        "2025-06-01",
        "endpoint",
    ),
    "microsoft.machinelearningservices/registries": (
        "Microsoft.MachineLearningServices/registries",
        "2025-06-01",
        "amlRegistry",
    ),
    "microsoft.network/privateendpoints": ("Microsoft.Network/privateEndpoints", "2024-05-01", "privateEndpoint"),
}
_USER_ASSIGNED = "microsoft.managedidentity/userassignedidentities"


def text(seen: View) -> str:
    grants = [item for item in seen.items if item.part == "grants"]
    by_target: dict[Scope, list[Item]] = {}
    left: list[str] = []
    for item in grants:
        target = _target(item)
        if target is None:
            left.append(f"// Not written: {one_line(item.title)}")
        else:
            by_target.setdefault(target, []).append(item)
    parts = ["\n".join(_Part(target).lines(items)) for target, items in by_target.items()]
    if not grants:
        return "// No role assignment is missing."
    return "\n\n".join((*parts, *(["\n".join(left)] if left else [])))


def _target(item: Item) -> Scope | None:
    """The group or subscription whose deployment makes it. None if that, or whose role it is, cannot be written."""
    scope, holder = scope_or_none(item.action.get("scope")), item.action.get("principal")
    if scope is None or scope.subscription is None:
        return None
    if scope not in (scope.resource_group, scope.subscription) and scope.resource_type not in _VERSIONS:
        return None
    named = scope_or_none(holder)
    if holder and (named is None or named.resource_type not in _VERSIONS):
        return None
    return (scope.resource_group or scope.subscription) if holder or item.action.get("principalId") else None


@dataclass(slots=True)
class _Part:
    """What one deployment makes. `symbols` are the resources that it refers to."""

    target: Scope
    symbols: dict[Scope, str] = field(default_factory=dict)
    existing: list[str] = field(default_factory=list)

    def lines(self, items: Sequence[Item]) -> Iterator[str]:
        made = [line for at, item in enumerate(items, 1) for line in self._grant(item.action, item.reason, at)]
        where = "subscription" if self.target == self.target.subscription else "resource group"
        yield f"// What amlguard found missing in {where} {one_line(self.target.name)}."
        yield "// Deploy it there, after the rest: as a module with `dependsOn` of what makes these resources."
        yield f"targetScope = '{'subscription' if where == 'subscription' else 'resourceGroup'}'"
        yield from self.existing
        yield from made

    def _grant(self, one: Any, why: str, at: int) -> Iterator[str]:
        scope, holder = Scope.parse(one["scope"]), scope_or_none(one["principal"])
        role = str(one["roleDefinitionId"]).rpartition("/")[2]
        whose = self._existing(holder) if holder else ""
        principal = quoted(str(one["principalId"]))
        if holder:
            block = "properties" if holder.resource_type == _USER_ASSIGNED else "identity"
            principal = f"{whose}.{block}.principalId"
        place = self._place(scope)
        yield ""
        yield f"// {one_line(why)}"
        yield f"resource grant{at} 'Microsoft.Authorization/roleAssignments@2022-04-01' = {{"
        if place:
            yield f"  scope: {place}"
        made_of = (f"{place}.id" if place else self._own, f"{whose}.id" if whose else principal, quoted(role))
        yield f"  name: guid({', '.join(made_of)})"
        yield "  properties: {"
        yield f"    principalId: {principal}"
        yield f"    principalType: {quoted(str(one['principalType']))}"
        yield f"    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '{role}')"
        yield f"    description: {quoted(one_line(f'{one["roleName"]}: {why}')[:250])}"
        yield "  }"
        yield "}"

    @property
    def _own(self) -> str:
        return "subscription().id" if self.target == self.target.subscription else "resourceGroup().id"

    def _place(self, scope: Scope) -> str:
        return "" if scope == self.target else self._existing(scope)

    def _existing(self, scope: Scope) -> str:
        if scope in self.symbols:
            return self.symbols[scope]
        kind, version, short = _VERSIONS[scope.resource_type]
        above = scope.parent
        nested = above.resource_type in _VERSIONS
        parent = self._existing(above) if nested else ""
        name = self.symbols[scope] = self._free(f"{short}_{re.sub(r'[^0-9A-Za-z]', '_', scope.name)}")
        where = f"  parent: {parent}" if nested else self._elsewhere(scope)
        self.existing += [
            "",
            f"resource {name} '{kind}@{version}' existing = {{",
            *([where] if where else []),
            f"  name: {quoted(scope.name)}",
            "}",
        ]
        return name

    def _elsewhere(self, scope: Scope) -> str:
        group, subscription = scope.resource_group, scope.subscription
        if group is None or subscription is None or group == self.target:
            return ""
        if subscription == self.target.subscription:
            return f"  scope: resourceGroup({quoted(group.name)})"
        return f"  scope: resourceGroup({quoted(subscription.name)}, {quoted(group.name)})"

    def _free(self, name: str) -> str:
        taken = set(self.symbols.values())
        return next(one for one in (name, *(f"{name}_{at}" for at in range(2, 10_000))) if one not in taken)
