"""For which identities more must be read, and for which the lists at hand are enough."""

from collections.abc import Iterable, Sequence

from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import (
    RequiredGrant,
)
from shared.access.held import held
from shared.access.model import Estate, Workspace
from shared.access.permissions import Access, RoleAssignment
from shared.access.scope import Scope
from shared.access.terms import Terms


def unknown_holders(asked: Sequence[WorkspaceAsks], estate: Estate, terms: Terms) -> set[str]:
    """Principals about whom more must be read, because it is not known yet whether they hold what they need."""
    asking = [one for each in asked for _, one in each.grants]
    needed = {one.principal.id for one in asking} | (
        {estate.caller.id} if terms.caller_must_hold and estate.caller else set()
    )
    partly = [one for one in asking if (known := estate.access.get(one.principal.id)) and _open(one, known)]
    unheld = {one.principal.id for one in partly if not held(one, estate).held}
    return (needed - estate.access.keys()) | unheld | _perhaps_apart(asked, estate)


def _perhaps_apart(asked: Iterable[WorkspaceAsks], estate: Estate) -> set[str]:
    """People may keep these apart. If one of them lacks something, everything that each of them holds matters."""
    found: set[str] = set()
    for each in asked:
        asks = [one for rule, one in each.grants if rule.keeps_apart and one.principal.id in estate.access]
        missing = [one for one in asks if not held(one, estate).held]
        kinds = {one.need.resource_type for one in missing if _may_differ(one, asks)}
        beside = {one.principal.id for one in asks if one.need.resource_type in kinds}
        left_open = {one.principal.id for one in asks if _open(one, estate.access[one.principal.id])}
        found |= beside & left_open if len(beside) > 1 else set()
    return found


def _open(ask: RequiredGrant, access: Access) -> bool:
    """Whether what is at hand leaves open if, or on what terms, it is held.

    Where ARM's own lists say what groups are assigned, only a group whose role gives a part of it does.
    """
    return access.partial and (access.groups is None or any(_concerns(one, ask, access) for one in access.groups))


def _concerns(one: RoleAssignment, ask: RequiredGrant, access: Access) -> bool:
    """At the scope, above it or below it, whatever its condition."""
    near = one.scope.contains(ask.scope) or ask.scope.contains(one.scope)
    if not (near or one.misplaced or one.scope.is_management_group):
        return False
    role = access.roles.get(one.role_id)
    if role is None or not ask.need.permissions:
        return role is None or one.role_id == ask.need.role_id
    return any(block.allows(needed) for block in role.permissions for needed in ask.need.permissions)


def _may_differ(missing: RequiredGrant, asks: Iterable[RequiredGrant]) -> bool:
    """At a single target, only conditions and parts of it can keep identities apart. Only data has these."""
    same = {one.scope for one in asks if one.need.resource_type == missing.need.resource_type}
    return len(same) > 1 or any(each.data for each in missing.need.permissions)


def holders_at_hand(asked: Iterable[WorkspaceAsks], estate: Estate, *, frugal: bool) -> tuple[list[str], list[Scope]]:
    """Principals whose needs all lie in the resource groups of the workspaces, and these groups.

    With `frugal`, the groups of the workspaces' dependencies count, too: their lists were not read yet. Identities that
    a workspace acts as are left out, because only everything that they hold shows in which way they were set up.
    """
    named = [scope for one in estate.workspaces for scope in (one.id, *(_dependencies(one) if frugal else ()))]
    groups = {group for scope in named if estate.sees(scope) and (group := scope.resource_group)}
    asking = [one for each in asked for _, one in each.grants]
    others = {one.acting.id for one in estate.workspaces if one.acting and one.acts_as_uai}
    others |= {one.principal.id for one in asking if one.scope.resource_group not in groups}
    others |= {estate.caller.id} if estate.caller else set()
    near = {one.principal.id for one in asking} - others - estate.access.keys()
    return sorted(near), sorted(groups, key=str) if near else []


def _dependencies(workspace: Workspace) -> Iterable[Scope]:
    return (scope for scope in (workspace.registry, workspace.storage, workspace.vault) if scope)
