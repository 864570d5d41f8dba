"""Azure as one reconcile sees it: nothing is read twice, whoever asks for it.

A reconcile reads the role assignments of the resource group anyway, so that list also answers for a single resource.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get, scope_or_none
from shared.access.scope import Scope
from shared.ports import Raw, Reads
from shared.reading.role_holdings import ROLE_ASSIGNMENTS

_ASSIGNED_AT = f"{ROLE_ASSIGNMENTS}?$filter=atScope()"


class CachedReads:
    """See `shared.ports.Reads`. A failed read stays failed, because the whole reconcile is tried again."""

    def __init__(self, azure: Reads) -> None:
        self._azure = azure
        self._begun: dict[Hashable, asyncio.Future[Any]] = {}

    def now(self) -> datetime:
        return self._azure.now()

    def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        return self._azure.query(kql, subscription)

    async def resource(self, scope: Scope) -> Raw | None:
        return await self._once(("resource", scope), lambda: self._azure.resource(scope))

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        group = parent.resource_group
        if group and collection == _ASSIGNED_AT:
            listed = await self.children(group, ROLE_ASSIGNMENTS)
            return None if listed is None else [raw for raw in listed if _holds_at(raw, parent)]
        key = ("children", parent, collection.casefold(), pages)
        return await self._once(key, lambda: self._azure.children(parent, collection, pages=pages))

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        return await self._once(("logs", kql), lambda: self._azure.logs(kql))

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        key = ("assignments", principal_id, subscription)
        return await self._once(key, lambda: self._azure.role_assignments(principal_id, subscription))

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        return await self._once(("roles", role_ids, scope), lambda: self._azure.role_definitions(role_ids, scope))

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        key = ("denies", subscription, principal_id)
        return await self._once(key, lambda: self._azure.deny_assignments(subscription, principal_id))

    async def _once[T](self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        if key not in self._begun:
            self._begun[key] = asyncio.ensure_future(read())
        answer: T = await self._begun[key]
        return answer


def _holds_at(raw: Raw, scope: Scope) -> bool:
    """At the scope or above it. If an assignment of a management group is in the list, the group is above."""
    assigned = scope_or_none(get(raw, "properties", "scope"))
    return assigned is not None and (assigned.contains(scope) or assigned.is_management_group)
