"""Which role assignments Azure refuses, and in which words."""

import uuid
from typing import Any

from emulator.arm.call import Call
from emulator.errors import AzureError
from emulator.history import History
from emulator.ids import ROOT, guid_at_end, key_of, object_key
from emulator.tenant import Tenant, holding, limited_scope, principal_id

type Json = dict[str, Any]

_PER_SUBSCRIPTION = 4000
_PER_MANAGEMENT_GROUP = 500
_REQUIRED = ("roleDefinitionId", "principalId")
_OPTIONAL = ("principalType", "condition", "conditionVersion", "description")
_KINDS = {"application": "serviceprincipal", "managedidentity": "serviceprincipal", "msi": "serviceprincipal"}


class RoleAssignmentRules:
    def __init__(self, tenant: Tenant, history: History | None = None) -> None:
        self._tenant = tenant
        self._history = history

    def requested(self, call: Call) -> Json:
        """The properties of a valid request."""
        _require_guid(call.path.name)
        properties = call.object_body().get("properties")
        if (
            not isinstance(properties, dict)
            or not all(isinstance(properties.get(key), str) and properties[key] for key in _REQUIRED)
            or not all(isinstance(properties.get(key), str | None) for key in _OPTIONAL)
        ):
            message = "The request to create a role assignment is not valid."
            raise AzureError(400, "InvalidCreateRoleAssignmentRequest", message)
        self._require_role(guid_at_end(properties["roleDefinitionId"]), call.path.extends)
        self._require_principal(properties["principalId"], properties.get("principalType"))
        return properties

    def require_same(self, held: Json, call: Call, properties: Json) -> None:
        """Only description and condition of an assignment may change. Its name is unique in the whole tenant."""
        before = held["properties"]
        if (
            key_of(before["scope"]) != key_of(call.path.extends)
            or principal_id(held) != object_key(properties["principalId"])
            or role_of(held) != guid_at_end(properties["roleDefinitionId"])
        ):
            message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."
            raise AzureError(400, "RoleAssignmentUpdateNotPermitted", message)

    def require_new(self, scope: str, properties: Json) -> None:
        held = self.held(scope, properties["principalId"], guid_at_end(properties["roleDefinitionId"]))
        if held is not None:
            existing = guid_at_end(held["name"]).replace("-", "")
            message = f"The role assignment already exists. The ID of the existing role assignment is {existing}."
            raise AzureError(409, "RoleAssignmentExists", message)
        limited = limited_scope(scope)
        limit = _PER_SUBSCRIPTION if limited.startswith("/subscriptions/") else _PER_MANAGEMENT_GROUP
        if self._tenant.role_assignments.count("limited", limited) >= limit:
            raise AzureError(400, "RoleAssignmentLimitExceeded", "No more role assignments can be created")

    def held(self, scope: str, principal: str, role: str) -> Json | None:
        """The assignment of this role to this principal at exactly this scope."""
        for assignment in self._tenant.role_assignments.where("holding", holding(key_of(scope), object_key(principal))):
            if role_of(assignment) == role.lower():
                return assignment
        return None

    def _require_role(self, role_id: str, scope: str) -> None:
        role = self._tenant.role_definitions.get(role_id)
        if role is None:
            message = f"The specified role definition with ID '{role_id}' does not exist."
            raise AzureError(400, "RoleDefinitionDoesNotExist", message)
        assignable = role["properties"].get("assignableScopes") or [ROOT]
        if not any(self._tenant.hierarchy.contains(place, scope) for place in assignable):
            raise AzureError(
                400,
                "RoleAssignmentScopeNotAssignableToRoleDefinition",
                f"The role assignment scope '{scope}' is not assignable to the role definition '{role['name']}'.",
            )

    def _require_principal(self, given: str, wanted: str | None) -> None:
        known = self._tenant.principals.get(object_key(given))
        if known is None or (self._history and not self._history.knows(given)):
            raise AzureError(
                400,
                "PrincipalNotFound",
                f"Principal {given.replace('-', '')} does not exist in the directory {self._tenant.tenant_id}. "
                "Check that you have the correct principal ID. If you are creating this principal and then immediately "
                "assigning a role, this error might be related to a replication delay. In this case, set the role "
                "assignment principalType property to a value, such as ServicePrincipal, User, or Group.  "
                "See https://aka.ms/docs-principaltype",
            )
        if known.get("type") and wanted and _kind(known["type"]) != _kind(wanted):
            raise AzureError(
                400,
                "UnmatchedPrincipalType",
                f"The PrincipalId '{given}' has type '{known['type']}' , which is different from specified "
                f"PrinciaplType '{wanted}'.",  # Azure's spelling
            )


def role_of(assignment: Json) -> str:
    """The GUID of the role definition, in lower case. Empty if the tenant file has none."""
    return guid_at_end(assignment["properties"].get("roleDefinitionId") or "")


def _require_guid(name: str) -> None:
    try:
        uuid.UUID(name)
    except ValueError:
        message = f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID."
        raise AzureError(400, "InvalidRoleAssignmentId", message) from None


def _kind(text: str) -> str:
    return _KINDS.get(text.lower(), text.lower())
