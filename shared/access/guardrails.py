"""Why an action is not taken. Fail closed: a reason to object withholds it."""

from collections.abc import Sequence

from shared.access.actions import Refusal
from shared.access.asks import Objection, RequiredGrant, RequiredSetting
from shared.access.held import same_role_with_condition
from shared.access.model import Estate, Want, Workspace
from shared.access.permissions import Coverage, DenyAssignment, applies_at
from shared.access.privileged import refuse_for_caller, refuse_privileged
from shared.access.quoting import in_yaml
from shared.access.rules.rule import Rule
from shared.access.scope import Scope
from shared.access.terms import Terms


def refuse_grant(
    ask: RequiredGrant, workspace: Workspace, estate: Estate, terms: Terms, objections: list[Objection]
) -> Refusal | None:
    """Why `ask` is withheld, whoever asks; None when nothing objects."""
    objected = refuse_objected(ask, objections)
    if objected:
        return objected
    if ask.scope in estate.missing or estate.facts.get(Want(ask.scope), {}) is None:
        return Refusal("target-missing", f"{ask.scope} does not exist (any more), though {workspace.id.name} names it")
    return (
        untrusted(ask, workspace, estate, terms) or refuse_for_caller(ask, estate, terms) or locked(ask.scope, estate)
    )


def refuse_objected(ask: RequiredGrant, objections: list[Objection]) -> Refusal | None:
    for objection in objections:
        concerns = objection.setting is None and objection.target.contains(ask.scope)
        if concerns and objection.principal in (None, ask.principal.id):
            return Refusal(objection.rule, objection.reason)
    return None


def untrusted(ask: RequiredGrant, workspace: Workspace, estate: Estate, terms: Terms) -> Refusal | None:
    """Why nobody should make this grant on the workspace's word alone: not amlguard, nor who reads its findings."""
    privileged = refuse_privileged(ask, estate)
    if privileged:
        return privileged
    if ask.principal.resource and not terms.trusts(workspace, ask.principal.resource):
        return _outside("identity", ask.principal.resource, terms)
    if ask.explicit and not terms.allows(ask.scope):
        return _outside("target", ask.scope, terms, f"{ask.scope.name} was named by a user of the workspace")
    kind = ask.need.resource_type
    if kind and kind != ask.scope.resource_type:
        # Whoever may write a workspace could otherwise name a whole group, or a subscription, as its registry.
        return Refusal("target-type", f"{ask.scope} is no {kind}: nobody needs to {ask.need.name} there")
    scopes = (ask.scope, ask.principal.resource)
    return _outside_boundary(workspace, ask.scope, terms) or _of_another_tenant(scopes, workspace, estate)


def refuse_denied(ask: RequiredGrant, denies: Sequence[DenyAssignment]) -> Refusal:
    """A grant would not help, or may not: deny assignments win over roles."""
    role, who = ask.need.role_name, ask.principal.id
    sure = [deny for deny in denies if not deny.doubt]
    if sure:
        names = ", ".join(deny.name or deny.id for deny in sure)
        remedy = f"if that is not meant, exclude {who} from it or remove it"
        return Refusal("deny-assignment", f"a deny assignment takes away what {role} gives: {names}; {remedy}")
    names = ", ".join(f"{deny.name or deny.id} ({deny.doubt})" for deny in denies)
    reason = f"it is not known whether a deny assignment takes away what {role} gives: {names}"
    return Refusal("deny-assignment", f"{reason}; let it exclude {who} by its object id, or remove it")


def impossible(one: RequiredGrant, cover: Coverage, estate: Estate) -> Refusal | None:
    """Where Azure would refuse the grant, or where it would not help."""
    if cover.denied_by:
        return refuse_denied(one, cover.denied_by)
    if estate.sees(one.scope) and same_role_with_condition(one, estate.access[one.principal.id]):
        return Refusal(
            "conditional-assignment",
            f"{one.principal.label} already holds {one.need.role_name} on {one.scope.name}, but with a condition, and "
            "Azure allows no second assignment of the role there: remove the condition or the assignment",
        )
    return None


def refuse_setting(
    ask: RequiredSetting, workspace: Workspace, estate: Estate, terms: Terms, objections: list[Objection]
) -> Refusal | None:
    for objection in objections:
        if objection.setting is ask.name and objection.target == ask.resource:
            return Refusal(objection.rule, objection.reason)
    if ask.principal and ask.principal.resource and not terms.trusts(workspace, ask.principal.resource):
        return _outside("identity", ask.principal.resource, terms)
    return (
        _outside_boundary(workspace, ask.resource, terms)
        or _of_another_tenant((ask.resource, ask.principal.resource if ask.principal else None), workspace, estate)
        or (refuse_for_caller(ask, estate, terms) if ask.principal else None)
        or locked(ask.resource, estate)
    )


def refuse_by_policy(
    rule: Rule, requirements: tuple[str, ...], resource: Scope, estate: Estate, terms: Terms
) -> Refusal | None:
    exemption = terms.exemption(rule.name, requirements, resource, estate.tags(resource), estate.now.date())
    if exemption:
        return Refusal("exemption", f"exempt until {exemption.until}: {exemption.reason}")
    if terms.reports_only(rule, requirements):
        return Refusal("report-mode", f"the policy only reports {rule.name} ({', '.join(requirements)})")
    return None


def refuse_unapproved(rule: Rule, requirements: tuple[str, ...], action_id: str, terms: Terms) -> Refusal | None:
    """The last of all refusals: nothing else objects, and a person has to release it."""
    if not terms.awaits_approval(rule, requirements, action_id):
        return None
    hours = terms.approval_lapses.total_seconds() / 3600
    return Refusal("approval", f"the policy wants a person to release it, within {hours:g} h")


def _outside_boundary(workspace: Workspace, target: Scope, terms: Terms) -> Refusal | None:
    return None if terms.trusts(workspace, target) else _outside("target", target, terms)


def _outside(what: str, target: Scope, terms: Terms, why: str = "") -> Refusal:
    boundary = terms.boundary.replace("_", " ")
    why = why or f"{target.name} lies outside the workspace's {boundary}"
    if not str(target).isascii():
        why += "; look twice, its id holds letters that may only look like others"
    return Refusal(
        f"{what}-outside-boundary",
        f"{why}. To allow it, add to the policy: trust: {{allow: [{in_yaml(target)}]}}",
    )


def _of_another_tenant(scopes: tuple[Scope | None, ...], workspace: Workspace, estate: Estate) -> Refusal | None:
    """With Azure Lighthouse one identity sees subscriptions of several tenants; no policy joins them.

    What may not be read at all is refused for that.
    """
    home = workspace.id.subscription
    for subscription in (one.subscription for one in scopes if one and estate.sees(one)):
        if subscription == home or subscription is None or home is None:
            continue
        tenants = {estate.tenants.get(subscription), estate.tenants.get(home)}
        if len(tenants) > 1 or None in tenants:
            return Refusal(
                "cross-tenant", f"{subscription.name} is not known to be a subscription of the workspace's own tenant"
            )
    return None


def unseen(ask: RequiredGrant, estate: Estate) -> Refusal | None:
    """What is not known to be missing is not granted."""
    if not estate.sees(ask.scope):
        return Refusal("unreadable", f"amlguard may not read who holds what at {ask.scope}: it needs Reader there")
    known = estate.access.get(ask.principal.id)
    unknown = [one.id for one in known.assignments if one.misplaced] if known else []
    if not unknown:
        return None
    return Refusal(
        "unreadable",
        f"Azure does not tell where a role assignment of {ask.principal.label} is, so nobody can tell what it lacks: "
        f"{', '.join(unknown)}",
    )


def locked(target: Scope, estate: Estate) -> Refusal | None:
    """A ReadOnly lock also forbids actions by POST, such as resyncKeys."""
    lock = next((lock for lock in estate.locks if lock.read_only and applies_at(lock.scope, target)), None)
    return Refusal("lock", f"a ReadOnly lock forbids changes to {target.name}: {lock.id}") if lock else None
