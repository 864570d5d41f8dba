"""By what a workspace uses a resource: the only list.

Each entry says who names the resource (the workspace itself, a compute, a datastore …), in which fields, and of which
type it is. Who names a resource decides how to get from it back to its workspaces. ARM's list of workspaces and
Resource Graph show what workspaces say themselves. Anything else must be read below each workspace. Events, deleted
role assignments, `--scope`, the policy's scopes, `explain`, undo and docs/rules.md all use this list.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.access import connections, images
from shared.access.datastores import STORAGE, Somewhere, account_of
from shared.access.ids import EACH, NAMES, attachment
from shared.access.images import AML_REGISTRY
from shared.access.model import Raw
from shared.access.raw import scope_or_none, text
from shared.access.rules.rule import List
from shared.access.scope import Scope

REGISTRY = "microsoft.containerregistry/registries"
IDENTITY = "microsoft.managedidentity/userassignedidentities"
_VAULT = "microsoft.keyvault/vaults"
_INSIGHTS = "microsoft.insights/components"
_ARC = "microsoft.kubernetes/connectedclusters"
_RELAY = "microsoft.relay/namespaces"
_RESOURCE = 8  # segments of a resource in a resource group
_STORAGE_HOST = ("blob", "dfs", "file", "queue", "table")


class Namer(StrEnum):
    """What can name a resource, cheapest first. The value is its list below the workspace, as in ARM's path."""

    WORKSPACE = ""
    DATASTORE = List.DATASTORES.value
    CONNECTION = List.CONNECTIONS.value
    COMPUTE = List.COMPUTES.value
    ENDPOINT = List.ENDPOINTS.value
    DEPLOYMENT = f"{List.ENDPOINTS.value}/deployments"
    ENVIRONMENT = "environments/versions"

    @property
    def is_one_list(self) -> bool:
        """Whether one list of the workspace holds them all; the others take a request for each list's member."""
        return self.value in List


@dataclass(frozen=True, slots=True)
class Host:
    """A server's name, in lower case."""

    name: str

    @property
    def labels(self) -> list[str]:
        return self.name.split(".")


@dataclass(frozen=True, slots=True)
class AmlRegistry:
    """By its name, in lower case, as `azureml://registries/NAME/…` has it."""

    name: str


type Name = Scope | Somewhere | Host | AmlRegistry


def resource_of(scope: Scope) -> Scope | None:
    """The resource that it is or lies in. None for a scope that holds resources."""
    if scope.resource_group is None or len(scope.segments) < _RESOURCE:
        return None
    while len(scope.segments) > _RESOURCE:
        scope = scope.parent
    return scope


@dataclass(frozen=True, slots=True)
class Sought:
    """A resource, a part of one, or a scope that holds some, of which the users are looked for.

    `hosts` are the login servers of the container registries there, `aml_registries` the names of the AML registries
    that keep their images there: by these things below a workspace may name it, too.
    """

    scope: Scope
    hosts: frozenset[str] = frozenset()
    aml_registries: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """The type of the resource, in lower case. Empty for a scope that holds resources."""
        resource = resource_of(self.scope)
        return resource.resource_type if resource else ""

    def is_meant(self, name: Name) -> bool:
        """Whether what is named may be it, lie in it or have it as a part."""
        resource = resource_of(self.scope)
        match name:
            case Scope():
                within = self.scope.contains(name) or name.contains(self.scope)
                return within and resource_of(name) is not None
            case Somewhere(within=within):
                if resource:
                    return name.may_be(resource)
                return self.scope.contains(within) or within.contains(self.scope)
            case Host():
                return self._serves(name, resource)
            case AmlRegistry():
                itself = resource and resource.resource_type == AML_REGISTRY and resource.name.casefold() == name.name
                return bool(itself) or name.name in self.aml_registries

    def _serves(self, host: Host, resource: Scope | None) -> bool:
        if self.hosts or resource is None:
            return host.name in self.hosts
        service = {REGISTRY: ("azurecr",), STORAGE: _STORAGE_HOST}.get(resource.resource_type, ())
        return host.labels[0] == resource.name.casefold() and any(one in service for one in host.labels[1:2])


type Names = Callable[[Raw, Raw], Iterable[Name]]


@dataclass(frozen=True, slots=True)
class Dependency:
    """`types` are in lower case; none means any. `fields` are as `shared.access.ids.Field.name` writes them.

    `names` gives what is named by the raw self of the one who names, and of its workspace.
    """

    kind: str
    namer: Namer
    types: tuple[str, ...]
    fields: tuple[str, ...]
    names: Names

    def may_lead_to(self, sought: Sought) -> bool:
        return not self.types or not sought.kind or sought.kind in self.types

    def leads_to(self, sought: Sought, raw: Raw, workspace: Raw) -> bool:
        return self.may_lead_to(sought) and any(map(sought.is_meant, self.names(raw, workspace)))


def _by_id(kind: str, namer: Namer, field: str, *types: str) -> Dependency:
    def names(raw: Raw, _: Raw) -> Iterator[Scope]:
        found = (scope for value in _values(raw, tuple(field.split("."))) if (scope := scope_or_none(value)))
        return (scope for scope in found if not types or scope.resource_type in types)

    return Dependency(kind, namer, types, (field,), names)


def _values(raw: object, path: tuple[str, ...]) -> Iterator[object]:
    """All values at that path. None of them if something on the path has another shape."""
    if not path:
        yield raw
    elif isinstance(raw, Mapping):
        step, rest = path[0], path[1:]
        within = raw.values() if step == EACH else raw.keys() if step == NAMES else (raw.get(step),)
        for one in within:
            yield from _values(one, rest)


def _attached(raw: Raw, _: Raw) -> Iterator[Scope]:
    found = attachment(raw).of(raw)
    if found:
        yield found


def _relays(raw: Raw, workspace: Raw) -> Iterator[Somewhere]:
    """The AML extension makes its relay in the resource group of the Arc cluster."""
    for cluster in _attached(raw, workspace):
        if cluster.resource_type == _ARC and cluster.resource_group:
            yield Somewhere(_RELAY, cluster.resource_group)


def _account(raw: Raw, workspace: Raw) -> Iterator[Name]:
    home, own = scope_or_none(workspace.get("id")), scope_or_none(text(workspace, "properties", "storageAccount"))
    name = text(raw, "properties", "accountName")
    found = account_of(name, raw, own, home.subscription if home else None)
    if found:
        yield found


def _connected(raw: Raw, _: Raw) -> Iterable[Name]:
    return connections.named(raw)


def _server(raw: Raw, _: Raw) -> Iterator[Name]:
    host = connections.host(connections.connection(raw, Scope.parse("/")))
    if host:
        yield Host(host)


def _signing_in(raw: Raw, _: Raw) -> Iterator[Name]:
    identity = connections.identity(connections.connection(raw, Scope.parse("/")))
    if identity:
        yield identity


def _image(raw: Raw, _: Raw) -> Iterator[Name]:
    host = images.container_registry(text(raw, "properties", "image"))
    if host:
        yield Host(host)


def _assets(raw: Raw, _: Raw) -> Iterator[Name]:
    return (AmlRegistry(one.registry.casefold()) for one in images.assets(raw) if one.registry)


_PROPERTY = "properties"
_IDENTITIES = f"identity.userAssignedIdentities.{NAMES}"

DEPENDENCIES: tuple[Dependency, ...] = (
    _by_id("registry", Namer.WORKSPACE, f"{_PROPERTY}.containerRegistry", REGISTRY),
    _by_id("storage account", Namer.WORKSPACE, f"{_PROPERTY}.storageAccount", STORAGE),
    _by_id("key vault", Namer.WORKSPACE, f"{_PROPERTY}.keyVault", _VAULT),
    _by_id("Application Insights", Namer.WORKSPACE, f"{_PROPERTY}.applicationInsights", _INSIGHTS),
    _by_id("primary identity", Namer.WORKSPACE, f"{_PROPERTY}.primaryUserAssignedIdentity", IDENTITY),
    _by_id("attached identity", Namer.WORKSPACE, _IDENTITIES, IDENTITY),
    _by_id(
        "vault of the encryption key",
        Namer.WORKSPACE,
        f"{_PROPERTY}.encryption.keyVaultProperties.keyVaultArmId",
        _VAULT,
        "microsoft.keyvault/managedhsms",
    ),
    _by_id(
        "identity of the encryption", Namer.WORKSPACE, f"{_PROPERTY}.encryption.identity.userAssignedIdentity", IDENTITY
    ),
    _by_id(
        "target of an outbound rule",
        Namer.WORKSPACE,
        f"{_PROPERTY}.managedNetwork.outboundRules.{EACH}.destination.serviceResourceId",
    ),
    Dependency(
        "account of a datastore",
        Namer.DATASTORE,
        (STORAGE,),
        tuple(f"{_PROPERTY}.{name}" for name in ("accountName", "subscriptionId", "resourceGroup")),
        _account,
    ),
    Dependency(
        "target of a connection",
        Namer.CONNECTION,
        (REGISTRY, STORAGE, _VAULT, _INSIGHTS),
        ("metadata.resourceid", "properties.target"),
        _connected,
    ),
    Dependency("server of a connection", Namer.CONNECTION, (REGISTRY, STORAGE), ("properties.target",), _server),
    Dependency("identity of a connection", Namer.CONNECTION, (IDENTITY,), ("credentials.resourceid",), _signing_in),
    _by_id("identity of a compute", Namer.COMPUTE, _IDENTITIES, IDENTITY),
    Dependency(
        "what a compute is attached to",
        Namer.COMPUTE,
        (
            "microsoft.containerservice/managedclusters",
            _ARC,
            "microsoft.compute/virtualmachines",
            "microsoft.databricks/workspaces",
            "microsoft.hdinsight/clusters",
        ),
        (f"{_PROPERTY}.resourceId",),
        _attached,
    ),
    Dependency("relay of an Arc cluster", Namer.COMPUTE, (_RELAY,), (f"{_PROPERTY}.resourceId",), _relays),
    _by_id("identity of an endpoint", Namer.ENDPOINT, _IDENTITIES, IDENTITY),
    Dependency(
        "AML registry of a deployment's environment or model, and the registry of its images",
        Namer.DEPLOYMENT,
        (AML_REGISTRY, REGISTRY),
        (f"{_PROPERTY}.environmentId", f"{_PROPERTY}.model"),
        _assets,
    ),
    Dependency("image of an environment", Namer.ENVIRONMENT, (REGISTRY,), (f"{_PROPERTY}.image",), _image),
)

_HERE = "the identity itself is in the block; its object id leads to no resource"
_NETWORK = "nothing is granted there, and no event of networks is watched: a network's users are the sweep's"
NOWHERE: Mapping[str, str] = {
    "identity.type": "a word",
    "identity.principalId": _HERE,
    f"identity.userAssignedIdentities.{EACH}.principalId": _HERE,
    "properties.hubResourceId": "a hub is a workspace: it is looked at itself, and its projects by the sweep",
    "properties.serverlessComputeSettings.serverlessComputeCustomSubnet": _NETWORK,
    f"properties.privateEndpointConnections.{EACH}.properties.privateEndpoint.id": _NETWORK,
    f"properties.privateEndpointConnections.{EACH}.properties.privateEndpoint.subnetArmId": _NETWORK,
    "properties.properties.subnet.id": _NETWORK,
}
"""Fields that hold ids (`shared.access.ids`) and lead to no workspace, and why."""


def leading(namer: Namer, sought: Sought) -> bool:
    """Whether what is sought can be named there at all."""
    return any(one.namer is namer and one.may_lead_to(sought) for one in DEPENDENCIES)


def leads_to(namer: Namer, sought: Sought, raw: Raw, workspace: Raw) -> bool:
    return any(one.namer is namer and one.leads_to(sought, raw, workspace) for one in DEPENDENCIES)
