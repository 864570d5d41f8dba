"""Azure and the app's storage, with a record of what was asked and what came of it. Nothing is asked twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from shared.access.actions import Grant, Removal, Setting
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.scope import Scope
from shared.ports import Azure, AzureFailureError, Raw, Store, Stored, WriteRefusedError
from shared.snapshot import questions
from shared.snapshot.questions import Key, Question


@dataclass(slots=True)
class Notes:
    """Each question once, with its answer: a value as the seam gives it, or how it failed."""

    asked: dict[Key, tuple[Question, Any]] = field(default_factory=dict)
    _begun: "dict[Key, asyncio.Future[Any]]" = field(default_factory=dict)

    async def ask[T](self, question: Question, read: Callable[[], Awaitable[T]]) -> T:
        """Raises as `read` does. A failure stays one: what a snapshot says of it, this run has seen."""
        key = question.key
        if key not in self._begun:
            self._begun[key] = asyncio.ensure_future(self._read(question, read))
        answer: T = await self._begun[key]
        return answer

    async def _read[T](self, question: Question, read: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await read()
        except AzureFailureError as error:
            self.asked[question.key] = question, error
            raise
        self.asked[question.key] = question, answer
        return answer


@dataclass(frozen=True, slots=True)
class RecordedAzure:
    """See `shared.ports.Azure`. It changes nothing. All of it is as of one `time`, so that it can be told again."""

    azure: Azure
    notes: Notes
    time: datetime

    def fresh(self) -> "RecordedAzure":
        return self

    def now(self) -> datetime:
        return self.time

    async def resource(self, scope: Scope) -> Raw | None:
        return await self.notes.ask(questions.resource(scope), lambda: self.azure.resource(scope))

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        asked = questions.children(parent, collection, pages)
        return await self.notes.ask(asked, lambda: self.azure.children(parent, collection, pages=pages))

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        async def rows() -> list[Raw]:
            return [row async for row in self.azure.query(kql, subscription)]

        for row in await self.notes.ask(questions.query(kql, subscription), rows):
            yield row

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        return await self.notes.ask(questions.logs(kql), lambda: self.azure.logs(kql))

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        asked = questions.role_assignments(principal_id, subscription)
        return await self.notes.ask(asked, lambda: self.azure.role_assignments(principal_id, subscription))

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        async def one(role_id: str) -> RoleDefinition | None:
            return (await self.azure.role_definitions(frozenset((role_id,)), scope)).get(role_id)

        async def told(role_id: str) -> RoleDefinition | None:
            return await self.notes.ask(questions.role_definition(role_id, scope), lambda: one(role_id))

        ordered = sorted(role_ids)
        found = await asyncio.gather(*map(told, ordered))
        return {role_id: role for role_id, role in zip(ordered, found, strict=True) if role}

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        asked = questions.deny_assignments(subscription, principal_id)
        return await self.notes.ask(asked, lambda: self.azure.deny_assignments(subscription, principal_id))

    async def grant(self, grant: Grant, description: str) -> bool:  # noqa: ARG002 - see the class
        refuse()

    async def revoke(self, removal: Removal) -> bool:  # noqa: ARG002 - see the class
        refuse()

    async def change(self, setting: Setting) -> None:  # noqa: ARG002 - see the class
        refuse()


@dataclass(frozen=True, slots=True)
class RecordedStore:
    """See `shared.ports.Store`. It changes nothing."""

    store: Store
    notes: Notes

    async def read(self, name: str) -> Stored | None:
        return await self.notes.ask(questions.document(name), lambda: self.store.read(name))

    async def newer(self, name: str, known: Stored) -> Stored | None:
        return await self.notes.ask(questions.document(name), lambda: self.store.newer(name, known))

    async def write(self, name: str, data: bytes, etag: str | None) -> str:  # noqa: ARG002 - see the class
        refuse()

    async def delete(self, name: str) -> None:
        """What has lapsed is for the app to tidy up."""

    async def names(self, prefix: str) -> Sequence[str]:
        return await self.notes.ask(questions.documents(prefix), lambda: self.store.names(prefix))


def refuse() -> NoReturn:
    raise WriteRefusedError("take a snapshot", "ReadOnly", "a snapshot is taken without changing anything")
