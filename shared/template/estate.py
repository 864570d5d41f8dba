"""What one or several snapshots say there will be: resources, role assignments, and what nobody can tell.

Nothing that is not understood is left out. A resource whose id is not understood, an assignment of whom nobody knows,
a property that only the deployment can tell: each becomes a doubt or an entry of `unknown`, with its text (law 2).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shared.access import parse
from shared.access.raw import get, object_id, text
from shared.access.scope import InvalidScopeError, Scope
from shared.template.assignments import Assignments, is_assignment, shown
from shared.template.made import ANY_ROLE, TemplateEstate
from shared.template.networks import show_networks
from shared.template.resources import VAULT, WORKSPACE, Gap, Reading, merged, policies
from shared.template.snapshot import Raw, Snapshot
from shared.template.symbols import Symbols, is_principal, without_secrets
from shared.template.values import Solver, Unsolved, suffixes

_DEFINITION = "microsoft.authorization/roledefinitions"
_LOCK, _POLICY = "microsoft.authorization/locks", "microsoft.keyvault/vaults/accesspolicies"
_DEPLOYMENT, _SCRIPT = "microsoft.resources/deployments", "microsoft.resources/deploymentscripts"
_AML = "microsoft.machinelearningservices/"
# Gaps in these matter: rules look at them.
_LOOKED_AT = ("microsoft.containerregistry/registries", "microsoft.storage/storageaccounts", VAULT)
_IDS = frozenset(
    {"containerregistry", "storageaccount", "keyvault", "applicationinsights", "hubresourceid"}
    | {"primaryuserassignedidentity", "userassignedidentity", "keyvaultarmid"}
)
_OF_A_HUB = ("containerRegistry", "storageAccount", "keyVault", "applicationInsights")


def estate(
    snapshots: Sequence[Snapshot],
    object_ids: Mapping[Scope, str] | None = None,
    known_roles: Iterable[str] = (),
    there: Mapping[Scope, Raw] | None = None,
) -> TemplateEstate:
    """`object_ids` are those that are known of identities, `known_roles` the ids of roles that Azure has.

    `there` is what Azure has of what the template makes or names, if it is asked.
    """
    made = TemplateEstate(Symbols(), object_ids=object_ids or {})
    _Filling(made, frozenset(known_roles), there or {}).fill(snapshots)
    return made


class _Filling:
    """Goes through the snapshots: ids first, then conditions, then what each resource holds."""

    def __init__(self, made: TemplateEstate, known_roles: frozenset[str], there: Mapping[Scope, Raw]) -> None:
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
            if is_assignment(raw):
                assigned.append((source, raw, at))
            else:
                self._resource(source, raw, at)
        for at, kind, body, gaps in self.added:
            self._access_policies(at, kind, body, gaps)
        self._inherit()
        show_networks(self.made.resources)
        assignments = Assignments(self.made, self.reading, self.known_roles, self.identities)
        for source, raw, at in assigned:
            assignments.add(source, raw, at, self._condition(raw))
        assignments.by_aml(self.there)
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
            if isinstance(written, str) and written.startswith("[") and not is_assignment(raw):
                self.made.symbols.ids[scope] = without_secrets(written)
            return scope
        kind = text(raw, "type") or ""
        if not isinstance(found, Unsolved) or is_assignment(raw) or not _is_plain_type(kind):
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
            made.incomplete.append(f"{source}: nobody can tell where a {text(raw, 'type')} is: {shown(raw.get('id'))}")
            return
        if kind == _DEPLOYMENT:
            made.incomplete.append(f"{source}: what deployment {made.symbols.shown(at)} makes is not in the snapshot")
            return
        if condition is not True:
            made.say(
                at, "whether it is made", f"the condition is known only when it is deployed: {shown(raw['condition'])}"
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
                self.made.doubt(None, at, ANY_ROLE, why)

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
            theirs = {**self._shown_by_azure(hub), **self._properties(self.made.resources.get(hub))}
            if hub in self.made.resources or hub in self.there:
                properties.update(
                    {name: theirs[name] for name in _OF_A_HUB if name in theirs and name not in properties}
                )
            else:
                why = f"they are those of its hub, which is not in the template: {self.made.symbols.shown(hub)}"
                self.made.say(at, "its registry, storage account and vault", why)

    def _shown_by_azure(self, at: Scope) -> Mapping[str, Any]:
        return self._properties(self.there.get(at))

    @staticmethod
    def _properties(raw: Raw | None) -> Mapping[str, Any]:
        found = get(raw, "properties")
        return found if isinstance(found, Mapping) else {}

    # what the template leaves open

    def _registries(self) -> None:
        for at in self.made.workspaces:
            properties = self.made.resources[at]["properties"]
            known = {**self._shown_by_azure(at), **properties}
            if not known.get("containerRegistry") and not known.get("hubResourceId"):
                why = "the template names none: Azure Machine Learning makes one when it first builds an image"
                self.made.say(at, "its container registry, and who pulls from it", why)

    def _strangers(self) -> None:
        """Children of a workspace that the template does not make."""
        for at in list(self.made.resources):
            above = at.ancestor(WORKSPACE)
            if above and above not in self.made.resources and above not in self.there:
                why = f"its workspace is not in the template: {self.made.symbols.shown(above)}"
                self.made.say(at, "what its identity needs", why)


def unexplained(entries: Iterable[Any], known: frozenset[str]) -> Iterator[str]:
    """Object ids in access policies of which the template does not say whose they are."""
    for entry in entries:
        found = get(entry, "objectId")
        if isinstance(found, str) and not is_principal(found) and object_id(found) not in known:
            yield found


def _is_system(raw: Raw) -> bool:
    return "systemassigned" in (text(raw, "identity", "type") or "").casefold()


def _is_plain_type(kind: str) -> bool:
    parts = kind.split("/")
    return len(parts) > 1 and all(part.replace(".", "").isalnum() for part in parts)


def _names_something(what: str) -> bool:
    """Gaps in place of an id are somewhere that nobody knows: the needs there are unknown by themselves."""
    return what.rpartition(".")[2].casefold() in _IDS


def _location(raws: Iterable[Raw]) -> str:
    return next((one for raw in raws if (one := text(raw, "location")) and not one.startswith("[")), "")
