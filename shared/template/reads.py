"""Azure as it will be after a deployment, as far as the template shows: the reading side of the seam.

What the template makes is all there is: a new workspace has the computes of the template, and no others. What the
template names and does not make is not shown (`NotShownError`), and is said in `unknown`.
"""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from shared.access.actions import Unknown
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get, object_id, scope_or_none
from shared.access.scope import Scope
from shared.ports import NotShownError, Raw
from shared.template.estate import unexplained
from shared.template.made import ANY_ROLE, ANYTHING, ROOT, TemplateEstate
from shared.template.resources import REGISTRY, STORAGE, VAULT, WORKSPACE, policies
from shared.template.symbols import Holder, Kind, has_symbol
from shared.template.values import USER_ASSIGNED

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_EXCLUDED = re.compile(r"subscriptionId !in~ \(([^)]*)\)")
_FILTERED = re.compile(r"resourceType eq '([^']*)'", re.IGNORECASE)
_SETTINGS = (REGISTRY, STORAGE, VAULT)


@dataclass(slots=True)
class TemplateReads:
    """See `shared.ports.Reads`. `built_in` are the roles that Azure has by itself.

    `unreadable`: Azure is asked as well, so that the object ids of all identities that are there are known, but for
    these. None: it is not asked.
    """

    estate: TemplateEstate
    built_in: Mapping[str, RoleDefinition]
    time: datetime
    tenant: str
    unreadable: frozenset[Scope] | None = None
    _asked: dict[Scope, None] = field(default_factory=dict)
    _holders: dict[str, Holder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for holder in holders(self.estate):
            self._holders[self._id_of(holder)] = holder

    def _id_of(self, holder: Holder) -> str:
        known = self.estate.object_ids.get(holder.resource)
        return object_id(known) if known else holder.symbol

    def now(self) -> datetime:
        return self.time

    async def resource(self, scope: Scope) -> Raw | None:
        if scope == scope.subscription:
            return {"id": str(scope), "tenantId": self.tenant}
        if scope in self.estate.resources and scope not in self.estate.hidden and not self._doubtful_vault(scope):
            return self.estate.resources[scope]
        if scope == scope.resource_group:
            return {"id": str(scope)}
        if scope not in self.estate.resources and self._is_below_new(scope):
            return None
        self._asked[scope] = None
        raise NotShownError(f"look at {scope}", "NotInTemplate", "it is not in the template")

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:  # noqa: ARG002, PLR0911 - one page holds all; one line for each kind of list
        kind = collection.partition("?")[0].casefold()
        match kind:
            case "microsoft.authorization/locks":
                return [raw for raw in self.estate.locks if _at_or_below(raw, parent)]
            case "microsoft.authorization/roleassignments":
                return [raw for raw in self.estate.listed if _concerns(raw, parent, above="atScope" in collection)]
            case "microsoft.authorization/roledefinitions":
                return self.estate.custom
            case "resources":
                return self._inside(parent, {one.casefold() for one in _FILTERED.findall(unquote(collection))})
        if "/" in kind:
            return self._inside(parent, {kind})
        if parent not in self.estate.resources and self._is_below_new(parent):
            return None
        if parent not in self.estate.resources:
            raise NotShownError(f"list {collection} of {parent}", "NotInTemplate", "it is not in the template")
        return self.below(parent, kind)

    def below(self, parent: Scope, kind: str) -> list[Raw]:
        """The children that the template makes, whether or not it makes the parent."""
        wanted = f"{parent.resource_type}/{kind.casefold()}"
        return [raw for scope, raw in self._shown() if scope.resource_type == wanted and scope.parent == parent]

    def _inside(self, parent: Scope, kinds: set[str]) -> list[Raw]:
        inside = ((scope, raw) for scope, raw in self._shown() if parent.contains(scope))
        return [raw for scope, raw in inside if not kinds or scope.resource_type in kinds]

    def _is_below_new(self, scope: Scope) -> bool:
        """What a new resource has not got in the template it has not got at all."""
        above = scope.parent
        return above != scope and (above in self.estate.resources or (not above.is_root and self._is_below_new(above)))

    def _shown(self) -> Iterable[tuple[Scope, Raw]]:
        return ((scope, raw) for scope, raw in self.estate.resources.items() if scope not in self.estate.hidden)

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        """Of the workspaces, or of the resources outside the subscriptions that the query excludes.

        Whoever asks looks at each row again, so more rows than were asked for do no harm.
        """
        only_workspaces = f"type =~ '{WORKSPACES}'".casefold() in kql.casefold()
        excluded = _EXCLUDED.search(kql)
        near = excluded[1].casefold() if excluded else ""
        for scope, raw in self._shown():
            home = scope.subscription
            wanted = scope.resource_type == WORKSPACE if only_workspaces else home is not None and home.name not in near
            if wanted and (subscription is None or subscription.contains(scope)):
                yield {**raw, "id": str(scope), "registry": get(raw, "properties", "containerRegistry")}

    async def logs(self, kql: str) -> Sequence[Raw] | None:  # noqa: ARG002 - there are no logs of what is not there
        return None

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:  # noqa: ARG002 - the template's, wherever they are
        mine = [one for one in self.estate.assignments if one.principal_id == principal_id]
        return [*mine, *(replace(one, principal_id=principal_id) for one in self._doubts(principal_id))]

    def _doubts(self, principal_id: str) -> Iterable[RoleAssignment]:
        holder = self._holders.get(principal_id)
        explained = principal_id in {object_id(one) for one in self.estate.object_ids.values()}
        explained = explained or (self.unreadable is not None and not (holder and holder.resource in self.unreadable))
        for doubt in self.estate.doubts:
            theirs = doubt.principal == principal_id
            if theirs or (doubt.principal is None and not (explained and doubt.stranger)):
                yield doubt.assignment
        if holder and (unseen := self._unseen(holder.resource)):
            name = self.estate.symbols.shown(holder.resource)
            why = f"{name} {unseen}, so what it holds already cannot be seen"
            yield RoleAssignment(f"{name}#elsewhere", ROOT, principal_id, ANY_ROLE, doubt=why)
        for scope in self._nowhere():
            why = f"nobody can tell which resource it is: {self.estate.symbols.shown(scope)}"
            yield RoleAssignment(f"{scope}#somewhere", scope, principal_id, ANY_ROLE, doubt=why)

    def _unseen(self, identity: Scope) -> str:
        """Why nobody can tell what the identity holds already. Empty if it can be told."""
        if self.unreadable is None:
            return "" if self.estate.makes(identity) else "is not in the template"
        return "may not be read" if identity in self.unreadable else ""

    def _nowhere(self) -> Iterable[Scope]:
        """Places that the template names by an expression and does not make."""
        named = dict.fromkeys(scope for raw in self.estate.resources.values() for scope in _named(raw))
        return [scope for scope in named if has_symbol(str(scope)) and scope not in self.estate.resources]

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:  # noqa: ARG002 - a template's roles are known everywhere
        known = {**self.built_in, **self.estate.roles, ANY_ROLE: ANYTHING}
        return {role_id: known[role_id] for role_id in role_ids if role_id in known}

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:  # noqa: ARG002 - no template can make one
        return ()

    def _doubtful_vault(self, scope: Scope) -> bool:
        """Whether an access policy of an unexplained object id may be that of an identity which has none there."""
        raw = self.estate.resources[scope]
        if scope.resource_type != VAULT or get(raw, "properties", "enableRbacAuthorization") is True:
            return False
        entries = list(policies(raw))
        known = {object_id(str(get(entry, "objectId"))) for entry in entries}
        strange = list(unexplained(entries, frozenset(map(object_id, self.estate.object_ids.values()))))
        lacking = [holder for one, holder in self._holders.items() if holder.kind is Kind.USER and one not in known]
        lacking = [one for one in lacking if one.resource not in self.estate.object_ids]
        if not strange or not lacking:
            return False
        why = f"the template does not say whose access policies these are: {', '.join(strange)}"
        self.estate.say(scope, f"whether {', '.join(one.resource.name for one in lacking)} may use it", why)
        return True

    def not_shown(self) -> list[Unknown]:
        """What rules wanted to see of resources that the template names and does not make."""
        found = []
        for scope in self._asked:
            if scope in self.estate.resources or scope.resource_type == USER_ASSIGNED:
                continue
            what = "its settings" if scope.resource_type in _SETTINGS else "what it is set to"
            found.append(Unknown(scope, what, "it is not in the template"))
        return found


def holders(estate: TemplateEstate) -> Iterable[Holder]:
    """All identities that resources of the template are or have."""
    return (holder for scope, raw in estate.resources.items() for holder in _identities(scope, raw))


def _identities(scope: Scope, raw: Raw) -> Iterable[Holder]:
    if scope.resource_type == USER_ASSIGNED:
        yield Holder(scope, Kind.USER)
    if get(raw, "identity", "principalId"):
        yield Holder(scope, Kind.SYSTEM)
    named = get(raw, "identity", "userAssignedIdentities")
    for name in named if isinstance(named, Mapping) else ():
        at = scope_or_none(name)
        if at:
            yield Holder(at, Kind.USER)


def _named(raw: Raw) -> Iterable[Scope]:
    """What a workspace, or a datastore of it, names."""
    properties: Any = get(raw, "properties")
    for name in ("containerRegistry", "storageAccount", "keyVault", "applicationInsights", "hubResourceId"):
        scope = scope_or_none(get(properties, name))
        if scope:
            yield scope


def _concerns(raw: Raw, at: Scope, *, above: bool) -> bool:
    """At or above it, and also below it unless only those `above` are wanted."""
    scope = scope_or_none(get(raw, "properties", "scope"))
    return scope is not None and (scope.contains(at) or (not above and at.contains(scope)))


def _at_or_below(raw: Raw, parent: Scope) -> bool:
    scope = scope_or_none(raw.get("id"))
    return scope is not None and parent.contains(scope)
