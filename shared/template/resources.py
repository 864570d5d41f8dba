"""A resource of a template as Azure would show it: expressions worked out, identities with their object ids.

What cannot be worked out is left out of it and named in `gaps`, so that nobody takes it for absent.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.access.raw import get, text
from shared.access.scope import InvalidScopeError, Scope
from shared.template.expressions import is_expression
from shared.template.functions import Person
from shared.template.snapshot import Raw
from shared.template.symbols import HIDDEN, Holder, Kind, without_secrets
from shared.template.values import USER_ASSIGNED, Solver, Unsolved

REGISTRY = "microsoft.containerregistry/registries"
STORAGE = "microsoft.storage/storageaccounts"
VAULT = "microsoft.keyvault/vaults"
WORKSPACE = "microsoft.machinelearningservices/workspaces"
DATASTORE = f"{WORKSPACE}/datastores"
DEPLOYER = "the-deployer"
# From this version on, a vault lets RBAC decide unless it says otherwise:
# https://learn.microsoft.com/azure/key-vault/general/access-control-default
_RBAC_BY_DEFAULT = "2026-02-01"

_KEY = ("properties", "encryption")
_IDS: Mapping[str, Mapping[tuple[str, ...], str]] = {
    WORKSPACE: {
        ("properties", "containerregistry"): "Microsoft.ContainerRegistry/registries",
        ("properties", "storageaccount"): "Microsoft.Storage/storageAccounts",
        ("properties", "keyvault"): "Microsoft.KeyVault/vaults",
        ("properties", "applicationinsights"): "Microsoft.Insights/components",
        ("properties", "hubresourceid"): "Microsoft.MachineLearningServices/workspaces",
        ("properties", "primaryuserassignedidentity"): "Microsoft.ManagedIdentity/userAssignedIdentities",
        (*_KEY, "keyvaultproperties", "keyvaultarmid"): "Microsoft.KeyVault/vaults",
        (*_KEY, "identity", "userassignedidentity"): "Microsoft.ManagedIdentity/userAssignedIdentities",
    },
}
# A block of which only the deployment can tell, and what rules would take for absent without it.
_WITHIN: Mapping[str, Mapping[tuple[str, ...], str]] = {
    WORKSPACE: {(*_KEY, "keyvaultproperties"): "keyVaultArmId", (*_KEY, "identity"): "userAssignedIdentity"},
}
_NAMES: Mapping[str, frozenset[tuple[str, ...]]] = {
    DATASTORE: frozenset(
        {("properties", "accountname"), ("properties", "containername"), ("properties", "resourcegroup")}
    ),
    WORKSPACE: frozenset({("properties", "imagebuildcompute")}),
}
_SUBSCRIPTION = ("properties", "subscriptionid")
# What nobody needs to know in order to tell who needs what.
_BESIDE = frozenset(
    {"tags", "location", "apiversion", "name", "id", "type", "sku", "condition", "dependson", "asserts"}
)
_PROSE = frozenset({"friendlyname", "description", "displayname", "credentials", "secrets", "encryption", "metadata"})
# Of these, what rules look at: how a datastore signs in, and which key a workspace is encrypted with.
_LOOKED_AT = frozenset({"credentials", "credentialstype", "encryption", "status", "keyvaultproperties", "identity"})


@dataclass(frozen=True, slots=True)
class Gap:
    """`what` is the property. `text` is the expression."""

    what: str
    text: str


@dataclass(slots=True)
class Reading:
    """How resources are read. `object_ids` are those that are known of identities."""

    solver: Solver
    object_ids: Mapping[Scope, str] = field(default_factory=dict)

    def principal(self, one: Holder) -> str:
        known = self.object_ids.get(one.resource) if one.kind is not Kind.KUBELET else None
        return known or self.solver.symbols.holder(one)

    def resource(self, raw: Raw, at: Scope) -> tuple[dict[str, Any], list[Gap]]:
        gaps: list[Gap] = []
        kind = at.resource_type
        made: dict[str, Any] = {}
        for name, value in _flattened(raw, kind).items():
            if name.casefold() in _BESIDE:
                made[name] = self._plainly(value)
            else:
                kept = self._within(value, kind, (name.casefold(),), name, gaps)
                if kept is not _GONE:
                    made[name] = kept
        if not isinstance(made.setdefault("properties", {}), dict):
            gaps.append(Gap("properties", without_secrets(str(raw.get("properties")))))
            made["properties"] = {}
        made |= {"id": str(at), "name": at.name, "type": str(raw.get("type"))}
        self._identity(made, at)
        self._by_default(made, at)
        return made, gaps

    def _within(self, value: Any, kind: str, path: tuple[str, ...], shown: str, gaps: list[Gap]) -> Any:
        if isinstance(value, Mapping):
            found = {}
            for name, one in value.items():
                key = self._key(name, path)
                kept = self._within(one, kind, (*path, str(name).casefold()), f"{shown}.{name}", gaps)
                if kept is not _GONE:
                    found[key] = kept
            return found
        if isinstance(value, list):
            kept_ones = [self._within(one, kind, path, shown, gaps) for one in value]
            return [one for one in kept_ones if one is not _GONE]
        return self._leaf(value, kind, path, shown, gaps)

    def _leaf(self, value: Any, kind: str, path: tuple[str, ...], shown: str, gaps: list[Gap]) -> Any:
        found = self.solver.value(value)
        match found:
            case Holder():
                return self.principal(found)
            case Person():
                return DEPLOYER
            case Unsolved(text=written):
                return self._gap(written, kind, path, shown, gaps)
        return found

    def _gap(self, written: str, kind: str, path: tuple[str, ...], shown: str, gaps: list[Gap]) -> Any:
        symbols = self.solver.symbols
        named = _IDS.get(kind, {}).get(path)
        if named:
            gaps.append(Gap(shown, without_secrets(written)))
            return str(symbols.somewhere(named, written))
        within = _WITHIN.get(kind, {}).get(path)
        if within:
            return {within: self._gap(written, kind, (*path, within.casefold()), shown, gaps)}
        if path in _NAMES.get(kind, ()):
            return symbols.name(written)
        if kind == DATASTORE and path == _SUBSCRIPTION:
            return symbols.subscription(written)
        if not _PROSE.intersection(path) or _is_looked_at(kind, path):
            gaps.append(Gap(shown, HIDDEN if path[-1] == "credentials" else without_secrets(written)))
        return _GONE

    def _key(self, name: object, path: tuple[str, ...]) -> str:
        """A user-assigned identity may be named by an expression."""
        if not is_expression(name) or path[-1:] != ("userassignedidentities",):
            return str(name)
        found = self.solver.value(name)
        if isinstance(found, str):
            return found
        written = found.text if isinstance(found, Unsolved) else str(name)
        return str(self.solver.symbols.somewhere("Microsoft.ManagedIdentity/userAssignedIdentities", written))

    def _plainly(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(name): self._plainly(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._plainly(one) for one in value]
        found = self.solver.value(value)
        return found if isinstance(found, str | int | float | bool | None) else None

    def _identity(self, made: dict[str, Any], at: Scope) -> None:
        if at.resource_type == USER_ASSIGNED:
            made["properties"] = {
                **_mapping(made.get("properties")),
                "principalId": self.principal(Holder(at, Kind.USER)),
            }
        block = made.get("identity")
        if not isinstance(block, Mapping):
            return
        kind = (text(block, "type") or "").casefold()
        told = {name: one for name, one in block.items() if name != "userAssignedIdentities"}
        if "systemassigned" in kind.replace(" ", ""):
            told["principalId"] = self.principal(Holder(at, Kind.SYSTEM))
        named = block.get("userAssignedIdentities")
        if isinstance(named, list):
            named = {str(one): {} for one in named}
        if isinstance(named, Mapping):
            told["userAssignedIdentities"] = {name: self._attached(name) for name in named}
        made["identity"] = told

    def _attached(self, name: str) -> dict[str, str]:
        try:
            scope = Scope.parse(name)
        except InvalidScopeError:
            return {}
        return {"principalId": self.principal(Holder(scope, Kind.USER))} if scope.resource_type == USER_ASSIGNED else {}

    def _by_default(self, made: dict[str, Any], at: Scope) -> None:
        """What Azure shows of a resource although nobody wrote it."""
        properties = made["properties"]
        if at.resource_type == REGISTRY:
            properties.setdefault("loginServer", f"{at.name.lower()}{self.solver.suffixes.get('acrloginserver', '')}")
        if at.resource_type == VAULT and (text(made, "apiVersion") or "")[:10] >= _RBAC_BY_DEFAULT:
            properties.setdefault("enableRbacAuthorization", True)


_GONE = object()


def _is_looked_at(kind: str, path: tuple[str, ...]) -> bool:
    """Among what is prose or a secret otherwise. The `secrets` of an access policy are permissions."""
    return "accesspolicies" in path or (kind.startswith(WORKSPACE) and path[-1] in _LOOKED_AT)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _flattened(raw: Raw, kind: str) -> Raw:
    """Versions of 2021 wrote what a datastore holds as its `contents`."""
    contents = get(raw, "properties", "contents")
    if kind != DATASTORE or not isinstance(contents, Mapping):
        return raw
    said = {**_mapping(raw.get("properties")), **contents}
    said["datastoreType"] = contents.get("contentsType")
    return {**raw, "properties": said}


def merged(
    one: Mapping[str, Any], other: Mapping[str, Any], differs: Callable[[str], None], path: str = ""
) -> dict[str, Any]:
    """Two accounts of one resource. `differs` is told of each property in which they contradict each other."""
    made = dict(one)
    for name, value in other.items():
        mine = made.get(name)
        if name not in made or mine == value:
            made[name] = value
        elif isinstance(mine, Mapping) and isinstance(value, Mapping):
            made[name] = merged(mine, value, differs, f"{path}{name}.")
        elif not _alike(mine, value):
            differs(f"{path}{name}")
            del made[name]
    return made


def _alike(one: object, other: object) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one.casefold() == other.casefold()


def policies(raw: Raw) -> Iterator[Any]:
    entries = get(raw, "properties", "accessPolicies")
    yield from entries if isinstance(entries, list) else ()
