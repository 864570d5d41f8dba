"""Who else is on a workspace's registry: those that say so, and those of which nobody can tell."""

import asyncio
from collections.abc import Iterable, Iterator

from shared.access.ids import REGISTRY
from shared.access.model import Workspace
from shared.access.raw import get, scope_or_none
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.discover import workspaces_at
from shared.ports import Reads
from shared.workspaces import read_workspace

_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
# Of an id that is one nothing more has to be known. What Resource Graph shows besides is looked at once more here.
_AN_ID = (
    "(?i)^/subscriptions/[0-9a-f-]{36}/resourcegroups/[a-z0-9_.()-]*[a-z0-9_()-]"
    "/providers/microsoft[.]containerregistry/registries/[a-z0-9]+$"
)
_NO_IDS = (
    f"resources | where type =~ '{_WORKSPACES}' | extend registry = tostring(properties.containerRegistry) "
    f"| where isnotempty(registry) and not(registry matches regex '{_AN_ID}') | project id, registry | order by id asc"
)


async def neighbours(subject: Workspace, azure: Reads, terms: Terms) -> tuple[Workspace, ...]:
    """The other workspaces on the subject's registry, wherever they are. Raises `ReadFailedError`."""
    registry = subject.registry
    found = set(await workspaces_at(registry, azure)) - {subject.id} if registry else set()
    read = await asyncio.gather(*(read_workspace(scope, azure, terms) for scope in sorted(found, key=str)))
    return tuple(workspace for workspace in read if workspace and workspace.registry == registry)


async def strays(subject: Workspace, azure: Reads) -> frozenset[Scope]:
    """Workspaces that may be on the subject's registry as well: what they name as theirs is no id.

    All such workspaces of the registry's subscription, by ARM's list, which is current; of any other subscription
    those that mention the registry's name. Raises `ReadFailedError`.
    """
    registry = subject.registry
    if registry is None or registry.subscription is None:
        return frozenset()
    listed = await azure.children(registry.subscription, _WORKSPACES)
    rows = [row async for row in azure.query(_NO_IDS)]
    near = ((raw.get("id"), get(raw, "properties", "containerRegistry")) for raw in listed or ())
    far = ((row.get("id"), row.get("registry")) for row in rows)
    home, name = registry.subscription, registry.name.casefold()
    return frozenset((*_strays(near, "", home), *_strays(far, name, home))) - {subject.id}


def _strays(named: Iterable[tuple[object, object]], mentioned: str, home: Scope) -> Iterator[Scope]:
    """A workspace of which not even its own id is one stands for itself as what it was found in."""
    for scope, value in named:
        if REGISTRY.malformed(value) and mentioned in str(value).casefold():
            yield scope_or_none(scope) or home
