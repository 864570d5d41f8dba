"""Role assignments, role definitions and deny assignments. azure-mgmt-authorization (2022-04-01) makes assignments.

Reading is plain ARM REST. The SDK's models drop what permissions need (the condition of a role definition's block),
and they cost more CPU than everything else in reading a workspace. The SDK loads with the first grant.
"""

import asyncio
from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.core.pipeline.policies import ContentDecodePolicy
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.access.actions import Grant
from shared.access.denies import deny_assignment
from shared.access.parse import role_assignment, role_definition
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.quoting import odata, url
from shared.access.scope import Scope
from shared.azure.arm import Arm
from shared.azure.built_in_roles import built_in_roles
from shared.azure.errors import code, reading, writing
from shared.azure.pacer import Pace
from shared.azure.session import Clock, arm_policies
from shared.ports import Raw, ReadFailedError

if TYPE_CHECKING:
    from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient

_PROVIDER = "Microsoft.Authorization"
_MOST_CUSTOM_ROLES = 500
_BELIEVED_SECONDS = 300.0
"""For so long a custom role is taken for what it was. Then, and before an admin user goes off, it is read again."""

_ROLE = "Role Based Access Control Administrator"


class RoleAssignments:
    """Definitions of built-in roles ship with amlguard. Custom ones are kept for some minutes.

    `fresh` believes neither: an admin user goes off by what roles give now.
    """

    def __init__(
        self,
        arm: Arm,
        endpoint: str,
        credential: AsyncTokenCredential,
        scope: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._arm = arm
        self._endpoint, self._credential, self._scope = endpoint, credential, scope
        self._transport, self._clock, self._pace = transport, clock, pace
        self._built_in = built_in_roles()
        self._custom: dict[str, tuple[float, RoleDefinition]] = {}

    def fresh(self) -> "RoleAssignments":
        anew = copy(self)
        anew._built_in, anew._custom = {}, {}  # noqa: SLF001 - of the same class
        return anew

    @cached_property
    def _client(self) -> "AuthorizationManagementClient":
        from azure.mgmt.authorization.v2022_04_01.aio import (  # noqa: PLC0415 - see the module's docstring
            AuthorizationManagementClient,
        )

        return AuthorizationManagementClient(
            self._credential,
            "",  # every call here names its scope
            self._endpoint,
            transport=self._transport,
            policies=[ContentDecodePolicy(), *arm_policies(self._credential, self._scope, self._clock, self._pace)],
        )

    async def assigned_to(self, principal_id: str, scope: Scope) -> Sequence[RoleAssignment]:
        """At, above and below `scope`, also through groups. Raises `ReadFailedError`."""
        operation = f"list role assignments of {principal_id}"
        raws = await self._list("roleAssignments", scope, f"assignedTo({odata(principal_id)})", operation)
        with reading(operation):
            return [one for raw in raws if (one := role_assignment(raw))]

    async def definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        """Raises `ReadFailedError`. A deleted role is left out, because it gives nothing any more."""
        began = asyncio.get_running_loop().time()
        kept = {role_id: one for role_id, (at, one) in self._custom.items() if began - at < _BELIEVED_SECONDS}
        known = {**self._built_in, **kept}
        unknown = sorted(role_ids - known.keys())
        ids = [scope.child("providers", _PROVIDER, "roleDefinitions", role_id) for role_id in unknown]
        raws = await asyncio.gather(*map(self._arm.get, ids))
        with reading("read role definitions"):
            read = {one.role_id: one for one in (role_definition(raw) for raw in raws if raw is not None)}
        if len(self._custom) + len(read) > _MOST_CUSTOM_ROLES:
            self._custom.clear()
        self._custom.update((role_id, (began, one)) for role_id, one in read.items())
        return {role_id: found for role_id in role_ids if (found := known.get(role_id) or read.get(role_id))}

    async def denies(self, scope: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        """All deny assignments at, above and below `scope`, or those assigned to the principal.

        Raises `ReadFailedError`.
        """
        only = f"assignedTo({odata(principal_id)})" if principal_id else ""
        operation = "list deny assignments"
        raws = await self._list("denyAssignments", scope, only, operation)
        with reading(operation):
            return [one for raw in raws if (one := deny_assignment(raw))]

    async def _list(self, collection: str, scope: Scope, only: str, operation: str) -> Sequence[Raw]:
        raws = await self._arm.list(scope, f"{_PROVIDER}/{collection}", only=only)
        if raws is None:
            raise ReadFailedError(operation, "NotFound", f"{scope} does not exist")
        return raws

    async def create(self, grant: Grant, description: str) -> bool:
        """True if it was made, False if Azure says that it exists. Raises `WriteRefusedError`."""
        from azure.mgmt.authorization.v2022_04_01 import models  # noqa: PLC0415 - see the module's docstring

        parameters = models.RoleAssignmentCreateParameters(
            role_definition_id=grant.role_definition_id,
            principal_id=grant.principal.id,
            principal_type=grant.principal.type,
            description=description,
        )
        with writing(f"assign {grant.need.role_name} on {grant.scope.name}", _ROLE):
            try:
                await self._client.role_assignments.create(url(grant.scope)[1:], grant.name, parameters)
            except (ResourceExistsError, HttpResponseError) as error:
                if code(error) == "RoleAssignmentExists":
                    return False
                raise
        return True

    async def delete(self, assignment: Scope) -> bool:
        """True if it was deleted, False if it did not exist, or not any more. Raises `WriteRefusedError`."""
        with writing(f"delete role assignment {assignment.name}", _ROLE):
            gone = await self._client.role_assignments.delete_by_id(url(assignment)[1:])
        return gone is not None
