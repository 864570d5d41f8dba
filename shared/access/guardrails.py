"""Why a change is not made: one chain of guards for each kind of change, each in the order of `Guard`.

Fail closed: the first guard that objects withholds the change. Everything that the estate and the policy can tell is
decided here. What needs more reading (`shared.writing.brakes`, `shared.undo`) comes later and uses words of the same
list.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.access.actions import Refusal, Withheld
from shared.access.admin_user import Delay, about_to_be_known, keeping, not_settled, reasons, unread
from shared.access.caps import Change
from shared.access.cases import Case, GrantCase, RemovalCase, SettingCase
from shared.access.guards import Guard
from shared.access.held import same_role_with_condition
from shared.access.model import Want
from shared.access.permissions import applies_at
from shared.access.privileged import hands_out_access, not_held_by_caller
from shared.access.separation import limited
from shared.access.terms import Terms
from shared.access.trust import not_allowed, of_another_tenant, outside


@dataclass(frozen=True, slots=True)
class Check[Judged]:
    """One guard. `words` are those that it may say, the first by default. A guard without words says a rule's name."""

    words: tuple[Guard, ...]
    judge: Callable[[Judged], Refusal | str | None]

    def __call__(self, case: Judged) -> Refusal | None:
        said = self.judge(case)
        return Refusal(self.words[0], said) if isinstance(said, str) else said


def _says[Judged](*words: Guard) -> Callable[[Callable[[Judged], Refusal | str | None]], Check[Judged]]:
    return lambda judge: Check(words, judge)


@_says(Guard.DENY_ASSIGNMENT)
def deny_assignment(case: GrantCase) -> str | None:
    """A grant would not help, or may not help, because deny assignments override roles."""
    denies = case.cover.denied_by
    if not denies:
        return None
    role, who = case.ask.need.role_name, case.ask.principal.id
    sure = [deny for deny in denies if not deny.doubt]
    if sure:
        names = ", ".join(deny.name or deny.id for deny in sure)
        remedy = f"if that is not meant, exclude {who} from it or remove it"
        return f"a deny assignment takes away what {role} gives: {names}; {remedy}"
    names = ", ".join(f"{deny.name or deny.id} ({deny.doubt})" for deny in denies)
    reason = f"it is not known whether a deny assignment takes away what {role} gives: {names}"
    return f"{reason}; let it exclude {who} by its object id, or remove it"


@_says(Guard.CONDITIONAL_ASSIGNMENT)
def conditional_assignment(case: GrantCase) -> str | None:
    one, estate = case.ask, case.at.estate
    if not estate.sees(one.scope) or not same_role_with_condition(one, estate.access[one.principal.id]):
        return None
    return (
        f"{one.principal.label} already holds {one.need.role_name} on {one.scope.name}, but with a condition, and "
        "Azure allows no second assignment of the role there: remove the condition or the assignment"
    )


@_says()
def rule_objects(case: GrantCase | SettingCase) -> Refusal | None:
    objections = (each for each in case.at.objections if case.is_meant_by(each))
    return next((Refusal(each.rule, each.reason) for each in objections), None)


@_says(Guard.TARGET_MISSING)
def target_missing(case: GrantCase) -> str | None:
    estate, scope = case.at.estate, case.target
    if scope not in estate.missing and estate.facts.get(Want(scope), {}) is not None:
        return None
    return f"{scope} does not exist (any more), though {case.at.workspace.id.name} names it"


@_says(Guard.PRIVILEGED_ROLE)
def privileged_role(case: GrantCase) -> str | None:
    return hands_out_access(case.ask, case.at.estate)


@_says(Guard.IDENTITY_OUTSIDE_BOUNDARY)
def identity_outside_boundary(case: GrantCase | SettingCase) -> str | None:
    return outside(case.identity, case.at.workspace, case.at.terms) if case.identity else None


@_says(Guard.TARGET_TYPE)
def target_type(case: GrantCase) -> str | None:
    """Whoever may write a workspace could otherwise name a whole group, or a subscription, as its registry."""
    kind = case.ask.need.resource_type
    if not kind or kind == case.target.resource_type:
        return None
    return f"{case.target} is no {kind}: nobody needs to {case.ask.need.name} there"


@_says(Guard.TARGET_OUTSIDE_BOUNDARY)
def target_outside_boundary(case: GrantCase | SettingCase) -> str | None:
    named = not_allowed(case.target, case.at.terms) if case.is_explicit else None
    return named or outside(case.target, case.at.workspace, case.at.terms)


@_says(Guard.CROSS_TENANT)
def cross_tenant(case: GrantCase | SettingCase) -> str | None:
    return of_another_tenant((case.target, case.identity), case.at.workspace, case.at.estate)


@_says(Guard.CALLER_MUST_HOLD)
def caller_must_hold(case: GrantCase | SettingCase) -> str | None:
    return not_held_by_caller(case.ask, case.at.estate, case.at.terms) if case.ask.principal else None


@_says(Guard.LOCK)
def lock(case: GrantCase | SettingCase) -> str | None:
    """A ReadOnly lock also forbids POST actions such as resyncKeys."""
    locks = [one for one in case.at.estate.locks if one.read_only]
    found = ((scope, one) for scope in case.written for one in locks if applies_at(one.scope, scope))
    return next((f"a ReadOnly lock forbids changes to {scope.name}: {one.id}" for scope, one in found), None)


@_says(Guard.LOCK)
def lock_on_deleting(case: RemovalCase) -> str | None:
    """Any lock at the scope of the assignment, or above it, keeps the assignment from being deleted."""
    found = (one for one in case.at.estate.locks if applies_at(one.scope, case.target))
    name = case.target.name
    return next((f"a lock keeps role assignments on {name} from being deleted: {one.id}" for one in found), None)


@_says(Guard.LIMITED_BY_PEOPLE)
def limited_by_people(case: GrantCase) -> str | None:
    return limited(case.ask, case.at.estate)


@_says(Guard.UNREADABLE)
def unreadable(case: GrantCase) -> str | None:
    """What is not known to be missing is not granted."""
    estate, principal = case.at.estate, case.ask.principal
    if case.target in estate.misshapen:
        return f"what Azure tells of {case.target} is no resource, so nobody can tell what is needed there"
    if not estate.sees(case.target):
        return f"amlguard may not read who holds what at {case.target}: it needs Reader there"
    known = estate.access.get(principal.id)
    unknown = [one.id for one in known.assignments if one.misplaced] if known else []
    if not unknown:
        return None
    return (
        f"Azure does not show where a role assignment of {principal.label} is, so nobody can tell what it lacks: "
        f"{', '.join(unknown)}"
    )


@_says(Guard.SHARED_IDENTITY)
def shared_identity(case: RemovalCase) -> str | None:
    if not case.ask.shared_with:
        return None
    return f"identity {case.ask.shared_with} still exists, and other workspaces may use it: nobody can tell from here"


@_says(Guard.EXEMPTION)
def exemption(case: Case) -> str | None:
    estate, terms = case.at.estate, case.at.terms
    found = (
        terms.exemption(rule.name, requirements, resource, estate.tags(resource), estate.now.date())
        for rule, requirements, resource in (case.concerns if terms.exemptions else ())
    )
    return next((f"exempt until {one.until}: {one.reason}" for one in found if one), None)


@_says(Guard.REPORT_MODE)
def report_mode(case: Case) -> str | None:
    found = ((rule, names) for rule, names, _ in case.concerns if case.at.terms.reports_only(rule, names))
    return next((f"the policy only reports {rule.name} ({', '.join(names)})" for rule, names in found), None)


@_says(Guard.UNCOVERED_PULLER, Guard.NO_EVIDENCE, Guard.ADMIN_LOGIN)
def user_keeps_admin_user(case: SettingCase) -> Refusal | None:
    """Whoever may still need it keeps it (law 15). If a rule reported the user, the rule's name is the guard word."""
    users = keeping(case.users)
    return Refusal(users[0].guard, reasons(users, case.target)) if users else None


@_says(Guard.NOT_READ)
def not_read(case: SettingCase) -> Refusal | None:
    users = unread(case.users)
    wants = tuple(dict.fromkeys(want for user in users for want in user.wants))
    return Refusal(Guard.NOT_READ, f"not read yet: {', '.join(user.label for user in users)}", wants) if users else None


@_says(Guard.APPROVAL)
def approval(case: Case) -> str | None:
    """Nothing else objects, and a person has to release the change."""
    terms = case.at.terms
    if not terms.awaits_approval(case.rule, case.requirements, case.action_id):
        return None
    return f"the policy wants a person to release it, within {terms.approval_lapses.total_seconds() / 3600:g} h"


def being_made(case: SettingCase) -> Delay | None:
    return about_to_be_known(case.users, case.at.estate)


def settle_time(case: SettingCase) -> Delay | None:
    return not_settled(case.ask, case.users, case.at.estate, case.at.terms)


GRANT: tuple[Check[GrantCase], ...] = (
    deny_assignment,
    conditional_assignment,
    rule_objects,
    target_missing,
    privileged_role,
    identity_outside_boundary,
    target_type,
    target_outside_boundary,
    cross_tenant,
    caller_must_hold,
    lock,
    limited_by_people,
    unreadable,
)
"""Asked for each rule that asks for the grant. One rule that passes these is enough."""

GRANT_BY_POLICY: tuple[Check[GrantCase], ...] = (exemption, report_mode, approval)
"""Asked for the rules that pass the checks above. The policy must withhold the grant for each of them."""

ADVICE: tuple[Check[GrantCase], ...] = (
    deny_assignment,
    rule_objects,
    privileged_role,
    identity_outside_boundary,
    target_type,
    target_outside_boundary,
    cross_tenant,
    limited_by_people,
)
"""The checks that also hold back what people are advised to grant."""

SETTING: tuple[Check[SettingCase], ...] = (
    rule_objects,
    identity_outside_boundary,
    target_outside_boundary,
    cross_tenant,
    caller_must_hold,
    lock,
    exemption,
    report_mode,
)
SWITCH_OFF: tuple[Check[SettingCase] | Callable[[SettingCase], Delay | None], ...] = (
    user_keeps_admin_user,
    being_made,
    settle_time,
    not_read,
)
"""Further checks for a registry's admin user. What only has to wait is a delay; what is still unread comes last."""

REMOVAL: tuple[Check[RemovalCase], ...] = (lock_on_deleting, shared_identity, exemption, report_mode, approval)


def refuse_grant(cases: Sequence[GrantCase]) -> tuple[Sequence[GrantCase], Refusal | None]:
    """For rules that ask for the same grant: the rules that pass, or why the grant is withheld.

    Each rule is judged on its own. What one rule may ask for does not permit it to another, for example a target that a
    user named.
    """
    said = [_first(GRANT, case) for case in cases]
    passing = [case for case, refusal in zip(cases, said, strict=True) if refusal is None]
    if not passing:
        return cases, said[0]
    by_policy = [_first(GRANT_BY_POLICY, case) for case in passing]
    return passing, None if None in by_policy else by_policy[0]


def refuse_setting(case: SettingCase) -> Refusal | Delay | None:
    switch_off = SWITCH_OFF if case.is_switch_off else ()
    return next((said for check in (*SETTING, *switch_off, approval) if (said := check(case))), None)


def refuse_removal(case: RemovalCase) -> Refusal | None:
    return _first(REMOVAL, case)


def doubt(case: GrantCase) -> Refusal | None:
    """Why neither amlguard nor a reader of its findings should make this grant on the workspace's word alone."""
    return _first(ADVICE, case)


def _first[Judged](chain: Iterable[Check[Judged]], case: Judged) -> Refusal | None:
    return next((said for check in chain if (said := check(case))), None)


def over_the_cap(changes: Sequence[Change], terms: Terms) -> tuple[Withheld, ...]:
    """The last guard of a plan: changes beyond what one run may make."""
    most = terms.caps.per_run
    reason = f"the policy allows {most} changes in one run ({Guard.CAP.in_policy(most)}); a later run makes the others"
    return tuple(Withheld(one, Refusal(Guard.CAP, reason)) for one in changes[most:])
