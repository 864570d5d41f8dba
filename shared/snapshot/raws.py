"""What the seam gives as values, written as ARM writes it: a snapshot holds raw objects, like a tenant file."""

from collections.abc import Mapping
from typing import Any

from shared.access.permissions import EVERYONE, DenyAssignment, PermissionBlock, RoleAssignment, RoleDefinition
from shared.ports import AzureFailureError, Stored

type Written = dict[str, Any]

ASSIGNMENTS, DENIES = "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/denyAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
_NOBODY_SAID = "NotTold"


def of(answer: Any) -> list[Any]:
    """As ARM writes them. Empty for what is no list of objects."""
    match answer:
        case AzureFailureError() | None | Stored():
            return []
        case RoleDefinition():
            return [definition(answer)]
        case Mapping():
            return [answer]
    return [_written(one) for one in answer]


def _written(one: Any) -> Any:
    match one:
        case RoleAssignment():
            return assignment(one)
        case DenyAssignment():
            return denial(one)
    return one


def assignment(one: RoleAssignment) -> Written:
    """Without a scope where nobody can tell it."""
    said: Written = {
        "principalId": one.principal_id,
        "roleDefinitionId": f"/providers/{DEFINITIONS}/{one.role_id}",
        "scope": None if one.misplaced else str(one.scope),
        "condition": one.condition,
        "createdOn": one.created_on.isoformat() if one.created_on else None,
        "description": one.description,
    }
    return _named(one.id, ASSIGNMENTS, said)


def denial(one: DenyAssignment) -> Written:
    """One of which it is not known where it is, or what its effect is, stays so: also if its id tells a scope."""
    nowhere = bool(one.doubt) and one.scope.is_root
    said: Written = {
        "denyAssignmentName": one.name or None,
        "scope": _NOBODY_SAID if nowhere else str(one.scope),
        "denyAssignmentEffect": _NOBODY_SAID if one.doubt and not nowhere else None,
        "doNotApplyToChildScopes": one.only_at_scope or None,
        "permissions": [_block(each) for each in one.blocks],
        "principals": [_principal(each, one) for each in sorted(one.principals)],
        "excludePrincipals": [_principal(each, one) for each in sorted(one.excluded)],
    }
    return _named(one.id, DENIES, said)


def definition(one: RoleDefinition) -> Written:
    said = {"roleName": one.name, "type": "CustomRole", "permissions": [_block(each) for each in one.permissions]}
    return _named(f"/providers/{DEFINITIONS}/{one.role_id}", DEFINITIONS, said)


def _named(at: str, kind: str, said: Written) -> Written:
    kept = {key: value for key, value in said.items() if value is not None}
    return {"id": at, "name": at.rpartition("/")[2], "type": kind, "properties": kept}


def _principal(known: str, one: DenyAssignment) -> Written:
    if known == EVERYONE:
        return {"id": known, "type": "Everyone"}
    return {"id": known, "type": "Group" if known in one.groups else "ServicePrincipal"}


def _block(one: PermissionBlock) -> Written:
    said: Written = {
        "actions": list(one.actions),
        "notActions": list(one.not_actions),
        "dataActions": list(one.data_actions),
        "notDataActions": list(one.not_data_actions),
    }
    return said | ({"condition": one.condition} if one.condition else {})
