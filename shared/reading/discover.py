"""Finds workspaces: all that the identity can read, and those that an event may concern."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from shared.access.dependencies import Namer, Sought, leading, leads_to, resource_of
from shared.access.quoting import kql_json_string
from shared.access.raw import get, scope_or_none
from shared.access.routing import WORKSPACE
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.ports import Raw, ReadFailedError, Reads
from shared.reading.users import seek, using

_log = logging.getLogger("amlguard")

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
# A provider that has resources cannot be unregistered. Where it is not registered, there is no workspace:
# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types
_UNREGISTERED = "MissingSubscriptionRegistration"

_ALL = f"resources | where type =~ '{WORKSPACES}' | project id | order by id asc"
_NAMING = f"resources | where type in~ ('{WORKSPACES}', '{WORKSPACES}/onlineEndpoints') "

# Each environment costs a request, and a workspace has dozens. With more workspaces an event reads only their lists.
_MOST_THOROUGHLY = 50


@dataclass(frozen=True, slots=True)
class Search:
    """The users of a scope, as far as the workspaces' own properties tell.

    `here` are those that ARM found, `told` those that Resource Graph found. For `unasked`, only what lies below each
    workspace could tell (`shared.reading.users`).
    """

    scope: Scope
    here: tuple[Scope, ...]
    told: tuple[Scope, ...] = ()
    unasked: tuple[Scope, ...] = ()

    @property
    def users(self) -> list[Scope]:
        return list(dict.fromkeys((*self.here, *self.told)))


async def search(scope: Scope, azure: Reads, terms: Terms | None = None) -> Search:
    """Searches for workspaces at or below `scope`, those that use something there, and those of which it is a part.

    ARM's list of the scope's own subscription is current. Resource Graph adds the other subscriptions, and is late. A
    scope above subscriptions means all of them. With `terms`, `unasked` are only the workspaces in which something
    below could lead to a change there, because the others are not worth the requests. Raises `ReadFailedError`.
    """
    workspace = scope.ancestor(WORKSPACE)
    if workspace:
        return Search(scope, (workspace,))
    if scope.subscription is None:
        return Search(scope, (), tuple([one async for one in all_workspaces(azure)]))
    raws, told = await asyncio.gather(_here(scope.subscription, azure), _users_elsewhere(scope, azure))
    sought = Sought(scope)
    near = {one: raw for raw in raws if (one := place(raw))}
    here = tuple(one for one, raw in near.items() if scope.contains(one) or leads_to(Namer.WORKSPACE, sought, raw, raw))
    known = {*here, *told}
    unasked: tuple[Scope, ...] = ()
    if any(leading(namer, sought) for namer in Namer if namer is not Namer.WORKSPACE):
        far = [one async for one in all_workspaces(azure)] if terms is None or terms.opens(scope) else []
        unasked = tuple(one for one in dict.fromkeys((*near, *far)) if one not in known)
    if terms is not None:
        unasked = tuple(one for one in unasked if terms.reaches(one, scope))
    return Search(scope, here, tuple(one for one in told if one not in here), unasked)


async def workspaces_at(scope: Scope, azure: Reads, terms: Terms | None = None) -> list[Scope]:
    """Only where to look: everything that `search` finds, and what lies below the workspaces in `unasked`.

    If nobody can tell, the workspace is looked at. If there are many, the sweep finds those that use a registry
    through an environment or a deployment. Raises `ReadFailedError`.
    """
    return await finished(await search(scope, azure, terms), azure)


async def finished(begun: Search, azure: Reads) -> list[Scope]:
    """As `workspaces_at`."""
    if not begun.unasked:
        return begun.users
    sought = await seek(begun.scope, azure)
    thorough = len(begun.unasked) <= _MOST_THOROUGHLY
    answers = await using(dict.fromkeys(begun.unasked, (sought,)), azure, thorough=thorough)
    for answer in answers.values():
        if isinstance(answer, BaseException) and not isinstance(answer, ReadFailedError):
            raise answer
    return [*begun.users, *(one for one, answer in answers.items() if answer)]


async def _users_elsewhere(scope: Scope, azure: Reads) -> tuple[Scope, ...]:
    """Workspaces that name something at `scope`, or whose endpoint does, by Resource Graph.

    It searches all of their properties, so it may find workspaces that do not use it. Raises `ReadFailedError`.
    """
    rows = [place(row) async for row in azure.query(_naming(resource_of(scope) or scope))]
    return tuple(dict.fromkeys(found for row in rows if row and (found := row.ancestor(WORKSPACE))))


async def all_workspaces(azure: Reads) -> AsyncIterator[Scope]:
    """Every workspace. Raises `ReadFailedError`, also if the identity cannot read anything.

    Resource Graph returns no rows to an identity without rights. That must not look like "no workspaces".
    """
    found = False
    async for row in azure.query(_ALL):
        found = True
        scope = place(row)
        if scope:
            yield scope
    if not found and not await azure.children(Scope.parse("/"), "subscriptions"):
        reason = "the identity can read no subscription: give it Reader where workspaces are"
        raise ReadFailedError("find workspaces", "NoSubscription", reason)


async def listed(container: Scope, azure: Reads) -> Sequence[Raw] | None:
    """Raw workspaces of a subscription or resource group. None if it does not exist. Raises `ReadFailedError`."""
    try:
        return await azure.children(container, WORKSPACES)
    except ReadFailedError as error:
        if error.code == _UNREGISTERED:
            return ()
        raise


async def _here(subscription: Scope, azure: Reads) -> Sequence[Raw]:
    found = await listed(subscription, azure)
    if found is None:
        raise ReadFailedError("find workspaces", "SubscriptionNotFound", f"{subscription} does not exist")
    return found


def asks_for_workspaces(kql: str) -> bool:
    """Whether it asks only where to look: more workspaces than it means do no harm, because each is looked at."""
    return kql == _ALL or kql.startswith(_NAMING)


def _naming(scope: Scope) -> str:
    itself, below = (kql_json_string("said", scope.key, then) for then in ('"', "/"))
    return (
        f"{_NAMING}| extend said = tolower(strcat('\"', id, '\"', tostring(identity), tostring(properties))) "
        f"| where ({itself}) or ({below}) "
        "| project id | order by id asc"
    )


def place(raw: Raw) -> Scope | None:
    """Where a listed workspace is. One without an id cannot be looked at, and that must not affect the others."""
    scope = scope_or_none(get(raw, "id"))
    if scope is None:
        _log.warning("Azure lists a workspace without a valid id: amlguard does not look at it")
    return scope
