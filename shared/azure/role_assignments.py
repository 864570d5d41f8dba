"""Role assignments, role definitions and deny assignments, through azure-mgmt-authorization (2022-04-01)."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.mgmt.authorization.v2022_04_01 import models
from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient

from shared.access.outcomes import Grant
from shared.access.parse import role_definition
from shared.access.permissions import DenyAssignment, PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.scope import InvalidScopeError, Scope
from shared.azure.errors import code, reading, writing
from shared.azure.session import RETRY, Clock

_MOST_CUSTOM_ROLES = 500


class RoleAssignments:
    """Definitions of built-in roles ship with amlguard; custom ones are read once and kept, up to a bound."""

    def __init__(
        self,
        endpoint: str,
        credential: AsyncTokenCredential,
        scope: str,
        transport: AsyncHttpTransport[Any, Any],
        clock: Clock,
    ) -> None:
        self._client = AuthorizationManagementClient(
            credential,
            "",  # every call here names its scope
            endpoint,
            credential_scopes=[scope],
            transport=transport,
            per_call_policies=[clock],
            **RETRY,
        )
        self._built_in = _built_in_roles()
        self._custom: dict[str, RoleDefinition] = {}

    async def assigned_to(self, principal_id: str, scope: Scope) -> Sequence[RoleAssignment]:
        """At, above and below `scope`, through groups as well. Raises `ReadFailedError`."""
        with reading(f"list role assignments of {principal_id}"):
            pages = self._client.role_assignments.list_for_scope(str(scope)[1:], filter=f"assignedTo('{principal_id}')")
            found = [_role_assignment(one) async for one in pages]
        return [one for one in found if one]

    async def definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        """Raises `ReadFailedError`; a role that was deleted is left out: it gives nothing any more."""
        known = {**self._built_in, **self._custom}
        unknown = sorted(role_ids - known.keys())
        read = [one for one in await asyncio.gather(*(self._definition(i, scope) for i in unknown)) if one]
        if len(self._custom) + len(read) > _MOST_CUSTOM_ROLES:
            self._custom.clear()
        self._custom.update((one.role_id, one) for one in read)
        return {i: found for i in role_ids if (found := known.get(i) or self._custom.get(i))}

    async def _definition(self, role_id: str, scope: Scope) -> RoleDefinition | None:
        with reading(f"read role definition {role_id}"):
            try:
                raw: Any = await self._client.role_definitions.get(str(scope)[1:], role_id, cls=_raw)
            except ResourceNotFoundError:
                return None
        return role_definition(raw)

    async def denies(self, scope: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        """All at, above and below `scope`, or those assigned to the principal. Raises `ReadFailedError`."""
        only = f"assignedTo('{principal_id}')" if principal_id else None
        with reading("list deny assignments"):
            pages = self._client.deny_assignments.list_for_scope(str(scope)[1:], filter=only)
            found = [_deny_assignment(one) async for one in pages]
        return [one for one in found if one]

    async def create(self, grant: Grant, description: str) -> bool:
        """True when made, False when Azure says that it exists. Raises `WriteRefusedError`."""
        parameters = models.RoleAssignmentCreateParameters(
            role_definition_id=grant.role_definition_id,
            principal_id=grant.principal.id,
            principal_type=grant.principal.type,
            description=description,
        )
        with writing(f"assign {grant.need.role_name} on {grant.scope.name}"):
            try:
                await self._client.role_assignments.create(str(grant.scope)[1:], grant.name, parameters)
            except (ResourceExistsError, HttpResponseError) as error:
                if code(error) == "RoleAssignmentExists":
                    return False
                raise
        return True

    async def delete(self, assignment: Scope) -> bool:
        """True when deleted, False when it was not there (any more). Raises `WriteRefusedError`."""
        with writing(f"delete role assignment {assignment.name}"):
            gone = await self._client.role_assignments.delete_by_id(str(assignment)[1:])
        return gone is not None


def _role_assignment(one: models.RoleAssignment) -> RoleAssignment | None:
    """None for a scope that no AML resource can have: what is there covers nothing of ours."""
    try:
        scope = Scope.parse(one.scope)
    except InvalidScopeError:
        return None
    return RoleAssignment(
        str(one.id),
        scope,
        str(one.principal_id).casefold(),
        str(one.role_definition_id).rpartition("/")[2].casefold(),
        one.condition,
        one.created_on,
        one.description,
    )


def _deny_assignment(one: models.DenyAssignment) -> DenyAssignment | None:
    try:
        scope = Scope.parse(one.scope)
    except InvalidScopeError:
        return None
    return DenyAssignment(
        str(one.id),
        one.deny_assignment_name or "",
        scope,
        tuple(
            PermissionBlock(
                tuple(block.actions or ()),
                tuple(block.not_actions or ()),
                tuple(block.data_actions or ()),
                tuple(block.not_data_actions or ()),
                block.condition,
            )
            for block in one.permissions or ()
        ),
        frozenset(str(principal.id).casefold() for principal in one.principals or ()),
        frozenset(str(principal.id).casefold() for principal in one.exclude_principals or ()),
        bool(one.do_not_apply_to_child_scopes),
    )


def _raw(response: Any, _: object, __: object) -> Any:
    """The answer as JSON: the SDK's model leaves out the condition that a block of permissions may carry."""
    return json.loads(response.http_response.body())


def _built_in_roles() -> dict[str, RoleDefinition]:
    raw = json.loads(files("shared.azure").joinpath("built_in_roles.json").read_text(encoding="utf-8"))
    return {role.role_id: role for role in map(role_definition, raw)}
