"""What one or several snapshots say there will be: resources, role assignments, and what nobody can tell.

Nothing that is not understood is left out. A resource whose id is not understood, an assignment of whom nobody knows,
a property that only the deployment can tell: each becomes a doubt or an entry of `unknown`, with its text (law 2).
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.access import parse
from shared.access.actions import Unknown
from shared.access.needs import WRITE_BLOBS
from shared.access.permissions import PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.raw import get, is_object_id, object_id, rows, scope_or_none, text
from shared.access.scope import InvalidScopeError, Scope
from shared.template.resources import DEPLOYER, REGISTRY, VAULT, WORKSPACE, Gap, Reading, merged, policies
from shared.template.snapshot import Raw, Snapshot
from shared.template.symbols import Holder, Kind, Symbols, has_symbol, is_principal, without_secrets
from shared.template.values import Person, Solver, Unsolved, suffixes

ROOT = Scope.parse("/")
AI_ADMINISTRATOR, BLOB_CONTRIBUTOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94", WRITE_BLOBS.role_id
ANY_ROLE = "any-role"
"""The id of a role of which nobody can tell what it gives."""
ANYTHING = RoleDefinition(ANY_ROLE, "a role that nobody can tell", (PermissionBlock(("*",), (), ("*",)),))

_ASSIGNMENT, _DEFINITION = "microsoft.authorization/roleassignments", "microsoft.authorization/roledefinitions"
_LOCK, _POLICY = "microsoft.authorization/locks", "microsoft.keyvault/vaults/accesspolicies"
_DEPLOYMENT, _SCRIPT = "microsoft.resources/deployments", "microsoft.resources/deploymentscripts"
_NETWORK = "microsoft.network/virtualnetworks"
_AML = "microsoft.machinelearningservices/"
# Gaps in these matter: rules look at them.
_LOOKED_AT = ("microsoft.containerregistry/registries", "microsoft.storage/storageaccounts", VAULT)
_OF_A_HUB = ("containerRegistry", "storageAccount", "keyVault", "applicationInsights")


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


def estate(
    snapshots: Sequence[Snapshot],
    object_ids: Mapping[Scope, str] | None = None,
    known_roles: Iterable[str] = (),
    there: Container[Scope] = (),
) -> TemplateEstate:
    """`object_ids` are those that are known of identities, `known_roles` the ids of the built-in roles.

    What AML gives a new workspace, one that is `there` already may have or not: Azure shows it.
    """
    made = TemplateEstate(Symbols(), object_ids=object_ids or {})
    _Filling(made, frozenset(known_roles), there).fill(snapshots)
    return made


class _Filling:
    """Goes through the snapshots: ids first, then conditions, then what each resource holds."""

    def __init__(self, made: TemplateEstate, known_roles: frozenset[str], there: Container[Scope]) -> None:
        self.made, self.known_roles, self.there = made, known_roles, there
        self.identities: dict[Scope, bool] = {}
        self.reading = Reading(Solver(made.symbols, suffixes("")), made.object_ids)
        self.added: list[tuple[Scope, str, dict[str, Any], list[Gap]]] = []

    def fill(self, snapshots: Sequence[Snapshot]) -> None:
        every = [(one.source, raw) for one in snapshots for raw in one.resources]
        for one in snapshots:
            self.made.incomplete += [f"{one.source}: {said}" for said in one.diagnostics]
        self.reading.solver = Solver(self.made.symbols, suffixes(_location(raw for _, raw in every)), self._has_system)
        placed = [(source, raw, self._place(raw)) for source, raw in every]
        for _, raw, at in placed:
            if at and self._condition(raw) is True:
                self.identities[at] = self.identities.get(at, False) or _is_system(raw)
        assigned = []
        for source, raw, at in placed:
            if _is_assignment(raw):
                assigned.append((source, raw, at))
            else:
                self._resource(source, raw, at)
        for at, kind, body, gaps in self.added:
            self._access_policies(at, kind, body, gaps)
        self._inherit()
        self._subnets()
        for source, raw, at in assigned:
            self._assignment(source, raw, at)
        self._by_aml()
        self._registries()
        self._strangers()

    def _has_system(self, at: Scope) -> bool | None:
        return self.identities.get(at)

    # where a resource is

    def _place(self, raw: Raw) -> Scope | None:
        """None if nobody can tell."""
        solver, written = self.reading.solver, raw.get("id")
        found = solver.value(written)
        if isinstance(found, str):
            try:
                scope = Scope.parse(found)
            except InvalidScopeError:
                return None
            if isinstance(written, str) and written.startswith("[") and not _is_assignment(raw):
                self.made.symbols.ids[scope] = without_secrets(written)
            return scope
        kind = text(raw, "type") or ""
        if not isinstance(found, Unsolved) or _is_assignment(raw) or not _is_plain_type(kind):
            return None
        return self.made.symbols.somewhere(kind, found.text)

    def _condition(self, raw: Raw) -> object:
        """True, False, or what nobody can tell."""
        written = raw.get("condition", True)
        found = self.reading.solver.value(written)
        if isinstance(found, str) and found.casefold() in ("true", "false"):
            return found.casefold() == "true"
        return found

    # what it is

    def _resource(self, source: str, raw: Raw, at: Scope | None) -> None:
        kind, made = (text(raw, "type") or "").casefold(), self.made
        condition = self._condition(raw)
        if condition is False:
            return
        if at is None:
            made.incomplete.append(f"{source}: nobody can tell where a {text(raw, 'type')} is: {_shown(raw.get('id'))}")
            return
        if kind == _DEPLOYMENT:
            made.incomplete.append(f"{source}: what deployment {made.symbols.shown(at)} makes is not in the snapshot")
            return
        if condition is not True:
            made.say(
                at, "whether it is made", f"the condition is known only when it is deployed: {_shown(raw['condition'])}"
            )
            return
        if kind == _SCRIPT:
            made.say(at, "what the script does", "a template does not show what its scripts change")
        body, gaps = self.reading.resource(raw, at)
        if kind == _DEFINITION:
            self._role(body, at)
        elif kind == _LOCK:
            made.locks.append(body)
        elif kind == _POLICY:
            self.added.append((at, kind, body, gaps))
        else:
            self._add(source, body, at, gaps)

    def _add(self, source: str, body: dict[str, Any], at: Scope, gaps: Sequence[Gap]) -> None:
        made = self.made
        if at in made.resources:
            differing: list[str] = []
            body = merged(made.resources[at], body, differing.append)
            for name in differing:
                self._gap(at, name, "the template says it twice, and differently")
        made.resources[at] = body
        made.sources.setdefault(at, source)
        for gap in gaps:
            self._gap(at, gap.what, f"the template does not say it before the deployment: {gap.text}")

    def _gap(self, at: Scope, what: str, why: str) -> None:
        made, kind = self.made, at.resource_type
        if kind.startswith(_AML):
            made.say(at, what, why)
            if not _names_something(what):
                made.unclear.add(at)
        elif kind in _LOOKED_AT:
            made.say(at, what, why)
            made.hidden.add(at)
            if what.casefold().endswith("roleassignmentmode"):
                self._doubt(None, at, ANY_ROLE, why)

    def _role(self, body: dict[str, Any], at: Scope) -> None:
        try:
            role = parse.role_definition({**body, "name": at.name})
        except TypeError:
            self.made.say(at, "what the role gives", "its permissions cannot be read")
            return
        self.made.roles[role.role_id] = role
        self.made.custom.append(body)

    def _access_policies(self, at: Scope, _: str, body: dict[str, Any], gaps: Sequence[Gap]) -> None:
        """`accessPolicies/add` adds to what the vault has. Of the others nobody can tell which comes last."""
        vault = self.made.resources.get(at.parent)
        if vault is None:
            self.made.added.setdefault(at.parent, []).extend(policies(body))
            return
        if at.name.casefold() != "add":
            self._gap(at.parent, "properties.accessPolicies", f"{at.name} changes them, and nobody can tell when")
            return
        properties = vault["properties"]
        properties["accessPolicies"] = [*policies(vault), *policies(body)]
        for gap in gaps:
            self._gap(at.parent, gap.what, f"the template does not say it before the deployment: {gap.text}")

    def _inherit(self) -> None:
        """A project has its hub's registry, storage account, vault and component."""
        for at in self.made.workspaces:
            properties = self.made.resources[at]["properties"]
            named = properties.get("hubResourceId")
            try:
                hub = Scope.parse(named) if named else None
            except InvalidScopeError:
                continue
            if hub is None:
                continue
            if hub in self.made.resources:
                theirs = self.made.resources[hub]["properties"]
                properties.update(
                    {name: theirs[name] for name in _OF_A_HUB if name in theirs and name not in properties}
                )
            else:
                why = f"they are those of its hub, which is not in the template: {self.made.symbols.shown(hub)}"
                self.made.say(at, "its registry, storage account and vault", why)

    def _subnets(self) -> None:
        """A network may list its subnets inside itself. Azure shows each of them as a resource, too."""
        for at in [one for one in self.made.resources if one.resource_type == _NETWORK]:
            for one in rows(self.made.resources[at], "properties", "subnets"):
                name = text(one, "name")
                below = scope_or_none(f"{at}/subnets/{name}") if name else None
                if below:
                    self.made.resources.setdefault(below, {**one, "id": str(below), "name": below.name})

    # who holds what

    def _assignment(self, source: str, raw: Raw, at: Scope | None) -> None:
        condition, solver = self._condition(raw), self.reading.solver
        principal = solver.value(get(raw, "properties", "principalId"))
        kind = str(solver.value(get(raw, "properties", "principalType")) or "").casefold()
        if condition is False:
            return
        scope, why = (at.parent, []) if at else self._told_scope(raw)
        role_id, unknown_role = self._role_of(raw)
        if isinstance(principal, Person) or kind == "user":
            self._list(raw, scope, principal, role_id)
            return
        why += unknown_role
        if condition is not True:
            why.append(f"whether the role is assigned is known only when it is deployed: {_shown(raw['condition'])}")
        if scope.is_management_group:
            why.append(f"a template does not show which subscriptions are in {scope.name}")
        whose, doubt = self._whose(principal, kind)
        why += doubt
        named = f"a role assignment of {source}" if at is None else str(at)
        one = self._made(named, scope, whose or "", role_id, raw)
        if not why or whose is None:
            self._list(raw, scope, principal, role_id)
        if why:
            self._doubt(whose, scope, role_id, "; ".join(why), stranger=isinstance(principal, str) and kind != "group")
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
        return ROOT, [f"nobody can tell where the role is assigned: {_shown(raw.get('id'))}"]

    def _role_of(self, raw: Raw) -> tuple[str, list[str]]:
        written = get(raw, "properties", "roleDefinitionId")
        found = self.reading.solver.value(written)
        role_id = found.rpartition("/")[2].casefold() if isinstance(found, str) else ""
        if role_id in self.made.roles or role_id in self.known_roles:
            return role_id, []
        if role_id and not has_symbol(role_id):
            return ANY_ROLE, [f"role {role_id} is not in the template, so nobody can tell what it gives"]
        return ANY_ROLE, [f"nobody can tell which role is assigned: {_shown(written)}"]

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
        return None, [f"nobody can tell whose role it is: {_shown(principal)}"]

    def _doubt(self, principal: str | None, scope: Scope, role_id: str, why: str, *, stranger: bool = False) -> None:
        named = f"{scope}/providers/Microsoft.Authorization/roleAssignments/doubt-{len(self.made.doubts)}"
        one = RoleAssignment(named, scope, principal or "", role_id, doubt=why)
        self.made.doubts.append(Doubt(one, principal, stranger))

    def _by_aml(self) -> None:
        """What AML gives a new workspace's own identity in its own group (azure-facts §4). The rules count on it."""
        for at in self.made.workspaces:
            body, group = self.made.resources[at], at.resource_group
            mine = get(body, "identity", "principalId")
            if group is None or at in self.there or not mine or get(body, "properties", "primaryUserAssignedIdentity"):
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

    # what the template leaves open

    def _registries(self) -> None:
        for at in self.made.workspaces:
            properties = self.made.resources[at]["properties"]
            if not properties.get("containerRegistry") and not properties.get("hubResourceId"):
                why = "the template names none: Azure Machine Learning makes one when it first builds an image"
                self.made.say(at, "its container registry, and who pulls from it", why)

    def _strangers(self) -> None:
        """Children of a workspace that the template does not make."""
        for at in list(self.made.resources):
            above = at.ancestor(WORKSPACE)
            if above and above not in self.made.resources:
                why = f"its workspace is not in the template: {self.made.symbols.shown(above)}"
                self.made.say(at, "what its identity needs", why)


def unexplained(entries: Iterable[Any], known: frozenset[str]) -> Iterator[str]:
    """Object ids in access policies of which the template does not say whose they are."""
    for entry in entries:
        found = get(entry, "objectId")
        if isinstance(found, str) and not is_principal(found) and object_id(found) not in known:
            yield found


def _is_assignment(raw: Raw) -> bool:
    """Also of the old kind. The role assignments of Cosmos DB (`sqlRoleAssignments`) are something else."""
    kind = (text(raw, "type") or "").casefold()
    return kind == _ASSIGNMENT or kind.endswith("/providers/roleassignments")


def _is_system(raw: Raw) -> bool:
    return "systemassigned" in (text(raw, "identity", "type") or "").casefold()


def _is_plain_type(kind: str) -> bool:
    parts = kind.split("/")
    return len(parts) > 1 and all(part.replace(".", "").isalnum() for part in parts)


def _names_something(what: str) -> bool:
    """Gaps in place of an id are somewhere that nobody knows: the needs there are unknown by themselves."""
    last = what.rpartition(".")[2].casefold()
    return last in ("containerregistry", "storageaccount", "keyvault", "applicationinsights", "hubresourceid") or (
        last == "primaryuserassignedidentity"
    )


def _location(raws: Iterable[Raw]) -> str:
    return next((one for raw in raws if (one := text(raw, "location")) and not one.startswith("[")), "")


def _shown(written: object) -> str:
    return without_secrets(str(written))[:500]


__all__ = ["ANYTHING", "ANY_ROLE", "REGISTRY", "Doubt", "TemplateEstate", "estate", "unexplained"]
