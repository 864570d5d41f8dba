"""Who may hand out access: roles that amlguard grants to nobody, and callers who could have made a grant themselves."""

from shared.access.asks import RequiredGrant, RequiredSetting
from shared.access.model import Estate
from shared.access.permissions import Permission, RoleDefinition, coverage
from shared.access.terms import Terms

ASSIGN = Permission("Microsoft.Authorization/roleAssignments/write")
_OVER_ACCESS = (
    ASSIGN,
    Permission("Microsoft.Authorization/roleDefinitions/write"),
    Permission("Microsoft.Authorization/elevateAccess/action"),
    # PIM also hands out access, in its own way, and so does Lighthouse, which lets another tenant in.
    Permission("Microsoft.Authorization/roleAssignmentScheduleRequests/write"),
    Permission("Microsoft.Authorization/roleEligibilityScheduleRequests/write"),
    Permission("Microsoft.Authorization/roleManagementPolicies/write"),
    Permission("Microsoft.ManagedServices/registrationAssignments/write"),
)
_ADD_POLICY = Permission("Microsoft.KeyVault/vaults/accessPolicies/write")
# By GUID, too, so that no answer of ARM can make them look harmless.
PRIVILEGED = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}


def privileged(role: RoleDefinition) -> bool:
    """Whether the role hands out access, even partly or under a condition."""
    return role.role_id in PRIVILEGED or any(block.touches(one) for block in role.permissions for one in _OVER_ACCESS)


def hands_out_access(ask: RequiredGrant, estate: Estate) -> str | None:
    """No policy allows this.

    If only a role's GUID is known, its definition must have been read; the rules' own roles are known.
    """
    role_id = ask.need.role_id
    if role_id in PRIVILEGED:
        return f"{PRIVILEGED[role_id]} hands out access: amlguard grants it to nobody"
    if ask.need.permissions:
        return None
    role = estate.roles.get(role_id)
    if role is None:
        return f"the definition of role {role_id} is not known, so it may hand out access"
    if privileged(role):
        return f"role {role.name} hands out access: amlguard grants it to nobody"
    return None


def not_held_by_caller(ask: RequiredGrant | RequiredSetting, estate: Estate, terms: Terms) -> str | None:
    """With `trust: {caller_must_hold: true}`: whoever caused the event must hold what they would have granted (ADR 13).

    What they hold is read from ARM. Only their object id comes from the event, and it counts only for what the event is
    about: whoever touches one compute does not vouch for another. Without an event nobody is known to have asked.
    """
    if not terms.caller_must_hold:
        return None
    scope, on = (ask.scope, ask.on) if isinstance(ask, RequiredGrant) else (ask.resource, estate.subject.id)
    by_hand = f"a person who may assign roles there runs `amlguard apply --scope {on}`"
    changed = estate.changed
    if estate.caller is None or changed is None or not (changed.contains(on) or changed.contains(scope)):
        return f"nobody is known to have asked for it; {by_hand}"
    ways = (ask.need.permissions, (ASSIGN,)) if isinstance(ask, RequiredGrant) else ((_ADD_POLICY,),)
    access = estate.access[estate.caller.id]
    if any(way and coverage(way, scope, access).held for way in ways):
        return None
    return f"{estate.caller.label} neither holds it nor may assign it; {by_hand}"
