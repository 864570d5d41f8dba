"""Azure as the workspaces of one shard see it: what many of them ask for is read once for all of them.

That is the lists of other services, and the connections of each workspace: every switch-off asks for all of them.

A list is at most as old as the shard, which is minutes. Everything else is read and written directly. What an admin
user goes off by is read again (`fresh`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.access.actions import Grant, Removal, Setting
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.rules import List
from shared.access.scope import Scope
from shared.access.services import SERVICES
from shared.ports import Azure, AzureFailureError, Raw

_COLLECTIONS = frozenset((*(service.collection for service in SERVICES), List.CONNECTIONS.value))
_KINDS = frozenset(service.kind for service in SERVICES)


class SharedLists:
    """See `shared.ports.Azure`. If a read fails, the next caller that wants it tries again."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._begun: dict[Hashable, asyncio.Future[Any]] = {}

    def fresh(self) -> Azure:
        return self._azure.fresh()

    def now(self) -> datetime:
        return self._azure.now()

    async def resource(self, scope: Scope) -> Raw | None:
        if _of_a_service(scope):
            return await self._once(("resource", scope), lambda: self._azure.resource(scope))
        return await self._azure.resource(scope)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        if collection in _COLLECTIONS or _of_a_service(parent):
            key = ("children", parent, collection, pages)
            return await self._once(key, lambda: self._azure.children(parent, collection, pages=pages))
        return await self._azure.children(parent, collection, pages=pages)

    def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        return self._azure.query(kql, subscription)

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        return await self._azure.logs(kql)

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        return await self._azure.role_assignments(principal_id, subscription)

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        return await self._azure.role_definitions(role_ids, scope)

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        return await self._azure.deny_assignments(subscription, principal_id)

    async def grant(self, grant: Grant, description: str) -> bool:
        return await self._azure.grant(grant, description)

    async def revoke(self, removal: Removal) -> bool:
        return await self._azure.revoke(removal)

    async def change(self, setting: Setting) -> None:
        await self._azure.change(setting)

    async def _once[T](self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        if key not in self._begun:
            self._begun[key] = asyncio.ensure_future(read())
        try:
            answer: T = await self._begun[key]
        except AzureFailureError:
            self._begun.pop(key, None)
            raise
        return answer


def _of_a_service(scope: Scope) -> bool:
    return any(scope.resource_type == kind or scope.resource_type.startswith(f"{kind}/") for kind in _KINDS)
