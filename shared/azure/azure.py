"""Azure as `shared.reconcile` sees it: the clients behind `shared.ports.Azure`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.scope import Scope
from shared.azure.arm import Arm
from shared.azure.audit_log import AuditReader
from shared.azure.pacer import Pace
from shared.azure.registries import Registries
from shared.azure.role_assignments import RoleAssignments
from shared.azure.session import Clock, Cloud
from shared.azure.vaults import Vaults
from shared.ports import Raw


class LiveAzure:
    """See `shared.ports.Azure` for what each method promises."""

    def __init__(
        self,
        endpoint: str,
        cloud: Cloud,
        credential: AsyncTokenCredential,
        transport: AsyncHttpTransport[Any, Any],
        logs: AuditReader | None,
    ) -> None:
        self._clock = Clock()
        self._logs = logs
        common = (endpoint, credential, cloud.arm_scope, transport, self._clock, Pace())
        self._arm = Arm(*common)
        self._assignments = RoleAssignments(self._arm, *common)
        self._registries = Registries(self._arm, *common)
        self._vaults = Vaults(self._arm)

    def fresh(self) -> "LiveAzure":
        anew = copy(self)
        anew._assignments = self._assignments.fresh()  # noqa: SLF001 - of the same class
        return anew

    @property
    def answers(self) -> int:
        """How many requests ARM has answered so far."""
        return self._clock.answers

    def now(self) -> datetime:
        return self._clock.now()

    async def resource(self, scope: Scope) -> Raw | None:
        return await self._arm.get(scope)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        return await self._arm.list(parent, collection, pages=pages)

    def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        return self._arm.query(kql, subscription)

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        return await self._logs.rows(kql) if self._logs else None

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        return await self._assignments.assigned_to(principal_id, subscription)

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        return await self._assignments.definitions(role_ids, scope)

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        return await self._assignments.denies(subscription, principal_id)

    async def grant(self, grant: Grant, description: str) -> bool:
        return await self._assignments.create(grant, description)

    async def revoke(self, removal: Removal) -> bool:
        return await self._assignments.delete(removal.assignment)

    async def change(self, setting: Setting) -> None:
        match setting.name:
            case Property.ADMIN_USER:
                await self._registries.set_admin_user(setting.resource, enabled=setting.to == "true")
            case Property.CACHED_KEYS:
                await self._arm.post(setting.resource, "resyncKeys")
            case Property.ACCESS_POLICY:
                await self._vaults.change(setting)
