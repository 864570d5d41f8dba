"""A snapshot in place of Azure and of the app's storage: it gives the answers that were given then, and no others.

What was not asked is not known, and neither is what could not be read: both raise, as a failed read does (law 2).
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, Self

from shared.access import denies, parse
from shared.access.actions import Grant, Removal, Setting
from shared.access.model import Part
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get, scope_or_none
from shared.access.scope import InvalidScopeError, Scope
from shared.ports import NotShownError, Raw, ReadFailedError, Stored, WriteRefusedError
from shared.reading.discover import WORKSPACES, asks_for_workspaces
from shared.snapshot import questions
from shared.snapshot.kept import TIME
from shared.snapshot.questions import Key, Question
from shared.snapshot.written import FORM, SECTIONS


class NotASnapshotError(ValueError):
    """The file is no snapshot of a tenant. The message says what it is, and what takes it."""


@dataclass(slots=True)
class Played:
    """What a snapshot holds, by question. `known` are objects that were told as a whole, by id."""

    time: datetime
    about: Mapping[str, Any]
    built_in: Mapping[str, RoleDefinition]
    answers: dict[Key, Mapping[str, Any]] = field(default_factory=dict)
    known: dict[str, Raw] = field(default_factory=dict)

    @classmethod
    def of(cls, document: object, source: str, built_in: Mapping[str, RoleDefinition]) -> Self:
        """Raises `NotASnapshotError`."""
        about = _about(document, source)
        try:
            time = datetime.fromisoformat(about["time"])
            made = cls(time, about, built_in)
            for section in SECTIONS:
                for raw in document.get(section) or () if isinstance(document, Mapping) else ():
                    made.known[Scope.parse(raw["id"]).key] = raw
            for one in about["asked"]:
                made.answers[questions.question(one).key] = one
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotASnapshotError(f"{source} is no whole snapshot: {error}; take it anew") from error
        return made

    @property
    def workspaces(self) -> list[Raw]:
        kind = WORKSPACES.casefold()
        return [raw for key, raw in sorted(self.known.items()) if Scope.parse(key).resource_type == kind]

    def ask(self, question: Question) -> Any:
        """The answer as it was told, in full. Raises `ReadFailedError`."""
        found = self.answers.get(question.key)
        if found is None:
            raise self.not_asked(question)
        failed = found.get("failed")
        if isinstance(failed, Mapping):
            raise _failure(failed)
        return self._whole(found["answer"]) if "answer" in found else found

    def not_asked(self, question: Question) -> NotShownError:
        return NotShownError(_words(question), "NotInSnapshot", "it was not asked when the snapshot was taken")

    def is_part(self, question: Question) -> bool:
        return (self.answers.get(question.key) or {}).get("more") is True

    def _whole(self, told: Any) -> Any:
        match told:
            case str():
                return self.known[Scope.parse(told).key] if _is_known(told, self.known) else told
            case list():
                return [self._whole(one) for one in told]
        return told


def _about(document: object, source: str) -> Mapping[str, Any]:
    if not isinstance(document, Mapping):
        raise NotASnapshotError(f"{source} is no snapshot: `amlguard snapshot --out FILE` takes one")
    if "predictedResources" in document:
        raise NotASnapshotError(
            f"{source} is a snapshot of a template, which `bicep snapshot` writes: give it with --template"
        )
    about = document.get("snapshot")
    if not isinstance(about, Mapping):
        raise NotASnapshotError(
            f"{source} does not say what was asked: it may be a tenant file, which `amlguard emulate --tenant` takes; "
            "`amlguard snapshot --out FILE` takes a snapshot"
        )
    if about.get("form") != FORM:
        raise NotASnapshotError(f"{source} has form {about.get('form')}, and this amlguard reads form {FORM}")
    return about


def _timed(value: Any) -> Any:
    said = get(value, TIME)
    return datetime.fromisoformat(said) if said else value


def _is_known(told: str, known: Mapping[str, Raw]) -> bool:
    try:
        return Scope.parse(told).key in known
    except InvalidScopeError:
        return False


def _words(question: Question) -> str:
    where = f" of {question.at}" if question.at else ""
    match question.kind:
        case "resource":
            return f"read {question.at}"
        case "list":
            return f"list {question.what}{where}"
        case "query" | "logs":
            return "ask Resource Graph" if question.kind == "query" else "ask the log workspace"
    return f"read {question.kind} {question.what or ''}{where}"


def _failure(said: Mapping[str, Any]) -> ReadFailedError:
    kind = NotShownError if said.get("notShown") else ReadFailedError
    return kind(
        str(said.get("operation")),
        str(said.get("code")),
        str(said.get("reason")),
        forbidden=said.get("forbidden") is True,
        lacks_right=said.get("lacksRight") is True,
    )


@dataclass(frozen=True, slots=True)
class PlayedAzure:
    """See `shared.ports.Azure`."""

    played: Played

    def fresh(self) -> "PlayedAzure":
        return self

    def now(self) -> datetime:
        return self.played.time

    async def resource(self, scope: Scope) -> Raw | None:
        """Also what only a list told, and that it is not there if a whole list does not have it."""
        asked = questions.resource(scope)
        if asked.key in self.played.answers:
            found: Raw | None = self.played.ask(asked)
            return found
        told = self.played.known.get(scope.key)
        if isinstance(get(told, "properties"), Mapping):
            return told
        above = questions.children(scope.parent, scope.segments[-2] if scope.segments else "")
        if above.key not in self.played.answers or self.played.is_part(above):
            raise self.played.not_asked(asked)
        listed = self.played.ask(above) or ()
        return next((raw for raw in listed if scope_or_none(get(raw, "id")) == scope), None)

    async def children(self, parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[Raw] | None:
        asked = questions.children(parent, collection, pages)
        found: Sequence[Raw] | None = self.played.ask(asked)
        return Part(found) if found is not None and self.played.is_part(asked) else found

    async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[Raw]:
        """Where to look, it says of itself: whoever asks looks at each workspace (`shared.reading.discover`)."""
        asked = questions.query(kql, subscription)
        if asked.key not in self.played.answers and asks_for_workspaces(kql):
            for raw in self.played.workspaces:
                yield {"id": raw["id"]}
            return
        for row in self.played.ask(asked):
            yield row

    async def logs(self, kql: str) -> Sequence[Raw] | None:
        """Without a log workspace then, there is none now."""
        if self.played.about.get("hasLogs") is False:
            return None
        rows = self.played.ask(questions.logs(kql))
        return None if rows is None else [{name: _timed(value) for name, value in row.items()} for row in rows]

    async def role_assignments(self, principal_id: str, subscription: Scope) -> Sequence[RoleAssignment]:
        rows = self.played.ask(questions.role_assignments(principal_id, subscription))
        return [one for raw in rows if (one := parse.role_assignment(raw))]

    async def role_definitions(self, role_ids: frozenset[str], scope: Scope) -> Mapping[str, RoleDefinition]:
        found = {}
        for role_id in sorted(role_ids):
            asked = questions.role_definition(role_id, scope)
            built_in = self.built_in(role_id, asked)
            if built_in:
                found[role_id] = built_in
            elif (raw := self.played.ask(asked)) is not None:
                found[role_id] = parse.role_definition(raw)
        return found

    def built_in(self, role_id: str, asked: Question) -> RoleDefinition | None:
        said = self.played.answers.get(asked.key)
        return self.played.built_in.get(role_id) if said is None or said.get("builtIn") is True else None

    async def deny_assignments(self, subscription: Scope, principal_id: str | None) -> Sequence[DenyAssignment]:
        rows = self.played.ask(questions.deny_assignments(subscription, principal_id))
        return [one for raw in rows if (one := denies.deny_assignment(raw))]

    async def grant(self, grant: Grant, description: str) -> bool:  # noqa: ARG002 - see `_refuse`
        _refuse()

    async def revoke(self, removal: Removal) -> bool:  # noqa: ARG002 - as above
        _refuse()

    async def change(self, setting: Setting) -> None:  # noqa: ARG002 - as above
        _refuse()


@dataclass(frozen=True, slots=True)
class PlayedStore:
    """See `shared.ports.Store`."""

    played: Played

    async def read(self, name: str) -> Stored | None:
        said = self.played.ask(questions.document(name))
        return None if said is None else Stored(json.dumps(get(said, "holds")).encode(), "then")

    async def newer(self, name: str, known: Stored) -> Stored | None:
        now = await self.read(name)
        return known if now == known else now

    async def write(self, name: str, data: bytes, etag: str | None) -> str:  # noqa: ARG002 - see `_refuse`
        _refuse()

    async def delete(self, name: str) -> None:
        """Nothing is tidied up in what was."""

    async def names(self, prefix: str) -> Sequence[str]:
        found: Sequence[str] = self.played.ask(questions.documents(prefix))
        return found


def _refuse() -> NoReturn:
    raise WriteRefusedError("change a snapshot", "ReadOnly", "a snapshot is only read")
