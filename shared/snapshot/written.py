"""Notes as a document: a tenant file with a part of its own that says what was asked, and what came of it.

Objects are in the tenant file's lists, each once. An answer names them by id. Where Azure told the same object in two
ways (a list may leave out what the resource itself says), the answer holds what it told. So does a row without an id.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.access import denies, parse
from shared.access.model import Part
from shared.access.permissions import DenyAssignment, RoleAssignment, RoleDefinition
from shared.access.raw import get
from shared.access.scope import InvalidScopeError, Scope
from shared.ports import AzureFailureError, NotShownError, ReadFailedError, Stored
from shared.snapshot import raws
from shared.snapshot.kept import Keeping
from shared.snapshot.questions import Question
from shared.snapshot.recorded import Notes

FORM = 1
_REGISTRY = "microsoft.containerregistry/registries"
_SECTIONS = {
    "microsoft.authorization/roleassignments": "roleAssignments",
    "microsoft.authorization/denyassignments": "denyAssignments",
    "microsoft.authorization/roledefinitions": "roleDefinitions",
    "microsoft.authorization/locks": "locks",
}
SECTIONS = ("resources", *_SECTIONS.values())

type Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class About:
    """`time` is ARM's. `takenBy` is an object id. `policy` is what the policy file says, `policyName` its name."""

    time: str
    version: str
    tenantId: str  # noqa: N815 - as the document has it
    takenBy: str  # noqa: N815 - as above
    policy: Any
    policyName: str | None  # noqa: N815 - as above
    scopes: tuple[str, ...]
    stopped: bool
    hasStore: bool  # noqa: N815 - as above
    hasLogs: bool  # noqa: N815 - as above


def document(notes: Notes, about: About, tags: frozenset[str], built_in: Mapping[str, RoleDefinition]) -> Document:
    """`tags` are those that the policy names. `built_in` roles are not written: everybody has them."""
    ordered = [asked for _, asked in sorted(notes.asked.items(), key=lambda one: json.dumps(one[0]))]
    objects = _Objects(Keeping(tags, registries(ordered)), built_in)
    for question, answer in ordered:
        objects.keep(question, answer)
    asked = [question.written() | objects.answer(question, answer) for question, answer in ordered]
    more = {"groups": _groups(ordered), "managementGroups": _management_groups(ordered)}
    head = {"form": FORM, **asdict(about), "scopes": list(about.scopes), "asked": asked}
    return {"tenantId": about.tenantId, **objects.sections(), **more, "snapshot": head}


def registries(asked: Sequence[tuple[Question, Any]]) -> frozenset[str]:
    """Their names: an admin user is called like its registry."""
    found = {
        one.at.name.casefold()
        for one, _ in asked
        if one.kind == "resource" and one.at and one.at.resource_type == _REGISTRY
    }
    return frozenset(found)


@dataclass(slots=True)
class _Objects:
    """The objects of a tenant file, by id. What a resource itself said is preferred to what a list said of it."""

    keeping: Keeping
    built_in: Mapping[str, RoleDefinition]
    by_id: dict[str, Document] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    def keep(self, question: Question, answer: Any) -> None:
        for raw in raws.of(answer):
            body = self.keeping.of(raw)
            key = _key(get(body, "id"))
            if (
                key is None
                or _section(key) is None
                or (question.kind == "roleDefinition" and self._is_built_in(answer))
            ):
                continue
            whole = question.kind == "resource"
            if key not in self.by_id or (whole and key not in self.whole):
                self.by_id[key] = body
            self.whole |= {key} if whole else set()

    def _is_built_in(self, role: RoleDefinition) -> bool:
        return self.built_in.get(role.role_id) == role

    def answer(self, question: Question, answer: Any) -> Document:
        match answer:
            case AzureFailureError():
                return {"failed": _failure(answer)}
            case None:
                return {"answer": None}
            case Stored():
                return {"holds": _stored(answer)}
            case RoleDefinition() if self._is_built_in(answer):
                return {"builtIn": True}
        told = [self._told(raw) for raw in raws.of(answer)]
        if question.kind in ("resource", "roleDefinition"):
            return {"answer": told[0]}
        return {"answer": told} | ({"more": True} if isinstance(answer, Part) else {})

    def _told(self, raw: Any) -> Any:
        """The id of an object that is kept as it was told, or what was told."""
        body = self.keeping.of(raw)
        named = get(body, "id")
        known = self.by_id.get(_key(named) or "")
        return named if known is not None and _same(known, body) else body

    def sections(self) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = {name: [] for name in SECTIONS}
        for key, body in sorted(self.by_id.items()):
            found[_section(key) or ""].append(body)
        return found


def _same(known: Document, body: Any) -> bool:
    """Assignments are read by what they say to amlguard: a list by principal leaves out more than ARM does."""
    if known == body:
        return True
    kind = _section(_key(known.get("id")) or "")
    try:
        if kind == "roleAssignments":
            return parse.role_assignment(known) == parse.role_assignment(body)
        if kind == "denyAssignments":
            return denies.deny_assignment(known) == denies.deny_assignment(body)
    except (TypeError, ValueError):
        return False
    return False


def _key(named: object) -> str | None:
    try:
        return Scope.parse(named).key
    except InvalidScopeError:
        return None


def _section(key: str) -> str | None:
    """None for what a tenant file has no list for, such as management groups and what Azure Policy assigns."""
    scope = Scope.parse(key)
    kind = scope.resource_type
    if kind in _SECTIONS:
        return _SECTIONS[kind]
    return None if kind.startswith(("microsoft.management/", "microsoft.authorization/")) or not kind else "resources"


def _failure(error: AzureFailureError) -> Document:
    said: Document = {"operation": error.operation, "code": error.code, "reason": error.reason}
    if isinstance(error, ReadFailedError) and error.forbidden:
        said["forbidden"] = True
    if isinstance(error, NotShownError):
        said["notShown"] = True
    if error.lacks_right:
        said["lacksRight"] = True
    kept: Document = Keeping().of(said)
    return kept


def _stored(stored: Stored) -> Any:
    try:
        return Keeping().of(json.loads(stored.data))
    except ValueError:
        return None


def _groups(asked: Sequence[tuple[Question, Any]]) -> dict[str, list[str]]:
    """Of whoever is assigned what somebody else's list shows, that one is a member."""
    found: dict[str, set[str]] = {}
    for question, answer in asked:
        if question.kind == "roleAssignments" and isinstance(answer, Sequence):
            for one in answer:
                if isinstance(one, RoleAssignment) and one.principal_id != (question.what or "").casefold():
                    found.setdefault(one.principal_id, set()).add(str(question.what))
    return {group: sorted(members) for group, members in sorted(found.items())}


def _management_groups(asked: Sequence[tuple[Question, Any]]) -> list[Document]:
    """As far as lists of subscriptions show what lies above them, and groups what lies below."""
    found: dict[str, set[str]] = {}
    for question, answer in asked:
        if question.at is None or not isinstance(answer, Sequence):
            continue
        if question.at.is_management_group and question.what == "descendants":
            below = (_key(get(raw, "id")) for raw in answer)
            named = {key.rpartition("/")[2] for key in below if key and key.startswith("/subscriptions/")}
            found.setdefault(question.at.name, set()).update(named)
        for raw in answer if question.at.subscription else ():
            scope = raw.scope if isinstance(raw, RoleAssignment | DenyAssignment) else None
            if scope is not None and scope.is_management_group and question.at.subscription:
                found.setdefault(scope.name, set()).add(question.at.subscription.name)
    return [{"name": name, "subscriptions": sorted(below)} for name, below in sorted(found.items())]
