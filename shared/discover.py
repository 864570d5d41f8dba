"""Which workspaces there are: in a scope, on a dependency, or everywhere."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

from shared.access.routing import WORKSPACE
from shared.access.scope import InvalidScopeError, Scope
from shared.access.terms import Terms
from shared.ports import Raw, ReadFailedError, Reads

_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_DEPENDENCIES = ("containerRegistry", "storageAccount", "keyVault", "applicationInsights")


async def workspaces_at(scope: Scope, azure: Reads) -> list[Scope]:
    """Workspaces at or below `scope`, and those that use something at or below it.

    ARM's list of the scope's own subscription is current; Resource Graph adds the other subscriptions, and is late.
    Raises `ReadFailedError`.
    """
    workspace = scope.ancestor(WORKSPACE)
    if workspace:
        return [workspace]
    raws, rows = await asyncio.gather(_listed(scope, azure), _rows(azure.query(_query(scope))))
    here = [raw for raw in raws if any(scope.contains(named) for named in _named_by(raw))]
    return _distinct((*here, *rows))


async def all_workspaces(azure: Reads, terms: Terms) -> AsyncIterator[Scope]:
    """Every workspace of the watched scopes. Raises `ReadFailedError`, also when the identity can read nothing.

    Resource Graph answers an identity without rights with no rows at all, which must not look like no workspaces.
    """
    found = False
    async for row in azure.query(f"resources | where type =~ '{_WORKSPACES}' | project id | order by id asc"):
        found = True
        scope = Scope.parse(row.get("id"))
        if terms.watches(scope):
            yield scope
    if not found and not await azure.children(Scope.parse("/"), "subscriptions"):
        reason = "the identity can read no subscription: give it Reader where workspaces are"
        raise ReadFailedError("find workspaces", "NoSubscription", reason)


async def _listed(scope: Scope, azure: Reads) -> Iterable[Raw]:
    if scope.subscription is None:
        return ()
    listed = await azure.children(scope.subscription, _WORKSPACES)
    if listed is None:
        raise ReadFailedError("find workspaces", "SubscriptionNotFound", f"{scope.subscription} is not there")
    return listed


def _query(scope: Scope) -> str:
    """`Scope` holds no quotes, so its key is safe in a query."""
    names = ("id", *(f"properties.{name}" for name in _DEPENDENCIES))
    values = [f"strcat(tolower(tostring({name})), '/')" for name in names]
    within = " or ".join(f"{value} startswith '{scope.key}/'" for value in values)
    where = f" | where {within}" if scope.subscription else ""
    return f"resources | where type =~ '{_WORKSPACES}'{where} | project id | order by id asc"


def _named_by(raw: Raw) -> set[Scope]:
    body = raw.get("properties") or {}
    found = set()
    for value in (raw.get("id"), *(body.get(name) for name in _DEPENDENCIES)):
        with suppress(InvalidScopeError):
            found.add(Scope.parse(value))
    return found


async def _rows(rows: AsyncIterator[Raw]) -> list[Raw]:
    return [row async for row in rows]


def _distinct(raws: Iterable[Raw]) -> list[Scope]:
    return list(dict.fromkeys(Scope.parse(raw.get("id")) for raw in raws))
