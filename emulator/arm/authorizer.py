"""Whether this caller may do this here. It refuses in ARM's words, and says for the events what allowed it."""

from typing import Any

from emulator.errors import AzureError
from emulator.identity.conditions import Attributes
from emulator.identity.rbac import Decision, Rbac, Verdict
from emulator.identity.tokens import Caller
from emulator.ids import guid_at_end
from emulator.tenant import Tenant

type Json = dict[str, Any]


class Authorizer:
    def __init__(self, rbac: Rbac, tenant: Tenant) -> None:
        self._rbac = rbac
        self._tenant = tenant

    def require(
        self,
        caller: Caller,
        action: str,
        scope: str,
        attributes: Attributes | None = None,
        *,
        whatever_conditions: bool = False,
    ) -> Json:
        """The `evidence` of the caller's right, as events have it. Refuses with 403 if there is none."""
        if caller.operator:
            return {"role": "Owner", "principalId": _dashless(caller.object_id), "principalType": caller.kind}
        decision = self._rbac.decide(caller.object_id, action, scope, attributes=attributes)
        if whatever_conditions and decision.verdict is Verdict.CONDITION_NOT_FULFILLED:
            return {}
        if decision.verdict is not Verdict.ALLOWED or decision.assignment is None:
            raise _refusal(caller, action, scope, decision)
        return self._evidence(caller, decision.assignment)

    def may(self, caller: Caller, action: str, scope: str) -> bool:
        return caller.operator or self._rbac.allowed(caller.object_id, action, scope)

    def _evidence(self, caller: Caller, assignment: Json) -> Json:
        properties = assignment["properties"]
        role_id = guid_at_end(properties["roleDefinitionId"])
        return {
            "role": self._tenant.role_definitions[role_id]["properties"]["roleName"],
            "roleAssignmentScope": properties["scope"],
            "roleAssignmentId": _dashless(guid_at_end(assignment["name"])),
            "roleDefinitionId": _dashless(role_id),
            "principalId": _dashless(caller.object_id),
            "principalType": caller.kind,
        }


def _dashless(guid: str) -> str:
    """Evidence has GUIDs as 32 hex digits."""
    return guid.replace("-", "")


def _refusal(caller: Caller, action: str, scope: str, decision: Decision) -> AzureError:
    client = f"The client '{caller.name}' with object id '{caller.object_id}'"
    if decision.assignment is not None:
        deny = decision.assignment
        properties = deny["properties"]
        return AzureError(
            403,
            "DenyAssignmentAuthorizationFailed",
            f"{client} has permission to perform action '{action}' on scope '{scope}'; however, it does not have "
            "permission to perform the action on the linked or requested scope because of the deny assignment with "
            f"name '{properties.get('denyAssignmentName', '')}' and Id '{guid_at_end(deny['name'])}' "
            f"at scope '{properties['scope']}'.",
        )
    lacking = "authorization"
    if decision.verdict is Verdict.CONDITION_NOT_FULFILLED:
        lacking = "authorization or an ABAC condition not fulfilled"
    return AzureError(
        403,
        "AuthorizationFailed",
        f"{client} does not have {lacking} to perform action '{action}' over scope '{scope}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials.",
    )
