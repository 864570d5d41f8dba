"""Role definitions, and what the caller may do: https://learn.microsoft.com/rest/api/authorization"""

import re
from collections.abc import Iterator
from typing import Any

from emulator.arm.call import Answer, Call, page
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.identity.rbac import Rbac
from emulator.ids import ROOT, key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

_ROLE_TERM = re.compile(
    r"(?P<at>atScopeAndBelow\(\)|atScope\(\))|type\s+eq\s+'(?P<type>\w+)'|roleName\s+eq\s+'(?P<name>[^']*)'",
    re.IGNORECASE,
)
_KINDS = ("actions", "notActions", "dataActions", "notDataActions")
_EVERYTHING: Json = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}


class RoleDefinitions:
    def __init__(self, tenant: Tenant, clock: Clock) -> None:
        self._tenant = tenant
        self._clock = clock

    def get(self, call: Call) -> Answer:
        if call.path.is_collection:
            return page(call, self._listed(call.path.extends, call.query.get("$filter")))
        role = self._tenant.role_definitions.get(call.path.name.lower())
        if role is None:
            message = f"The specified role definition with ID '{call.path.name}' does not exist."
            raise AzureError(404, "RoleDefinitionDoesNotExist", message)
        return Answer(200, _at(role, call.path.extends))

    def put(self, call: Call) -> Answer:
        """A custom role. Recorded: 201, with every list of permissions and without what nobody said."""
        given = call.object_body().get("properties") or {}
        held = self._tenant.role_definitions.get(call.path.name.lower())
        self._require_custom(held)
        name, scopes, blocks = given.get("roleName"), given.get("assignableScopes"), given.get("permissions")
        if not (isinstance(name, str) and name and isinstance(scopes, list) and scopes and isinstance(blocks, list)):
            message = "The request to create a role definition is not valid."
            raise AzureError(400, "InvalidCreateRoleDefinitionRequest", message)
        for other in self._tenant.role_definitions.values():
            if other is not held and other["properties"].get("roleName") == name:
                message = f"A custom role with the same name already exists in this directory: '{name}'."
                raise AzureError(409, "RoleDefinitionWithSameNameExists", message)
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = held["properties"] if held else {"createdOn": now, "createdBy": call.caller.object_id}
        role = {
            "properties": {
                "roleName": name,
                "type": "CustomRole",
                "description": given.get("description"),
                "assignableScopes": scopes,
                "permissions": [{kind: block.get(kind) or [] for kind in _KINDS} for block in blocks],
                "createdOn": before.get("createdOn"),
                "updatedOn": now,
                "createdBy": before.get("createdBy"),
                "updatedBy": call.caller.object_id,
            },
            "id": call.path.text,
            "type": "Microsoft.Authorization/roleDefinitions",
            "name": call.path.name,
        }
        self._tenant.role_definitions[call.path.name.lower()] = role
        return Answer(201, role, created=held is None)

    def delete(self, call: Call) -> Answer:
        held = self._tenant.role_definitions.get(call.path.name.lower())
        if held is None:
            return Answer(204)
        self._require_custom(held)
        ending = f"/{call.path.name.lower()}"
        if any(
            one["properties"]["roleDefinitionId"].lower().endswith(ending)
            for one in self._tenant.role_assignments.values()
        ):
            message = "There are existing role assignments referencing role."
            raise AzureError(400, "RoleDefinitionHasAssignments", message)
        del self._tenant.role_definitions[call.path.name.lower()]
        return Answer(200, _at(held, call.path.extends))

    def _require_custom(self, held: Json | None) -> None:
        if held is not None and held["properties"].get("type") == "BuiltInRole":
            raise AzureError(400, "InvalidRoleDefinition", "A built-in role cannot be changed.")

    def _listed(self, scope: str, text: str | None) -> Iterator[Json]:
        terms: dict[str, str] = {}
        for term in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text and text.strip() else ():
            found = _ROLE_TERM.fullmatch(term.strip())
            if found is None:
                raise AzureError(400, "UnsupportedQuery", f"The filter '{text}' is not supported.")
            terms |= {key: value.lower() for key, value in found.groupdict().items() if value}
        hierarchy = self._tenant.hierarchy
        below = terms.get("at") == "atscopeandbelow()"
        for role in self._tenant.role_definitions.values():
            properties = role["properties"]
            assignable = properties.get("assignableScopes") or [ROOT]
            if (
                terms.get("type") in (None, str(properties.get("type", "")).lower())
                and terms.get("name") in (None, str(properties.get("roleName", "")).lower())
                and any(
                    hierarchy.contains(place, scope) or (below and hierarchy.contains(scope, place))
                    for place in assignable
                )
            ):
                yield _at(role, scope)


class Permissions:
    """What the caller holds at a scope."""

    def __init__(self, tenant: Tenant, rbac: Rbac) -> None:
        self._tenant = tenant
        self._rbac = rbac

    def get(self, call: Call) -> Answer:
        if call.caller.operator:
            return Answer(200, {"value": [_EVERYTHING]})
        above = self._tenant.hierarchy.lineage(call.path.extends)
        roles = [
            assignment["properties"]["roleDefinitionId"].rpartition("/")[2].lower()
            for identity in sorted(self._rbac.identities(call.caller.object_id))
            for assignment in self._tenant.role_assignments.where("principal", identity)
            if key_of(assignment["properties"]["scope"]) in above
        ]
        held = [block for role in roles for block in self._tenant.role_definitions[role]["properties"]["permissions"]]
        return page(call, held)


def _at(role: Json, scope: str) -> Json:
    """The id of a role definition begins with the subscription that was asked."""
    subscription = "/".join(scope.split("/")[:3]) if key_of(scope).startswith("/subscriptions/") else ""
    return {**role, "id": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role['name']}"}
