"""The condition on the app's own Role Based Access Control Administrator assignment.

It follows from the enabled rules. The app can assign and take back exactly the roles that these grant, to managed
identities and service principals only. To groups it can assign only the roles that the policy names for people
(azure-facts §7). If a broad rule is turned on and the condition is not renewed, Azure itself refuses the grant.
"""

from collections.abc import Iterable, Sequence

from shared.access.needs import Need
from shared.access.terms import Terms

_WRITE = "Microsoft.Authorization/roleAssignments/write"
_DELETE = "Microsoft.Authorization/roleAssignments/delete"


def assignable(terms: Terms) -> tuple[Need, ...]:
    """What the enabled rules may grant to identities: one need for each role."""
    granting = [
        rule
        for rule in terms.table
        if terms.enabled(rule) and (terms.allow or not rule.allow_listed) and not rule.to_groups
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


def _clause(operation: str, source: str, holders: Iterable[tuple[str, Sequence[str]]]) -> str:
    attribute = f"{source}[Microsoft.Authorization/roleAssignments"
    allowed = [
        f"({attribute}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{', '.join(roles)}}} AND "
        f"{attribute}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'{kind}'}})"
        for kind, roles in holders
        if roles
    ]
    return f"({' OR '.join((f"(!(ActionMatches{{'{operation}'}}))", *allowed))})"
