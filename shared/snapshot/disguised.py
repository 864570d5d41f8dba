"""Azure and the app's storage as a tenant with other names: it is asked in pseudonyms, and answers in them.

So a snapshot is taken of it as of any tenant, and whatever follows from names (queries, ids of actions, names of
documents) follows from pseudonyms in it.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.access import denies, parse
from shared.access.actions import Grant, Plan, Removal, Setting, Wait
from shared.access.model import Part
from shared.access.own_assignments import assignment_name, unique
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get, scope_or_none
from shared.access.scope import Scope
from shared.ports import Azure, AzureFailureError, NotShownError, Raw, ReadFailedError, Store, Stored
from shared.snapshot import raws
from shared.snapshot.disguise import Disguise
from shared.snapshot.kept import Keeping
from shared.snapshot.recorded import Notes, refuse


@dataclass(frozen=True, slots=True)
class Disguising:
    """What is left out of a snapshot is left out before names are looked for."""

    disguise: Disguise
    keeping: Keeping

    def of(self, raw: Any, *, prose: bool = False) -> Any:
        return self.disguise.of(self.keeping.of(raw), prose=prose)

    def learn(self, notes: Notes, plans: Sequence[Plan]) -> None:
        """What follows from names in all that was read and planned, so that it follows from pseudonyms here."""
        told = [answer for _, answer in notes.asked.values()]
        seen = [raw for answer in told for raw in raws.of(answer)]
        for raw in seen:
            self.disguise.learn(raw)
        for raw in seen:
            self.of(raw)
        for workspace in {scope for raw in seen if (scope := scope_or_none(get(raw, "id")))}:
            self.disguise.pseudonyms.follow(unique(workspace.key), unique(self.disguise.scope(workspace).key))
        for plan in plans:
            put_off = (*(one.action for one in plan.withheld), *(one.action for one in plan.deferred))
            for action in (*plan.actions, *put_off):
                self.disguise.pseudonyms.follow(action.action_id, self._action_id(action))

    def _action_id(self, action: Grant | Setting | Removal | Wait) -> str:
        hidden = self.disguise
        match action:
            case Grant():
                who = hidden.object_id(action.principal.id)
                return assignment_name(hidden.scope(action.scope), who, hidden.object_id(action.need.role_id))
            case Removal():
                return unique(hidden.scope(action.assignment).key, "removal")
            case Setting():
                who = hidden.object_id(action.principal.id.casefold()) if action.principal else ""
                return unique(hidden.scope(action.resource).key, action.name, hidden.of(action.to), who)
        return unique(hidden.scope(action.resource).key, "wait")

    async def told[T](self, asked: Awaitable[T]) -> T:
        """What Azure says when it refuses names whom it refuses, and where."""
        try:
            return await asked
        except AzureFailureError as error:
            raise self._failure(error) from None

    def _failure(self, error: AzureFailureError) -> AzureFailureError:
        told = self.disguise.of([error.operation, error.code, error.reason], prose=True)
        if not isinstance(error, ReadFailedError):
            return AzureFailureError(*told, lacks_right=error.lacks_right)
        kind = NotShownError if isinstance(error, NotShownError) else ReadFailedError
        return kind(*told, forbidden=error.forbidden, lacks_right=error.lacks_right)


@dataclass(frozen=True, slots=True)
class DisguisedAzure:
    """See `shared.ports.Azure`."""

    azure: Azure
    disguising: Disguising

    def fresh(self) -> "DisguisedAzure":
        return self

    def now(self) -> datetime:
        return self.azure.now()

    async def resource(self, scope: Scope) -> Raw | None:
        found = await self.disguising.told(self.azure.resource(self._there(scope)))
        return None if found is None else self.disguising.of(found)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        found = await self.disguising.told(
            self.azure.children(self._there(parent), self._names(collection), pages=pages)
        )
        if found is None:
            return None
        told = [self.disguising.of(raw) for raw in found]
        return Part(told) if isinstance(found, Part) else told

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        async def rows() -> list[Raw]:
            there = subscription and self._there(subscription)
            return [row async for row in self.azure.query(self._names(kql), there)]

        for row in await self.disguising.told(rows()):
            yield self.disguising.of(row)

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        rows = await self.disguising.told(self.azure.logs(self._names(kql)))
        return None if rows is None else [self._row(row) for row in rows]

    def _row(self, row: Raw) -> Raw:
        times = {name: value for name, value in row.items() if isinstance(value, datetime)}
        told = {name: value for name, value in row.items() if name not in times}
        return {**self.disguising.of(told, prose=True), **times}

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        found = await self.disguising.told(
            self.azure.role_assignments(self._names(principal_id), self._there(subscription))
        )
        told = (parse.role_assignment(self.disguising.of(raws.assignment(one))) for one in found)
        return [one for one in told if one]

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        found = await self.disguising.told(
            self.azure.role_definitions(frozenset(map(self._names, role_ids)), self._there(scope))
        )
        return {one.role_id: one for one in map(self._role, found.values())}

    def _role(self, one: RoleDefinition) -> RoleDefinition:
        built_in = self.disguising.disguise.words.guids
        return one if one.role_id in built_in else parse.role_definition(self.disguising.of(raws.definition(one)))

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        who = None if principal_id is None else self._names(principal_id)
        found = await self.disguising.told(self.azure.deny_assignments(self._there(subscription), who))
        told = (denies.deny_assignment(self.disguising.of(raws.denial(one))) for one in found)
        return [one for one in told if one]

    def _there(self, scope: Scope) -> Scope:
        return Scope.parse(self._names(str(scope)))

    def _names(self, text: str) -> str:
        return self.disguising.disguise.pseudonyms.names(text)

    async def grant(self, grant: Grant, description: str) -> bool:  # noqa: ARG002 - a snapshot is only taken
        refuse()

    async def revoke(self, removal: Removal) -> bool:  # noqa: ARG002 - as above
        refuse()

    async def change(self, setting: Setting) -> None:  # noqa: ARG002 - as above
        refuse()


@dataclass(frozen=True, slots=True)
class DisguisedStore:
    """See `shared.ports.Store`."""

    store: Store
    disguising: Disguising

    async def read(self, name: str) -> Stored | None:
        """One that is no JSON stays without content: the commands say of both that it cannot be read."""
        stored = await self.disguising.told(self.store.read(self._names(name)))
        if stored is None:
            return None
        try:
            said = json.loads(stored.data)
        except ValueError:
            return Stored(b"", stored.etag)
        return Stored(json.dumps(self.disguising.of(said, prose=True)).encode(), stored.etag)

    async def newer(self, name: str, known: Stored) -> Stored | None:  # noqa: ARG002 - nothing is read twice
        return await self.read(name)

    async def write(self, name: str, data: bytes, etag: str | None) -> str:  # noqa: ARG002 - as above
        refuse()

    async def delete(self, name: str) -> None:
        """What has lapsed is for the app to tidy up."""

    async def names(self, prefix: str) -> Sequence[str]:
        found = await self.disguising.told(self.store.names(self._names(prefix)))
        return [str(self.disguising.disguise.of(one, prose=True)) for one in found]

    def _names(self, name: str) -> str:
        return self.disguising.disguise.pseudonyms.names(name)
