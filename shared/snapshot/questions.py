"""What was asked, and how it is written: the same question has the same key, whoever asks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from shared.access.raw import object_id
from shared.access.scope import Scope


class Key(NamedTuple):
    """Scopes and ids in one spelling. Texts of queries as they are."""

    kind: str
    at: str = ""
    what: str = ""
    pages: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """`at` is where it is asked, `what` is the collection, query, principal or document."""

    kind: str
    at: Scope | None = None
    what: str | None = None
    pages: int | None = None

    @property
    def key(self) -> Key:
        said = self.what or ""
        if self.kind in ("list", "roleDefinition"):
            said = said.casefold()
        elif self.kind in ("roleAssignments", "denyAssignments"):
            said = object_id(said)
        return Key(self.kind, self.at.key if self.at else "", said, self.pages)

    def written(self) -> dict[str, Any]:
        said = {"ask": self.kind, "at": str(self.at) if self.at else None, "for": self.what, "pages": self.pages}
        return {name: value for name, value in said.items() if value is not None}


def resource(scope: Scope) -> Question:
    return Question("resource", scope)


def children(parent: Scope, collection: str, pages: int | None = None) -> Question:
    return Question("list", parent, collection, pages)


def query(kql: str, subscription: Scope | None = None) -> Question:
    return Question("query", subscription, kql)


def logs(kql: str) -> Question:
    return Question("logs", None, kql)


def role_assignments(principal_id: str, subscription: Scope) -> Question:
    return Question("roleAssignments", subscription, principal_id)


def role_definition(role_id: str, scope: Scope) -> Question:
    return Question("roleDefinition", scope, role_id)


def deny_assignments(subscription: Scope, principal_id: str | None) -> Question:
    return Question("denyAssignments", subscription, principal_id)


def document(name: str) -> Question:
    return Question("document", None, name)


def documents(prefix: str) -> Question:
    return Question("documents", None, prefix)


def question(said: Mapping[str, Any]) -> Question:
    """Raises `ValueError` (`InvalidScopeError`) and `TypeError` for what nobody can have asked."""
    kind, at, what, pages = (said.get(name) for name in ("ask", "at", "for", "pages"))
    if not isinstance(kind, str) or not isinstance(what, str | None) or not isinstance(pages, int | None):
        raise TypeError("a question has a kind, and texts for the rest")
    return Question(kind, None if at is None else Scope.parse(at), what, pages)
