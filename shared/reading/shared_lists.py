"""Azure as the workspaces of one shard, or of one command, see it: what many ask for is read once for all of them.

This applies to the lists of other services, and to the connections of each workspace, which every switch-off asks for.

A list is at most ten minutes old. Where an admin user goes off (`fresh`), it is at most a minute old, because Azure
could not answer several hundred lists for each of many admin users. Everything else is read and written directly.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from shared.access.actions import Grant, Removal, Setting
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.rules import List
from shared.access.scope import Scope
from shared.access.services import SERVICES
from shared.ports import Azure, Raw

_COLLECTIONS = frozenset((*(service.collection for service in SERVICES), List.CONNECTIONS.value))
_KINDS = frozenset(service.kind for service in SERVICES)
_OLDEST, _STILL_FRESH = timedelta(minutes=10), timedelta(minutes=1)


class _Begun(NamedTuple):
    at: datetime
    answer: asyncio.Future[Any]


class SharedLists:
    """See `shared.ports.Azure`. If a read fails, the next caller that wants it tries again."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._begun: dict[Hashable, _Begun] = {}
        self._oldest = _OLDEST

    def fresh(self) -> "SharedLists":
        anew = copy(self)
        anew._azure, anew._oldest = self._azure.fresh(), _STILL_FRESH  # noqa: SLF001 - of the same class
        return anew

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
        now = self._azure.now()
        begun = self._begun.get(key)
        if begun is None or now - begun.at > self._oldest:
            begun = self._begun[key] = _Begun(now, asyncio.ensure_future(read()))
        try:
            # Whoever gives up waiting must not take the answer from the others.
            answer: T = await asyncio.shield(begun.answer)
        except Exception:
            if self._begun.get(key) is begun:
                del self._begun[key]
            raise
        return answer


def _of_a_service(scope: Scope) -> bool:
    return any(scope.resource_type == kind or scope.resource_type.startswith(f"{kind}/") for kind in _KINDS)
