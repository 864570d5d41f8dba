"""What a sweep evaluates: a part of a tenant from Resource Graph, and from ARM what Resource Graph does not have.

Resource Graph is late and does not know groups. So it may only say that there is nothing to do. Everything else is
looked at again through ARM (`shared.reconcile`). What Resource Graph does not show is read from ARM, and is never taken
as absent.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.quoting import kql
from shared.access.raw import get, scope_or_none
from shared.access.scope import Scope, is_odd
from shared.ports import Raw, Reads
from shared.reading.cached import CachedReads
from shared.reading.role_holdings import ROLE_ASSIGNMENTS

_ENDPOINT = "microsoft.machinelearningservices/workspaces/onlineendpoints"
_DEPLOYMENT = f"{_ENDPOINT}/deployments"
# The lists that Resource Graph has in full, by their name in ARM's path, and their type.
_LISTED = {"onlineEndpoints": _ENDPOINT, "deployments": _DEPLOYMENT}
_REGISTRY = "microsoft.containerregistry/registries"
_WORKSPACE = "microsoft.machinelearningservices/workspaces"
_TYPES = (
    _WORKSPACE,
    _ENDPOINT,
    _DEPLOYMENT,
    _REGISTRY,
    "microsoft.keyvault/vaults",
    "microsoft.storage/storageaccounts",
    "microsoft.insights/components",
    "microsoft.managedidentity/userassignedidentities",
)
_COLUMNS = "id, name, type, location, kind, identity, sku, tags, properties"


class ResourceGraphReads:
    """See `shared.ports.Reads`.

    For workspaces in one subscription. What comes from ARM is read once for all of them.
    """

    def __init__(self, groups: Iterable[Scope], rows: Iterable[Raw], assigned: Sequence[Raw], azure: Reads) -> None:
        self._live = CachedReads(azure)
        self._assigned = _by_group(frozenset(groups), assigned)
        self._rows: dict[Scope, Raw] = {}
        self._children: dict[tuple[Scope, str], list[Raw]] = {}
        self._in_full = True
        for row in rows:
            scope = scope_or_none(get(row, "id"))
            if scope is None:  # what is not among the rows is read from ARM; in a list it would simply be missing
                self._in_full = False
                continue
            self._rows[scope] = row
            if scope.resource_type in _LISTED.values():
                self._children.setdefault((scope.parent, scope.resource_type), []).append(row)

    @classmethod
    async def read(cls, workspaces: Iterable[Scope], azure: Reads, *, assignments: bool = True) -> Self:
        """Raises `ReadFailedError`. Without `assignments`, ARM lists these, and Resource Graph shows the groups."""
        groups = list(dict.fromkeys(group for one in workspaces if (group := one.resource_group)))
        subscription = next((group.subscription for group in groups), None)
        if subscription is None:
            return cls((), (), (), azure)
        if not assignments:
            shown, containers = await asyncio.gather(
                _all(azure.query(_resources(groups), subscription)), _all(azure.query(_groups(groups), subscription))
            )
            return cls((), (*shown, *containers), (), azure)
        rows, assigned = await asyncio.gather(
            _all(azure.query(_resources(groups), subscription)), _all(azure.query(_assignments(groups), subscription))
        )
        return cls(groups, rows, assigned, azure)

    def now(self) -> datetime:
        return self._live.now()

    def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        return self._live.query(kql, subscription)

    async def resource(self, scope: Scope) -> Raw | None:
        row = self._rows.get(scope)
        return row if row is not None and _whole(scope, row) else await self._live.resource(scope)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        if collection in _LISTED and self._in_full and parent in self._rows:
            return self._children.get((parent, _LISTED[collection]), ())
        if collection == ROLE_ASSIGNMENTS and parent in self._assigned:
            return self._assigned[parent]
        return await self._live.children(parent, collection, pages=pages)

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        return await self._live.logs(kql)

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        """From ARM.

        Only asked about identities that do not directly hold everything they need, because only ARM knows groups.
        """
        return await self._live.role_assignments(principal_id, subscription)

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        return await self._live.role_definitions(role_ids, scope)

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        return await self._live.deny_assignments(subscription, principal_id)


def _whole(scope: Scope, row: Raw) -> bool:
    """Resource Graph chooses the api-version, and an older one does not show which roles a registry uses (AML-70)."""
    return scope.resource_type != _REGISTRY or get(row, "properties", "roleAssignmentMode") is not None


def _by_group(groups: frozenset[Scope], assigned: Iterable[Raw]) -> dict[Scope, list[Raw]]:
    """In each group, and above it. If an assignment of a management group was found, that group is above.

    Empty if nobody can tell where one of them is, so that all are read from ARM.
    """
    found: dict[Scope, list[Raw]] = {group: [] for group in groups}
    for raw in assigned:
        scope = scope_or_none(get(raw, "properties", "scope"))
        if scope is None and is_odd(get(raw, "properties", "scope")):
            continue
        if scope is None:
            return {}
        if scope.resource_group:
            found.get(scope.resource_group, []).append(raw)
            continue
        for group, held in found.items():
            if scope.contains(group) or scope.is_management_group:
                held.append(raw)
    return found


def _resources(groups: Iterable[Scope]) -> str:
    names = _names(groups)
    types = ", ".join(f"'{one}'" for one in _TYPES)
    return (
        f"resources | where type in~ ({types}) and resourceGroup in~ ({names}) | project {_COLUMNS} | order by id asc"
    )


def _groups(groups: Iterable[Scope]) -> str:
    return (
        "resourcecontainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups' "
        f"and name in~ ({_names(groups)}) | project {_COLUMNS} | order by id asc"
    )


def _assignments(groups: Iterable[Scope]) -> str:
    """In the groups, and above them."""
    names = _names(groups)
    return (
        "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' "
        "| extend parts = split(tolower(tostring(properties.scope)), '/') "
        f"| where array_length(parts) < 5 or tostring(parts[3]) != 'resourcegroups' or tostring(parts[4]) in ({names}) "
        "| project id, name, type, properties | order by id asc"
    )


def _names(groups: Iterable[Scope]) -> str:
    return ", ".join(kql(group.segments[-1]) for group in groups)


async def _all(rows: AsyncIterator[Any]) -> list[Any]:
    return [row async for row in rows]
