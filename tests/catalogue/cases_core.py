"""The rules of the main job: who pulls, who reads, what the workspace itself needs, and the registry's admin user."""

from collections.abc import Callable, Sequence

from catalogue.build import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    BLOB_OWNER,
    BLOB_READER,
    CONTRIBUTOR,
    INSIGHTS_CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    OWNER,
    READER,
    assign,
    compute,
    connection,
    container_group,
    datastore,
    days_ago,
    endpoint,
    insights,
    policy,
    registry,
    registry_at,
    resource,
    storage,
    system,
    uai,
    user,
    vault,
    workspace,
)
from catalogue.case import ALLOWED_GROUP, Case, Place, Raw, Tenant

type Build = Callable[[Place], Tenant]


def _uai_workspace(*held: tuple[str, str], rbac: bool = True, policies: Sequence[str] = ()) -> Build:
    """A UAI workspace with all dependencies; `held` are (dependency, role) that its identity has."""

    def build(place: Place) -> Tenant:
        one = uai(place)
        me = one["properties"]["principalId"]
        parts = {
            "storageAccount": storage(place),
            "keyVault": vault(place, rbac=rbac, policies=[policy(me, secrets=list(policies))] if policies else []),
            "containerRegistry": registry(place),
            "applicationInsights": insights(place),
        }
        named = {name: part["id"] for name, part in parts.items()}
        ws = workspace(place, identity=user(one), primaryUserAssignedIdentity=one["id"], **named)
        scopes = {**named, "workspace": ws["id"], "group": place.group}
        return Tenant([one, ws, *parts.values()], [assign(scopes[where], me, role) for where, role in held])

    return build


def _system_workspace(place: Place) -> Tenant:
    """All that AML sees to itself."""
    parts = {"storageAccount": storage(place), "keyVault": vault(place), "applicationInsights": insights(place)}
    return Tenant([workspace(place, **{name: part["id"] for name, part in parts.items()}), *parts.values()])


def _pulling(kind: str = "AmlCompute", role: str | None = None, *, abac: bool = False, at: str = "registry") -> Build:
    def build(place: Place) -> Tenant:
        acr = registry(place, abac=abac)
        ws = workspace(place, containerRegistry=acr["id"])
        one = compute(ws, "cpu1", kind, identity=system(place.object_id("cpu1")), createdOn="2023-01-01T00:00:00Z")
        scope = acr["id"] if at == "registry" else place.group
        return Tenant([acr, ws, one], [assign(scope, place.object_id("cpu1"), role)] if role else [])

    return build


def _aks(role: str | None) -> Build:
    def build(place: Place) -> Tenant:
        acr = registry(place)
        ws = workspace(place, containerRegistry=acr["id"])
        kind = "Microsoft.ContainerService/managedClusters"
        kubelet = {"kubeletidentity": {"objectId": place.object_id("kubelet")}}
        cluster = resource(place.id(kind, "aks"), kind, {"identityProfile": kubelet})
        attached = compute(ws, "aks", "AKS", resourceId=cluster["id"], isAttachedCompute=True)
        held = [assign(acr["id"], place.object_id("kubelet"), role)] if role else []
        return Tenant([acr, ws, cluster, attached], held)

    return build


def _endpoint(*roles: str, identity: str = "user") -> Build:
    """`roles` are those that the endpoint's identity has on the whole resource group."""

    def build(place: Place) -> Tenant:
        acr, blobs, one = registry(place), storage(place), uai(place, "infer")
        ws = workspace(place, containerRegistry=acr["id"], storageAccount=blobs["id"])
        block = user(one) if identity == "user" else system(place.object_id("infer"))
        held = [assign(place.group, place.object_id("infer"), role) for role in roles]
        return Tenant([acr, blobs, one, ws, endpoint(ws, "infer", identity=block)], held)

    return build


def _without_identity(kind: str) -> Build:
    def build(place: Place) -> Tenant:
        acr = registry(place)
        ws = workspace(place, containerRegistry=acr["id"])
        return Tenant([acr, ws, compute(ws, "cpu1", kind)])

    return build


def _private(group: str) -> Build:
    def build(place: Place) -> Tenant:
        scope = f"{group or place.group + '-other'}/providers/Microsoft.ContainerRegistry/registries/base{place.unique}"
        acr, base = registry(place), registry_at(scope)
        ws = workspace(place, containerRegistry=acr["id"])
        named = connection(
            ws, "base", "ContainerRegistry", f"{base['name']}.azurecr.io", metadata={"ResourceId": scope}
        )
        one = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        return Tenant([acr, base, ws, named, one], [assign(acr["id"], place.object_id("cpu1"), ACR_PULL)])

    return build


def _serverless(*, own_identity: bool) -> Build:
    def build(place: Place) -> Tenant:
        acr, one = registry(place, admin=not own_identity), uai(place)
        settings: Raw = {"serverlessComputeSettings": {"serverlessComputeNoPublicIP": True}}
        if not own_identity:
            return Tenant([acr, workspace(place, containerRegistry=acr["id"], **settings)])
        primary: Raw = {"primaryUserAssignedIdentity": one["id"]}
        ws = workspace(place, identity=user(one), containerRegistry=acr["id"], **primary, **settings)
        return Tenant([acr, one, ws], [assign(acr["id"], place.object_id("uami"), ACR_PULL)])

    return build


def _reading(credentials: str) -> Build:
    def build(place: Place) -> Tenant:
        blobs = storage(place)
        ws = workspace(place, storageAccount=blobs["id"])
        store = datastore(ws, "workspaceblobstore", blobs["name"], credentials=credentials)
        return Tenant([blobs, ws, store, compute(ws, "cpu1", identity=system(place.object_id("cpu1")))])

    return build


def _isolated(*, isolated: bool) -> Build:
    def build(place: Place) -> Tenant:
        blobs = storage(place)
        more: Raw = {"enableDataIsolation": True} if isolated else {}
        ws = workspace(place, kind="Hub", storageAccount=blobs["id"], **more)
        return Tenant([blobs, ws, endpoint(ws, "infer", identity=system(place.object_id("infer")))])

    return build


def _admin_user(*, covered: bool = True, images_of: str = "", admin: bool = True, login: float | None = None) -> Build:
    """A registry whose admin user is on, one cluster, and perhaps a container group (`own` or `other` image).

    `login` is how many days ago somebody last signed in as the admin user.
    """

    def build(place: Place) -> Tenant:
        acr = registry(place, admin=admin)
        ws = workspace(place, containerRegistry=acr["id"])
        parts = [acr, ws, compute(ws, "cpu1", identity=system(place.object_id("cpu1")))]
        parts += [] if covered else [compute(ws, "cpu2")]
        if images_of:
            host = acr["properties"]["loginServer"] if images_of == "own" else "mcr.microsoft.com"
            parts.append(container_group(place, f"{host}/app:1"))
        row = {"Identity": acr["name"], "LoginServer": acr["properties"]["loginServer"], "ResultDescription": "200"}
        rows = [] if login is None else [{"TimeGenerated": days_ago(login), **row}]
        held = [assign(acr["id"], place.object_id("cpu1"), ACR_PULL)]
        return Tenant(parts, held, logs={"ContainerRegistryLoginEvents": rows} if rows else {})

    return build


def _both_kinds(place: Place) -> Tenant:
    one = uai(place)
    ws = workspace(place)
    return Tenant([one, ws, compute(ws, "cpu1", identity=_both(place, one))])


def _both(place: Place, one: Raw) -> Raw:
    return {**user(one), **system(place.object_id("cpu1")), "type": "SystemAssigned, UserAssigned"}


def _two_of_one_kind(place: Place) -> Tenant:
    one, two = uai(place, "one"), uai(place, "two")
    ws = workspace(place)
    return Tenant([one, two, ws, compute(ws, "cpu1", identity=user(one, two))])


_SECRETS = ("get", "list", "set", "delete", "recover", "backup", "restore")

CASES: tuple[Case, ...] = (
    Case(
        "workspace-control",
        True,
        "a UAI workspace whose identity holds nothing on it",
        _uai_workspace(),
        "control the workspace",
        "Applied",
    ),
    Case("workspace-control", False, "a workspace that acts as its system-assigned identity", _system_workspace),
    Case(
        "workspace-storage",
        True,
        "a UAI workspace with a customer-provided storage account",
        _uai_workspace(),
        "control the storage account",
        "Applied",
    ),
    Case(
        "workspace-storage",
        False,
        "an identity that holds Contributor on the resource group",
        _uai_workspace(("group", CONTRIBUTOR)),
    ),
    Case(
        "workspace-blobs",
        True,
        "a UAI workspace: Contributor on the account gives no data plane",
        _uai_workspace(("storageAccount", CONTRIBUTOR)),
        "read and write blobs",
        "Applied",
    ),
    Case(
        "workspace-blobs",
        False,
        "an identity that holds Storage Blob Data Owner on the account",
        _uai_workspace(("storageAccount", BLOB_OWNER)),
    ),
    Case(
        "workspace-vault",
        True,
        "a UAI workspace whose vault has enableRbacAuthorization true",
        _uai_workspace(),
        "administer the vault's keys",
        "Applied",
    ),
    Case("workspace-vault", False, "a vault in access-policy mode: that is AML-07", _uai_workspace(rbac=False)),
    Case(
        "workspace-vault-policies",
        True,
        "a UAI workspace whose vault has enableRbacAuthorization false or absent",
        _uai_workspace(rbac=False),
        "must administer keys, secrets and certificates",
        "Applied",
    ),
    Case(
        "workspace-vault-policies",
        False,
        "a vault in RBAC mode: that is AML-06",
        _uai_workspace(("keyVault", KEY_VAULT_ADMINISTRATOR)),
    ),
    Case(
        "workspace-vault-policies",
        False,
        "an identity as the quickstart sets it up: secrets policy and Key Vault Administrator",
        _uai_workspace(("keyVault", KEY_VAULT_ADMINISTRATOR), rbac=False, policies=_SECRETS),
    ),
    Case(
        "workspace-registry",
        True,
        "a UAI workspace with a customer-provided registry",
        _uai_workspace(),
        "control the registry",
        "Applied",
    ),
    Case(
        "workspace-registry",
        False,
        "an identity that holds Owner on the registry's resource group",
        _uai_workspace(("group", OWNER)),
    ),
    Case(
        "workspace-insights",
        True,
        "a UAI workspace with a customer-provided component",
        _uai_workspace(),
        "control Application Insights",
        "Applied",
    ),
    Case(
        "workspace-insights",
        False,
        "an identity that holds Application Insights Component Contributor on it",
        _uai_workspace(("applicationInsights", INSIGHTS_CONTRIBUTOR)),
    ),
    Case(
        "compute-pull",
        True,
        "a cluster that is older than the registry: AML granted it nothing",
        _pulling(),
        "cpu1 pulls images",
        "Applied",
    ),
    Case(
        "compute-pull", True, "a registry in ABAC mode, where AcrPull does nothing", _pulling(role=ACR_PULL, abac=True)
    ),
    Case(
        "compute-pull",
        False,
        "a cluster whose identity holds Reader on the resource group, which covers pulling from a classic registry",
        _pulling(role=READER, at="group"),
    ),
    Case(
        "kubernetes-pull",
        True,
        "an attached Arc cluster with a system-assigned identity: AML grants Kubernetes computes nothing",
        _pulling("Kubernetes"),
        "cpu1 pulls images",
        "Applied",
    ),
    Case("kubernetes-pull", False, "a Kubernetes compute that holds AcrPull", _pulling("Kubernetes", ACR_PULL)),
    Case(
        "aks-pull",
        True,
        "an attached AKS cluster whose kubelet identity has no role on the registry",
        _aks(None),
        "kubelet of aks pulls images",
        "Applied",
    ),
    Case("aks-pull", False, "a cluster that `az aks update --attach-acr` gave AcrPull", _aks(ACR_PULL)),
    Case(
        "endpoint-pull",
        True,
        "an endpoint with a user-assigned identity: AML grants it nothing",
        _endpoint(),
        "infer pulls images",
        "Applied",
    ),
    Case(
        "endpoint-pull",
        False,
        "an endpoint with a system-assigned identity, which AML gave AcrPull",
        _endpoint(ACR_PULL, identity="system"),
    ),
    Case(
        "compute-identity",
        True,
        "a cluster without an identity on a registry whose admin user is off",
        _without_identity("AmlCompute"),
        "az ml compute update",
        "Finding",
    ),
    Case(
        "compute-identity",
        False,
        "a Databricks compute: it pulls nothing from the registry",
        _without_identity("Databricks"),
    ),
    Case(
        "private-registry-pull",
        True,
        "a workspace with a connection to a registry on the allow-list",
        _private(ALLOWED_GROUP),
        "cpu1 pulls images from base",
        "Applied",
    ),
    Case(
        "private-registry-pull",
        True,
        "a connection to a registry that is not on the allow-list: withheld",
        _private(""),
        "trust: {allow:",
        "Withheld",
    ),
    Case("private-registry-pull", False, "a connection to the workspace's own registry", _admin_user(admin=False)),
    Case(
        "serverless-pull",
        True,
        "serverless settings on a workspace with only a system-assigned identity: the admin user stays on",
        _serverless(own_identity=False),
        "it can pull only as the admin user",
        "Withheld",
    ),
    Case(
        "serverless-pull",
        False,
        "a workspace whose primary user-assigned identity can pull",
        _serverless(own_identity=True),
    ),
    Case(
        "compute-reads-blobs",
        True,
        "a cluster of a workspace whose datastore keeps no credential",
        _reading("None"),
        "reads st",
        "Applied",
    ),
    Case(
        "compute-reads-blobs",
        False,
        "a workspace whose datastores keep a key: the compute reads with the key",
        _reading("AccountKey"),
    ),
    Case(
        "endpoint-reads-blobs",
        True,
        "an endpoint with a user-assigned identity: AML grants it nothing",
        _endpoint(),
        "reads models and code",
        "Applied",
    ),
    Case(
        "endpoint-reads-blobs",
        False,
        "an endpoint whose identity holds Storage Blob Data Owner on the account",
        _endpoint(BLOB_OWNER),
    ),
    Case(
        "endpoint-writes-metrics",
        True,
        "an endpoint with a user-assigned identity, when the policy turns the rule on",
        _endpoint(BLOB_READER),
        "writes metrics",
        "Applied",
    ),
    Case(
        "endpoint-writes-metrics",
        False,
        "an endpoint whose identity holds Contributor on the workspace",
        _endpoint(CONTRIBUTOR, BLOB_CONTRIBUTOR),
    ),
    Case(
        "data-isolation",
        True,
        "a hub or project with enableDataIsolation: grants on its storage are withheld",
        _isolated(isolated=True),
        "isolates its data",
        "Withheld",
    ),
    Case("data-isolation", False, "a workspace without enableDataIsolation", _isolated(isolated=False)),
    Case(
        "registry-admin-user",
        True,
        "a registry that AML made (AML-21) or the customer provided (AML-22), with every puller covered and settled",
        _admin_user(),
        "admin user on",
        "Applied",
    ),
    Case(
        "registry-admin-user",
        True,
        "a registry from which one cluster still cannot pull with its identity: the admin user stays on",
        _admin_user(covered=False),
        "cpu2",
        "Withheld",
    ),
    Case(
        "registry-admin-user",
        True,
        "a registry into which somebody signed as the admin user lately: it stays on",
        _admin_user(login=4),
        "1 times in the last 30 days, last at",
        "Withheld",
    ),
    Case(
        "registry-admin-user",
        True,
        "a registry whose admin user was last used before the policy's look-back",
        _admin_user(login=31),
        "admin user on",
        "Applied",
    ),
    Case("registry-admin-user", False, "a registry whose admin user is off", _admin_user(admin=False)),
    Case(
        "workspace-cached-keys",
        True,
        "each workspace that uses a registry whose admin user has just been turned off",
        _admin_user(),
        "caches the password",
        "Applied",
    ),
    Case("workspace-cached-keys", False, "a registry whose admin user stays on", _admin_user(covered=False)),
    Case(
        "container-instances",
        True,
        "a container group whose image comes from the registry",
        _admin_user(images_of="own"),
        "Container Instances group group",
        "Withheld",
    ),
    Case(
        "container-instances",
        False,
        "a container group with an image of another registry",
        _admin_user(images_of="other"),
    ),
    Case(
        "compute-identity-kinds",
        True,
        "a cluster of type SystemAssigned,UserAssigned",
        _both_kinds,
        "AML supports one kind",
        "Finding",
    ),
    Case("compute-identity-kinds", False, "a cluster with two user-assigned identities", _two_of_one_kind),
)
