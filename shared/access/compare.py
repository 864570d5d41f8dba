"""Requirements of one workspace, and whether they are already held."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shared.access.asks import (
    Finding,
    NotReady,
    Objection,
    RegistryUser,
    RequiredGrant,
    RequiredRemoval,
    RequiredSetting,
)
from shared.access.model import Estate, Workspace
from shared.access.needs import Need
from shared.access.permissions import Access, Coverage, Permission, applies_at, coverage
from shared.access.rules import RULES, Rule, RuleKind
from shared.access.scope import Scope
from shared.access.terms import Terms


@dataclass(frozen=True, slots=True)
class Asked:
    """One workspace's asks, sorted by kind, the first four each with the rule that made it."""

    workspace: Workspace
    grants: tuple[tuple[Rule, RequiredGrant], ...]
    settings: tuple[tuple[Rule, RequiredSetting], ...]
    removals: tuple[tuple[Rule, RequiredRemoval], ...]
    findings: tuple[tuple[Rule, Finding], ...]
    objections: tuple[Objection, ...]
    not_ready: tuple[NotReady, ...]
    users: tuple[RegistryUser, ...]


def ask(workspace: Workspace, estate: Estate, terms: Terms, rules: Iterable[Rule] = RULES) -> Asked:
    """Everything that the rules ask for `workspace`.

    Rules that the policy turned off still ask: their pulls count when the admin user is about to go off. Only
    optional rules that are off are silent. Of a workspace that is being deleted next to nothing is asked (AML-98).
    """
    active = [rule for rule in rules if rule.examines(workspace) and (not rule.optional or terms.enabled(rule))]
    asks = [(rule, one) for rule in active for one in rule.examine(workspace, estate)]
    return Asked(
        workspace,
        tuple((rule, one) for rule, one in asks if isinstance(one, RequiredGrant)),
        tuple((rule, one) for rule, one in asks if isinstance(one, RequiredSetting)),
        tuple((rule, one) for rule, one in asks if isinstance(one, RequiredRemoval)),
        tuple((rule, one) for rule, one in asks if isinstance(one, Finding)),
        tuple(replace(one, rule=rule.name) for rule, one in asks if isinstance(one, Objection)),
        tuple(dict.fromkeys(one for _, one in asks if isinstance(one, NotReady))),
        tuple(replace(one, guard=rule.name) for rule, one in asks if isinstance(one, RegistryUser)),
    )


def held(ask: RequiredGrant, estate: Estate) -> Coverage:
    """Raises `KeyError` when the principal's access was not read: unknown is not empty.

    What may not be read counts as not held; `plan` grants nothing there.
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
    """Of asks for the same grant: held when each of them is."""
    covers = [held(one, estate) for one in asks]
    return next((cover for cover in covers if not cover.held), covers[0])


def _assigned(ask: RequiredGrant, access: Access) -> Coverage:
    """Of a role that only its GUID is known of: held when it is assigned."""
    found = tuple(
        a
        for a in access.assignments
        if a.role_id == ask.need.role_id
        and not (a.condition or a.misplaced)
        and applies_at(a.scope, ask.scope, a.within)
    )
    return Coverage(() if found else (Permission(f"all of role {ask.need.role_id}"),), found)


def same_role_with_condition(ask: RequiredGrant, access: Access) -> bool:
    """Whether Azure would refuse the grant: it allows one assignment of a role to a principal at a scope."""
    return any(
        a.scope == ask.scope
        and a.role_id == ask.need.role_id
        and a.principal_id.casefold() == ask.principal.id.casefold()
        and a.condition
        for a in access.assignments
    )


def fixes(rule: Rule) -> bool:
    return rule.mode in (RuleKind.FIX, RuleKind.OPT_IN)


type GrantKey = tuple[str, str, Need]


def grant_key(ask: RequiredGrant) -> GrantKey:
    return ask.principal.id.casefold(), ask.scope.key, ask.need


def unknown_holders(asked: Sequence[Asked], estate: Estate, terms: Terms) -> set[str]:
    """Principals of whom more must be read: nothing was yet, or not enough to say that they hold what they need."""
    asking = [one for each in asked for _, one in each.grants]
    needed = {one.principal.id for one in asking} | (
        {estate.caller.id} if terms.caller_must_hold and estate.caller else set()
    )
    partly = [one for one in asking if (known := estate.access.get(one.principal.id)) and known.partial]
    unheld = {one.principal.id for one in partly if not held(one, estate).held}
    return (needed - estate.access.keys()) | unheld | _perhaps_apart(asked, estate)


def _perhaps_apart(asked: Iterable[Asked], estate: Estate) -> set[str]:
    """Where something is missing to one of those whom people may keep apart, all that each of them holds matters."""
    found: set[str] = set()
    for each in asked:
        asks = [one for rule, one in each.grants if rule.keeps_apart and one.principal.id in estate.access]
        missing = [one for one in asks if not held(one, estate).held]
        kinds = {one.need.resource_type for one in missing if _may_differ(one, asks)}
        beside = {one.principal.id for one in asks if one.need.resource_type in kinds}
        found |= {one for one in beside if estate.access[one].partial} if len(beside) > 1 else set()
    return found


def _may_differ(missing: RequiredGrant, asks: Iterable[RequiredGrant]) -> bool:
    """At one target only what conditions and parts of it tell apart: data."""
    same = {one.scope for one in asks if one.need.resource_type == missing.need.resource_type}
    return len(same) > 1 or any(each.data for each in missing.need.permissions)


def holders_at_hand(asked: Iterable[Asked], estate: Estate, *, frugal: bool) -> tuple[list[str], list[Scope]]:
    """Principals whose needs all lie in the resource groups of the workspaces, and these groups.

    `frugal`: the groups of what the workspaces depend on as well, whose lists are not there yet.

    Not an identity that a workspace acts as: in which way it was set up shows only in all that it holds.
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
