"""What the policy says, as values for the pure decisions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property

from shared.access.model import Workspace
from shared.access.preferences import People, Preferences
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope


class RunMode(StrEnum):
    REPORT = "report"
    ENFORCE = "enforce"


class RuleMode(StrEnum):
    """What the policy may say about one rule. `approve`: a person must release each change first."""

    REPORT = "report"
    ENFORCE = "enforce"
    APPROVE = "approve"


class Boundary(StrEnum):
    RESOURCE_GROUP = "resource_group"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What the policy says about one rule. None if it says nothing."""

    enabled: bool | None = None
    mode: RuleMode | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """How many changes one run, and all instances together in an hour, may make.

    `per_target` counts those at one scope.
    """

    per_run: int = 50
    per_hour: int = 200
    per_target: int = 100


@dataclass(frozen=True, slots=True)
class Exemption:
    """An exemption from `rules` (AML-ids or names, in lower case), for what lies in `scope` and carries `tag`.

    None means any.
    """

    scope: Scope | None
    rules: frozenset[str]
    until: date
    reason: str
    tag: tuple[str, str] | None = None

    def concerns(self, resource: Scope, tags: Mapping[str, str]) -> bool:
        if self.scope and not self.scope.contains(resource):
            return False
        return self.tag is None or tags.get(self.tag[0].casefold()) == self.tag[1]


@dataclass(frozen=True)
class Terms:
    """The policy file in the form that the pure decisions need. `rules` is keyed by AML-id or rule name, in lower case.

    `table` are all rules. Asking, reading, planning and routing use these rules and no others. `approved` are the ids
    of actions that a person has released. They do not come from the policy file. `touched` is the list below a
    workspace that a look is about. `table` then has the rules for that look (`shared.access.touched`).
    """

    table: tuple[Rule, ...] = field(kw_only=True)
    mode: RunMode = RunMode.REPORT
    scopes: tuple[Scope, ...] = ()
    settle: timedelta = timedelta(minutes=15)
    boundary: Boundary = Boundary.RESOURCE_GROUP
    allow: tuple[Scope, ...] = ()
    rules: Mapping[str, RuleTerms] = field(default_factory=dict)
    exemptions: tuple[Exemption, ...] = ()
    caps: Caps = field(default_factory=Caps)
    people: tuple[People, ...] = ()
    preferences: Preferences = field(default_factory=Preferences)
    caller_must_hold: bool = False
    contested_after: int = 3
    approval_lapses: timedelta = timedelta(hours=72)
    approved: frozenset[str] = frozenset()
    touched: List | None = None

    @cached_property
    def asked(self) -> tuple[Rule, ...]:
        """The rules that ask. Those that the policy turned off ask, too. Only optional ones are silent then."""
        return tuple(rule for rule in self.table if not rule.optional or self.enabled(rule))

    def enabled(self, rule: Rule, requirements: tuple[str, ...] = ()) -> bool:
        """Whether `rule` may act for `requirements` (those of one action; if empty, all of the rule's)."""
        said = {terms.enabled for terms in self._said_of(rule, requirements)} - {None}
        return False not in said and (True in said or rule.mode is not RuleKind.OPT_IN)

    def may_act(self, rule: Rule) -> bool:
        """Whether `rule` may change something by this policy, for any of its requirements."""
        if rule.mode not in (RuleKind.FIX, RuleKind.OPT_IN) or (rule.allow_listed and not self.allow):
            return False
        return self.enabled(rule) or any(self.enabled(rule, (one,)) for one in (*rule.requirements, *rule.also))

    def explicitly_off(self, rule: Rule, requirements: tuple[str, ...]) -> bool:
        return any(terms.enabled is False for terms in self._said_of(rule, requirements))

    def reports_only(self, rule: Rule, requirements: tuple[str, ...]) -> bool:
        return any(terms.mode is RuleMode.REPORT for terms in self._said_of(rule, requirements))

    def awaits_approval(self, rule: Rule, requirements: tuple[str, ...], action_id: str) -> bool:
        asked = any(terms.mode is RuleMode.APPROVE for terms in self._said_of(rule, requirements))
        return asked and action_id not in self.approved

    def _said_of(self, rule: Rule, requirements: tuple[str, ...]) -> list[RuleTerms]:
        if not self.rules:
            return []
        named = (*rule.requirements, *rule.also) if requirements else ()
        own = [r for r in named if r in requirements] or rule.requirements
        names = [name.casefold() for name in (rule.name, *own)]
        return [self.rules[name] for name in names if name in self.rules]

    def exemption(
        self, rule: str, requirements: tuple[str, ...], resource: Scope, tags: Mapping[str, str], today: date
    ) -> Exemption | None:
        """`tags` are those of `resource`, with their names in lower case."""
        names = {rule.casefold(), *(r.casefold() for r in requirements)}
        holding = (one for one in self.exemptions if one.until >= today and one.rules & names)
        return next((one for one in holding if one.concerns(resource, tags)), None)

    def trusts(self, workspace: Workspace, target: Scope) -> bool:
        """Whether `workspace` may lead to a change at `target`: inside its boundary, or on the allow-list."""
        if self.allows(target):
            return True
        group = workspace.id.resource_group
        boundary = group if self.boundary is Boundary.RESOURCE_GROUP else workspace.id.subscription
        return boundary is not None and boundary.contains(target)

    def allows(self, target: Scope) -> bool:
        """Whether `target` is on the allow-list."""
        return any(allowed.contains(target) for allowed in self.allow)

    def opens(self, scope: Scope) -> bool:
        """Whether the allow-list holds something at, above or below `scope`."""
        return any(_related(allowed, scope) for allowed in self.allow)

    def reaches(self, workspace: Scope, scope: Scope) -> bool:
        """Whether something in the workspace might lead to a change at or below `scope` (`trusts`)."""
        boundary = workspace.resource_group if self.boundary is Boundary.RESOURCE_GROUP else workspace.subscription
        return self.opens(scope) or (boundary is not None and _related(boundary, scope))


def _related(one: Scope, other: Scope) -> bool:
    return one.contains(other) or other.contains(one)
