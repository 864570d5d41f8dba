"""What the rules want for one workspace."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
    """What the rules ask for one workspace, by kind. The first four kinds come with the rule that asks."""

    workspace: Workspace
    grants: tuple[tuple[Rule, RequiredGrant], ...]
    settings: tuple[tuple[Rule, RequiredSetting], ...]
    removals: tuple[tuple[Rule, RequiredRemoval], ...]
    findings: tuple[tuple[Rule, Finding], ...]
    objections: tuple[Objection, ...]
    not_ready: tuple[NotReady, ...]
    users: tuple[RegistryUser, ...]


def ask_rules(workspace: Workspace, estate: Estate, terms: Terms) -> WorkspaceAsks:
    """Everything that the rules ask for `workspace`.

    Rules that the policy turned off still ask: their pulls count when the admin user is about to go off. Only
    optional rules that are off are silent. Rules ask almost nothing for a workspace that is being deleted (AML-98).
    """
    active = [rule for rule in terms.asked if rule.examines(workspace)]
    asks = [(rule, one) for rule in active for one in asks_of(rule, workspace, estate)]
    return WorkspaceAsks(
        workspace,
        tuple((rule, one) for rule, one in asks if isinstance(one, RequiredGrant)),
        tuple((rule, one) for rule, one in asks if isinstance(one, RequiredSetting)),
        tuple((rule, one) for rule, one in asks if isinstance(one, RequiredRemoval)),
        tuple((rule, one) for rule, one in asks if isinstance(one, Finding)),
        tuple(one for _, one in asks if isinstance(one, Objection)),
        tuple(dict.fromkeys(one for _, one in asks if isinstance(one, NotReady))),
        tuple(one for _, one in asks if isinstance(one, RegistryUser)),
    )


def ask_all(estate: Estate, terms: Terms) -> tuple[WorkspaceAsks, ...]:
    """As `ask_rules`, of all workspaces at hand, the subject first."""
    return tuple(ask_rules(workspace, estate, terms) for workspace in estate.workspaces)


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
