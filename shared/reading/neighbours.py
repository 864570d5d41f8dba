"""Who else uses a workspace's registry: those that name it, and those of which nobody can tell."""

import asyncio
from collections.abc import Iterable, Iterator
from itertools import chain

from shared.access.ids import REGISTRY
from shared.access.model import Workspace
from shared.access.quoting import kql
from shared.access.raw import get, scope_or_none
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.ports import ReadFailedError, Reads
from shared.reading.discover import WORKSPACES, listed
from shared.reading.workspace import read_workspace

type _Named = tuple[object, object]

# What Resource Graph takes for the id of another registry need not be looked at. Whether it is an id is decided here.
_AN_ID = (
    "(?i)^/subscriptions/[0-9a-f-]{36}/resourcegroups/[a-z0-9_.()-]*[a-z0-9_()-]"
    "/providers/microsoft[.]containerregistry/registries/[a-z0-9]+$"
)


async def neighbours(subject: Workspace, azure: Reads, terms: Terms) -> tuple[tuple[Workspace, ...], frozenset[Scope]]:
    """The other workspaces on the subject's registry, and those that may be on it because they name no valid id.

    ARM's list of the registry's own subscription is current. Resource Graph adds the other subscriptions, and is late.
    Of these, only workspaces that mention the registry's name may be on it. Raises `ReadFailedError`.
    """
    registry = subject.registry
    if registry is None or registry.subscription is None:
        return (), frozenset()
    near, far = await asyncio.gather(_listed(registry.subscription, azure), _found(registry, azure))
    users = {scope for scope in map(scope_or_none, _users(chain(near, far), registry)) if scope} - {subject.id}
    read = await asyncio.gather(*(read_workspace(scope, azure, terms) for scope in sorted(users, key=str)))
    strays = {*_strays(near, "", registry), *_strays(far, registry.name.casefold(), registry)} - {subject.id}
    return tuple(one for one in read if one and one.registry == registry), frozenset(strays)


async def _listed(subscription: Scope, azure: Reads) -> list[_Named]:
    raws = await listed(subscription, azure)
    if raws is None:
        raise ReadFailedError("find workspaces", "SubscriptionNotFound", f"{subscription} does not exist")
    return [(get(raw, "id"), get(raw, *REGISTRY.path)) for raw in raws]


async def _found(registry: Scope, azure: Reads) -> list[_Named]:
    asked = (
        f"resources | where type =~ '{WORKSPACES}' | extend registry = tostring({REGISTRY.name}) "
        f"| where strcat(tolower(registry), '/') startswith {kql(f'{registry.key}/')} "
        f"or (isnotempty(registry) and not(registry matches regex '{_AN_ID}')) "
        "| project id, registry | order by id asc"
    )
    return [(row.get("id"), row.get("registry")) async for row in azure.query(asked)]


def _users(named: Iterable[_Named], registry: Scope) -> Iterator[object]:
    return (scope for scope, value in named if scope_or_none(value) == registry)


def _strays(named: Iterable[_Named], mentioned: str, registry: Scope) -> Iterator[Scope]:
    """A workspace without a valid id of its own counts as being in the registry's subscription."""
    for scope, value in named:
        if REGISTRY.malformed(value) and mentioned in str(value).casefold():
            yield scope_or_none(scope) or registry.parent
