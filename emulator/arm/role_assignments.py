"""Role assignments: https://learn.microsoft.com/rest/api/authorization/role-assignments (2022-04-01)."""

import uuid
from collections.abc import Iterable
from typing import Any

from emulator.arm.call import Answer, Call, page
from emulator.arm.scoped_lists import Filter, holding_at
from emulator.clock import Clock
from emulator.conditions import Attributes
from emulator.errors import AzureError
from emulator.ids import ResourcePath, guid_at_end, key_of
from emulator.rbac import Rbac
from emulator.tenant import Tenant, holding, limited_scope, principal_id
from emulator.tokens import Caller

type Json = dict[str, Any]

_PER_SUBSCRIPTION = 4000
_PER_MANAGEMENT_GROUP = 500
_ATTRIBUTE = "microsoft.authorization/roleassignments:"
_KINDS = {"application": "serviceprincipal", "managedidentity": "serviceprincipal", "msi": "serviceprincipal"}


class RoleAssignments:
    def __init__(self, tenant: Tenant, rbac: Rbac, clock: Clock) -> None:
        self._tenant = tenant
        self._rbac = rbac
        self._clock = clock

    def attributes(self, call: Call) -> Attributes:
        """What the caller's conditions may look at."""
        request: Json = {}
        if call.method == "PUT" and isinstance(call.body, dict) and isinstance(call.body.get("properties"), dict):
            request = call.body["properties"]
        held = self.find(call.path)
        return Attributes(
            request=self._condition_view(request), resource=self._condition_view((held or {}).get("properties"))
        )

    def find(self, path: ResourcePath) -> Json | None:
        named = self._tenant.role_assignments.where("name", path.name.lower())
        scope = key_of(path.extends)
        return next((item for item in named if key_of(item["properties"]["scope"]) == scope), None)

    def get(self, call: Call) -> Answer:
        if call.path.is_collection:
            return page(call, self._listed(call.path.extends, Filter.parse(call.query.get("$filter"))))
        found = self.find(call.path)
        if found is None:
            raise AzureError(404, "RoleAssignmentNotFound", f"The role assignment '{call.path.name}' is not found.")
        return Answer(200, found)

    def put(self, call: Call) -> Answer:
        properties = self._requested(call)
        same_name = next(self._tenant.role_assignments.where("name", call.path.name.lower()), None)
        if same_name is not None:
            return self._update(call, same_name, properties)
        self._require_new(call.path.extends, properties)
        assignment = self.create(call.path, properties, call.caller)
        return Answer(201, assignment)

    def create(self, path: ResourcePath, properties: Json, caller: Caller) -> Json:
        """Stores it without asking whether Azure would; for AML's own grants too."""
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        known = self._tenant.principals.get(properties["principalId"].lower(), {})
        assignment: Json = {
            "properties": {
                "roleDefinitionId": self._role_definition_id(path, properties["roleDefinitionId"]),
                "principalId": properties["principalId"],
                "principalType": properties.get("principalType") or known.get("type", "User"),
                "scope": path.extends,
                **{key: properties.get(key) for key in ("condition", "conditionVersion", "description")},
                "createdOn": now,
                "updatedOn": now,
                "createdBy": caller.object_id,
                "updatedBy": caller.object_id,
                "delegatedManagedIdentityResourceId": None,
            },
            "id": path.text,
            "type": "Microsoft.Authorization/roleAssignments",
            "name": path.name,
        }
        self._tenant.role_assignments[path.key] = assignment
        return assignment

    def delete(self, call: Call) -> Answer:
        found = self.find(call.path)
        if found is None:
            return Answer(204)
        del self._tenant.role_assignments[key_of(found["id"])]
        return Answer(200, found)

    def held(self, scope: str, principal: str, role: str) -> Json | None:
        """The assignment of this role to this principal at exactly this scope."""
        for assignment in self._tenant.role_assignments.where("holding", holding(scope, principal)):
            if guid_at_end(assignment["properties"]["roleDefinitionId"]) == role.lower():
                return assignment
        return None

    def _listed(self, scope: str, wanted: Filter) -> Iterable[Json]:
        assignments = self._tenant.role_assignments
        if wanted.principal or wanted.assigned_to:
            identities = {wanted.principal} if wanted.principal else self._rbac.identities(wanted.assigned_to or "")
            candidates = [item for one in sorted(identities) for item in assignments.where("principal", one)]
        elif wanted.at_scope:
            candidates = [
                item for one in self._tenant.hierarchy.lineage(scope) for item in assignments.where("scope", one)
            ]
        else:
            candidates = list(assignments.values())
        return holding_at(candidates, _scope, scope, self._tenant.hierarchy, at_scope=wanted.at_scope)

    def _requested(self, call: Call) -> Json:
        """The properties of a valid request; 400 in Azure's words for any other."""
        try:
            uuid.UUID(call.path.name)
        except ValueError:
            raise AzureError(
                400,
                "InvalidRoleAssignmentId",
                f"The role assignment ID '{call.path.name}' is not valid. The role assignment ID must be a GUID.",
            ) from None
        properties = call.object_body().get("properties")
        if not isinstance(properties, dict) or not all(
            isinstance(properties.get(key), str) and properties[key] for key in ("roleDefinitionId", "principalId")
        ):
            raise AzureError(
                400, "InvalidCreateRoleAssignmentRequest", "The request to create a role assignment is not valid."
            )
        role = self._tenant.role_definitions.get(guid_at_end(properties["roleDefinitionId"]))
        if role is None:
            raise AzureError(
                400,
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{guid_at_end(properties['roleDefinitionId'])}' does not exist.",
            )
        assignable = role["properties"].get("assignableScopes") or ["/"]
        if not any(self._tenant.hierarchy.contains(scope, call.path.extends) for scope in assignable):
            raise AzureError(
                400,
                "RoleAssignmentScopeNotAssignableToRoleDefinition",
                f"The role assignment scope '{call.path.extends}' is not assignable to the role definition '{role['name']}'.",
            )
        self._require_principal(properties)
        return properties

    def _require_principal(self, properties: Json) -> None:
        given = properties["principalId"]
        known = self._tenant.principals.get(given.lower())
        if known is None:
            raise AzureError(
                400,
                "PrincipalNotFound",
                f"Principal {given.replace('-', '')} does not exist in the directory {self._tenant.tenant_id}. Check that you "
                "have the correct principal ID. If you are creating this principal and then immediately assigning a role, "
                "this error might be related to a replication delay. In this case, set the role assignment principalType "
                "property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
            )
        kind, wanted = _kind(known.get("type")), _kind(properties.get("principalType"))
        if kind and wanted and kind != wanted:
            raise AzureError(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{given}' has type '{known['type']}' , which is different from specified PrinciaplType "
                f"'{properties['principalType']}'.",
            )

    def _update(self, call: Call, held: Json, properties: Json) -> Answer:
        """Only description and condition of an assignment may change; its name is unique in the whole tenant."""
        before = held["properties"]
        same = (
            key_of(before["scope"]) == key_of(call.path.extends)
            and principal_id(held) == properties["principalId"].lower()
            and guid_at_end(before["roleDefinitionId"]) == guid_at_end(properties["roleDefinitionId"])
        )
        if not same:
            raise AzureError(
                400,
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
            )
        changes = {key: properties.get(key) for key in ("condition", "conditionVersion", "description")}
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        after = {**before, **changes, "updatedOn": now, "updatedBy": call.caller.object_id}
        self._tenant.role_assignments[key_of(held["id"])] = {**held, "properties": after}
        return Answer(200, {**held, "properties": after})

    def _require_new(self, scope: str, properties: Json) -> None:
        held = self.held(scope, properties["principalId"], guid_at_end(properties["roleDefinitionId"]))
        if held is not None:
            raise AzureError(
                409,
                "RoleAssignmentExists",
                "The role assignment already exists. The ID of the existing role assignment is "
                f"{guid_at_end(held['name']).replace('-', '')}.",
            )
        limited = limited_scope(scope)
        limit = _PER_SUBSCRIPTION if limited.startswith("/subscriptions/") else _PER_MANAGEMENT_GROUP
        if self._tenant.role_assignments.count("limited", limited) >= limit:
            raise AzureError(400, "RoleAssignmentLimitExceeded", "No more role assignments can be created")

    def _condition_view(self, properties: Json | None) -> dict[str, list[str]]:
        if not properties or not isinstance(properties.get("principalId"), str):
            return {}
        kind = properties.get("principalType") or self._tenant.principals.get(
            properties["principalId"].lower(), {}
        ).get("type")
        values = {
            "roledefinitionid": guid_at_end(str(properties.get("roleDefinitionId", ""))),
            "principalid": properties["principalId"],
            "principaltype": kind,
        }
        return {_ATTRIBUTE + name: [value] for name, value in values.items() if isinstance(value, str)}

    def _role_definition_id(self, path: ResourcePath, given: str) -> str:
        prefix = f"/subscriptions/{path.subscription}" if path.subscription else ""
        return f"{prefix}/providers/Microsoft.Authorization/roleDefinitions/{guid_at_end(given)}"


def _scope(assignment: Json) -> str:
    return str(assignment["properties"]["scope"])


def _kind(text: str | None) -> str:
    lower = (text or "").lower()
    return _KINDS.get(lower, lower)
