"""Reads one workspace: itself, the lists below it that the enabled rules look at, and its identities' object ids."""

import asyncio
from collections.abc import Iterable

from shared.access import parse
from shared.access.model import Workspace
from shared.access.rules import RULES, List
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.ports import ReadFailedError, Reads

_USER_ASSIGNED = "microsoft.managedidentity/userassignedidentities"


async def read_workspace(scope: Scope, azure: Reads, terms: Terms) -> Workspace | None:
    lists = _lists(terms)
    raw, children = await asyncio.gather(
        azure.resource(scope), asyncio.gather(*(azure.children(scope, name.value) for name in lists))
    )
    if raw is None:
        return None
    if None in children:
        raise ReadFailedError(
            f"list children of {scope.name}", "ParentVanished", "the workspace went while it was read"
        )
    read = {name: rows for name, rows in zip(lists, children, strict=True) if rows is not None}
    found = parse.workspace(raw, read, {})
    unresolved = _unresolved(found)
    return parse.workspace(raw, read, await _resolve(unresolved, azure)) if unresolved else found


def _lists(terms: Terms) -> list[List]:
    """What the rules read that the policy left on."""
    acting = [rule for rule in RULES if any(terms.enabled(rule, (one,)) for one in rule.requirements or ("",))]
    return sorted({name for rule in acting for name in rule.reads})


def _unresolved(workspace: Workspace) -> frozenset[Scope]:
    identities = (
        workspace.identity,
        *(c.identity for c in workspace.computes),
        *(e.identity for e in workspace.endpoints),
    )
    return frozenset(scope for identity in identities for scope in identity.unresolved)


async def _resolve(identities: Iterable[Scope], azure: Reads) -> dict[Scope, str]:
    """Object ids of user-assigned identities whose block ARM left empty; a deleted one stays unresolved.

    So does what is none: of a resource of any other kind its owner may make up the object id.
    """
    scopes = [scope for scope in identities if scope.resource_type == _USER_ASSIGNED]
    raws = await asyncio.gather(*(azure.resource(scope) for scope in scopes))
    found = {scope: (raw or {}).get("properties") or {} for scope, raw in zip(scopes, raws, strict=True)}
    return {scope: str(body["principalId"]) for scope, body in found.items() if body.get("principalId")}
