"""What a template makes, and what nobody can tell of it, as a value that `shared.template.estate` fills."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.access.actions import Unknown
from shared.access.needs import WRITE_BLOBS
from shared.access.permissions import PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.scope import Scope
from shared.template.resources import WORKSPACE
from shared.template.symbols import Symbols

ROOT = Scope.parse("/")
AI_ADMINISTRATOR, BLOB_CONTRIBUTOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94", WRITE_BLOBS.role_id
ANY_ROLE = "any-role"
"""The id of a role of which nobody can tell what it gives."""
ANYTHING = RoleDefinition(ANY_ROLE, "a role that nobody can tell", (PermissionBlock(("*",), (), ("*",)),))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A role assignment of which nobody can tell whether `principal` has it. None: nor whose it is.

    `stranger`: it is somebody's whose object id is known, so it is nobody's of whom another one is.
    """

    assignment: RoleAssignment
    principal: str | None
    stranger: bool = False


@dataclass(slots=True)
class TemplateEstate:
    """`resources` are those that the template makes. `hidden` are among them, but not all of them can be told.

    `listed` are the role assignments as ARM lists them, people's among them, and `custom` the template's own roles.
    `added` are access policies for vaults that the template does not make, `named` whose identities get roles.
    `strange_roles` are neither in the template nor known, each with a scope where it is assigned.
    `incomplete` says why nothing may be called missing: the snapshot does not show everything. `holders` are the
    identities by object id, or by what stands for it.
    """

    symbols: Symbols
    resources: dict[Scope, dict[str, Any]] = field(default_factory=dict)
    sources: dict[Scope, str] = field(default_factory=dict)
    hidden: set[Scope] = field(default_factory=set)
    unclear: set[Scope] = field(default_factory=set)
    assignments: list[RoleAssignment] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    roles: dict[str, RoleDefinition] = field(default_factory=dict)
    added: dict[Scope, list[Any]] = field(default_factory=dict)
    named: dict[Scope, None] = field(default_factory=dict)
    strange_roles: dict[str, Scope] = field(default_factory=dict)
    custom: list[dict[str, Any]] = field(default_factory=list)
    listed: list[dict[str, Any]] = field(default_factory=list)
    locks: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    object_ids: Mapping[Scope, str] = field(default_factory=dict)

    @property
    def workspaces(self) -> list[Scope]:
        return [scope for scope in self.resources if scope.resource_type == WORKSPACE]

    def makes(self, scope: Scope) -> bool:
        return scope in self.resources

    def say(self, at: Scope, what: str, reason: str) -> None:
        one = Unknown(at, what, reason)
        if one not in self.unknown:
            self.unknown.append(one)

    def doubt(self, principal: str | None, scope: Scope, role_id: str, why: str, *, stranger: bool = False) -> None:
        """A role assignment that may be the principal's, or anybody's."""
        named = f"{scope}/providers/Microsoft.Authorization/roleAssignments/doubt-{len(self.doubts)}"
        one = RoleAssignment(named, scope, principal or "", role_id, doubt=why)
        self.doubts.append(Doubt(one, principal, stranger))
