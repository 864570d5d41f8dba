"""Whether the registry's admin user may go off: grant before revoke (law 5).

It goes off only after every identity that pulls from the registry, in every workspace that uses it, is covered, the
grants have had the policy's settle time to act, nobody was seen to sign in as the admin user, and nothing objects.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.access.asks import Property, RequiredGrant
from shared.access.compare import Asked, GrantKey, grant_key, held
from shared.access.evidence import admin_logins, moment
from shared.access.guardrails import locked, refuse_by_policy
from shared.access.model import Estate, Unreadable
from shared.access.outcomes import Deferred, Setting, Withheld
from shared.access.refusal import Refusal
from shared.access.terms import Terms

NOT_READY_AGAIN = timedelta(minutes=1)


def switch_off(
    setting: Setting, asked: Iterable[Asked], planned: frozenset[GrantKey], estate: Estate, terms: Terms
) -> Setting | Withheld | Deferred:
    """`setting` if it may be carried out now, else why not. `planned` are the grants of this very plan."""
    registry = setting.resource
    asked = tuple(asked)
    refusal = next((one for each in asked if (one := _kept_for(each, estate, terms))), None)
    if refusal:
        return Withheld(setting, refusal)
    pulls = [one for each in asked for one in each.pulls_from(registry)]
    uncovered = [one for one in pulls if not held(one, estate).held and grant_key(one) not in planned]
    if uncovered:
        return Withheld(setting, Refusal("uncovered-puller", _uncovered(uncovered, registry.name)))
    waiting = [one for each in asked for one in each.not_ready]
    if waiting:
        return Deferred(setting, estate.now + NOT_READY_AGAIN, waiting[0].reason)
    settled = _settled(pulls, estate, terms)
    if settled > estate.now:
        return Deferred(
            setting,
            settled,
            f"grants act for {_minutes(terms.settle)} before the admin user of {registry.name} goes off",
        )
    used = _in_use(setting, estate)
    return Withheld(setting, used) if used else setting


def _kept_for(asked: Asked, estate: Estate, terms: Terms) -> Refusal | None:
    """Why the admin user stays on for a workspace: it is exempt, or its keys could not be resynced afterwards."""
    workspace = asked.workspace.id
    about = [(rule, one) for rule, one in asked.settings if one.name in (Property.ADMIN_USER, Property.CACHED_KEYS)]
    for rule, one in about:
        if terms.explicitly_off(rule, one.requirements):
            continue
        refusal = refuse_by_policy(rule, one.requirements, workspace, estate, terms)
        if one.name is Property.CACHED_KEYS:
            refusal = refusal or locked(workspace, estate)
        if refusal:
            return refusal
    return None


def _settled(pulls: list[RequiredGrant], estate: Estate, terms: Terms) -> datetime:
    """When the newest grant will have acted for the settle time. What is only planned starts now.

    An assignment whose age ARM does not tell is an old one: every assignment that we make has a date.
    """
    latest = estate.now - terms.settle
    for one in pulls:
        cover = held(one, estate)
        # ARM's clock is a Date header: whole seconds. What was made in this second is not in the future.
        since = (cover.since and cover.since.replace(microsecond=0)) if cover.held else estate.now
        latest = max(latest, since or latest)
    # Planned grants need a later look even without a settle time: the admin user goes off in a run of its own.
    floor = timedelta(seconds=1) if any(not held(one, estate).held for one in pulls) else timedelta()
    return latest + max(terms.settle, floor)


def _in_use(setting: Setting, estate: Estate) -> Refusal | None:
    """What the registry's log says. It is read last (`shared.observe`): until then nothing speaks against it."""
    registry, days = setting.resource, estate.wishes.look_back_days
    want = admin_logins(registry, days)
    if isinstance(estate.facts.get(want), Unreadable):
        if not estate.wishes.evidence_required:
            return None
        return Refusal(
            "no-evidence",
            f"the policy requires evidence (evidence: {{required: true}}), and the logs that would show who signs in "
            f"to {registry.name} as the admin user could not be read: set AMLGUARD_LOG_WORKSPACE_ID, and give amlguard "
            "Log Analytics Data Reader there",
        )
    logins = estate.listed(registry, query=want.query)
    if not logins:
        return None
    return Refusal(
        "admin-login",
        f"somebody still signs in to {registry.name} as the admin user: {logins[0].get('Logins')} times in the last "
        f"{days} days, last at {moment(logins[0], 'Last')} (ContainerRegistryLoginEvents | where Identity =~ "
        f"'{registry.name}' tells from where)",
    )


def _uncovered(pulls: list[RequiredGrant], registry: str) -> str:
    names = ", ".join(dict.fromkeys(f"{one.principal.label} ({one.on.name})" for one in pulls))
    return f"cannot pull from {registry} without the admin user yet: {names}"


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:g} min"
