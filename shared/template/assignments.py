"""Who holds what by a template: its role assignments, and what of them nobody can tell."""

from collections.abc import Container, Mapping
from dataclasses import dataclass

from shared.access.permissions import RoleAssignment
from shared.access.raw import get, is_object_id, object_id, scope_or_none, text
from shared.access.scope import InvalidScopeError, Scope
from shared.template.functions import Person
from shared.template.made import AI_ADMINISTRATOR, ANY_ROLE, BLOB_CONTRIBUTOR, ROOT, TemplateEstate
from shared.template.resources import DEPLOYER, Reading
from shared.template.snapshot import Raw
from shared.template.symbols import Holder, Kind, has_symbol, without_secrets
from shared.template.values import Unsolved

_ASSIGNMENT = "microsoft.authorization/roleassignments"


@dataclass(slots=True)
class Assignments:
    """Puts role assignments into `made`. `identities` says which resources have a system-assigned identity."""

    made: TemplateEstate
    reading: Reading
    known_roles: frozenset[str]
    identities: Mapping[Scope, bool]

    def add(self, source: str, raw: Raw, at: Scope | None, condition: object) -> None:
        """`condition`: True, False, or what nobody can tell before the deployment."""
        solver = self.reading.solver
        principal = solver.value(get(raw, "properties", "principalId"))
        kind = str(solver.value(get(raw, "properties", "principalType")) or "").casefold()
        if condition is False:
            return
        scope, why = (at.parent, []) if at else self._told_scope(raw)
        role_id, unknown_role = self._role_of(raw, scope)
        if isinstance(principal, Person) or kind == "user":
            self._list(raw, scope, principal, role_id)
            return
        why += unknown_role
        if condition is not True:
            why.append(f"whether the role is assigned is known only when it is deployed: {shown(raw['condition'])}")
        if scope.is_management_group:
            why.append(f"a template does not show which subscriptions are in {scope.name}")
        whose, doubt = self._whose(principal, kind)
        why += doubt
        named = f"a role assignment of {source}" if at is None else str(at)
        one = self._made(named, scope, whose or "", role_id, raw)
        if not why or whose is None:
            self._list(raw, scope, principal, role_id)
        if why:
            self.made.doubt(
                whose, scope, role_id, "; ".join(why), stranger=isinstance(principal, str) and kind != "group"
            )
        elif one not in self.made.assignments:
            self.made.assignments.append(one)

    def _made(self, named: str, scope: Scope, whose: str, role_id: str, raw: Raw) -> RoleAssignment:
        condition = get(raw, "properties", "condition")
        return RoleAssignment(named, scope, whose, role_id, str(condition) if condition else None)

    def _list(self, raw: Raw, scope: Scope, principal: object, role_id: str) -> None:
        """As ARM lists it. Whoever deploys is a person."""
        kind = (
            "ServicePrincipal" if isinstance(principal, Holder) else "User" if isinstance(principal, Person) else None
        )
        whose = self.reading.principal(principal) if isinstance(principal, Holder) else DEPLOYER
        named = f"{scope}/providers/Microsoft.Authorization/roleAssignments/listed-{len(self.made.listed)}"
        body = {
            "scope": str(scope),
            "principalId": object_id(principal) if is_object_id(principal) else whose,
            "principalType": kind or text(raw, "properties", "principalType"),
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role_id}",
            "condition": get(raw, "properties", "condition"),
        }
        self.made.listed.append({"id": named, "name": f"listed-{len(self.made.listed)}", "properties": body})

    def _told_scope(self, raw: Raw) -> tuple[Scope, list[str]]:
        for path in (("scope",), ("properties", "scope")):
            found = self.reading.solver.value(get(raw, *path))
            try:
                return Scope.parse(found), []
            except InvalidScopeError:
                continue
        return ROOT, [f"nobody can tell where the role is assigned: {shown(raw.get('id'))}"]

    def _role_of(self, raw: Raw, at: Scope) -> tuple[str, list[str]]:
        written = get(raw, "properties", "roleDefinitionId")
        found = self.reading.solver.value(written)
        role_id = found.rpartition("/")[2].casefold() if isinstance(found, str) else ""
        if role_id in self.made.roles or role_id in self.known_roles:
            return role_id, []
        if role_id and not has_symbol(role_id):
            self.made.strange_roles.setdefault(role_id, at)
            return ANY_ROLE, [f"role {role_id} is not in the template, so nobody can tell what it gives"]
        return ANY_ROLE, [f"nobody can tell which role is assigned: {shown(written)}"]

    def _whose(self, principal: object, kind: str) -> tuple[str | None, list[str]]:
        match principal:
            case Holder():
                self.made.named[principal.resource] = None
                if principal.kind is Kind.SYSTEM and self.identities.get(principal.resource) is False:
                    return None, [f"{principal.resource.name} has no system-assigned identity"]
                return self.reading.principal(principal), []
            case Unsolved(text=written):
                return None, [f"nobody can tell whose role it is: {without_secrets(written)}"]
            case str() if is_object_id(principal):
                known = object_id(principal)
                if known in {object_id(one) for one in self.made.object_ids.values()}:
                    return known, []
                what = "group" if kind == "group" else "object id"
                told = f"a role is assigned to {what} {known}, and the template does not say whose that is"
                return None, [f"{told} (--identity RESOURCE-ID=OBJECT-ID does)"]
        return None, [f"nobody can tell whose role it is: {shown(principal)}"]

    def by_aml(self, there: Container[Scope]) -> None:
        """What AML gives a new workspace's own identity in its own group (azure-facts §4). The rules count on it."""
        for at in self.made.workspaces:
            body, group = self.made.resources[at], at.resource_group
            mine = get(body, "identity", "principalId")
            if group is None or at in there or not mine or get(body, "properties", "primaryUserAssignedIdentity"):
                continue
            if get(body, "properties", "allowRoleAssignmentOnRG") is not False:
                self._implied(mine, AI_ADMINISTRATOR, group)
            storage = scope_or_none(get(body, "properties", "storageAccount"))
            if storage and group.contains(storage):
                self._implied(mine, BLOB_CONTRIBUTOR, storage)

    def _implied(self, principal: str, role_id: str, scope: Scope) -> None:
        if role_id in self.known_roles:
            named = f"{scope}/providers/Microsoft.Authorization/roleAssignments/by-azure-machine-learning"
            self.made.assignments.append(RoleAssignment(named, scope, principal, role_id))


def is_assignment(raw: Raw) -> bool:
    """Also of the old kind. The role assignments of Cosmos DB (`sqlRoleAssignments`) are something else."""
    kind = (text(raw, "type") or "").casefold()
    return kind == _ASSIGNMENT or kind.endswith("/providers/roleassignments")


def shown(written: object) -> str:
    return without_secrets(str(written))[:500]
