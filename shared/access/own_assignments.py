"""How amlguard marks the role assignments that it makes, and recognises them (law 8).

The name is deterministic over scope, principal and role. The description names the rules, the run, the owner of the
identity, and the identity if it is shared. amlguard only takes back assignments that carry both marks.
"""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from shared.access.permissions import RoleAssignment
from shared.access.raw import get, object_id, scope_or_none, text
from shared.access.scope import Scope

_NAMESPACE = uuid.UUID("6d8f6d3e-3d0c-5b8e-9a52-8f7a0c6e2b11")
_LONGEST = 2048
_DESCRIPTION = re.compile(r"amlguard: [^\n]*, run (?P<run>[0-9a-f-]{36}), for (?P<on>/\S+?)(?:, as (?P<shared>/\S+))?")


@lru_cache(maxsize=4096)  # rules and guards ask for the names of the same assignments again and again
def unique(*parts: str) -> str:
    """The same GUID for the same parts, in every run."""
    return str(uuid.uuid5(_NAMESPACE, "|".join(parts)))


def assignment_name(scope: Scope, principal_id: str, role_id: str) -> str:
    return unique(scope.key, object_id(principal_id), role_id.casefold())


def description(rules: str, requirements: Iterable[str], run: str, on: Scope, shared: Scope | None) -> str:
    """`shared` is the identity's own resource, if it has one and so may serve others, too."""
    whom = f", as {shared}" if shared else ""
    return f"amlguard: {rules} ({', '.join(requirements)}), run {run}, for {on}{whom}"[:_LONGEST]


@lru_cache(maxsize=4096)  # each of several rounds of reading looks at the same assignments
def _marked(text: str | None) -> re.Match[str] | None:
    return _DESCRIPTION.fullmatch(text) if text else None


def run_of(text: str | None) -> str | None:
    """The run that an assignment's description names, if it is one of amlguard's."""
    found = _marked(text)
    return found["run"] if found else None


@dataclass(frozen=True, slots=True)
class OwnAssignment:
    """One of amlguard's assignments. `run` made it for the identity of the resource `on`."""

    assignment: Scope
    scope: Scope
    principal_id: str
    role_id: str
    on: Scope
    shared: Scope | None
    run: str


def ours(assignment: RoleAssignment) -> bool:
    """Whether it carries both marks. What amlguard granted says nothing about what people want."""
    name = assignment_name(assignment.scope, assignment.principal_id, assignment.role_id)
    return _marked(assignment.description) is not None and assignment.id.rpartition("/")[2].casefold() == name


def own(raw: object) -> OwnAssignment | None:
    """None unless the assignment, as ARM lists it, carries both marks."""
    found = _marked(text(raw, "properties", "description"))
    if found is None:
        return None
    assignment, scope = scope_or_none(get(raw, "id")), scope_or_none(get(raw, "properties", "scope"))
    principal = object_id(get(raw, "properties", "principalId"))
    role = str(get(raw, "properties", "roleDefinitionId")).rpartition("/")[2].casefold()
    on = scope_or_none(found["on"])
    if assignment is None or scope is None or on is None:
        return None
    if assignment.name.casefold() != assignment_name(scope, principal, role):
        return None
    return OwnAssignment(assignment, scope, principal, role, on, scope_or_none(found["shared"]), found["run"])
