"""What people keep apart by identity, by container or by condition. No rule may grant across that.

In federated learning each team's cluster reads its own store and no other, all in one workspace. In ARM only the role
assignments show that. What amlguard itself granted says nothing about what people want. Neither does an identity that
holds nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Finding, RequiredGrant, Severity
from shared.access.held import held
from shared.access.model import Estate
from shared.access.needs import CONTROL_STORAGE, READ_BLOBS, Need
from shared.access.own_assignments import ours
from shared.access.permissions import Access, Permission, RoleAssignment, applies_at, coverage
from shared.access.rules import Rule
from shared.access.rules.az import assign, code
from shared.access.scope import Scope

# Why nothing is granted at a target to identities of resources of that type (of any type if a user named the target).
type Reasons = Mapping[tuple[Scope, str], str]
_ANY = ""
# Where it is held: the target or what lies below it, and under which condition, if there is one.
type _Held = tuple[Scope, str | None]
type _Kept = frozenset[_Held]


def kept_apart(asked: WorkspaceAsks, estate: Estate) -> Reasons:
    """What people keep apart, so that rules must not grant across it.

    It does not matter which rule asks: one team may use a cluster, another a Kubernetes compute or a Spark pool.
    """
    asks = [(rule, one) for rule, one in asked.grants if rule.keeps_apart]
    found: dict[tuple[Scope, str], str] = {}
    for rule in dict.fromkeys(rule for rule, _ in asks):
        mine = [one for each, one in asks if each is rule]
        kinds = {one.on.resource_type for one in mine if one.on != asked.workspace.id}
        like_them = [one for each, one in asks if each is rule or one.on.resource_type in kinds]
        if why := _why(mine, like_them, estate):
            found |= {(one.scope, one.on.resource_type): why for one in mine}
            found |= {(one.scope, _ANY): why for one in mine if rule.grants}
    return found


def levelled(rule: Rule, one: RequiredGrant, reasons: Reasons) -> str | None:
    """Why the grant would undo what people keep apart. None if it would not."""
    if not rule.keeps_apart:
        return None
    return reasons.get((one.scope, one.on.resource_type)) or (reasons.get((one.scope, _ANY)) if one.explicit else None)


def _why(mine: Sequence[RequiredGrant], asks: Iterable[RequiredGrant], estate: Estate) -> str | None:
    """`mine` is what one rule asks for, `asks` what is asked for identities like these."""
    scopes = {one.scope for one in mine}
    holders = {one.principal.id: one.principal for one in asks if one.scope in scopes}
    if len(holders) < 2:
        return None
    lost = any(one.misplaced for holder in holders for one in estate.access[holder].assignments)
    if lost and len(scopes) > 1:
        return "Azure does not show where one of their roles is, so nobody can tell whether they are kept apart"
    closed = sorted(scope.name for scope in scopes if not estate.sees(scope))
    if closed and len(scopes) > 1:
        return f"who holds what on {', '.join(closed)} may not be read, so nobody can tell whether they are kept apart"
    asked: dict[str, set[Scope]] = {}
    for one in asks:
        if one.scope in scopes:
            asked.setdefault(one.principal.id, set()).add(one.scope)
    needs = dict.fromkeys((one.scope, one.need) for one in mine)
    kept = {
        holder: {where: frozenset(_held_of(needs, where, estate.access[holder])) for where in there}
        for holder, there in asked.items()
    }
    distinct = {frozenset(one.items()): one for one in kept.values()}
    if not any(_differ(one, other) for one, other in combinations(distinct.values(), 2)):
        return None
    shown = (
        f"{holders[holder].label}: {', '.join(sorted({at.name for held in one.values() for at, _ in held}))}"
        for holder, one in kept.items()
        if any(one.values())
    )
    return f"people gave them different ones, or set different terms ({'; '.join(shown)})"


def _differ(one: Mapping[Scope, _Kept], other: Mapping[Scope, _Kept]) -> bool:
    """Compares the targets at which both are asked for. An identity that holds nothing there says nothing."""
    common = one.keys() & other.keys()
    mine, theirs = (frozenset().union(*(held[where] for where in common)) for held in (one, other))
    return bool(mine and theirs) and mine != theirs


def _held_of(needs: Iterable[tuple[Scope, Need]], where: Scope, access: Access) -> Iterator[_Held]:
    for scope, need in needs:
        if scope == where:
            yield from _kept(need, scope, access)


def _kept(need: Need, scope: Scope, access: Access) -> Iterator[_Held]:
    theirs = replace(access, assignments=tuple(each for each in access.assignments if not ours(each)))
    if coverage(need.permissions, scope, theirs).held:
        yield scope, None
    else:
        found = _limited(need.permissions, scope, theirs)
        yield from ((_at(each, scope), condition) for each, condition in found)


def limited(one: RequiredGrant, estate: Estate) -> str | None:
    """If somebody gave the identity a part of the data, or set a condition, the grant would give it the rest."""
    # If only a user named the target, a part may be all that was intended. For what AML itself uses, a part is not
    # enough.
    if not one.explicit or not estate.sees(one.scope):
        return None
    access = estate.access[one.principal.id]
    missing = coverage(one.need.permissions, one.scope, access).missing
    # Whoever controls a storage account can read its keys, and with them everything in it.
    keys = READ_BLOBS.permissions if one.need is CONTROL_STORAGE and missing else ()
    limit = next((each for each, _ in _limited((*missing, *keys), one.scope, access)), None)
    if limit is None:
        return None
    where = _at(limit, one.scope)
    how = "on a condition" if where == one.scope else f"on {where.name} only"
    return (
        f"somebody gave {one.principal.label} access to {one.scope.name} {how}, and {one.need.role_name} on all of it "
        f"would undo that: widen or remove that assignment if the limit is not intended ({limit.id})"
    )


def _limited(needed: Iterable[Permission], scope: Scope, access: Access) -> Iterator[tuple[RoleAssignment, str | None]]:
    """Those that give some of the data, for a part of `scope` or under a condition: their own, or their role's."""
    data = [permission for permission in needed if permission.data]
    for one in access.assignments:
        below = scope.contains(one.scope) and one.scope != scope
        if one.misplaced or ours(one) or not (below or applies_at(one.scope, scope, one.within)):
            continue
        for block in access.role_of(one).permissions:
            condition = one.condition or block.condition
            if (below or condition) and any(block.allows(permission) for permission in data):
                yield one, condition


def _at(one: RoleAssignment, scope: Scope) -> Scope:
    return one.scope if scope.contains(one.scope) else scope


def not_levelled(kept: Iterable[tuple[Rule, RequiredGrant]], reasons: Reasons, estate: Estate) -> Iterator[Finding]:
    """For each target of `kept`, the grants that are not made."""
    lacking: dict[tuple[str, Scope], list[tuple[Rule, RequiredGrant]]] = {}
    for rule, one in kept:
        lacking.setdefault((rule.name, one.scope), []).append((rule, one))
    for (name, scope), asking in lacking.items():
        rule, first = asking[0]
        why = levelled(rule, first, reasons)
        names = ", ".join(dict.fromkeys(one.principal.label for _, one in asking if not held(one, estate).held))
        yield Finding(
            scope,
            name,
            tuple(sorted({r for _, one in asking for r in one.requirements})),
            Severity.LOW,
            f"amlguard grants nobody {first.need.role_name} on {scope.name} for rule {name}: {why}. It is not "
            f"held by {names}.",
            "If one of them should hold it, grant it by hand: "
            f"{code(assign('OBJECT-ID', first.need.role_name, scope))}",
        )
