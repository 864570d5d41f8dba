"""What identities hold in subscriptions: role assignments, the roles' definitions, and deny assignments.

Custom roles and the members of groups in deny assignments are read only if there are any.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from shared.access import denies, parse
from shared.access.permissions import Access, DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get, principal_id
from shared.access.scope import Scope
from shared.ports import Raw, ReadFailedError, Reads

ROLE_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"

type _Held = dict[tuple[str, Scope], Sequence[RoleAssignment]]


async def access(principals: Sequence[str], subscriptions: Sequence[Scope], azure: Reads) -> dict[str, Access]:
    """Everything that they hold there. This takes one list for each identity in each subscription."""
    pairs = [(principal, subscription) for principal in principals for subscription in subscriptions]
    lists = asyncio.gather(*(azure.role_assignments(*pair) for pair in pairs))
    held, denied = await asyncio.gather(lists, _denies(pairs, azure))
    return await _access(principals, dict(zip(pairs, held, strict=True)), denied, azure)


async def at_hand(
    principals: Sequence[str], groups: Collection[Scope], azure: Reads, *, listed: bool = False
) -> dict[str, Access]:
    """What is assigned to them directly.

    One list of a resource group has this for all of them, including the scopes above.

    Empty if a list or one of its rows cannot be read. Then ARM is asked about each of them. `listed`: the lists are
    ARM's own, so that they also say what is assigned to groups there.
    """
    lists = await asyncio.gather(*(_listed(group, azure) for group in groups))
    known_by = [_by_principal(raws, frozenset(principals)) if raws is not None else None for raws in lists]
    if not principals or None in known_by:
        return {}
    subscriptions = {group.subscription or group for group in groups}
    held: _Held = {(principal, subscription): [] for principal in principals for subscription in subscriptions}
    for group, assigned in zip(groups, known_by, strict=True):
        for principal, found in (assigned or {}).items():
            pair = principal, group.subscription or group
            held[pair] = [*held[pair], *found]
    known = await _access(principals, held, await _denies(list(held), azure), azure)
    made = {principal: replace(one, partial=True) for principal, one in known.items()}
    of_groups = _of_groups(raw for raws in lists for raw in raws or ()) if listed else None
    if of_groups is None:
        return made
    roles = await _roles({("", group): of_groups for group in groups}, azure)
    return {principal: replace(one, groups=of_groups, roles={**roles, **one.roles}) for principal, one in made.items()}


_NO_GROUPS = frozenset({"serviceprincipal", "user", "device"})


def _of_groups(raws: Iterable[Raw]) -> tuple[RoleAssignment, ...] | None:
    """Assignments of whoever may be a group. None if one of them cannot be read."""
    found: list[RoleAssignment] = []
    for raw in raws:
        if str(get(raw, "properties", "principalType")).casefold() in _NO_GROUPS:
            continue
        try:
            one = parse.role_assignment(raw)
        except (TypeError, ValueError):
            return None
        if one:
            found.append(one)
    return tuple(dict.fromkeys(found))


async def _listed(group: Scope, azure: Reads) -> Sequence[Raw] | None:
    try:
        return await azure.children(group, ROLE_ASSIGNMENTS) or ()
    except ReadFailedError as error:
        if error.forbidden:
            return None
        raise


def _by_principal(raws: Sequence[Raw], principals: frozenset[str]) -> dict[str, list[RoleAssignment]] | None:
    found: dict[str, list[RoleAssignment]] = {}
    for raw in raws:
        principal = principal_id(raw, "properties", "principalId")
        if principal is None:
            return None  # nobody can tell to whom it belongs, so it may belong to anybody
        try:
            one = parse.role_assignment(raw) if principal in principals else None
        except (TypeError, ValueError):
            return None
        if one:
            found.setdefault(principal, []).append(one)
    return found


async def _access(
    principals: Sequence[str], held: _Held, denied: Mapping[str, tuple[DenyAssignment, ...]], azure: Reads
) -> dict[str, Access]:
    assigned: dict[str, dict[RoleAssignment, None]] = {principal: {} for principal in principals}
    for (principal, subscription), answer in held.items():
        assigned[principal].update(dict.fromkeys(_seen_from(subscription, one) for one in answer))
    roles = await _roles(held, azure)
    return {
        principal: Access(
            tuple(one for one in mine if one.role_id in roles and not one.doubt),
            roles,
            denied.get(principal, ()),
            doubts=tuple(one for one in mine if one.role_id in roles and one.doubt),
        )
        for principal, mine in assigned.items()
    }


def _seen_from[T: (RoleAssignment, DenyAssignment)](subscription: Scope, one: T) -> T:
    """ARM lists the assignments of a management group with the subscriptions below it. Only there do they count."""
    return replace(one, within=subscription) if one.scope.is_management_group else one


async def _roles(held: _Held, azure: Reads) -> dict[str, RoleDefinition]:
    """Read where their assignments were found, because ARM knows a custom role only in its assignable scopes."""
    wanted: dict[Scope, set[str]] = {}
    for (_, subscription), answer in held.items():
        wanted.setdefault(subscription, set()).update(one.role_id for one in answer)
    found = await asyncio.gather(*(azure.role_definitions(frozenset(ids), sub) for sub, ids in wanted.items()))
    return {role_id: role for each in found for role_id, role in each.items()}


async def _denies(pairs: Sequence[tuple[str, Scope]], azure: Reads) -> dict[str, tuple[DenyAssignment, ...]]:
    """Deny assignments are rare. Only if one of them names a group must ARM say who is in it."""
    subscriptions = list(dict.fromkeys(subscription for _, subscription in pairs))
    answers = await asyncio.gather(*(azure.deny_assignments(subscription, None) for subscription in subscriptions))
    listed = dict(zip(subscriptions, answers, strict=True))
    asking = [pair for pair in pairs if denies.membership_decides(pair[0], listed[pair[1]])]
    told = await asyncio.gather(*(azure.deny_assignments(sub, principal) for principal, sub in asking))
    assigned = dict(zip(asking, told, strict=True))
    denied: dict[str, tuple[DenyAssignment, ...]] = {}
    for principal, subscription in pairs:
        found = denies.concerning(principal, listed[subscription], assigned.get((principal, subscription), ()))
        seen = (_seen_from(subscription, one) for one in found)
        denied[principal] = tuple(dict.fromkeys((*denied.get(principal, ()), *seen)))
    return denied
