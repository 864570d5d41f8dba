"""Missing roles that amlguard will not grant. Each becomes a finding with the command that would grant it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from shared.access.actions import Grant
from shared.access.ask_rules import fixes
from shared.access.asks import Finding, RequiredGrant, Severity
from shared.access.cases import GrantCase, Situation
from shared.access.guardrails import doubt
from shared.access.held import held
from shared.access.needs import contains
from shared.access.rules import Rule
from shared.access.rules.az import assign, code
from shared.access.separation import Reasons, levelled

type Advised = tuple[Rule, RequiredGrant]
type SpokenFor = tuple[RequiredGrant, ...]


def each_once(advised: Sequence[Advised], grants: Sequence[Grant]) -> Iterator[tuple[Rule, RequiredGrant, SpokenFor]]:
    """Leaves out what is granted anyway.

    If one role would serve several needs, the widest need stands for all of them.
    """
    for rule, one in advised:
        same = [other for _, other in advised if _one_role(one, other)]
        granted = any(grant.serves(one) for grant in grants)
        if granted or any(contains(o.need, one.need) and not contains(one.need, o.need) for o in same):
            continue
        spoken_for = [one, *(o for o in same if contains(one.need, o.need) and not contains(o.need, one.need))]
        requirements = tuple(sorted({name for o in spoken_for for name in o.requirements}))
        reason = "; ".join(dict.fromkeys(o.reason for o in spoken_for))
        told = replace(one, requirements=requirements, reason=reason) if len(spoken_for) > 1 else one
        yield rule, told, tuple(spoken_for)


def _one_role(one: RequiredGrant, other: RequiredGrant) -> bool:
    mine, its = ((o.principal.id, o.scope, o.need.role_id) for o in (one, other))
    return mine == its


def advice(rule: Rule, one: RequiredGrant, needs: SpokenFor, at: Situation, apart: Reasons) -> Finding:
    if not at.estate.sees(one.scope):
        return replace(_cannot_see(rule, one), needs=needs)
    refusal = doubt(GrantCase(at, rule, one, held(one, at.estate)))
    why_not = refusal.reason if refusal else levelled(rule, one, apart)
    return replace(_would_grant(why_not, rule, one), needs=needs)


def _would_grant(why_not: str | None, rule: Rule, one: RequiredGrant) -> Finding:
    """If amlguard would not grant it on the workspace's word alone, people should think twice, too."""
    remedy = _remedy(rule, one)
    return Finding(
        one.on,
        rule.name,
        one.requirements,
        Severity.MEDIUM,
        f"{one.reason}. It does not hold {one.need.role_name} there.",
        f"Look twice: {why_not}. If it is intended: {remedy}" if why_not else remedy,
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
        lacks_right=True,
    )


def _remedy(rule: Rule, one: RequiredGrant) -> str:
    command = code(assign(one.principal.id, one.need.role_name, one.scope, one.principal.type))
    if not fixes(rule):
        return command
    name = rule.requirements[0] if rule.requirements else rule.name
    return f"{command} (or let amlguard do it: rules: {{{name}: {{enabled: true}}}} in the policy)"
