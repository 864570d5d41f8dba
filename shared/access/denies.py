"""Deny assignments: how ARM writes them, and whom they concern (ADR 24).

Two lists say it. The unfiltered list has every principal and exclusion by id, but amlguard cannot read who is in a
group. The list filtered by `assignedTo` follows groups. It was recorded to leave out an `Everyone` that excludes the
principal, so it either honours exclusions or always leaves Everyone out. Nobody knows which. Therefore amlguard uses it
for groups only.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from shared.access.parse import permission_block
from shared.access.permissions import EVERYONE, DenyAssignment
from shared.access.raw import get, object_id, text
from shared.access.scope import InvalidScopeError, Scope, is_odd

_ENFORCED = "enforced"
_AUDIT = "audit"  # such a deny assignment only logs what it would have denied
# Recordings show the type Everyone, documents SystemDefined. The id is thirty-two zeros, with or without dashes.
_ALL = frozenset({"everyone", "systemdefined"})
_NO_GROUP = frozenset({"user", "serviceprincipal"})

_ID = re.compile(r"(?P<extended>.*)/providers/Microsoft\.Authorization/denyAssignments/.*", re.IGNORECASE | re.DOTALL)

_ANYWHERE = Scope.parse("/")
_NOWHERE = "Azure does not tell at which scope it is"
_NOBODY = "it does not say whom it denies"
_GROUP_EXCLUDED = "it excludes a group, and amlguard cannot read who is in it"
_DISAGREE = "ARM lists it for this identity, although it names neither the identity nor a group"
_UNLISTED = "ARM lists it for this identity, but not among the deny assignments of the subscription"


def deny_assignment(raw: object) -> DenyAssignment | None:
    """None for one that only audits, and for one at a scope that cannot hold or contain an AML resource.

    (Whatever lies above a well-formed id is well-formed.) If its scope cannot be told, it may be at any scope. Raises
    `TypeError`: one that cannot be read must not pass for one that denies nothing (law 2).
    """
    body = get(raw, "properties")
    if not isinstance(body, Mapping):
        raise TypeError("a deny assignment has properties")
    effect = (text(body, "denyAssignmentEffect") or _ENFORCED).casefold()
    if effect == _AUDIT:
        return None
    doubt = "" if effect == _ENFORCED else "its effect is one that amlguard does not know"
    try:
        scope = Scope.parse(_scope(raw))
    except InvalidScopeError:
        if is_odd(_scope(raw)):
            return None
        scope, doubt = _ANYWHERE, _NOWHERE
    principals, excluded = _objects(body, "principals"), _objects(body, "excludePrincipals")
    condition = text(body, "condition")
    blocks = (permission_block(block) for block in _objects(body, "permissions"))
    return DenyAssignment(
        str(get(raw, "id")),
        text(body, "denyAssignmentName") or "",
        scope,
        tuple(replace(block, condition=block.condition or condition) for block in blocks),
        frozenset(EVERYONE if _type(one) in _ALL else object_id(one.get("id")) for one in principals),
        frozenset(object_id(one.get("id")) for one in excluded),
        get(body, "doNotApplyToChildScopes") is True and doubt != _NOWHERE,
        groups=frozenset(object_id(one.get("id")) for one in (*principals, *excluded) if _may_be_group(one)),
        doubt=doubt,
    )


def membership_decides(principal: str, listed: Iterable[DenyAssignment]) -> bool:
    """Whether one of `listed` may concern the principal through a group. Only `assignedTo` can tell that."""
    me = object_id(principal)
    return any(me not in deny.excluded and not _names(deny, me) and deny.groups & deny.principals for deny in listed)


def concerning(
    principal: str, listed: Sequence[DenyAssignment], assigned: Iterable[DenyAssignment]
) -> tuple[DenyAssignment, ...]:
    """Those that deny the principal something, or may do so. In the second case `doubt` says why.

    `listed` are all. `assigned` are those that ARM lists for the principal, empty if membership decides nothing.
    """
    me = object_id(principal)
    mine = {deny.id.casefold(): deny for deny in assigned}
    known = {deny.id.casefold() for deny in listed}
    found = [_concerning(deny, me, assigned=deny.id.casefold() in mine) for deny in listed]
    found += [_concerning(deny, me, assigned=True, doubt=_UNLISTED) for key, deny in mine.items() if key not in known]
    return tuple(deny for deny in found if deny)


def _concerning(deny: DenyAssignment, me: str, *, assigned: bool, doubt: str = "") -> DenyAssignment | None:
    """An exclusion by id overrides everything else. The exclusion of a group is a doubt."""
    named = _names(deny, me)
    if me in deny.excluded or (deny.principals and not named and not assigned):
        return None
    if not deny.principals:
        doubt = doubt or _NOBODY
    elif not named and not deny.groups & deny.principals:
        doubt = doubt or _DISAGREE
    if deny.excluded & (deny.groups | {EVERYONE}):
        doubt = doubt or _GROUP_EXCLUDED
    return replace(deny, doubt=deny.doubt or doubt)


def _names(deny: DenyAssignment, me: str) -> bool:
    return me in deny.principals or EVERYONE in deny.principals


def _may_be_group(principal: Mapping[str, object]) -> bool:
    return _type(principal) not in _NO_GROUP


def _type(principal: Mapping[str, object]) -> str:
    return str(principal.get("type")).casefold()


def _scope(raw: object) -> object:
    """A property of its own, or else what the id extends."""
    return get(raw, "properties", "scope") or _extended(str(get(raw, "id")))


def _extended(identifier: str) -> str:
    found = _ID.fullmatch(identifier)
    if found is None:
        raise TypeError("a deny assignment says where it applies")
    return found["extended"] or "/"


def _objects(body: Mapping[str, object], key: str) -> Sequence[Mapping[str, object]]:
    found = body.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise TypeError(f"{key} is a list of objects")
    return found
