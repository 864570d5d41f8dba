"""Who uses a workspace's registry, and whether each can do without its admin user: one list that people can see.

Identities that pull or build are covered if they hold what they need. Rules report all other users themselves
(`RegistryUser`). A user that is not known yet names what must be read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from shared.access.actions import Grant
from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import Cover, NotReady, RegistryUser, RequiredGrant, UserKind
from shared.access.evidence import admin_logins, moment
from shared.access.guards import Guard
from shared.access.held import held
from shared.access.model import Estate, Unreadable, Want
from shared.access.quoting import kql
from shared.access.rules.builders import BUILDS, UNCOVERED_BUILDER
from shared.access.rules.pull import PULLS
from shared.access.scope import Scope

# Which kind of user the need makes of an identity.
_KINDS = {
    "AML-30": UserKind.KUBELET,
    "AML-94": UserKind.KUBELET,
    "AML-72": UserKind.SERVERLESS,
    "AML-84": UserKind.SERVERLESS,
    "AML-83": UserKind.BUILDER,
}


def registry_users(
    registry: Scope, asked: Iterable[WorkspaceAsks], grants: Sequence[Grant], estate: Estate
) -> tuple[RegistryUser, ...]:
    """In the order in which people should read it. `grants` are those of the same plan."""
    asked = tuple(asked)
    users = [*_holding(registry, asked, grants, estate)]
    users += [user for each in asked for user in each.users if user.registry == registry]
    users += [_being_made(registry, one) for each in asked for one in each.not_ready]
    known = estate.registries.get(registry)
    if known and known.admin_user:
        users.append(_sign_ins(registry, estate))
    return tuple(sorted(dict.fromkeys(users), key=lambda user: _ORDER[user.kind]))


def unread(asked: Iterable[WorkspaceAsks], estate: Estate) -> set[Want]:
    """What must still be read about those who use the subject's registry."""
    registry = estate.subject.registry
    users = registry_users(registry, asked, (), estate) if registry else ()
    return {want for user in users for want in user.wants}


_ORDER = {kind: place for place, kind in enumerate(UserKind)}


def _holding(
    registry: Scope, asked: Iterable[WorkspaceAsks], grants: Sequence[Grant], estate: Estate
) -> Iterator[RegistryUser]:
    """One user for everything that an identity needs there for one purpose, whichever rules ask for it."""
    needs: dict[tuple[UserKind, str, Scope], list[RequiredGrant]] = {}
    for one in (grant for each in asked for _, grant in each.grants):
        if one.scope == registry and one.need in (*PULLS, *BUILDS):
            needs.setdefault((_kind(one), one.principal.id.casefold(), one.on), []).append(one)
    for (kind, _, on), asking in needs.items():
        missing = [one for one in asking if not held(one, estate).held]
        due = bool(missing) and all(any(grant.serves(one) for grant in grants) for one in missing)
        label = f"{asking[0].principal.label} ({on.name})"
        yield RegistryUser(
            registry,
            kind,
            label,
            on,
            (Cover.UNCOVERED if estate.sees(registry) else Cover.UNKNOWN) if missing else Cover.COVERED,
            on.resource_type,
            _lacks(missing, due=due) if missing else _holds(asking, estate),
            UNCOVERED_BUILDER if kind is UserKind.BUILDER else Guard.UNCOVERED_PULLER,
            _since(asking, estate),
            pending=due,
        )


def _kind(one: RequiredGrant) -> UserKind:
    return next((_KINDS[name] for name in one.requirements if name in _KINDS), UserKind.PULLER)


def _lacks(missing: list[RequiredGrant], *, due: bool) -> str:
    roles = " and ".join(dict.fromkeys(one.need.role_name for one in missing))
    needs = " and ".join(dict.fromkeys(one.need.name for one in missing))
    return f"lacks {roles} ({needs})" + (", which amlguard is about to grant" if due else "")


def _holds(asking: list[RequiredGrant], estate: Estate) -> str:
    through = [assignment for one in asking for assignment in held(one, estate).through]
    role_of = estate.access[asking[0].principal.id].role_of
    return f"holds {', '.join(dict.fromkeys(role_of(one).name for one in through))}"


def _since(asking: list[RequiredGrant], estate: Estate) -> datetime | None:
    """Since when all of it has been granted. What is only planned counts from now.

    If ARM does not give the age of an assignment, it is an old one: every assignment that amlguard makes has a date.
    ARM's clock is a Date header, which has whole seconds, so an assignment made in this second must not be in the
    future.
    """
    covers = [held(one, estate) for one in asking]
    if any(not cover.held for cover in covers):
        return estate.now
    known = [cover.since.replace(microsecond=0) for cover in covers if cover.since]
    return max(known, default=None)


def _being_made(registry: Scope, one: NotReady) -> RegistryUser:
    return RegistryUser(
        registry,
        UserKind.PULLER,
        one.resource.name,
        one.resource,
        Cover.UNKNOWN,
        one.resource.resource_type,
        one.reason,
        pending=True,
    )


def _sign_ins(registry: Scope, estate: Estate) -> RegistryUser:
    """What the registry's log says. Logs that cannot be read keep the admin user on only if the policy says so."""
    days = estate.preferences.look_back_days
    want = admin_logins(registry, days)
    user = RegistryUser(
        registry,
        UserKind.SIGN_IN,
        f"{registry.name}'s own name",
        registry,
        Cover.COVERED,
        "ContainerRegistryLoginEvents",
        f"nobody signed in as the admin user in the last {days} days",
    )
    if want not in estate.facts:
        return replace(user, cover=Cover.UNKNOWN, reason="the logs were not read yet", wants=(want,))
    if isinstance(estate.facts[want], Unreadable):
        return replace(
            user,
            cover=Cover.UNKNOWN,
            guard=Guard.NO_EVIDENCE,
            counts=estate.preferences.evidence_required,
            reason=f"the policy requires evidence ({Guard.NO_EVIDENCE.in_policy('true')}), and the logs that would "
            f"show who signs in to {registry.name} as the admin user could not be read: set AMLGUARD_LOG_WORKSPACE_ID, "
            "and give amlguard Log Analytics Data Reader there"
            if estate.preferences.evidence_required
            else f"the logs that would show who signs in to {registry.name} as the admin user could not be read",
        )
    logins = estate.listed(registry, query=want.query)
    if not logins:
        return user
    return replace(
        user,
        cover=Cover.UNCOVERED,
        guard=Guard.ADMIN_LOGIN,
        reason=f"somebody still signs in to {registry.name} as the admin user: {logins[0].get('Logins')} times in the "
        f"last {days} days, last at {moment(logins[0], 'Last')} (ContainerRegistryLoginEvents | where Identity =~ "
        f"{kql(registry.name)} shows from where)",
    )
