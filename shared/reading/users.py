"""Who uses a resource, if only what lies below workspaces tells. It reads the cheap lists first.

`shared.access.dependencies` says what names what. Nothing is read that could not name the resource.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from shared.access import images
from shared.access.dependencies import REGISTRY, Namer, Sought, leading, leads_to, resource_of
from shared.access.raw import scope_or_none, text
from shared.access.scope import Scope
from shared.ports import Raw, Reads
from shared.reading.cached import CachedReads

_REGISTRIES = "Microsoft.ContainerRegistry/registries"
_AML_REGISTRIES = "Microsoft.MachineLearningServices/registries"
# How many workspaces are asked at once, each for up to four lists.
_AT_ONCE = 10
# The lists of a stage are read together. The next stage is read only if they did not settle it.
_CHEAP = tuple(namer for namer in Namer if namer.is_one_list)
_DEAR = tuple(namer for namer in Namer if "/" in namer.value)
_VERSIONS = "microsoft.machinelearningservices/workspaces/environments/versions"


async def seek(scope: Scope, azure: Reads) -> Sought:
    """Adds the names by which something below a workspace may know the resource. Raises `ReadFailedError`."""
    resource = resource_of(scope)
    if (resource and resource.resource_type != REGISTRY) or scope.subscription is None:
        return Sought(scope)
    found, aml = await asyncio.gather(
        azure.resource(resource) if resource else azure.children(scope, _REGISTRIES),
        azure.children(scope.subscription, _AML_REGISTRIES),
    )
    raws: Sequence[object] = [found] if resource else found if isinstance(found, Sequence) else ()
    servers = (text(raw, "properties", "loginServer") for raw in raws)
    keeping = (raw for raw in aml or () if any(scope.contains(one) for one in images.registries_of(raw)))
    return Sought(
        scope,
        frozenset(server.casefold() for server in servers if server),
        frozenset(str(raw.get("name")).casefold() for raw in keeping),
    )


type Answer = tuple[Scope, ...] | BaseException


async def using(
    asked: Mapping[Scope, Collection[Sought]],
    azure: Reads,
    *,
    themselves: Collection[Scope] = (),
    thorough: bool = True,
) -> dict[Scope, Answer]:
    """For each workspace, which of the scopes it uses, or why nobody can tell.

    It asks for what lies below the workspace. Only with `thorough` does it ask for deployments and environments, which
    cost a request each. Only `themselves` are asked for their own properties, because those of the others are known.
    """
    stages = (_CHEAP, _DEAR) if thorough else (_CHEAP,)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(workspace: Scope, those: Collection[Sought]) -> tuple[Scope, ...]:
        async with slots:
            if workspace in themselves:
                return await used_by(workspace, those, azure)
            return await _used_below({"id": str(workspace)}, workspace, those, azure, stages)

    answers = await asyncio.gather(*(one(*item) for item in asked.items()), return_exceptions=True)
    return dict(zip(asked, answers, strict=True))


async def used_by(workspace: Scope, those: Collection[Sought], azure: Reads) -> tuple[Scope, ...]:
    """Those that the workspace or something below it uses. Raises `ReadFailedError`."""
    raw = await azure.resource(workspace)
    if raw is None:
        return ()
    found = tuple(one.scope for one in those if leads_to(Namer.WORKSPACE, one, raw, raw))
    left = [one for one in those if one.scope not in found]
    return (*found, *await _used_below(raw, workspace, left, azure))


async def read_below(workspace: Scope, azure: Reads) -> None:
    """Everything by which somebody could ask whether the workspace uses something. For whoever keeps the answers."""
    once = CachedReads(azure)
    lists = (_read(namer, workspace, once) for namer in Namer if namer is not Namer.WORKSPACE)
    await asyncio.gather(*lists, return_exceptions=True)


async def _used_below(
    raw: Raw,
    workspace: Scope,
    those: Collection[Sought],
    azure: Reads,
    stages: tuple[tuple[Namer, ...], ...] = (_CHEAP, _DEAR),
) -> tuple[Scope, ...]:
    """`raw` is the workspace, if it is known."""
    once, left = CachedReads(azure), list(those)
    found: list[Scope] = []
    for stage in stages:
        lists = [namer for namer in stage if any(leading(namer, one) for one in left)]
        read = await asyncio.gather(*(_read(namer, workspace, once) for namer in lists))
        told = [(namer, child) for namer, children in zip(lists, read, strict=True) for child in children]
        found += [one.scope for one in left if any(leads_to(namer, one, child, raw) for namer, child in told)]
        left = [one for one in left if one.scope not in found]
    return tuple(found)


async def _read(namer: Namer, workspace: Scope, azure: Reads) -> Sequence[Raw]:
    match namer:
        case Namer.DEPLOYMENT:
            return await _deployments(workspace, azure)
        case Namer.ENVIRONMENT:
            return await _environments(workspace, azure)
    return await azure.children(workspace, namer.value) or ()


async def _deployments(workspace: Scope, azure: Reads) -> Sequence[Raw]:
    endpoints = await azure.children(workspace, Namer.ENDPOINT.value) or ()
    scopes = [scope for raw in endpoints if (scope := scope_or_none(raw.get("id"))) and workspace.contains(scope)]
    below = await asyncio.gather(*(azure.children(scope, "deployments") for scope in scopes))
    return [raw for rows in below for raw in rows or ()]


async def _environments(workspace: Scope, azure: Reads) -> Sequence[Raw]:
    """The latest versions of the environments that were changed last, and all versions that are deployed."""
    listed, deployed = await asyncio.gather(azure.children(workspace, "environments"), _deployments(workspace, azure))
    named = [one.id for raw in deployed for one in images.assets(raw) if one.id]
    both = dict.fromkeys((*images.latest(listed or ()), *named))
    versions = [one for one in both if workspace.contains(one) and one.resource_type == _VERSIONS]
    return [raw for raw in await asyncio.gather(*map(azure.resource, versions)) if raw is not None]
