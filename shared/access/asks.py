"""What a rule asks for: a grant, a setting, attention, time, or that something be left alone."""

from dataclasses import dataclass
from enum import StrEnum

from shared.access.model import Principal
from shared.access.needs import Need
from shared.access.scope import Scope


class Severity(StrEnum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATIONAL = "informational"


class Property(StrEnum):
    """Settings that amlguard can change. The values are what `plan` prints and the audit log keeps.

    Identities it never changes itself: guards object to that all the same, and hold its advice to the same rules.
    """

    ADMIN_USER = "adminUserEnabled"
    CACHED_KEYS = "cachedKeys"
    ACCESS_POLICY = "accessPolicies"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class RequiredGrant:
    """`principal` must be able to do `need` at `scope`; `on` is the resource whose identity it is.

    `explicit`: only the policy's allow-list opens the way, the boundary does not (what a user of the workspace named).
    `about`: what the need is really about, where that lies below `scope` (containers): held on all of it, it is held.
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
    """`principal` is whose access policy it is, for `ACCESS_POLICY`."""

    resource: Scope
    name: Property
    current: str
    to: str
    requirements: tuple[str, ...]
    reason: str
    principal: Principal | None = None


@dataclass(frozen=True, slots=True)
class RequiredRemoval:
    """`assignment` is a grant of amlguard's own, made for the identity of `on`, that is to go unless a rule needs it.

    `shared_with` names an identity that others may use as well.
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
    """Something that a person must look at. `remedy` says what to do, in words or as an az command."""

    resource: Scope
    rule: str
    requirements: tuple[str, ...]
    severity: Severity
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Objection:
    """`target` must be left alone: its `setting`, or (None) grants at it (to `principal` when that is given).

    `rule` is who objects; rules leave it to `shared.access.compare.ask`.
    """

    target: Scope
    setting: Property | None
    reason: str
    principal: str | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class NotReady:
    """`resource` is still being made: what it needs cannot be known yet."""

    resource: Scope
    reason: str


type Ask = RequiredGrant | RequiredSetting | RequiredRemoval | Finding | Objection | NotReady
