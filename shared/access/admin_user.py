"""Whether the registry's admin user may go off: grant before revoke (law 5), and whoever may need it keeps it (law 15).

It goes off only when three things are true. Everybody who uses the registry is covered (`registry_users`). Grants, and
a registry that AML has just made, have had the policy's settle time. Nothing that is still unread could change the
answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.access.asks import Cover, RegistryUser, RequiredSetting, UserKind
from shared.access.guards import Guard
from shared.access.model import Estate
from shared.access.rules.builders import UNCOVERED_BUILDER
from shared.access.scope import Scope
from shared.access.terms import Terms

NOT_READY_AGAIN = timedelta(minutes=1)

_TOGETHER = {
    Guard.UNCOVERED_PULLER: "cannot pull from {registry} without the admin user yet: ",
    UNCOVERED_BUILDER: "cannot build images and push them to {registry} without the admin user yet: ",
}


@dataclass(frozen=True, slots=True)
class Delay:
    """Nothing objects, but the change must wait until `until`."""

    until: datetime
    reason: str


def keeping(users: Sequence[RegistryUser]) -> list[RegistryUser]:
    """Those who may need the admin user, as far as is known, and whom this plan will not cover."""
    return [user for user in _waiting(users) if not user.pending and not user.wants]


def about_to_be_known(users: Sequence[RegistryUser], estate: Estate) -> Delay | None:
    being_made = (user for user in _waiting(users) if user.pending and user.cover is Cover.UNKNOWN)
    return next((Delay(estate.now + NOT_READY_AGAIN, user.reason) for user in being_made), None)


def not_settled(setting: RequiredSetting, users: Sequence[RegistryUser], estate: Estate, terms: Terms) -> Delay | None:
    settled = _settled(setting, users, estate, terms)
    if settled <= estate.now:
        return None
    reason = f"grants must be {_minutes(terms.settle)} old before the admin user of {setting.resource.name} goes off"
    return Delay(settled, reason)


def unread(users: Sequence[RegistryUser]) -> list[RegistryUser]:
    """Users about whom something must be read next. What costs most is read last, if nothing else keeps it on."""
    wanting = [user for user in _waiting(users) if user.wants]
    return [user for user in wanting if _turn(user) == min(map(_turn, wanting))]


def _turn(user: RegistryUser) -> tuple[bool, bool]:
    """Services, then the logs, then the connections of each workspace nearby."""
    return user.kind is UserKind.BUILDER, user.kind is UserKind.SIGN_IN


def _waiting(users: Sequence[RegistryUser]) -> list[RegistryUser]:
    return [user for user in users if user.counts and user.cover is not Cover.COVERED]


def reasons(keeping: Sequence[RegistryUser], registry: Scope) -> str:
    """The reasons of all that keep it on. Those with the same guard word are joined."""
    parts = []
    for guard in dict.fromkeys(user.guard for user in keeping):
        same = [user for user in keeping if user.guard == guard]
        together = _TOGETHER.get(guard, "").format(registry=registry.name)
        who = (f"{user.label} {user.reason}" if together else user.reason for user in same)
        parts.append(together + (", " if together else "; ").join(dict.fromkeys(who)))
    return "; ".join(parts)


def _settled(setting: RequiredSetting, users: Sequence[RegistryUser], estate: Estate, terms: Terms) -> datetime:
    """When the newest grant will be as old as the settle time, and a registry that AML made will be, too."""
    registry = estate.registries.get(setting.resource)
    made = registry.created_on if registry and "AML-21" in setting.requirements else None
    known = [since for since in (made, *(user.since for user in users)) if since]
    latest = max((estate.now - terms.settle, *(since.replace(microsecond=0) for since in known)))
    # Planned grants need a later look even without a settle time, because the admin user goes off in a run of its own.
    floor = timedelta(seconds=1) if any(user.pending for user in users) else timedelta()
    return latest + max(terms.settle, floor)


def _minutes(duration: timedelta) -> str:
    return f"{duration.total_seconds() / 60:g} min"
