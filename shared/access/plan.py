"""From an estate and the policy's terms to what should be done: one pure function, `plan`.

Require, compare, guard: rules ask, coverage answers what is already held, guardrails object. The result is a value;
`plan` prints it, `apply` carries it out, and mode report carries out nothing of the very same value.
"""

from collections.abc import Iterable
from functools import partial

from shared.access import merge
from shared.access.actions import Deferred, Grant, Leaning, Plan, Refusal, Removal, Setting, Wait, Withheld
from shared.access.admin_user import NOT_READY_AGAIN, kept_for, switch_off
from shared.access.advice import Advised, advice, each_once
from shared.access.ask_rules import WorkspaceAsks, ask_rules, fixes
from shared.access.asks import Finding, Objection, Property, RequiredGrant, RequiredSetting, Severity
from shared.access.exemptions import expired
from shared.access.guardrails import (
    impossible,
    refuse_by_policy,
    refuse_grant,
    refuse_setting,
    refuse_unapproved,
    unseen,
)
from shared.access.held import weakest
from shared.access.model import Estate, Workspace
from shared.access.own_assignments import run_of
from shared.access.registry_users import registry_users
from shared.access.removals import removals
from shared.access.rules import RULES, Rule
from shared.access.scope import Scope
from shared.access.separation import kept_apart, levelled, limited, not_levelled
from shared.access.terms import Terms

type _Change = Grant | Setting | Removal


def plan(estate: Estate, terms: Terms, rules: Iterable[Rule] = RULES) -> Plan:
    """What the subject workspace needs. Raises `KeyError` or `UnknownRoleError` when something was not read."""
    rules = tuple(rules)
    asked = [ask_rules(workspace, estate, terms, rules) for workspace in estate.workspaces]
    objections = [objection for each in asked for objection in each.objections]
    mine = asked[0]
    satisfied, leaning, grants, withheld, findings = _grants(mine, estate, terms, objections)
    settings, more_withheld, deferred, more_findings = _settings(asked, grants, estate, terms, objections)
    deferred += [Deferred(Wait(one.resource), estate.now + NOT_READY_AGAIN, one.reason) for one in mine.not_ready]
    taken, untouched, left_behind = removals(asked, estate, terms)
    kept, over = _capped((*grants, *settings, *taken), terms.caps.per_run)
    settings = [action for action in kept if isinstance(action, Setting)]
    return Plan(
        tuple(action for action in kept if isinstance(action, Grant)),
        (*settings, *_resyncs(asked, settings, terms)),
        tuple(_not_exempt([*findings, *more_findings, *left_behind, *_reported(mine, terms)], estate, terms))
        + tuple(expired(estate, terms)),
        (*withheld, *more_withheld, *untouched, *over),
        tuple(deferred),
        satisfied,
        tuple(action for action in kept if isinstance(action, Removal)),
        tuple(leaning),
    )


def _grants(
    asked: WorkspaceAsks, estate: Estate, terms: Terms, objections: list[Objection]
) -> tuple[int, list[Leaning], list[Grant], list[Withheld], list[Finding]]:
    satisfied, leaning, grants, withheld = 0, [], [], []
    advised: list[Advised] = []
    apart, kept = kept_apart(asked, estate), []
    for asking in merge.merged(asked).values():
        acting = [(rule, one) for rule, one in asking if fixes(rule) and terms.enabled(rule, one.requirements)]
        free = [(rule, one) for rule, one in acting if not levelled(rule, one, apart)]
        one = asking[0][1]
        cover = weakest((each for _, each in asking), estate)
        if cover.held:
            satisfied += 1
            if runs := frozenset(run for each in cover.through if (run := run_of(each.description))):
                leaning.append(Leaning(merge.grant(asking, asking, estate), runs))
        elif acting and not free:
            kept += acting
        elif not acting:
            advised += [(rule, one) for rule, one in asking if not _silenced(rule, one, terms)]
        else:
            # Each on its own: what one rule may ask for opens nothing to another (a target that a user named).
            refusals = [
                refuse_grant(each, asked.workspace, estate, terms, objections) or limited(each, estate)
                for _, each in free
            ]
            passing = [pair for pair, refused in zip(free, refusals, strict=True) if refused is None]
            grant = merge.grant(passing or free, asking, estate)
            refusal = impossible(one, cover, estate) or (None if passing else refusals[0])
            refusal = refusal or unseen(one, estate) or _refused_by_all(passing, grant, estate, terms)
            if refusal:
                withheld.append(Withheld(grant, refusal))
            else:
                grants.append(grant)
    say = partial(advice, workspace=asked.workspace, estate=estate, terms=terms, objections=objections, apart=apart)
    findings = [say(rule, one, needs) for rule, one, needs in each_once(advised, grants)]
    findings += not_levelled(kept, apart, estate)
    grants = merge.fewest(grants)
    return satisfied, leaning, grants, merge.once(withheld, grants), findings


def _refused_by_all(acting: merge.Asking, grant: Grant, estate: Estate, terms: Terms) -> Refusal | None:
    """A grant that several rules need is withheld by exemption, report mode or approval only if each of them is."""
    refusals = [
        refuse_by_policy(rule, one.requirements, one.on, estate, terms)
        or refuse_by_policy(rule, one.requirements, one.scope, estate, terms)
        or refuse_unapproved(rule, one.requirements, grant.action_id, terms)
        for rule, one in acting
    ]
    return None if None in refusals else refusals[0]


def _silenced(rule: Rule, one: RequiredGrant, terms: Terms) -> bool:
    """What the policy turned off was turned off to hear nothing of it."""
    return terms.explicitly_off(rule, one.requirements)


def _settings(
    asked: list[WorkspaceAsks], grants: list[Grant], estate: Estate, terms: Terms, objections: list[Objection]
) -> tuple[list[Setting], list[Withheld], list[Deferred], list[Finding]]:
    settings: list[Setting] = []
    withheld: list[Withheld] = []
    deferred: list[Deferred] = []
    findings: list[Finding] = []
    workspace = asked[0].workspace
    for rule, one in asked[0].settings:
        if one.name is Property.CACHED_KEYS:
            continue
        if not terms.enabled(rule, one.requirements):
            findings += [] if terms.explicitly_off(rule, one.requirements) else [_would_set(rule, one)]
            continue
        decided: Setting | Withheld | Deferred = _decide(rule, one, workspace, estate, terms, objections)
        if isinstance(decided, Setting) and one.name is Property.ADMIN_USER:
            kept = kept_for(asked, estate, terms)
            users = registry_users(one.resource, asked, grants, estate)
            decided = Withheld(decided, kept) if kept else switch_off(decided, users, estate, terms)
        if isinstance(decided, Setting):
            waiting = refuse_unapproved(rule, one.requirements, decided.action_id, terms)
            decided = Withheld(decided, waiting) if waiting else decided
        match decided:
            case Setting():
                settings.append(decided)
            case Withheld():
                withheld.append(decided)
            case Deferred():
                deferred.append(decided)
    return settings, withheld, deferred, findings


def _decide(
    rule: Rule, one: RequiredSetting, workspace: Workspace, estate: Estate, terms: Terms, objections: list[Objection]
) -> Setting | Withheld:
    setting = _setting(rule, one, workspace.id if one.name is Property.ACCESS_POLICY else None)
    refusal = refuse_setting(one, workspace, estate, terms, objections) or refuse_by_policy(
        rule, one.requirements, one.resource, estate, terms
    )
    return Withheld(setting, refusal) if refusal else setting


def _setting(rule: Rule, one: RequiredSetting, needed_by: Scope | None = None) -> Setting:
    return Setting(
        one.resource,
        one.name,
        one.current,
        one.to,
        rule.name,
        one.requirements,
        one.reason,
        rule.source,
        one.principal,
        needed_by,
        one.adds,
    )


def _resyncs(asked: list[WorkspaceAsks], settings: list[Setting], terms: Terms) -> list[Setting]:
    """AML-71: every workspace that uses the registry, after its admin user; not counted by the cap."""
    if not any(setting.name is Property.ADMIN_USER for setting in settings):
        return []
    return [
        _setting(rule, one)
        for each in asked
        for rule, one in each.settings
        if one.name is Property.CACHED_KEYS and terms.enabled(rule, one.requirements)
    ]


def _would_set(rule: Rule, one: RequiredSetting) -> Finding:
    return Finding(
        one.resource,
        rule.name,
        one.requirements,
        Severity.MEDIUM,
        f"{one.reason} ({one.name}: {one.current}).",
        f"Let amlguard do it: rules: {{{rule.requirements[0]}: {{enabled: true}}}} in the policy",
    )


def _reported(asked: WorkspaceAsks, terms: Terms) -> list[Finding]:
    return [finding for rule, finding in asked.findings if terms.enabled(rule, finding.requirements)]


def _not_exempt(findings: list[Finding], estate: Estate, terms: Terms) -> list[Finding]:
    today = estate.now.date()
    return [
        f for f in findings if not terms.exemption(f.rule, f.requirements, f.resource, estate.tags(f.resource), today)
    ]


def _capped(actions: tuple[_Change, ...], cap: int) -> tuple[tuple[_Change, ...], tuple[Withheld, ...]]:
    reason = f"the policy allows {cap} changes a run (caps: {{per_run: {cap}}}); a later run goes on"
    return actions[:cap], tuple(Withheld(action, Refusal("cap", reason)) for action in actions[cap:])
