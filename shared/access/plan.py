"""From an estate and the policy's terms to what should be done: one pure function, `plan`.

Rules ask, coverage says what is already held, and guardrails object. The result is a value: `plan` prints it, `apply`
carries it out, and mode report only records it.
"""

from collections.abc import Iterable, Sequence

from shared.access import merge
from shared.access.actions import Deferred, Grant, Leaning, Plan, Refusal, Removal, Setting, Unknown, Wait, Withheld
from shared.access.admin_user import NOT_READY_AGAIN, Delay
from shared.access.advice import Advised, advice, each_once
from shared.access.ask_rules import WorkspaceAsks, ask_all, fixes
from shared.access.asks import Finding, Property, RequiredGrant, RequiredSetting, Severity
from shared.access.caps import Change
from shared.access.cases import GrantCase, SettingCase, Situation
from shared.access.exemptions import expired
from shared.access.guardrails import over_the_cap, refuse_grant, refuse_setting
from shared.access.held import weakest
from shared.access.model import Estate
from shared.access.own_assignments import run_of
from shared.access.permissions import Coverage
from shared.access.removals import removals
from shared.access.rules import Rule
from shared.access.scope import Scope
from shared.access.separation import kept_apart, levelled, not_levelled
from shared.access.terms import Terms


def plan(estate: Estate, terms: Terms) -> Plan:
    """What the subject workspace needs. Raises `KeyError` or `UnknownRoleError` if something was not read."""
    return decide(Situation(ask_all(estate, terms), estate, terms))


def decide(at: Situation) -> Plan:
    """As `plan`, where the rules were asked already."""
    asked, mine, estate, terms = at.asked, at.asked[0], at.estate, at.terms
    satisfied, leaning, unknown, asking = _held(mine, at)
    grants, withheld, findings = _grants(at, asking)
    settings, more_withheld, deferred, more_findings = _settings(at, grants)
    deferred += [Deferred(Wait(one.resource), estate.now + NOT_READY_AGAIN, one.reason) for one in mine.not_ready]
    taken, untouched, left_behind = removals(asked, estate, terms)
    changes: tuple[Change, ...] = (*grants, *settings, *taken)
    over = over_the_cap(changes, terms)
    kept = changes[: len(changes) - len(over)]
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
        estate.missing,
        tuple(unknown),
    )


def _held(
    asked: WorkspaceAsks, at: Situation
) -> tuple[int, list[Leaning], list[Unknown], list[tuple[merge.Asking, Coverage]]]:
    """How many needs are held, and which of them through amlguard; which nobody can tell of; and those that are not."""
    estate, terms = at.estate, at.terms
    satisfied, leaning, unknown, missing = 0, [], [], []
    for asking in merge.merged(asked).values():
        cover = weakest((each for _, each in asking), estate)
        if cover.held:
            satisfied += 1
            if runs := frozenset(run for each in cover.through if (run := run_of(each.description))):
                leaning.append(Leaning(merge.grant(asking, asking, estate), runs))
        elif not cover.perhaps or cover.denied_by:
            missing.append((asking, cover))
        elif not all(_silenced(rule, one, terms) for rule, one in asking):
            unknown.append(_not_known(asking[0][1], cover))
    return satisfied, leaning, unknown, missing


def _not_known(one: RequiredGrant, cover: Coverage) -> Unknown:
    what = f"whether {one.principal.label} holds {one.need.role_name} on {one.scope}"
    return Unknown(one.on, what, "; ".join(dict.fromkeys(each.doubt for each in cover.perhaps)))


def _grants(
    at: Situation, missing: Iterable[tuple[merge.Asking, Coverage]]
) -> tuple[list[Grant], list[Withheld], list[Finding]]:
    asked, estate, terms = at.asked[0], at.estate, at.terms
    grants, withheld = [], []
    advised: list[Advised] = []
    apart, kept = kept_apart(asked, estate), []
    for asking, cover in missing:
        acting = [(rule, one) for rule, one in asking if fixes(rule) and terms.enabled(rule, one.requirements)]
        free = [(rule, one) for rule, one in acting if not levelled(rule, one, apart)]
        if acting and not free:
            kept += acting
        elif not acting:
            advised += [(rule, one) for rule, one in asking if not _silenced(rule, one, terms)]
        else:
            counting, refusal = refuse_grant([GrantCase(at, rule, one, cover) for rule, one in free])
            grant = merge.grant([(case.rule, case.ask) for case in counting], asking, estate)
            if refusal:
                withheld.append(Withheld(grant, refusal))
            else:
                grants.append(grant)
    findings = [advice(rule, one, needs, at, apart) for rule, one, needs in each_once(advised, grants)]
    findings += not_levelled(kept, apart, estate)
    grants = merge.fewest(grants)
    return grants, merge.once(withheld, grants), findings


def _silenced(rule: Rule, one: RequiredGrant, terms: Terms) -> bool:
    """Whoever turned a rule off in the policy does not want to hear about it."""
    return terms.explicitly_off(rule, one.requirements)


def _settings(
    at: Situation, grants: list[Grant]
) -> tuple[list[Setting], list[Withheld], list[Deferred], list[Finding]]:
    settings: list[Setting] = []
    withheld: list[Withheld] = []
    deferred: list[Deferred] = []
    findings: list[Finding] = []
    for rule, one in at.asked[0].settings:
        if one.name is Property.CACHED_KEYS:
            continue
        if not at.terms.enabled(rule, one.requirements):
            findings += [] if at.terms.explicitly_off(rule, one.requirements) else [_would_set(rule, one)]
            continue
        setting = _setting(rule, one, at.workspace.id if one.name is Property.ACCESS_POLICY else None)
        match refuse_setting(SettingCase(at, rule, one, setting.action_id, grants)):
            case None:
                settings.append(setting)
            case Refusal() as refusal:
                withheld.append(Withheld(setting, refusal))
            case Delay(until, reason):
                deferred.append(Deferred(setting, until, reason))
    return settings, withheld, deferred, findings


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


def _resyncs(asked: Sequence[WorkspaceAsks], settings: list[Setting], terms: Terms) -> list[Setting]:
    """AML-71: for every workspace that uses the registry, after its admin user went off.

    The cap does not count them.
    """
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
