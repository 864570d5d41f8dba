"""What the rules want for one workspace."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.access.asks import (
    Ask,
    Finding,
    Found,
    NotReady,
    Objection,
    RegistryUser,
    RequiredGrant,
    RequiredRemoval,
    RequiredSetting,
    Stamped,
    Unread,
)
from shared.access.guards import RuleName
from shared.access.model import Estate, Workspace
from shared.access.needs import Need
from shared.access.rules import Rule, RuleKind, unreadable
from shared.access.terms import Terms


@dataclass(frozen=True, slots=True)
class WorkspaceAsks:
    """What the rules ask for one workspace, by kind. The first four kinds come with the rule that asks.

    `said` is what each rule asked for, by the rule's name.
    """

    workspace: Workspace
    grants: tuple[tuple[Rule, RequiredGrant], ...]
    settings: tuple[tuple[Rule, RequiredSetting], ...]
    removals: tuple[tuple[Rule, RequiredRemoval], ...]
    findings: tuple[tuple[Rule, Finding], ...]
    objections: tuple[Objection, ...]
    not_ready: tuple[NotReady, ...]
    users: tuple[RegistryUser, ...]
    said: Mapping[str, Sequence[Stamped]] = field(default_factory=dict, compare=False, repr=False)


def ask_rules(
    workspace: Workspace,
    estate: Estate,
    terms: Terms,
    rules: Sequence[Rule] | None = None,
    before: Mapping[str, Sequence[Stamped]] | None = None,
) -> WorkspaceAsks:
    """Everything that the rules ask for `workspace`.

    Rules that the policy turned off still ask: their pulls count when the admin user is about to go off. Only
    optional rules that are off are silent. Rules ask almost nothing for a workspace that is being deleted (AML-98).
    `rules`: only these are asked. `before` is what some said already (`WorkspaceAsks.said`): they are not asked again.
    """
    before = before or {}
    said: dict[str, Sequence[Stamped]] = {}
    kinds: defaultdict[type, list[Any]] = defaultdict(list)
    for rule in terms.asked if rules is None else rules:
        if not rule.examines(workspace):
            continue
        asks = before[rule.name] if rule.name in before else [*asks_of(rule, workspace, estate)]
        said[rule.name] = asks
        for one in asks:
            kinds[type(one)].append((rule, one) if isinstance(one, _WITH_RULE) else one)
    return WorkspaceAsks(
        workspace,
        tuple(kinds[RequiredGrant]),
        tuple(kinds[RequiredSetting]),
        tuple(kinds[RequiredRemoval]),
        tuple(kinds[Finding]),
        tuple(kinds[Objection]),
        tuple(dict.fromkeys(kinds[NotReady])),
        tuple(kinds[RegistryUser]),
        said,
    )


_WITH_RULE = (RequiredGrant, RequiredSetting, RequiredRemoval, Finding)


def ask_all(
    estate: Estate,
    terms: Terms,
    rules: Sequence[Rule] | None = None,
    before: Sequence[WorkspaceAsks] = (),
) -> tuple[WorkspaceAsks, ...]:
    """As `ask_rules`, of all workspaces at hand, the subject first. `before` is about the same workspaces."""
    said = {one.workspace.id: one.said for one in before}
    return tuple(ask_rules(workspace, estate, terms, rules, said.get(workspace.id)) for workspace in estate.workspaces)


def lead_on(mine: Sequence[WorkspaceAsks], led: Sequence[WorkspaceAsks]) -> bool:
    """Whether a rule that does not say so (`Rule.leads`) asks for a grant or a setting all the same."""
    return any((one.grants, one.settings) != (few.grants, few.settings) for one, few in zip(mine, led, strict=True))


def asks_of(rule: Rule, workspace: Workspace, estate: Estate) -> Iterator[Stamped]:
    """What one rule asks for, stamped as its own."""
    return (_stamped(rule, one) for one in rule.asks(workspace, estate))


def _stamped(rule: Rule, ask: Ask) -> Stamped:
    match ask:
        case Found():
            kind = rule.kinds[ask.kind]
            about = ask.requirements or rule.requirements
            return Finding(ask.resource, rule.name, about, kind.severity, ask.message, kind.remedy.format(**ask.fill))
        case Unread():
            return unreadable.finding(rule.name, rule.requirements, ask.want)
        case Objection():
            return replace(ask, rule=RuleName(rule.name))
        case RegistryUser():
            return replace(ask, guard=RuleName(rule.name))
        case _:
            return ask


def fixes(rule: Rule) -> bool:
    return rule.mode in (RuleKind.FIX, RuleKind.OPT_IN)


type GrantKey = tuple[str, str, Need]


def grant_key(ask: RequiredGrant) -> GrantKey:
    return ask.principal.id.casefold(), ask.scope.key, ask.need
