"""What a plan contains. `plan`, mode report and carrying out all use the same values."""

from dataclasses import dataclass, field
from datetime import datetime

from shared.access.asks import Finding, Property, RequiredGrant
from shared.access.guards import Word
from shared.access.model import Principal, Want
from shared.access.needs import Need, contains
from shared.access.own_assignments import assignment_name, unique
from shared.access.permissions import PermissionBlock, within
from shared.access.scope import Scope


@dataclass(frozen=True, slots=True)
class Grant:
    """A role assignment to make. `rule` names every rule that needs it, `on` the resource whose identity it is.

    `others` share that identity and need the role, too. `before` is for a grant at a registry: whether its admin user
    was on ("true", "false"), so that the identity could do without the role. `gives` is what the role allows, as far as
    its definition is known. `instead` are the grants that this one makes unnecessary. They are made if this one cannot
    be.
    """

    principal: Principal
    need: Need
    scope: Scope
    on: Scope
    rule: str
    requirements: tuple[str, ...]
    reason: str
    source: str
    others: tuple[Scope, ...] = ()
    before: str = ""
    gives: tuple[PermissionBlock, ...] = field(default=(), compare=False, repr=False)
    instead: tuple["Grant", ...] = field(default=(), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The GUID of the role assignment, computed from scope, principal and role."""
        return assignment_name(self.scope, self.principal.id, self.need.role_id)

    def serves(self, one: RequiredGrant) -> bool:
        """Whether the role gives everything that is asked for, at that scope or above it."""
        blocks = [block for block in self.gives if not block.condition]
        needed = one.need.permissions
        gives = bool(needed) and all(any(block.allows(each) for block in blocks) for each in needed)
        return self._reaches(one.principal, one.scope) and (gives or contains(self.need, one.need))

    def covers(self, other: "Grant") -> bool:
        """Whether `other` adds nothing to it. What the roles allow decides, not the names of the needs."""
        same = self.need.role_id == other.need.role_id
        known = bool(self.gives) and bool(other.gives)
        return self._reaches(other.principal, other.scope) and (same or (known and within(other.gives, self.gives)))

    def _reaches(self, principal: Principal, scope: Scope) -> bool:
        return self.principal.id.casefold() == principal.id.casefold() and self.scope.contains(scope)

    @property
    def action_id(self) -> str:
        return self.name

    @property
    def resource(self) -> Scope:
        return self.on

    @property
    def role_definition_id(self) -> str:
        return f"{self.scope.subscription or ''}/providers/Microsoft.Authorization/roleDefinitions/{self.need.role_id}"


@dataclass(frozen=True, slots=True)
class Setting:
    """`needed_by` is for an access policy: the workspace that acts as `principal`.

    `adds` are the permissions (`keys/get`) that an access policy does not have yet, `takes` those that it is to lose.
    """

    resource: Scope
    name: Property
    current: str
    to: str
    rule: str
    requirements: tuple[str, ...]
    reason: str
    source: str
    principal: Principal | None = None
    needed_by: Scope | None = None
    adds: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    @property
    def action_id(self) -> str:
        who = self.principal.id.casefold() if self.principal else ""
        return unique(self.resource.key, self.name, self.to, who)


@dataclass(frozen=True, slots=True)
class Removal:
    """One of amlguard's own role assignments, to be taken back. `on` is as for the grant."""

    assignment: Scope
    scope: Scope
    principal_id: str
    role_id: str
    on: Scope
    rule: str
    requirements: tuple[str, ...]
    reason: str
    source: str

    @property
    def action_id(self) -> str:
        return unique(self.assignment.key, "removal")

    @property
    def resource(self) -> Scope:
        return self.on

    @property
    def role_definition_id(self) -> str:
        return f"{self.scope.subscription or ''}/providers/Microsoft.Authorization/roleDefinitions/{self.role_id}"


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing to do yet at `resource`, because Azure is still creating it."""

    resource: Scope
    rule: str = ""
    requirements: tuple[str, ...] = ()

    @property
    def action_id(self) -> str:
        return unique(self.resource.key, "wait")


@dataclass(frozen=True, slots=True)
class Refusal:
    """`guard` is a stable word for alerts. `reason` is for people and says what would allow the change.

    `wants` is what must be read before anybody can tell. `shared.prepare` reads it and plans again.
    """

    guard: Word
    reason: str
    wants: tuple[Want, ...] = ()


type Action = Grant | Setting | Removal | Wait


@dataclass(frozen=True, slots=True)
class Withheld:
    action: Action
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Leaning:
    """A need that is held through what amlguard itself granted, in `runs`."""

    grant: Grant
    runs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Deferred:
    """An action to look at again at `until` (on ARM's clock)."""

    action: Action
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something of which nobody can tell whether it is as it should be: neither held nor missing."""

    resource: Scope
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`satisfied` counts the required grants that are already held. `missing` are dependencies that do not exist."""

    grants: tuple[Grant, ...] = ()
    settings: tuple[Setting, ...] = ()
    findings: tuple[Finding, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    deferred: tuple[Deferred, ...] = ()
    satisfied: int = 0
    removals: tuple[Removal, ...] = ()
    leaning: tuple[Leaning, ...] = ()
    missing: frozenset[Scope] = frozenset()
    unknown: tuple[Unknown, ...] = ()

    @property
    def actions(self) -> tuple[Grant | Setting | Removal, ...]:
        """In the order in which they are carried out: grants first (law 5)."""
        return (*self.grants, *self.settings, *self.removals)

    @property
    def switch_off(self) -> Setting | None:
        """The setting that turns the registry's admin user off, if it is planned."""
        return next((one for one in self.settings if one.name is Property.ADMIN_USER), None)

    @property
    def unread(self) -> frozenset[Want]:
        """What must be read before the admin user may go off. Empty if something keeps it on anyway."""
        return frozenset(want for one in self.withheld for want in one.refusal.wants)

    @property
    def compliant(self) -> bool:
        return not (self.actions or self.findings or self.withheld or self.deferred or self.unknown)
