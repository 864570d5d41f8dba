"""Whether something may come back that a run took away, according to a row.

It asks a plan's guards about the estate now.

A row is a claim, and whoever writes to the record can make one. So a row alone brings nothing back. A grant is made
again only if an enabled rule gives it to an identity of the workspace. A setting goes back only if that workspace
itself uses the resource (ADR 33).
"""

from collections.abc import Iterator
from dataclasses import replace

from shared.access import merge
from shared.access.actions import Grant, Refusal, Setting
from shared.access.ask_rules import WorkspaceAsks, ask_rules, fixes
from shared.access.asks import Property, RequiredGrant, RequiredSetting
from shared.access.cases import GrantCase, SettingCase, Situation
from shared.access.guardrails import (
    Check,
    cross_tenant,
    identity_outside_boundary,
    lock,
    refuse_grant,
    target_outside_boundary,
)
from shared.access.guards import Guard
from shared.access.held import held
from shared.access.merge import Asking
from shared.access.model import Estate, Principal, Workspace
from shared.access.rules import Rule
from shared.access.rules.registry import ADMIN_USER
from shared.access.rules.workspace import VAULT_POLICIES
from shared.access.scope import Scope
from shared.access.separation import kept_apart, levelled
from shared.access.terms import Terms
from shared.access.undo_steps import SOURCE, Done

BACK: tuple[Check[SettingCase], ...] = (identity_outside_boundary, target_outside_boundary, cross_tenant, lock)
"""For a setting that goes back to what it was.

What a rule, or the policy, has against a change is no reason against taking it back. Where it may be made, and to whom
it may belong, is the same in both directions.
"""

_RULES = {Property.ADMIN_USER: ADMIN_USER, Property.ACCESS_POLICY: VAULT_POLICIES}


def asking(one: Done, estate: Estate, terms: Terms) -> Asking:
    """What enabled rules ask for there of what `one` took away. If no rule asks for it now: what they could ask for."""
    asks = ask_rules(estate.subject, estate, terms).grants
    now = [(rule, ask) for rule, ask in asks if _same(one, ask) and fixes(rule)]
    return [(rule, ask) for rule, ask in now or _could_ask(one, estate, terms) if terms.enabled(rule, ask.requirements)]


def _same(one: Done, ask: RequiredGrant) -> bool:
    asked = ask.principal.id.casefold(), ask.scope, ask.need.role_id.casefold()
    return asked == (one.principal_id, one.scope, one.role_id)


def _could_ask(one: Done, estate: Estate, terms: Terms) -> Iterator[tuple[Rule, RequiredGrant]]:
    """What a rule may have asked for once, for all of its requirements.

    Only the allow-list permits what the workspace itself does not depend on (now).
    """
    found = [(on, principal) for on, principal in _holders(estate) if principal.id.casefold() == one.principal_id]
    found = [(on, principal) for on, principal in found if on == one.on] or found
    if not found:
        return
    on, principal = found[0]
    own = _is_its_own(one.at, estate.subject)
    for rule in terms.table:
        needs = rule.grants if fixes(rule) and rule.examines(estate.subject) else ()
        for need in needs:
            if (need.role_id, need.resource_type) == (one.role_id, one.at.resource_type):
                explicit = rule.allow_listed or not own
                yield (
                    rule,
                    RequiredGrant(principal, need, one.at, on, rule.requirements, rule.title, explicit=explicit),
                )


def _holders(estate: Estate) -> Iterator[tuple[Scope, Principal]]:
    """Identities of the workspace and of what lies below it."""
    subject = estate.subject
    owners = [(subject.id, subject.identity)]
    owners += [(one.id, one.identity) for one in subject.computes]
    owners += [(one.id, one.identity) for one in subject.endpoints]
    for on, identity in owners:
        yield from ((on, one) for one in (identity.system, *identity.user) if one)
    for compute in subject.computes:
        kubelet = estate.clusters.get(compute.attached) if compute.attached else None
        if kubelet:
            yield compute.id, kubelet


def _is_its_own(scope: Scope, workspace: Workspace) -> bool:
    named = (workspace.registry, workspace.storage, workspace.vault, workspace.app_insights)
    return workspace.id.contains(scope) or scope in named


def as_asked(workspace: Workspace, asked: Asking) -> WorkspaceAsks:
    """In the form in which the guards' readers expect it."""
    return WorkspaceAsks(workspace, tuple(asked), (), (), (), (), (), ())


def again(one: Done, asked: Asking, estate: Estate, terms: Terms) -> Grant | Refusal:
    """The grant as a plan would make it now. Whoever runs `undo` has released it."""
    if not asked:
        return _nobody_asks(
            one, f"no enabled rule gives role {one.role_id} there to an identity of {estate.subject.id}"
        )
    mine = ask_rules(estate.subject, estate, terms)
    apart = kept_apart(mine, estate)
    kept = [why for rule, ask in asked if (why := levelled(rule, ask, apart))]
    if len(kept) == len(asked):
        return Refusal(Guard.LIMITED_BY_PEOPLE, kept[0])
    free = [(rule, ask) for rule, ask in asked if not levelled(rule, ask, apart)]
    grant = merge.grant(free, free, estate)
    at = Situation([mine], estate, replace(terms, approved=terms.approved | {grant.action_id}))
    counting, refusal = refuse_grant([GrantCase(at, rule, ask, held(ask, estate)) for rule, ask in free])
    made = merge.grant([(case.rule, case.ask) for case in counting], free, estate)
    return refusal or replace(made, reason=f"undoes run {one.run}", source=SOURCE)


def back(one: Done, change: Setting, estate: Estate, terms: Terms) -> Refusal | None:
    """Why the setting may not go back, as far as the workspace of the estate is concerned."""
    subject = estate.subject
    uses = {Property.ADMIN_USER: subject.registry, Property.ACCESS_POLICY: subject.vault}
    rule = next((each for each in terms.table if each.name == _RULES.get(change.name)), None)
    if rule is None or uses.get(change.name) != one.on:
        return _nobody_asks(one, f"{subject.id} does not use it")
    mine = (subject.identity.system, *subject.identity.user)
    principal = next((each for each in mine if each and each.id.casefold() == one.principal_id), None)
    if principal is None and change.name is Property.ACCESS_POLICY:
        return _nobody_asks(one, f"{one.principal_id} is not an identity of {subject.id}")
    ask = RequiredSetting(one.on, change.name, change.current, change.to, rule.requirements, change.reason, principal)
    case = SettingCase(Situation([ask_rules(subject, estate, terms)], estate, terms), rule, ask, one.action_id)
    return next((said for check in BACK if (said := check(case))), None)


def nobody(one: Done) -> Refusal:
    return _nobody_asks(one, "no workspace that amlguard can see uses it")


def not_watched(one: Done, workspace: Scope) -> Refusal:
    return _nobody_asks(one, f"the policy's scopes do not choose {workspace}")


def _nobody_asks(one: Done, why: str) -> Refusal:
    what = f"{one.setting} of {one.at.name}" if one.setting else f"a grant on {one.at.name}"
    return Refusal(Guard.NOT_ASKED_FOR, f"{what}: {why}. If it is right all the same, do it by hand")
