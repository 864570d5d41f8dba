"""The condition on the app's own Role Based Access Control Administrator assignment.

It follows from the enabled rules. The app can assign and take back exactly the roles that these grant, to managed
identities and service principals only. To groups it can assign only the roles that the policy names for people
(azure-facts §7). If a broad rule is turned on and the condition is not renewed, Azure itself refuses the grant.
"""

import re
from collections.abc import Iterable, Sequence

from shared.access.needs import Need
from shared.access.terms import Terms

_WRITE = "Microsoft.Authorization/roleAssignments/write"
_DELETE = "Microsoft.Authorization/roleAssignments/delete"
_ALLOWED = re.compile(
    r"@Request\[Microsoft\.Authorization/roleAssignments:RoleDefinitionId\]\s+ForAnyOfAnyValues:GuidEquals\s+"
    r"\{([^}]*)\}\s+AND\s+@Request\[Microsoft\.Authorization/roleAssignments:PrincipalType\]\s+"
    r"ForAnyOfAnyValues:StringEqualsIgnoreCase\s+\{'(\w+)'\}",
    re.IGNORECASE,
)


def assignable(terms: Terms) -> tuple[Need, ...]:
    """What the enabled rules may grant to identities: one need for each role."""
    granting = [
        rule
        for rule in terms.table
        if rule.grants and not rule.to_groups and (terms.allow or not rule.allow_listed) and terms.enabled(rule)
    ]
    needs = {need.role_id: need for rule in granting for need in rule.grants}
    return tuple(sorted(needs.values(), key=lambda need: need.role_name))


def for_groups(terms: Terms) -> tuple[str, ...]:
    """The GUIDs of the roles that groups may get."""
    granting = [rule.to_groups for rule in terms.table if rule.to_groups and terms.enabled(rule)]
    return tuple(sorted({role for roles in granting for people in terms.people for role in roles(people)}))


def condition(terms: Terms) -> str:
    """The condition (version 2.0) in the form that ARM accepts, in one line."""
    identities = [need.role_id for need in assignable(terms)]
    holders = [("ServicePrincipal", identities), ("Group", for_groups(terms))]
    return f"{_clause(_WRITE, '@Request', holders)} AND {_clause(_DELETE, '@Resource', holders)}"


def lacking(terms: Terms, in_force: str) -> tuple[tuple[str, str], ...]:
    """What the policy may want to assign and a condition in force does not allow: kinds of principals, and role GUIDs.

    A condition in another form than amlguard's own allows nothing that can be read in it.
    """
    allowed = {
        (kind.casefold(), role.strip().casefold())
        for roles, kind in _ALLOWED.findall(in_force)
        for role in roles.split(",")
    }
    wanted = [("ServicePrincipal", need.role_id) for need in assignable(terms)]
    wanted += [("Group", role) for role in for_groups(terms)]
    return tuple(one for one in wanted if (one[0].casefold(), one[1].casefold()) not in allowed)


def _clause(operation: str, source: str, holders: Iterable[tuple[str, Sequence[str]]]) -> str:
    attribute = f"{source}[Microsoft.Authorization/roleAssignments"
    allowed = [
        f"({attribute}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{', '.join(roles)}}} AND "
        f"{attribute}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'{kind}'}})"
        for kind, roles in holders
        if roles
    ]
    return f"({' OR '.join((f"(!(ActionMatches{{'{operation}'}}))", *allowed))})"
