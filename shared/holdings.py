"""What identities hold in subscriptions: role assignments, the roles' definitions, and deny assignments.

Custom roles and the deny assignments of a principal are read only where there are any.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.access.permissions import Access, DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.scope import Scope
from shared.ports import Reads


async def access(principals: Sequence[str], subscriptions: Sequence[Scope], azure: Reads) -> dict[str, Access]:
    pairs = [(principal, subscription) for principal in principals for subscription in subscriptions]
    assignments, denies = await asyncio.gather(
        asyncio.gather(*(azure.role_assignments(*pair) for pair in pairs)),
        asyncio.gather(*(azure.deny_assignments(subscription, None) for subscription in subscriptions)),
    )
    held = _by_principal(pairs, assignments)
    roles = await _roles(pairs, assignments, azure)
    denied = await _denies(pairs, dict(zip(subscriptions, denies, strict=True)), azure)
    return {
        principal: Access(
            tuple(one for one in held[principal] if one.role_id in roles), roles, denied.get(principal, ())
        )
        for principal in principals
    }


def _by_principal(
    pairs: Sequence[tuple[str, Scope]], answers: Sequence[Sequence[RoleAssignment]]
) -> dict[str, dict[RoleAssignment, None]]:
    held: dict[str, dict[RoleAssignment, None]] = {principal: {} for principal, _ in pairs}
    for (principal, subscription), answer in zip(pairs, answers, strict=True):
        held[principal].update(dict.fromkeys(_seen_from(subscription, one) for one in answer))
    return held


def _seen_from[T: (RoleAssignment, DenyAssignment)](subscription: Scope, one: T) -> T:
    """ARM lists a management group's assignments with the subscriptions below it, and only there do they count."""
    return replace(one, within=subscription) if one.scope.is_management_group else one


async def _roles(
    pairs: Sequence[tuple[str, Scope]], answers: Sequence[Sequence[RoleAssignment]], azure: Reads
) -> dict[str, RoleDefinition]:
    """Read where their assignments were found: a custom role is known in its assignable scopes only."""
    wanted: dict[Scope, set[str]] = {}
    for (_, subscription), answer in zip(pairs, answers, strict=True):
        wanted.setdefault(subscription, set()).update(one.role_id for one in answer)
    found = await asyncio.gather(*(azure.role_definitions(frozenset(ids), sub) for sub, ids in wanted.items()))
    return {role_id: role for each in found for role_id, role in each.items()}


async def _denies(
    pairs: Sequence[tuple[str, Scope]], all_denies: Mapping[Scope, Sequence[DenyAssignment]], azure: Reads
) -> dict[str, tuple[DenyAssignment, ...]]:
    """Deny assignments are rare; only where there are some does ARM have to say whom they concern (groups!).

    ARM's filter leaves exclusions aside.
    """
    asking = [pair for pair in pairs if all_denies[pair[1]]]
    answers = await asyncio.gather(*(azure.deny_assignments(sub, principal) for principal, sub in asking))
    denied: dict[str, tuple[DenyAssignment, ...]] = {}
    for (principal, subscription), answer in zip(asking, answers, strict=True):
        concerned = (_seen_from(subscription, one) for one in answer if principal.casefold() not in one.excluded)
        denied[principal] = (*denied.get(principal, ()), *concerned)
    return denied
