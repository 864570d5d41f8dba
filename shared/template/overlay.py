"""A template laid over what is there: Azure as it will be after the deployment.

A deployment removes no resource (mode Complete is not looked at). It replaces what it names: an identity that it leaves
out is detached, the access policies of a vault that it writes as a whole are replaced, and what it does not say of a
setting that it replaces is the default again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.access.model import Part
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get, object_id, scope_or_none
from shared.access.scope import Scope
from shared.ports import NotShownError, Raw, ReadFailedError, Reads
from shared.template.estate import estate
from shared.template.made import TemplateEstate
from shared.template.reads import TemplateReads, holders
from shared.template.resources import REGISTRY, STORAGE, VAULT, WORKSPACE, policies
from shared.template.snapshot import Snapshot
from shared.template.symbols import has_symbol, is_principal

# What the service sets back to its default where a request to create or replace it does not say it.
_SET_BACK = {REGISTRY: ("adminUserEnabled",), STORAGE: ("allowSharedKeyAccess",), VAULT: ("enableRbacAuthorization",)}


async def laid_over(
    snapshots: Sequence[Snapshot], live: Reads, built_in: Mapping[str, RoleDefinition], known: Mapping[Scope, str]
) -> "LaidOver":
    """`known` are object ids that somebody named. Those of what is there come from Azure. Raises `ReadFailedError`."""
    first = estate(snapshots, known, built_in)
    built_in = {**built_in, **await _roles(first, live)}
    named = (*first.resources, *first.named, *_above(first), *(one.resource for one in holders(first)))
    asked = [one for one in dict.fromkeys(named) if not has_symbol(str(one))]
    answers = dict(zip(asked, await asyncio.gather(*(_there(one, live) for one in asked)), strict=True))
    there = {scope: raw for scope, raw in answers.items() if not isinstance(raw, ReadFailedError)}
    ids = {scope: found for scope, raw in there.items() if (found := _object_id(raw))}
    shown = {scope: raw for scope, raw in there.items() if raw is not None}
    made = estate(snapshots, {**ids, **known}, built_in, shown)
    unreadable = frozenset(answers.keys() - there.keys())
    return LaidOver(made, live, TemplateReads(made, built_in, live.now(), "", unreadable), there)


def _above(made: TemplateEstate) -> Iterator[Scope]:
    """Workspaces of which the template makes only a part, and the hubs of its projects."""
    for scope, raw in made.resources.items():
        workspace, hub = scope.ancestor(WORKSPACE), scope_or_none(get(raw, "properties", "hubResourceId"))
        yield from (one for one in (workspace, hub) if one)


async def _roles(made: TemplateEstate, live: Reads) -> Mapping[str, RoleDefinition]:
    """Custom roles that the template assigns and does not make."""
    asked = [(role_id, scope) for role_id, scope in made.strange_roles.items() if not has_symbol(str(scope))]
    answers = await asyncio.gather(*(live.role_definitions(frozenset({role}), scope) for role, scope in asked))
    return {role_id: role for found in answers for role_id, role in found.items()}


async def _there(scope: Scope, live: Reads) -> Raw | ReadFailedError | None:
    """Of what may not be read nobody knows whether it is there. It may be no secret to whoever deploys."""
    try:
        return await live.resource(scope)
    except ReadFailedError as error:
        if error.forbidden:
            return error
        raise


def _object_id(raw: Raw | None) -> str | None:
    found = get(raw, "identity", "principalId") or get(raw, "properties", "principalId")
    return object_id(found) if isinstance(found, str) else None


class LaidOver:
    """See `shared.ports.Reads`. `there` is what Azure has of what the template makes or names, as far as it tells."""

    def __init__(
        self, made: TemplateEstate, live: Reads, template: TemplateReads, there: Mapping[Scope, Raw | None]
    ) -> None:
        self.estate, self.template = made, template
        self._live, self._there = live, there

    def now(self) -> datetime:
        return self._live.now()

    async def resource(self, scope: Scope) -> Raw | None:
        if scope in self.estate.hidden:
            raise NotShownError(f"look at {scope}", "NotInTemplate", "the template does not say all of it")
        made = self.estate.resources.get(scope)
        if has_symbol(str(scope)):
            return await self.template.resource(scope)
        live = self._there[scope] if scope in self._there else await self._live.resource(scope)
        if made is None:
            added = self.estate.added.get(scope)
            if (
                live is None
                and scope == scope.resource_group
                and any(scope.contains(one) for one in self.estate.resources)
            ):
                return {"id": str(scope)}
            return _with_policies(live, added) if live is not None and added else live
        return _after(live, made, scope) if live is not None else made

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        live = None if has_symbol(str(parent)) else await self._children(parent, collection, pages)
        try:
            made = await self.template.children(parent, collection)
        except NotShownError:
            made = self.template.below(parent, collection.partition("?")[0])
        if live is None or made is None:
            return live if made is None else made
        complete = not isinstance(live, Part)
        listed = {at: one for one in live if (at := scope_or_none(one.get("id")))}
        strange = [one for one in live if scope_or_none(one.get("id")) is None]
        for one in made:
            at = scope_or_none(one.get("id"))
            if at:
                listed[at] = _after(listed[at], one, at) if at in listed else one
        both = [*strange, *listed.values()]
        return both if complete else Part(both)

    async def _children(self, parent: Scope, collection: str, pages: int | None) -> Sequence[Raw] | None:
        """Below a group that is only about to be made there is nothing yet."""
        try:
            return await self._live.children(parent, collection, pages=pages)
        except ReadFailedError as error:
            if error.code in ("ResourceGroupNotFound", "NotFound"):
                return None
            raise

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        async for row in self._live.query(kql, subscription):
            yield row
        async for row in self.template.query(kql, subscription):
            yield row

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        return await self._live.logs(kql)

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        made = await self.template.role_assignments(principal_id, subscription)
        if is_principal(principal_id) or has_symbol(str(subscription)):
            return made
        return [*await self._live.role_assignments(principal_id, subscription), *made]

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        made = await self.template.role_definitions(role_ids, scope)
        left = role_ids - made.keys()
        if not left or has_symbol(str(scope)):
            return made
        return {**await self._live.role_definitions(left, scope), **made}

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        """Nobody can tell which of them will apply to an identity that does not exist yet."""
        if has_symbol(str(subscription)):
            return ()
        return await self._live.deny_assignments(subscription, None if is_principal(principal_id) else principal_id)


def _after(live: Raw, made: Mapping[str, Any], at: Scope) -> dict[str, Any]:
    """The resource as the deployment leaves it."""
    own, theirs = made.get("properties"), live.get("properties")
    kept = dict(theirs) if isinstance(theirs, Mapping) else {}
    for name in _SET_BACK.get(at.resource_type, ()):
        kept.pop(name, None)
    after = {**live, **made, "properties": {**kept, **(own if isinstance(own, Mapping) else {})}}
    if "identity" not in made and not at.resource_type.startswith("microsoft.managedidentity/"):
        after.pop("identity", None)
    return after


def _with_policies(vault: Raw, added: Sequence[Any]) -> dict[str, Any]:
    properties = get(vault, "properties")
    own = dict(properties) if isinstance(properties, Mapping) else {}
    return {**vault, "properties": {**own, "accessPolicies": [*policies(vault), *added]}}
