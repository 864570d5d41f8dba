"""Which of amlguard's own grants are taken back: those that no rule of any workspace at hand asks for."""

from collections.abc import Sequence

from shared.access.actions import Removal, Withheld
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Finding, RequiredRemoval, Severity
from shared.access.cases import RemovalCase, Situation
from shared.access.guardrails import refuse_removal
from shared.access.model import Estate, Unreadable
from shared.access.rules import Rule
from shared.access.rules.az import az, code
from shared.access.terms import Terms


def removals(
    asked: Sequence[WorkspaceAsks], estate: Estate, terms: Terms
) -> tuple[list[Removal], list[Withheld], list[Finding]]:
    """What is still being created, cannot be read or has a malformed id may need its grants, so none is taken back."""
    taken: list[Removal] = []
    withheld: list[Withheld] = []
    findings: list[Finding] = []
    if asked[0].not_ready or _in_the_dark(estate) or asked[0].workspace.no_ids:
        return taken, withheld, findings
    at = Situation(asked, estate, terms)
    needed = {
        (one.principal.id.casefold(), one.scope.key, one.need.role_id.casefold())
        for each in asked
        for _, one in each.grants
    }
    for rule, one in asked[0].removals:
        if (one.principal_id, one.scope.key, one.role_id) in needed or terms.explicitly_off(rule, one.requirements):
            continue
        if not terms.enabled(rule, one.requirements):
            findings.append(_finding(rule, one))
            continue
        removal = Removal(
            one.assignment,
            one.scope,
            one.principal_id,
            one.role_id,
            one.on,
            rule.name,
            one.requirements,
            one.reason,
            rule.source,
        )
        refusal = refuse_removal(RemovalCase(at, rule, one, removal.action_id))
        if refusal:
            withheld.append(Withheld(removal, refusal))
        else:
            taken.append(removal)
    return taken, withheld, findings


_UNKNOWN = (Unreadable.FORBIDDEN, Unreadable.MISSHAPEN)


def _in_the_dark(estate: Estate) -> bool:
    return bool(estate.blind) or any(fact in _UNKNOWN for fact in estate.facts.values())


def _finding(rule: Rule, one: RequiredRemoval) -> Finding:
    return Finding(
        one.assignment,
        rule.name,
        one.requirements,
        Severity.LOW,
        f"{one.reason}.",
        f"{code(az('role assignment delete', ids=one.assignment))} (or let amlguard do it: rules: "
        f"{{{rule.requirements[0]}: {{enabled: true}}}} in the policy)",
    )
