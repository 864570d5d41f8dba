"""An event looks at what it touches: which rules it asks, what these read, and whether their word is enough.

What changed is one list below the workspace. A rule that does not look at that list says today what it said yesterday,
so it is not asked, and what only it needs is not read. What was not asked for is not empty (`shared.access.unasked`).
"""

from collections.abc import Callable
from dataclasses import replace

from shared.access.actions import Grant, Plan, Wait
from shared.access.ask_rules import ask_rules
from shared.access.model import Estate, Principal, Want
from shared.access.rules import List, Rule
from shared.access.scope import Scope
from shared.access.terms import Terms


def about(terms: Terms, touched: List) -> Terms:
    """`terms` with the rules that have a say where `touched` changed.

    First those that may change something because of it, and those that may object. They say what is read. Then those
    that only report, as far as that is enough for them; what would take more to read is the sweep's.
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
    """What depends on what all others say, some of them cannot even report."""
    return rule.looks_at(touched) and not rule.asks_everybody


def lists(terms: Terms) -> frozenset[List]:
    """What is to be listed below a workspace, so that each rule that is asked sees what it looks at."""
    whole = {name for rule in terms.asked for name in rule.reads}
    if terms.touched:
        return frozenset({terms.touched, *whole})
    return frozenset(whole.union(*(rule.each for rule in terms.asked)))


def decided(made: Plan, estate: Estate, terms: Terms) -> Plan | None:
    """`made`, as far as the rules for what was touched decide alone. None: everything is to be looked at.

    They decide that nothing is to be done, and what an identity gets that one of the touched resources has for itself:
    nobody else asks for that, and nobody else objects. Whatever else is to be done or withheld depends on more: an
    identity that others have too, a grant that the policy's allow-list opens, a setting, a removal (laws 5, 8, 15).
    So does what people are advised to grant.
    """
    if made.settings or made.removals or made.withheld:
        return None
    if not all(isinstance(one.action, Wait) for one in made.deferred):
        return None
    if made.grants and not all(_is_alone(one, estate, terms) for one in made.grants):
        return None
    told = (one for one in made.findings if all(_its_own(ask.principal, ask.on, estate, terms) for ask in one.needs))
    return replace(made, findings=tuple(told))


def _is_alone(grant: Grant, estate: Estate, terms: Terms) -> bool:
    asked = (one for _, one in ask_rules(estate.subject, estate, terms).grants if grant.serves(one))
    return (
        _its_own(grant.principal, grant.on, estate, terms)
        and not grant.others
        and (grant.scope in estate.registries or estate.facts.get(Want(grant.scope)) is not None)
        and not any(one.explicit for one in asked)
    )


def _its_own(principal: Principal, on: Scope, estate: Estate, terms: Terms) -> bool:
    """Whether `on` was touched, or is one of those beside it, and nothing else has the identity."""
    subject = estate.subject.id
    touched = f"{subject.resource_type}/{terms.touched}".casefold()
    return principal.resource is None and (on.parent, on.resource_type) == (subject, touched)
