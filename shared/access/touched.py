"""An event looks at what it touches: which rules it asks, what these read, and whether their answer is enough.

What changed is one list below the workspace. A rule that does not look at that list says what it said before. So it is
not asked, and what only it needs is not read. What was not read is not empty (`shared.access.unasked`).
"""

from collections.abc import Callable
from dataclasses import replace

from shared.access.actions import Grant, Plan, Wait
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import RequiredGrant
from shared.access.model import Estate, Principal, Want
from shared.access.rules import List, Rule
from shared.access.scope import Scope
from shared.access.terms import Terms


def about(terms: Terms, touched: List) -> Terms:
    """`terms` with the rules that matter if `touched` changed.

    First come the rules that may change something because of it, and those that may object. They say what is read. Then
    come those that only report, if that is enough for them. The sweep does what would need more reading.
    """
    leading = _leading(terms, touched)
    read = {touched, *(name for rule in terms.asked if leading(rule) for name in rule.reads)}
    table = (rule for rule in terms.asked if leading(rule) or (_reports(rule, touched) and read.issuperset(rule.reads)))
    return replace(terms, table=tuple(table), touched=touched)


def _leading(terms: Terms, touched: List) -> Callable[[Rule], bool]:
    def leads(rule: Rule) -> bool:
        bears = rule.asks_everybody or rule.looks_at(touched)
        return rule.objects_to_grants or (bears and terms.may_act(rule))

    return leads


def _reports(rule: Rule, touched: List) -> bool:
    """If what a rule says depends on what all others say, it cannot even report."""
    return rule.looks_at(touched) and not rule.asks_everybody


def lists(terms: Terms) -> frozenset[List]:
    """The lists below a workspace that each rule needs that is asked."""
    whole = {name for rule in terms.asked for name in rule.reads}
    if terms.touched:
        return frozenset({terms.touched, *whole})
    return frozenset(whole.union(*(rule.each for rule in terms.asked)))


def decided(made: Plan, asked: WorkspaceAsks, estate: Estate, terms: Terms) -> Plan | None:
    """`made`, as far as the rules for what was touched decide alone. None: everything must be looked at.

    Alone they decide that nothing must be done, and which grants an identity gets that only a touched resource has,
    because nobody else asks for these or objects. Everything else depends on more: an identity that others have, too, a
    grant that the policy's allow-list permits, a setting, a removal (laws 5, 8, 15). So does what people are advised to
    grant.
    """
    if made.settings or made.removals or made.withheld:
        return None
    if not all(isinstance(one.action, Wait) for one in made.deferred):
        return None
    if made.grants and not all(_is_alone(one, asked, estate, terms) for one in made.grants):
        return None
    told = (one for one in made.findings if all(_is_theirs(ask, estate, terms) for ask in one.needs))
    return replace(made, findings=tuple(told))


def _is_theirs(ask: RequiredGrant, estate: Estate, terms: Terms) -> bool:
    """Whether nobody else speaks of who lacks it: of whoever made the change only its own event tells."""
    return ask.principal == estate.caller or _its_own(ask.principal, ask.on, estate, terms)


def _is_alone(grant: Grant, asked: WorkspaceAsks, estate: Estate, terms: Terms) -> bool:
    return (
        _its_own(grant.principal, grant.on, estate, terms)
        and not grant.others
        and (grant.scope in estate.registries or estate.facts.get(Want(grant.scope)) is not None)
        and not any(one.explicit for _, one in asked.grants if grant.serves(one))
    )


def _its_own(principal: Principal, on: Scope, estate: Estate, terms: Terms) -> bool:
    """Whether `on` or one of the resources beside it was touched, and nothing else has the identity."""
    subject = estate.subject.id
    touched = f"{subject.resource_type}/{terms.touched}".casefold()
    return principal.resource is None and (on.parent, on.resource_type) == (subject, touched)
