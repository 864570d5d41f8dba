"""Whether the registry's admin user may go off: grant before revoke (law 5), and whoever may need it keeps it (law 15).

It goes off only when everybody who uses the registry is covered (`registry_users`), grants and a registry that AML has
just made have had the policy's settle time, and nothing that was not read yet could say otherwise.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from shared.access.actions import Deferred, Refusal, Setting, Withheld
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Cover, Property, RegistryUser, UserKind
from shared.access.guardrails import locked, refuse_by_policy
from shared.access.model import Estate
from shared.access.registry_users import UNCOVERED_BUILDER, UNCOVERED_PULLER
from shared.access.terms import Terms

NOT_READY_AGAIN = timedelta(minutes=1)
NOT_READ = "not-read"

_TOGETHER = {
    UNCOVERED_PULLER: "cannot pull from {registry} without the admin user yet: ",
    UNCOVERED_BUILDER: "cannot build images and push them to {registry} without the admin user yet: ",
}


def switch_off(
    setting: Setting, users: Sequence[RegistryUser], estate: Estate, terms: Terms
) -> Setting | Withheld | Deferred:
    """`setting` if it may be carried out now, else why not."""
    waiting = [user for user in users if user.counts and user.cover is not Cover.COVERED]
    keeping = [user for user in waiting if not user.pending and not user.wants]
    if keeping:
        return Withheld(setting, Refusal(keeping[0].guard, _reason(keeping, setting)))
    being_made = [user for user in waiting if user.pending and user.cover is Cover.UNKNOWN]
    if being_made:
        return Deferred(setting, estate.now + NOT_READY_AGAIN, being_made[0].reason)
    settled = _settled(setting, users, estate, terms)
    if settled > estate.now:
        reason = f"grants act for {_minutes(terms.settle)} before the admin user of {setting.resource.name} goes off"
        return Deferred(setting, settled, reason)
    unread = [user for user in waiting if user.wants]
    # The logs last: until then nothing speaks against it.
    first = [user for user in unread if user.kind is not UserKind.SIGN_IN] or unread
    if first:
        wants = tuple(dict.fromkeys(want for user in first for want in user.wants))
        return Withheld(setting, Refusal(NOT_READ, f"not read yet: {', '.join(user.label for user in first)}", wants))
    return setting


def kept_for(asked: Iterable[WorkspaceAsks], estate: Estate, terms: Terms) -> Refusal | None:
    """Why it stays on for a workspace: that one is exempt, or its keys could not be resynced afterwards."""
    return next((refusal for each in asked if (refusal := _kept_for(each, estate, terms))), None)


def _kept_for(asked: WorkspaceAsks, estate: Estate, terms: Terms) -> Refusal | None:
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


def _reason(keeping: Sequence[RegistryUser], setting: Setting) -> str:
    """Of all that keep it on, those of one word together."""
    parts = []
    for guard in dict.fromkeys(user.guard for user in keeping):
        same = [user for user in keeping if user.guard == guard]
        together = _TOGETHER.get(guard, "").format(registry=setting.resource.name)
        who = (f"{user.label} {user.reason}" if together else user.reason for user in same)
        parts.append(together + (", " if together else "; ").join(dict.fromkeys(who)))
    return "; ".join(parts)


def _settled(setting: Setting, users: Sequence[RegistryUser], estate: Estate, terms: Terms) -> datetime:
    """When the newest grant will have acted for the settle time, and a registry that AML made will be as old."""
    registry = estate.registries.get(setting.resource)
    made = registry.created_on if registry and "AML-21" in setting.requirements else None
    known = [since for since in (made, *(user.since for user in users)) if since]
    latest = max((estate.now - terms.settle, *(since.replace(microsecond=0) for since in known)))
    # Planned grants need a later look even without a settle time: the admin user goes off in a run of its own.
    floor = timedelta(seconds=1) if any(user.pending for user in users) else timedelta()
    return latest + max(terms.settle, floor)


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:g} min"
