"""Reads one workspace, the lists below it that the rules look at, and the object ids of its identities."""

import asyncio
from collections.abc import Iterable

from shared.access import parse
from shared.access.ids import user_assigned
from shared.access.lost import holders
from shared.access.model import Workspace
from shared.access.raw import principal_id, scope_or_none
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.access.touched import lists
from shared.ports import NotShownError, Raw, ReadFailedError, Reads


async def read_workspace(scope: Scope, azure: Reads, terms: Terms) -> Workspace | None:
    names = sorted(lists(terms))
    raw, children = await asyncio.gather(
        azure.resource(scope), asyncio.gather(*(azure.children(scope, name.value) for name in names))
    )
    if raw is None:
        return None
    raw = placed(raw, scope)
    if None in children:
        raise ReadFailedError(
            f"list children of {scope.name}", "ParentVanished", "the workspace was deleted while it was read"
        )
    read = {name: rows for name, rows in zip(names, children, strict=True) if rows is not None}
    found = parse.workspace(raw, read, {})
    unresolved = _unresolved(found)
    return parse.workspace(raw, read, await _resolve(unresolved, azure)) if unresolved else found


def placed(raw: Raw, scope: Scope) -> Raw:
    """What was read at `scope`, under that id, whatever id it states. In ARM's spelling if both ids are the same."""
    return raw if scope_or_none(raw.get("id")) == scope else {**raw, "id": str(scope)}


def _unresolved(workspace: Workspace) -> frozenset[Scope]:
    return frozenset(scope for _, identity in holders(workspace) for scope in identity.unresolved)


async def _resolve(identities: Iterable[Scope], azure: Reads) -> dict[Scope, str]:
    """Object ids of user-assigned identities whose block ARM left empty. A deleted identity stays unresolved.

    So does an identity that amlguard may not read, and a resource of another type, whose owner could make up the object
    id.
    """
    scopes = [scope for scope in identities if user_assigned(str(scope))]
    raws = await asyncio.gather(*(_readable(scope, azure) for scope in scopes))
    found = ((scope, principal_id(raw, "properties", "principalId")) for scope, raw in zip(scopes, raws, strict=True))
    return {scope: holder for scope, holder in found if holder}


async def _readable(scope: Scope, azure: Reads) -> Raw | None:
    try:
        return await azure.resource(scope)
    except NotShownError:
        return None
    except ReadFailedError as error:
        if error.forbidden:
            return None
        raise
