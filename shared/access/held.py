"""Whether what a rule wants is held already."""

from collections.abc import Iterable

from shared.access.asks import (
    RequiredGrant,
)
from shared.access.model import Estate
from shared.access.permissions import Access, Coverage, Permission, RoleAssignment, applies_at, coverage


def held(ask: RequiredGrant, estate: Estate) -> Coverage:
    """Raises `KeyError` if the principal's access was not read, because unknown is not empty.

    What amlguard may not read counts as not held. `plan` then grants nothing there.
    """
    if not estate.sees(ask.scope):
        return Coverage(ask.need.permissions)
    access = estate.access[ask.principal.id]
    if not ask.need.permissions:
        return _assigned(ask, access)
    whole = coverage(ask.need.permissions, ask.scope, access)
    parts = [coverage(ask.need.permissions, part, access) for part in ask.about]
    if whole.held or not parts or not all(part.held for part in parts):
        return whole
    through = {one.id: one for part in parts for one in part.through}
    return Coverage((), tuple(through.values()), max((t for part in parts if (t := part.since)), default=None))


def weakest(asks: Iterable[RequiredGrant], estate: Estate) -> Coverage:
    """For several asks that lead to the same grant: it is held only if each of them is."""
    covers = [held(one, estate) for one in asks]
    return next((cover for cover in covers if not cover.held), covers[0])


def _assigned(ask: RequiredGrant, access: Access) -> Coverage:
    """For a role of which only the GUID is known: it is held if it is assigned."""
    found = tuple(
        a
        for a in access.assignments
        if a.role_id == ask.need.role_id
        and not (a.condition or a.misplaced)
        and applies_at(a.scope, ask.scope, a.within)
    )
    whole = Permission(f"all of role {ask.need.role_id}")
    if found:
        return Coverage((), found)
    near = (one for one in access.doubts if applies_at(one.scope, ask.scope, one.within))
    perhaps = tuple(one for one in near if _gives_all(one, ask, access))
    return Coverage((whole,), perhaps=perhaps)


def _gives_all(one: RoleAssignment, ask: RequiredGrant, access: Access) -> bool:
    """Whether it is of that role, or of one of which nobody can tell what it gives."""
    return one.role_id == ask.need.role_id or any("*" in each.actions for each in access.role_of(one).permissions)


def same_role_with_condition(ask: RequiredGrant, access: Access) -> bool:
    """Whether Azure would refuse the grant, because it allows one assignment of a role to a principal at a scope."""
    return any(
        a.scope == ask.scope
        and a.role_id == ask.need.role_id
        and a.principal_id.casefold() == ask.principal.id.casefold()
        and a.condition
        for a in access.assignments
    )
