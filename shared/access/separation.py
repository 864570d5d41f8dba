"""What people keep from an identity: by the identities that they chose, a container or a condition. None is levelled.

In federated learning each team's cluster reads its own store and no other, in one workspace. Nothing in ARM says so but
who holds what. What amlguard itself granted tells nothing of what people want, nor does an identity that holds nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from shared.access.asks import Finding, RequiredGrant, Severity
from shared.access.compare import Asked, held
from shared.access.marks import ours
from shared.access.model import Estate
from shared.access.permissions import Access, Permission, RoleAssignment, applies_at, coverage
from shared.access.refusal import Refusal
from shared.access.rules import Rule
from shared.access.scope import Scope

type Reasons = Mapping[str, str]
# Where it is held: the target or what lies below it, and on which condition.
type _Kept = frozenset[tuple[str, str]]


def kept_apart(asked: Asked, estate: Estate) -> Reasons:
    """Why rules that could level what people told apart grant nothing, by the rule's name."""
    asking: dict[str, list[RequiredGrant]] = {}
    for rule, one in asked.grants:
        if rule.keeps_apart:
            asking.setdefault(rule.name, []).append(one)
    return {name: why for name, asks in asking.items() if (why := _why(asks, estate))}


def _why(asks: list[RequiredGrant], estate: Estate) -> str:
    holders = {one.principal.id: one for one in asks}
    scopes = {one.scope for one in asks}
    if len(holders) < 2:
        return ""
    lost = any(one.misplaced for holder in holders for one in estate.access[holder].assignments)
    if lost and len(scopes) > 1:
        return "Azure does not tell where one of their roles is, so nobody can tell whether they are kept apart"
    closed = sorted(scope.name for scope in scopes if not estate.sees(scope))
    if closed and len(scopes) > 1:
        return f"who holds what on {', '.join(closed)} may not be read, so nobody can tell whether they are kept apart"
    kept: dict[str, set[tuple[str, str]]] = {holder: set() for holder in holders}
    for one in asks:
        kept[one.principal.id] |= _kept(one, estate)
    differing = {frozenset(one) for one in kept.values() if one}
    if len(differing) < 2:
        return ""
    shown = (
        f"{holders[holder].principal.label}: {', '.join(sorted({_name(scope) for scope, _ in one}))}"
        for holder, one in kept.items()
        if one
    )
    return f"people let them at different ones, or on different terms ({'; '.join(shown)})"


def _kept(one: RequiredGrant, estate: Estate) -> _Kept:
    access = estate.access[one.principal.id]
    theirs = replace(access, assignments=tuple(each for each in access.assignments if not ours(each)))
    if coverage(one.need.permissions, one.scope, theirs).held:
        return frozenset({(one.scope.key, "")})
    found = _limited(one.need.permissions, one.scope, theirs)
    return frozenset((_at(each, one.scope).key, each.condition or "") for each in found)


def limited(one: RequiredGrant, estate: Estate) -> Refusal | None:
    """Where somebody gave the identity data on a condition, or a part of it, the grant would give the rest as well."""
    # Of what only a user named, a part may be all that somebody meant; of what AML itself uses it is not enough.
    if not one.explicit or not estate.sees(one.scope):
        return None
    access = estate.access[one.principal.id]
    missing = coverage(one.need.permissions, one.scope, access).missing
    limit = next(_limited(missing, one.scope, access), None)
    if limit is None:
        return None
    where = _at(limit, one.scope)
    how = "on a condition" if where == one.scope else f"on {where.name} only"
    return Refusal(
        "limited-by-people",
        f"somebody lets {one.principal.label} at {one.scope.name} {how}, and {one.need.role_name} on all of it would "
        f"undo that: widen or remove that assignment if the limit is not meant ({limit.id})",
    )


def _limited(needed: Iterable[Permission], scope: Scope, access: Access) -> Iterator[RoleAssignment]:
    """Assignments that give some of the data, but on a condition or for a part of `scope`."""
    data = [permission for permission in needed if permission.data]
    for one in access.assignments:
        role = access.roles.get(one.role_id)
        below = scope.contains(one.scope) and one.scope != scope
        if role is None or one.misplaced or ours(one) or not (below or applies_at(one.scope, scope, one.within)):
            continue
        blocks = [block for block in role.permissions if below or one.condition or block.condition]
        if any(block.allows(permission) for block in blocks for permission in data):
            yield one


def _at(one: RoleAssignment, scope: Scope) -> Scope:
    return one.scope if scope.contains(one.scope) else scope


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def not_levelled(kept: Iterable[tuple[Rule, RequiredGrant]], reasons: Reasons, estate: Estate) -> Iterator[Finding]:
    """One for each target of `kept`, the grants that are not made."""
    lacking: dict[tuple[str, Scope], list[tuple[Rule, RequiredGrant]]] = {}
    for rule, one in kept:
        lacking.setdefault((rule.name, one.scope), []).append((rule, one))
    for (name, scope), asking in lacking.items():
        rule, first = asking[0]
        names = ", ".join(dict.fromkeys(one.principal.label for _, one in asking if not held(one, estate).held))
        yield Finding(
            scope,
            name,
            tuple(sorted({r for _, one in asking for r in one.requirements})),
            Severity.LOW,
            f"amlguard makes nobody {first.need.role_name} on {scope.name} by rule {name}: {reasons[name]}. It is not "
            f"held by {names}.",
            "Where one of them is meant to hold it, grant it by hand: az role assignment create --assignee-object-id "
            f'OBJECT-ID --assignee-principal-type ServicePrincipal --role "{first.need.role_name}" --scope {scope}',
        )
