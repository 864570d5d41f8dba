"""A tenant for tests of what leads to a workspace: of each kind one workspace that uses a resource by nothing else.

The resources lie in `rg-shared`, which the policy allows. Every workspace has a registry of its own, from which its
cluster cannot pull: that it was looked at shows in the grant. Every other workspace lies in a subscription of its own,
and ids are written in the odd ways in which Azure writes them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from held import held
from local_azure import LocalAzure
from tenants import (
    ACR_PULL,
    SUBSCRIPTION,
    TENANT_ID,
    Json,
    Tenant,
    child,
    group_id,
    oid,
    system_assigned,
    user_assigned,
)

from emulator import tenant_builder as build

SHARED = group_id("rg-shared")
POLICY = f"""mode: enforce
contested_after: 1000
trust: {{allow: ["{SHARED.upper()}"]}}
rules: {{registry-admin-user: {{enabled: false}}, compute-settings: {{enabled: false}}}}
"""
_AML = "Microsoft.MachineLearningServices"
_ACR, _STORAGE = "Microsoft.ContainerRegistry/registries", "Microsoft.Storage/storageAccounts"
_VAULT, _INSIGHTS = "Microsoft.KeyVault/vaults", "Microsoft.Insights/components"
_UAI, _AKS = "Microsoft.ManagedIdentity/userAssignedIdentities", "Microsoft.ContainerService/managedClusters"
_ARC, _SEARCH = "Microsoft.Kubernetes/connectedClusters", "Microsoft.Search/searchServices"

type Use = Callable[[Tenant, Json, Json], None]
"""Makes the workspace use the resource."""


@dataclass(frozen=True)
class Kind:
    """`scope`: whether it can be named as a scope; `watched`: whether its own events are."""

    type: str
    use: Use
    scope: bool = True
    watched: bool = False
    asks: bool = True


def _below(workspace: Json, collection: str, name: str, **properties: object) -> Json:
    return build.resource(f"{workspace['id']}/{collection}/{name}", properties)


def _datastore(**more: str) -> Use:
    def use(tenant: Tenant, workspace: Json, resource: Json) -> None:
        named = {"accountName": resource["name"].upper(), "containerName": "data", **more}
        tenant.add(build.datastore(workspace["id"], "data", **named))

    return use


def _connection(of: Callable[[Json], Json]) -> Use:
    def use(tenant: Tenant, workspace: Json, resource: Json) -> None:
        body = {"category": "ContainerRegistry", "target": "elsewhere.azurecr.io", **of(resource)}
        tenant.add(build.connection(workspace["id"], "one", **body))

    return use


def _environment(tenant: Tenant, workspace: Json, resource: Json) -> None:
    tenant.add(_below(workspace, "environments", "env", latestVersion="3", isArchived=False))
    image = f"{resource['properties']['loginServer'].upper()}/team/train:1"
    tenant.add(_below(workspace, "environments", "env/versions/3", image=image, osType="Linux"))


def _deployment(**properties: str) -> Use:
    def use(tenant: Tenant, workspace: Json, resource: Json) -> None:
        """An environment of an AML registry that keeps its images in the resource."""
        name = f"aml{resource['name']}"
        account = {"systemCreatedAcrAccount": {"armResourceId": {"resourceId": resource["id"].upper()}}}
        regions = [{"location": "westeurope", "acrDetails": [account]}]
        if resource["type"] == _ACR:
            shared = child(SHARED, f"{_AML}/registries", name)
            tenant.add(build.resource(shared, {"regionDetails": regions}))
        else:
            name = resource["name"]
        endpoint = tenant.endpoint(workspace, "scoring", system_assigned(f"{workspace['id']}/scoring"))
        named = {key: value.format(name=name.upper()) for key, value in properties.items()}
        tenant.add(build.resource(f"{endpoint['id']}/deployments/blue", {"endpointComputeType": "Managed", **named}))

    return use


def _compute(tenant: Tenant, workspace: Json, resource: Json) -> None:
    block = user_assigned(resource)
    block["userAssignedIdentities"] = {key.upper(): value for key, value in block["userAssignedIdentities"].items()}
    tenant.compute(workspace, "other", identity=block)


def _endpoint(tenant: Tenant, workspace: Json, resource: Json) -> None:
    tenant.endpoint(workspace, "scoring", user_assigned(resource))


def _attached(kind: str) -> Use:
    def use(tenant: Tenant, workspace: Json, resource: Json) -> None:
        compute = tenant.compute(workspace, "k8s", kind=kind)
        compute["properties"] |= {"resourceId": resource["id"].upper(), "isAttachedCompute": True}

    return use


def _encrypted(**key: str) -> Json:
    return {
        "status": "Enabled",
        "keyVaultProperties": {"keyIdentifier": "https://keys.vault.azure.net/keys/k/1", **key},
    }


def _encrypting(tenant: Tenant, workspace: Json, resource: Json) -> None:
    """With a key of a vault beside the workspace."""
    vault = tenant.add(build.vault(child(workspace["id"].partition("/providers/")[0], _VAULT, "one-key"), TENANT_ID))
    identity = {"userAssignedIdentity": resource["id"]}
    workspace["properties"] |= {"encryption": {**_encrypted(keyVaultArmId=vault["id"]), "identity": identity}}


def _says(of: Callable[[str], Json]) -> Use:
    def use(_: Tenant, workspace: Json, resource: Json) -> None:
        workspace["properties"] |= of(resource["id"])

    return use


def _outbound(target: str) -> Json:
    rules = {"rule": {"type": "PrivateEndpoint", "destination": {"serviceResourceId": target.upper()}}}
    return {"managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": rules}}


KINDS: dict[str, Kind] = {
    "datastore": Kind(_STORAGE, _datastore(subscriptionId=SUBSCRIPTION), watched=True),
    "datastore with its group": Kind(
        _STORAGE, _datastore(subscriptionId=SUBSCRIPTION.upper(), resourceGroup="RG-Shared"), watched=True
    ),
    "storage of a connection": Kind(
        _STORAGE,
        _connection(lambda one: {"category": "AzureBlob", "target": f"{one['id']}/blobServices/default/containers/c"}),
        watched=True,
    ),
    "storage by its server": Kind(
        _STORAGE,
        _connection(lambda one: {"category": "AzureBlob", "target": f"https://{one['name']}.blob.core.windows.net/c"}),
        watched=True,
    ),
    "storage of an outbound rule": Kind(_STORAGE, _says(_outbound), watched=True, asks=False),
    "registry of a connection": Kind(
        _ACR, _connection(lambda one: {"metadata": {"ResourceID": one["id"].upper()}}), watched=True
    ),
    "registry by its server": Kind(
        _ACR, _connection(lambda one: {"target": f"https://{one['properties']['loginServer'].upper()}"}), watched=True
    ),
    "image of an environment": Kind(_ACR, _environment, watched=True),
    "images of an AML registry": Kind(
        _ACR, _deployment(environmentId="azureml://registries/{name}/environments/train/versions/2"), watched=True
    ),
    "registry of an outbound rule": Kind(_ACR, _says(_outbound), watched=True, asks=False),
    "key of the encryption": Kind(
        _VAULT,
        _says(lambda vault: {"encryption": _encrypted(keyVaultArmId=vault.upper())}),
        watched=True,
        asks=False,
    ),
    "vault of an outbound rule": Kind(_VAULT, _says(_outbound), watched=True, asks=False),
    "identity of a connection": Kind(
        _UAI, _connection(lambda one: {"credentials": {"resourceId": one["id"].upper(), "clientId": oid("client")}})
    ),
    "identity of the encryption": Kind(_UAI, _encrypting, asks=False),
    "identity of a compute": Kind(_UAI, _compute),
    "identity of an endpoint": Kind(_UAI, _endpoint, asks=False),
    "component of a connection": Kind(_INSIGHTS, _connection(lambda one: {"target": one["id"]})),
    "attached cluster": Kind(_AKS, _attached("AKS"), scope=False),
    "attached Arc cluster": Kind(_ARC, _attached("Kubernetes"), scope=False),
    "AML registry of a model": Kind(
        f"{_AML}/registries", _deployment(model="azureml://registries/{name}/models/churn/versions/2"), scope=False
    ),
    "search of an outbound rule": Kind(_SEARCH, _says(_outbound), scope=False, asks=False),
}
"""`asks`: only what lies below the workspace tells."""


def slug(kind: str) -> str:
    return "".join(word[:4] for word in kind.split())


def group(kind: str) -> str:
    number = [*KINDS].index(kind)
    home = SUBSCRIPTION if number % 2 else f"{number + 1:08}-0000-4000-8000-000000000000"
    return group_id(f"rg-{slug(kind)}", home)


def resource(kind: str) -> str:
    return child(SHARED, KINDS[kind].type, f"one{slug(kind)}".lower()[:24])


def workspace(kind: str) -> str:
    return child(group(kind), f"{_AML}/workspaces", slug(kind))


def registry(kind: str) -> str:
    return child(group(kind), _ACR, f"acrml{slug(kind)}".lower())


def _resource(tenant: Tenant, kind: str) -> Json:
    name, named = resource(kind).rpartition("/")[2], resource(kind)
    own: dict[str, Callable[[], Json]] = {
        _ACR: lambda: tenant.registry(SHARED, name),
        _STORAGE: lambda: tenant.storage(SHARED, name),
        _UAI: lambda: tenant.uai(SHARED, name),
        _VAULT: lambda: tenant.add(build.vault(named, TENANT_ID)),
        _INSIGHTS: lambda: tenant.add(build.component(named)),
        _ARC: lambda: tenant.add(
            build.resource(named, {"agentPublicKeyCertificate": ""}, identity=system_assigned(kind))
        ),
    }
    return own.get(KINDS[kind].type, lambda: tenant.add(build.resource(named)))()


def document() -> Json:
    tenant = Tenant()
    for kind, one in KINDS.items():
        made = _resource(tenant, kind)
        acr = tenant.registry(group(kind), registry(kind).rpartition("/")[2])
        of = tenant.workspace(group(kind), slug(kind), containerRegistry=acr["id"])
        tenant.compute(of, "cluster", identity=system_assigned(kind))
        one.use(tenant, of, made)
    return tenant.document()


@dataclass(frozen=True)
class World:
    azure: LocalAzure

    def looked_at(self) -> set[str]:
        """The kinds whose workspace's cluster can pull from its own registry now."""
        return {kind for kind, role, _ in self._at_own_registries() if role == ACR_PULL}

    def _at_own_registries(self) -> Iterator[tuple[str, str, str]]:
        """By kind, role and id: the assignments of the clusters at their workspaces' registries."""
        kinds = {(oid(kind), registry(kind).lower()): kind for kind in KINDS}
        for one in held(self.azure, map(oid, KINDS)):
            said = one["properties"]
            if kind := kinds.get((said["principalId"], said["scope"].lower())):
                yield kind, said["roleDefinitionId"].rpartition("/")[2].lower(), one["id"]

    def was_looked_at(self, kind: str) -> bool:
        """As `looked_at`, of one kind: what waits for one need not ask for all again and again."""
        return (registry(kind).lower(), ACR_PULL) in self.azure.grants(oid(kind), registry(kind))

    def assigned_at(self, scope: str) -> set[str]:
        """The ids of the role assignments at the very scope."""
        listed = self.azure.get(f"{scope}/providers/Microsoft.Authorization/roleAssignments")["value"]
        return {one["id"] for one in listed if one["properties"]["scope"].lower() == scope.lower()}

    def restore(self) -> None:
        for _, _, assignment in [*self._at_own_registries()]:
            self.azure.delete(assignment)
        self.azure.forget_requests()
