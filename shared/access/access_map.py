"""Who can reach what in a workspace, as the report draws it: identities, roles, resources.

What is missing is in it, what is not known, and what is held by a role that gives far more.
"""

from collections.abc import Iterator

from shared.access.explain import NOT_KNOWN, Explained, Seen
from shared.access.model import Estate
from shared.access.permissions import RoleAssignment
from shared.access.plan_json import Document, name_of


def access_map(seen: Seen, estate: Estate) -> list[Document]:
    """An edge for each need of each identity. `kind`: held, broad, missing or unknown."""
    return [_edge(one, estate) for one in seen.needs]


def _edge(one: Explained, estate: Estate) -> Document:
    need = one.ask
    roles = list(_through(one))
    return {
        "identity": name_of(need.principal) or f"{need.principal.type or 'principal'} {need.principal.id[:8]}…",
        "need": need.need.name,
        "role": roles[0][0] if roles else need.need.role_name,
        "target": str(need.scope),
        "kind": _kind(one, estate),
        "through": roles[0][1] if roles else one.verdict,
    }


def _through(one: Explained) -> Iterator[tuple[str, str]]:
    for assignment, role in one.roles:
        by_group = assignment.principal_id.casefold() != one.ask.principal.id.casefold()
        yield role, f"at {assignment.scope}{' through a group' if by_group else ''}"


def _kind(one: Explained, estate: Estate) -> str:
    if one.held:
        return "broad" if all(_is_broad(one, each, estate) for each, _ in one.roles) and one.roles else "held"
    return "unknown" if one.verdict == NOT_KNOWN else "missing"


def _is_broad(one: Explained, assignment: RoleAssignment, estate: Estate) -> bool:
    """It reaches beyond the resource group, or allows whatever there is, and another role would do."""
    if assignment.scope.resource_group is None:
        return True
    known = estate.access.get(one.ask.principal.id)
    role = known.roles.get(assignment.role_id) if known else None
    everything = role is not None and any("*" in block.actions for block in role.permissions)
    return everything and assignment.role_id != one.ask.need.role_id
