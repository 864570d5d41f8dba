"""Missing roles that amlguard will not grant. Each becomes a finding with the command that would grant it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shared.access.actions import Grant, Refusal
from shared.access.ask_rules import fixes
from shared.access.asks import Finding, Objection, RequiredGrant, Severity
from shared.access.guardrails import refuse_denied, refuse_objected, untrusted
from shared.access.held import held
from shared.access.model import Estate, Workspace
from shared.access.needs import contains
from shared.access.rules import Rule
from shared.access.rules.az import assign, code
from shared.access.separation import Reasons, levelled, limited
from shared.access.terms import Terms

type Advised = tuple[Rule, RequiredGrant]


def each_once(advised: Sequence[Advised], grants: Sequence[Grant]) -> Iterator[Advised]:
    """Leaves out what is granted anyway. If one role would serve several needs, only the widest is told."""
    for rule, one in advised:
        same = [other for _, other in advised if _one_role(one, other)]
        granted = any(grant.serves(one) for grant in grants)
        if granted or any(contains(o.need, one.need) and not contains(one.need, o.need) for o in same):
            continue
        spoken_for = [one, *(o for o in same if contains(one.need, o.need) and not contains(o.need, one.need))]
        requirements = tuple(sorted({name for o in spoken_for for name in o.requirements}))
        reason = "; ".join(dict.fromkeys(o.reason for o in spoken_for))
        yield rule, replace(one, requirements=requirements, reason=reason) if len(spoken_for) > 1 else one


def _one_role(one: RequiredGrant, other: RequiredGrant) -> bool:
    mine, its = ((o.principal.id, o.scope, o.need.role_id) for o in (one, other))
    return mine == its


def advice(
    rule: Rule,
    one: RequiredGrant,
    workspace: Workspace,
    estate: Estate,
    terms: Terms,
    objections: list[Objection],
    apart: Reasons,
) -> Finding:
    if not estate.sees(one.scope):
        return _cannot_see(rule, one)
    denied_by = held(one, estate).denied_by
    denied = refuse_denied(one, denied_by) if denied_by else None
    doubt = denied or refuse_objected(one, objections) or untrusted(one, workspace, estate, terms)
    why = levelled(rule, one, apart)
    doubt = doubt or limited(one, estate) or (Refusal("kept-apart", why) if why else None)
    return _would_grant(doubt, rule, one)


def _would_grant(doubt: Refusal | None, rule: Rule, one: RequiredGrant) -> Finding:
    """If amlguard would not do it on the word of the workspace, people should not paste it without a thought either."""
    remedy = _remedy(rule, one)
    return Finding(
        one.on,
        rule.name,
        one.requirements,
        Severity.MEDIUM,
        f"{one.reason}. It does not hold {one.need.role_name} there.",
        f"Look twice: {doubt.reason}. If it is meant: {remedy}" if doubt else remedy,
    )


def _cannot_see(rule: Rule, one: RequiredGrant) -> Finding:
    return Finding(
        one.on,
        rule.name,
        one.requirements,
        Severity.LOW,
        f"{one.reason}. Whether it holds {one.need.role_name} there is not known: amlguard lacks the right "
        f"Microsoft.Authorization/roleAssignments/read at {one.scope}.",
        "Let amlguard's identity read it: "
        f"{code(assign('AMLGUARD-OBJECT-ID', 'Reader', one.scope.subscription or one.scope))}",
    )


def _remedy(rule: Rule, one: RequiredGrant) -> str:
    command = code(assign(one.principal.id, one.need.role_name, one.scope, one.principal.type))
    if not fixes(rule):
        return command
    name = rule.requirements[0] if rule.requirements else rule.name
    return f"{command} (or let amlguard do it: rules: {{{name}: {{enabled: true}}}} in the policy)"
