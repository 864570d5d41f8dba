"""The condition on the app's own Role Based Access Control Administrator assignment.

It follows from the enabled rules: the app can assign, and take back, exactly the roles that they grant, to managed
identities and service principals only (azure-facts §7). Turning on a broad rule without renewing the condition
leaves the grant refused by Azure itself.
"""

from shared.access.guardrails import Terms
from shared.access.needs import Need
from shared.access.rules import RULES

_WRITE = "Microsoft.Authorization/roleAssignments/write"
_DELETE = "Microsoft.Authorization/roleAssignments/delete"


def assignable(terms: Terms) -> tuple[Need, ...]:
    """What the enabled rules may grant, one entry a role."""
    granting = [rule for rule in RULES if terms.enabled(rule) and (terms.allow or not rule.allow_listed)]
    needs = {need.role_id: need for rule in granting for need in rule.grants}
    return tuple(sorted(needs.values(), key=lambda need: need.role_name))


def condition(terms: Terms) -> str:
    """The condition (version 2.0) as ARM takes it, in one line."""
    roles = ", ".join(need.role_id for need in assignable(terms))
    return f"{_clause(_WRITE, '@Request', roles)} AND {_clause(_DELETE, '@Resource', roles)}"


def _clause(operation: str, source: str, roles: str) -> str:
    attribute = f"{source}[Microsoft.Authorization/roleAssignments"
    return (
        f"((!(ActionMatches{{'{operation}'}})) OR "
        f"({attribute}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{roles}}} AND "
        f"{attribute}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}))"
    )
