"""Where workspaces are found: all that the identity reads, and those that an event may concern."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from shared.access.quoting import kql_json_string
from shared.access.raw import get, scope_or_none
from shared.access.routing import WORKSPACE
from shared.access.scope import Scope
from shared.access.users import named_by
from shared.ports import Raw, ReadFailedError, Reads

_log = logging.getLogger("amlguard")

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
# A provider that has resources cannot be unregistered, so where it is not registered there is no workspace:
# https://learn.microsoft.com/azure/azure-resource-manager/management/resource-providers-and-types
_UNREGISTERED = "MissingSubscriptionRegistration"


async def workspaces_at(scope: Scope, azure: Reads) -> list[Scope]:
    """Workspaces at or below `scope`, and those that use something at or below it: where to look, never more.

    ARM's list of the scope's own subscription is current; Resource Graph adds the other subscriptions, and is late.
    Of what lies above subscriptions, all are meant. Raises `ReadFailedError`.
    """
    workspace = scope.ancestor(WORKSPACE)
    if workspace:
        return [workspace]
    if scope.subscription is None:
        return [one async for one in all_workspaces(azure)]
    raws, rows = await asyncio.gather(_here(scope.subscription, azure), users_elsewhere(scope, azure))
    here = [one for raw in raws if (one := place(raw)) and _concerns(scope, one, raw)]
    return list(dict.fromkeys((*here, *rows)))


async def users_elsewhere(scope: Scope, azure: Reads) -> list[Scope]:
    """Workspaces of which Resource Graph says that they, or an endpoint of theirs, name something at `scope`.

    It looks at all that they say of themselves, which is more than what they use. Raises `ReadFailedError`.
    """
    rows = [place(row) async for row in azure.query(_naming(scope))]
    return list(dict.fromkeys(found for row in rows if row and (found := row.ancestor(WORKSPACE))))


async def all_workspaces(azure: Reads) -> AsyncIterator[Scope]:
    """Every workspace. Raises `ReadFailedError`, also when the identity can read nothing.

    Resource Graph answers an identity without rights with no rows at all, which must not look like no workspaces.
    """
    found = False
    async for row in azure.query(f"resources | where type =~ '{WORKSPACES}' | project id | order by id asc"):
        found = True
        scope = place(row)
        if scope:
            yield scope
    if not found and not await azure.children(Scope.parse("/"), "subscriptions"):
        reason = "the identity can read no subscription: give it Reader where workspaces are"
        raise ReadFailedError("find workspaces", "NoSubscription", reason)


async def listed(container: Scope, azure: Reads) -> Sequence[Raw] | None:
    """Raw workspaces of a subscription or resource group; None where it is not there. Raises `ReadFailedError`."""
    try:
        return await azure.children(container, WORKSPACES)
    except ReadFailedError as error:
        if error.code == _UNREGISTERED:
            return ()
        raise


async def _here(subscription: Scope, azure: Reads) -> Sequence[Raw]:
    found = await listed(subscription, azure)
    if found is None:
        raise ReadFailedError("find workspaces", "SubscriptionNotFound", f"{subscription} is not there")
    return found


def _concerns(scope: Scope, workspace: Scope, raw: Raw) -> bool:
    return any(scope.contains(one) for one in (workspace, *named_by(raw)))


def _naming(scope: Scope) -> str:
    itself, below = (kql_json_string("said", scope.key, then) for then in ('"', "/"))
    return (
        f"resources | where type in~ ('{WORKSPACES}', '{WORKSPACES}/onlineEndpoints') "
        "| extend said = tolower(strcat('\"', id, '\"', tostring(identity), tostring(properties))) "
        f"| where ({itself}) or ({below}) "
        "| project id | order by id asc"
    )


def place(raw: Raw) -> Scope | None:
    """Where a listed workspace is. Without an id nothing can be looked at, and nothing else may suffer from that."""
    scope = scope_or_none(get(raw, "id"))
    if scope is None:
        _log.warning("Azure lists a workspace without an id that is one: it is not looked at")
    return scope
