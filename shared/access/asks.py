"""What a rule asks for: a grant, a setting, attention, time, or that something be left alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.access.guards import NO_RULE, RuleName, Word
from shared.access.model import Principal, Want
from shared.access.needs import Need
from shared.access.scope import Scope


class Severity(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATIONAL = "informational"


class Property(StrEnum):
    """Settings that amlguard can change. The values are what `plan` prints and the audit log keeps.

    amlguard never changes identities itself. Guards object to that anyway, so that its advice keeps to the same rules.
    """

    ADMIN_USER = "adminUserEnabled"
    CACHED_KEYS = "cachedKeys"
    ACCESS_POLICY = "accessPolicies"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class RequiredGrant:
    """`principal` must be able to do `need` at `scope`; `on` is the resource whose identity it is.

    `explicit`: a user of the workspace named it, so only the policy's allow-list permits it, not the boundary. `about`:
    what the need is really about, if that lies below `scope` (containers). Held on all of it, the need is held.
    """

    principal: Principal
    need: Need
    scope: Scope
    on: Scope
    requirements: tuple[str, ...]
    reason: str
    explicit: bool = False
    about: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class RequiredSetting:
    """Of an access policy, `principal` is whose it is, and `adds` are the permissions that it does not have yet."""

    resource: Scope
    name: Property
    current: str
    to: str
    requirements: tuple[str, ...]
    reason: str
    principal: Principal | None = None
    adds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequiredRemoval:
    """`assignment` is one of amlguard's own grants, made for the identity of `on`. It goes unless a rule needs it.

    `shared_with` names an identity that others may use, too.
    """

    assignment: Scope
    scope: Scope
    principal_id: str
    role_id: str
    on: Scope
    requirements: tuple[str, ...]
    reason: str
    shared_with: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person must look at. `remedy` says what to do, in words or as an az command.

    Rules yield `Found`; the rest follows from their entry. `lacks_right`: amlguard's own identity may
    not do what it has to. `needs` are those that it says are not held, or not known to be held.
    """

    resource: Scope
    rule: str
    requirements: tuple[str, ...]
    severity: Severity
    message: str
    remedy: str
    lacks_right: bool = False
    needs: tuple[RequiredGrant, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a person must look at, as a rule says it; the rule's entry makes a `Finding` of it.

    `fill` is put into the entry's remedy. `kind` says which of its findings it is, where the entry has several. Without
    `requirements` it is about all of the rule's.
    """

    resource: Scope
    message: str
    fill: Mapping[str, object] = field(default_factory=dict)
    kind: str = ""
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that a rule looks at and that amlguard may not read. amlguard reports it in a finding."""

    want: Want


@dataclass(frozen=True, slots=True)
class Objection:
    """`target` must be left alone: its `setting`, or (None) grants at it (to `principal` when that is given).

    `rule` is who objects; rules leave it to `shared.access.ask_rules`.
    """

    target: Scope
    setting: Property | None
    reason: str
    principal: str | None = None
    rule: RuleName = NO_RULE


@dataclass(frozen=True, slots=True)
class NotReady:
    """`resource` is still being made, so nobody can know yet what it needs."""

    resource: Scope
    reason: str


class Cover(StrEnum):
    """Whether a user of a registry can do without its admin user. What could not be read is unknown."""

    COVERED = "covered"
    UNCOVERED = "uncovered"
    UNKNOWN = "unknown"


class UserKind(StrEnum):
    PULLER = "puller"
    KUBELET = "kubelet"
    BUILDER = "builder"
    SERVERLESS = "serverless"
    SERVICE = "service"
    SIGN_IN = "sign-in"


@dataclass(frozen=True, slots=True)
class RegistryUser:
    """Something that uses `registry` and may need its admin user.

    `label` says who it is, `resource` where to look, `source` what showed it, and `since` since when it is covered.
    `guard` is the word under which it keeps the admin user on. If a rule yields the user, that is the rule's name.
    `pending` means that it is not covered yet but is about to be, or that it will soon be known. `wants` is what would
    tell about it and was not read yet. A user that does not `count` is only listed.
    """

    registry: Scope
    kind: UserKind
    label: str
    resource: Scope
    cover: Cover
    source: str
    reason: str
    guard: Word = NO_RULE
    since: datetime | None = None
    pending: bool = False
    wants: tuple[Want, ...] = ()
    counts: bool = True


type _Plain = RequiredGrant | RequiredSetting | RequiredRemoval | Objection | NotReady | RegistryUser
type Ask = _Plain | Found | Unread
"""Everything that a rule may yield."""
type Stamped = _Plain | Finding
"""The same, after `shared.access.ask_rules` has added the rule."""
