"""Which of amlguard's own grants are taken back: those that no rule of any workspace at hand asks for."""

from shared.access.actions import Refusal, Removal, Withheld
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Finding, RequiredRemoval, Severity
from shared.access.guardrails import refuse_by_policy, refuse_unapproved
from shared.access.model import Estate, Unreadable
from shared.access.permissions import applies_at
from shared.access.rules import Rule
from shared.access.rules.az import az, code
from shared.access.terms import Terms


def removals(
    asked: list[WorkspaceAsks], estate: Estate, terms: Terms
) -> tuple[list[Removal], list[Withheld], list[Finding]]:
    """What is still being made, may not be read or is no id, may well need its grants: then nothing is taken back."""
    taken: list[Removal] = []
    withheld: list[Withheld] = []
    findings: list[Finding] = []
    if asked[0].not_ready or _in_the_dark(estate) or asked[0].workspace.no_ids:
        return taken, withheld, findings
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
        refusal = _refuse(rule, one, estate, terms) or refuse_unapproved(
            rule, one.requirements, removal.action_id, terms
        )
        if refusal:
            withheld.append(Withheld(removal, refusal))
        else:
            taken.append(removal)
    return taken, withheld, findings


def _in_the_dark(estate: Estate) -> bool:
    return bool(estate.blind) or any(fact is Unreadable.FORBIDDEN for fact in estate.facts.values())


def _refuse(rule: Rule, one: RequiredRemoval, estate: Estate, terms: Terms) -> Refusal | None:
    lock = next((lock for lock in estate.locks if applies_at(lock.scope, one.scope)), None)
    if lock:
        return Refusal("lock", f"a lock keeps role assignments on {one.scope.name} from being deleted: {lock.id}")
    if one.shared_with:
        return Refusal(
            "shared-identity",
            f"identity {one.shared_with} still exists, and other workspaces may use it: nobody can tell from here",
        )
    return refuse_by_policy(rule, one.requirements, one.on, estate, terms) or refuse_by_policy(
        rule, one.requirements, one.scope, estate, terms
    )


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
