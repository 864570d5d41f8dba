"""What an identity may do: Azure RBAC's wildcards, and whether a needed permission is already held.

Coverage, not equality: a permission is held if any role, at the scope or above it, directly or through a group, allows
it without a condition, and no deny assignment takes it away (azure-facts §3).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from math import inf

from shared.access.scope import Scope

EVERYONE = "00000000-0000-0000-0000-000000000000"

_CONDITIONAL = "it applies only under a condition, which amlguard does not evaluate"


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One operation. `action` may contain wildcards, which ask for everything that they match."""

    action: str
    data: bool = False


@dataclass(frozen=True, slots=True)
class PermissionBlock:
    """One element of a role definition's `permissions`: it allows what `actions` match and `not_actions` do not."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    condition: str | None = None

    def allows(self, needed: Permission) -> bool:
        """Whether the block allows all of `needed`. A wildcard that `not_actions` restrict is not allowed."""
        granted, cut = (self.data_actions, self.not_data_actions) if needed.data else (self.actions, self.not_actions)
        return any(includes(pattern, needed.action) for pattern in granted) and not any(
            overlaps(pattern, needed.action) for pattern in cut
        )

    def touches(self, needed: Permission) -> bool:
        """Whether the block concerns any part of `needed`. This is how the block of a deny assignment is read."""
        granted, cut = (self.data_actions, self.not_data_actions) if needed.data else (self.actions, self.not_actions)
        return any(overlaps(pattern, needed.action) for pattern in granted) and not any(
            includes(pattern, needed.action) for pattern in cut
        )


def within(narrow: Iterable[PermissionBlock], wide: Iterable[PermissionBlock]) -> bool:
    """Whether `wide` allows everything that `narrow` allows. A block with a condition allows nothing for certain."""
    sure = [block for block in wide if not block.condition]
    return all(
        any(_leaves(block, granted, block_of, data=data) for block in sure)
        for block_of in narrow
        for data in (False, True)
        for granted in (block_of.data_actions if data else block_of.actions)
    )


def _leaves(block: PermissionBlock, granted: str, other: PermissionBlock, *, data: bool) -> bool:
    """Whether `block` allows `granted`, without what `other`, to which the pattern belongs, excludes itself."""
    allowed, cut = (block.data_actions, block.not_data_actions) if data else (block.actions, block.not_actions)
    without = other.not_data_actions if data else other.not_actions
    taken = [one for one in cut if overlaps(one, granted) and not any(includes(theirs, one) for theirs in without)]
    return not taken and any(includes(pattern, granted) for pattern in allowed)


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """`role_id` is the trailing GUID in lower case. The rest of a roleDefinitionId differs by scope."""

    role_id: str
    name: str
    permissions: tuple[PermissionBlock, ...]


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """`principal_id` may be a group, because ARM's `assignedTo` filter also returns the assignments of groups.

    `within` is for an assignment at a management group: a subscription below it, as far as is known. `misplaced`:
    nobody can tell where it is. So it gives nothing, and what its principal lacks is not known either. `doubt` says why
    nobody can tell whether the principal has it. Without a doubt, it does.
    """

    id: str
    scope: Scope
    principal_id: str
    role_id: str
    condition: str | None = None
    created_on: datetime | None = None
    description: str | None = None
    within: Scope | None = None
    misplaced: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class DenyAssignment:
    """`principals` and `excluded` are object ids (`raw.object_id`). `EVERYONE` stands for all.

    `groups` are those of them that may be groups. `doubt` says why it is not known whether it denies; without a doubt,
    it does. `within` is as for role assignments.
    """

    id: str
    name: str
    scope: Scope
    blocks: tuple[PermissionBlock, ...]
    principals: frozenset[str]
    excluded: frozenset[str] = frozenset()
    only_at_scope: bool = False
    within: Scope | None = None
    groups: frozenset[str] = frozenset()
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that affects one principal: its assignments (groups expanded), the roles' definitions, and denies.

    `denies` holds only those that concern the principal, or may do so (`denies.concerning`). `partial`: only what is
    assigned to the principal itself, in some resource groups. What is held through that is held; the rest is unknown.
    `groups`, if it was read, is what groups are assigned there. Only membership of one of them can be unknown then.
    `doubts` may be its assignments, and nobody can tell (`RoleAssignment.doubt`): they give nothing.
    """

    assignments: tuple[RoleAssignment, ...] = ()
    roles: Mapping[str, RoleDefinition] = field(default_factory=dict)
    denies: tuple[DenyAssignment, ...] = ()
    partial: bool = False
    groups: tuple[RoleAssignment, ...] | None = None
    doubts: tuple[RoleAssignment, ...] = ()

    def role_of(self, assignment: RoleAssignment) -> RoleDefinition:
        """Raises `UnknownRoleError`."""
        role = self.roles.get(assignment.role_id)
        if role is None:
            raise UnknownRoleError(f"role {assignment.role_id} of assignment {assignment.id} was not read")
        return role


@dataclass(frozen=True, slots=True)
class Coverage:
    """The answer to "is it held?", with the evidence.

    `through` are the assignments that give it. `since` is when the last missing part was granted (None: unknown, so
    long ago). `conditional` would give it without their condition. `denied_by` take it away, or may. `perhaps` are
    doubtful assignments that would give all that is missing: then nobody can tell whether it is held.
    """

    missing: tuple[Permission, ...]
    through: tuple[RoleAssignment, ...] = ()
    since: datetime | None = None
    conditional: tuple[RoleAssignment, ...] = ()
    denied_by: tuple[DenyAssignment, ...] = ()
    perhaps: tuple[RoleAssignment, ...] = ()

    @property
    def held(self) -> bool:
        return not self.missing and not self.denied_by


class UnknownRoleError(LookupError):
    """An assignment names a role whose definition was not read. Unknown is not empty."""


def coverage(needed: Iterable[Permission], target: Scope, access: Access) -> Coverage:
    """Whether `access` gives every one of `needed` at `target`. Raises `UnknownRoleError`."""
    here = [a for a in access.assignments if not a.misplaced and applies_at(a.scope, target, a.within)]
    missing: list[Permission] = []
    through: dict[str, RoleAssignment] = {}
    conditional: dict[str, RoleAssignment] = {}
    since: list[datetime | None] = []
    wanted = tuple(needed)
    for permission in wanted:
        allowing = [a for a in here if _allows(a, permission, access, conditioned=False)]
        if allowing:
            first = min(allowing, key=_age)
            through[first.id] = first
            since.append(first.created_on)
        else:
            missing.append(permission)
            conditional.update((a.id, a) for a in here if _allows(a, permission, access, conditioned=True))
    denied = tuple(found for deny in access.denies if (found := _denial(deny, target, wanted)))
    known = [time for time in since if time is not None]
    perhaps = _perhaps(missing, target, access)
    return Coverage(
        tuple(missing), tuple(through.values()), max(known, default=None), tuple(conditional.values()), denied, perhaps
    )


def _perhaps(missing: Sequence[Permission], target: Scope, access: Access) -> tuple[RoleAssignment, ...]:
    """The doubtful assignments that together would give everything that is missing. None if a part stays missing."""
    near = [one for one in access.doubts if applies_at(one.scope, target, one.within)]
    found: dict[RoleAssignment, None] = {}
    for permission in missing:
        giving = [one for one in near if _allows(one, permission, access, conditioned=True)]
        if not giving:
            return ()
        found.update(dict.fromkeys(giving))
    return tuple(found)


def applies_at(assigned: Scope, target: Scope, within: Scope | None = None) -> bool:
    """Whether an assignment at `assigned` applies to `target`.

    An id does not show what lies below a management group. `within` is a subscription that is known to lie there.
    """
    return assigned.contains(target) or (
        assigned.is_management_group and within is not None and within.contains(target)
    )


def _age(assignment: RoleAssignment) -> float:
    return assignment.created_on.timestamp() if assignment.created_on else -inf


def _allows(assignment: RoleAssignment, permission: Permission, access: Access, *, conditioned: bool) -> bool:
    return any(
        block.allows(permission) and (conditioned or not (assignment.condition or block.condition))
        for block in access.role_of(assignment).permissions
    )


def _denial(deny: DenyAssignment, target: Scope, needed: Sequence[Permission]) -> DenyAssignment | None:
    """A deny assignment below the target does not count: it takes away a part, and the grant serves the rest."""
    reaches = deny.scope == target if deny.only_at_scope else applies_at(deny.scope, target, deny.within)
    if not reaches:
        return None
    touching = [block for block in deny.blocks if any(block.touches(permission) for permission in needed)]
    if touching and all(block.condition for block in touching):
        return replace(deny, doubt=deny.doubt or _CONDITIONAL)
    return deny if touching else None


@lru_cache(maxsize=16384)
def includes(pattern: str, action: str) -> bool:
    """Whether `pattern` matches everything that `action` (which may be a pattern itself) stands for."""
    return _regex(pattern.casefold()).fullmatch(action.casefold()) is not None


@lru_cache(maxsize=16384)
def overlaps(pattern: str, other: str) -> bool:
    """Whether some operation is matched by both patterns."""
    if "*" not in other:
        return includes(pattern, other)
    if "*" not in pattern:
        return includes(other, pattern)
    # That `/*/` also stands for `/` does not matter here. If two patterns with a wildcard each share such a text, it
    # can be lengthened into another text that they share.
    return _share_a_match(pattern.casefold(), other.casefold())


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern[str]:
    # `/*/` also stands for `/` alone: userAssignedIdentities/*/assign/action covers
    # userAssignedIdentities/assign/action (azure-facts §1.5). A literal never matches the other pattern's `*`, so if
    # the text of a pattern matches, everything that it stands for does.
    text = re.sub(r"/\\\*(?=/)", "(?:/.*)?", re.escape(pattern))
    return re.compile(text.replace(r"\*", ".*"), re.DOTALL)


def _share_a_match(one: str, two: str) -> bool:
    # reachable[j]: some text is matched by one[:i] and by two[:j]
    reachable = [True]
    for char in two:
        reachable.append(reachable[-1] and char == "*")
    for char in one:
        row = [reachable[0] and char == "*"]
        for j, other in enumerate(two):
            if "*" in (char, other):
                row.append(reachable[j + 1] or row[j])
            else:
                row.append(reachable[j] and char == other)
        reachable = row
    return reachable[-1]
