"""Identities: who has which, who attached it, which keys, secrets and private images it reaches."""

from collections.abc import Callable, Sequence
from typing import Any

from catalogue.build import (
    LONG_AGO,
    OWNER,
    READER,
    assign,
    compute,
    connection,
    datastore,
    policy,
    registry,
    registry_at,
    resource,
    system,
    uai,
    user,
    vault,
    workspace,
)
from catalogue.case import ALLOWED_GROUP, TENANT_ID, Case, Place, Raw, Tenant
from event_grid import event

type Build = Callable[[Place], Tenant]

_UAI = "Microsoft.ManagedIdentity/userAssignedIdentities"
_AML = "Microsoft.MachineLearningServices/workspaces"
_OPERATOR = "f1a07417-d97a-45cb-824c-7a7467783830"
_CRYPTO_USER = "e147488a-f6f5-4113-8e2d-b22465e65bf6"
_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


def _workspace(identity: Raw | None = None) -> Build:
    return lambda place: Tenant([workspace(place, identity=identity)])


def _primary(name: str) -> Build:
    """A workspace that `one` and `two` are attached to, and whose primary identity is `name`."""

    def build(place: Place) -> Tenant:
        one, two, three = (uai(place, each) for each in ("one", "two", "three"))
        primary = place.id(_UAI, name)
        return Tenant([one, two, three, workspace(place, identity=user(one, two), primaryUserAssignedIdentity=primary)])

    return build


def _written(*held: str) -> Build:
    """A UAI workspace; `held` are the roles that its writer has on the resource group."""

    def build(place: Place) -> Tenant:
        one = uai(place)
        ws = workspace(place, identity=user(one), primaryUserAssignedIdentity=one["id"])
        return Tenant([one, ws], [assign(place.group, place.object_id("jane"), role, kind="User") for role in held])

    return build


def _jane_writes(place: Place) -> Raw:
    return event(place.id(_AML, "mlw"), caller=place.object_id("jane"))


def _encrypted(*held: str, rbac: bool = True, keys: Sequence[str] = ()) -> Build:
    """A workspace that reads its key as an identity of its own; `held` are that one's roles on the key's vault."""

    def build(place: Place) -> Tenant:
        one = uai(place, "cmk")
        kv = vault(place, rbac=rbac, policies=[policy(place.object_id("cmk"), keys=list(keys))] if keys else [])
        encryption = {
            "status": "Enabled",
            "identity": {"userAssignedIdentity": one["id"]},
            "keyVaultProperties": {
                "keyVaultArmId": kv["id"],
                "keyIdentifier": f"https://{kv['name']}.vault.azure.net/keys/cmk/1",
            },
        }
        ws = workspace(place, encryption=encryption)
        return Tenant([one, kv, ws], [assign(kv["id"], place.object_id("cmk"), role) for role in held])

    return build


def _opening(credentials: str, *held: str) -> Build:
    """A cluster with `held` on the vault of a workspace with one datastore."""

    def build(place: Place) -> Tenant:
        kv = vault(place)
        ws = workspace(place, keyVault=kv["id"])
        store = datastore(ws, "data", "account", credentials=credentials)
        one = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        return Tenant([kv, ws, store, one], [assign(kv["id"], place.object_id("cpu1"), role) for role in held])

    return build


def _allowed_uai(place: Place) -> Raw:
    scope = f"{ALLOWED_GROUP}/providers/{_UAI}/id{place.unique}"
    ids = {"principalId": place.object_id("puller"), "clientId": place.object_id("client")}
    return resource(scope, _UAI, {"tenantId": TENANT_ID, **ids})


def _base_images(*held: tuple[str, str, str], at: str = ALLOWED_GROUP, client: str = "client") -> Build:
    """A connection that pulls as an identity; `held` are (who, role, scope: `registry` or `identity`)."""

    def build(place: Place) -> Tenant:
        one = _allowed_uai(place)
        base = registry_at(
            f"{at or place.group}/providers/Microsoft.ContainerRegistry/registries/base{place.unique}", abac=False
        )
        ws = workspace(place)
        credentials = {"resourceId": one["id"], "clientId": place.object_id(client)}
        meta = {"ResourceId": base["id"]}
        server = base["properties"]["loginServer"]
        named = connection(ws, "base", "ContainerRegistry", server, credentials=credentials, metadata=meta)
        scopes = {"registry": base["id"], "identity": one["id"]}
        grants = [assign(scopes[scope], place.object_id(who), role) for who, role, scope in held]
        return Tenant([one, base, ws, named], grants)

    return build


def _first_version(place: Place) -> Tenant:
    one, base = uai(place, "puller"), registry(place)
    ws = workspace(place)
    value = {"ResourceId": one["id"], "ClientId": place.object_id("client of puller")}
    more: dict[str, Any] = {"authType": "RegistryConnection", "value": value}
    return Tenant([one, base, ws, connection(ws, "base", "ACR", base["properties"]["loginServer"], **more)])


def _built_by_password(username: str | None) -> Build:
    """A registry whose admin user is on, and a second workspace, in another group, that signs in to it."""

    def build(place: Place) -> Tenant:
        acr = registry(place, admin=True)
        ws, other = workspace(place, containerRegistry=acr["id"]), workspace(place, name="other")
        other["id"] = f"{place.subscription}/resourceGroups/elsewhere/providers/{_AML}/other"
        more = {"authType": "UsernamePassword", "credentials": {"username": username} if username else None}
        named = connection(other, "images", "ContainerRegistry", acr["properties"]["loginServer"], **more)
        return Tenant([acr, ws, other, named])

    return build


def _environment(**more: Any) -> Build:
    def build(place: Place) -> Tenant:
        one = uai(place, "puller")
        host = f"base{place.unique}.azurecr.io"
        ws = workspace(place)
        named = connection(ws, "base", "ContainerRegistry", host, credentials={"resourceId": one["id"]})
        scope = f"{ws['id']}/environments/train"
        changed = {"systemData": {"lastModifiedAt": LONG_AGO}}
        train = resource(scope, f"{_AML}/environments", {"latestVersion": "3", "isArchived": False}, **changed)
        version = {"image": f"{host}/team/train:1", "environmentType": "UserCreated", **more}
        return Tenant(
            [one, ws, named, train, resource(f"{scope}/versions/3", f"{_AML}/environments/versions", version)]
        )

    return build


def _attached_aks(client: str, **more: Any) -> Build:
    def build(place: Place) -> Tenant:
        kind = "Microsoft.ContainerService/managedClusters"
        profile = {"servicePrincipalProfile": {"clientId": client}}
        cluster = resource(place.id(kind, "aks"), kind, profile, **more)
        ws = workspace(place)
        return Tenant([ws, cluster, compute(ws, "aks", "AKS", resourceId=cluster["id"], isAttachedCompute=True)])

    return build


CASES: tuple[Case, ...] = (
    Case(
        "workspace-identity",
        True,
        "a workspace whose identity is of type None",
        _workspace({"type": "None"}),
        "az rest --method patch",
        "Finding",
    ),
    Case("workspace-identity", False, "a workspace with its system-assigned identity", _workspace()),
    Case(
        "workspace-primary-identity",
        True,
        "a primaryUserAssignedIdentity that is not attached; the remedy names the attached ones as well (AML-11)",
        _primary("three"),
        "userAssignedIdentities/two",
        "Finding",
    ),
    Case(
        "workspace-primary-identity",
        False,
        "a primaryUserAssignedIdentity that is one of two attached ones",
        _primary("two"),
    ),
    Case(
        "identity-attached-by",
        True,
        "an event whose caller wrote a UAI workspace and holds nothing on its identity",
        _written(),
        "Managed Identity Operator",
        "Finding",
        event=_jane_writes,
    ),
    Case(
        "identity-attached-by",
        False,
        "an event whose caller is Owner of the identity's resource group",
        _written(OWNER),
        event=_jane_writes,
    ),
    Case("identity-attached-by", False, "a sweep, which has no caller", _written()),
    Case(
        "encryption-key-access",
        True,
        "a workspace whose key identity has no role on the key's vault",
        _encrypted(),
        "Key Vault Crypto Service Encryption User",
        "Finding",
    ),
    Case(
        "encryption-key-access",
        True,
        "a key identity whose access policy lacks unwrapKey",
        _encrypted(rbac=False, keys=("Get", "WrapKey")),
        "--key-permissions get wrapKey unwrapKey",
        "Finding",
    ),
    Case(
        "encryption-key-access",
        False,
        "a key identity whose access policy holds get, wrapKey and unwrapKey",
        _encrypted(rbac=False, keys=("Get", "WrapKey", "UnwrapKey")),
    ),
    Case("encryption-key-access", False, "a key identity with a role that uses keys", _encrypted(_CRYPTO_USER)),
    Case(
        "compute-reads-secrets",
        True,
        "a cluster without a role on the vault of a workspace whose datastore keeps an account key",
        _opening("AccountKey"),
        "Key Vault Secrets User",
        "Finding",
    ),
    Case("compute-reads-secrets", False, "a workspace whose datastores keep no credential", _opening("None")),
    Case(
        "compute-reads-secrets",
        False,
        "a cluster that is Key Vault Secrets User",
        _opening("AccountKey", _SECRETS_USER),
    ),
    Case(
        "base-image-pull",
        True,
        "a connection to a registry on the policy's allow-list, with an identity that holds nothing there",
        _base_images(),
        "pulls base images",
        "Applied",
    ),
    Case(
        "base-image-pull",
        True,
        "a connection to a registry beside the workspace that the policy does not allow: withheld",
        _base_images(at=""),
        "trust: {allow:",
        "Withheld",
    ),
    Case(
        "base-image-pull",
        False,
        "an identity that is Reader on a classic registry",
        _base_images(("puller", READER, "registry")),
    ),
    Case(
        "base-image-identity",
        True,
        "a connection with an identity on the policy's allow-list that the workspace may not assign",
        _base_images(),
        "to image builds",
        "Applied",
    ),
    Case(
        "base-image-identity",
        False,
        "a workspace whose identity is Managed Identity Operator on it",
        _base_images(("mlw", _OPERATOR, "identity")),
    ),
    Case(
        "registry-connection",
        True,
        "a connection whose client id is that of another identity",
        _base_images(client="another"),
        "its client id is not that of identity",
        "Finding",
    ),
    Case("registry-connection", False, "a v1 connection with ResourceId and ClientId of one identity", _first_version),
    Case(
        "password-builds",
        True,
        "a workspace elsewhere in the subscription whose connection signs in to the registry with its password",
        _built_by_password(None),
        "connection images of workspace other",
        "Withheld",
    ),
    Case(
        "password-builds",
        False,
        "a connection that signs in with the name and password of a token",
        _built_by_password("builds-token"),
    ),
    Case(
        "environment-build",
        True,
        "an environment that adds a conda file to an image of a private registry",
        _environment(condaFile='{"dependencies": ["numpy"]}'),
        "az ml environment create --name train",
        "Finding",
    ),
    Case("environment-build", False, "an environment that uses the image unchanged", _environment()),
    Case(
        "aks-service-principal",
        True,
        "an attached cluster with a system-assigned identity",
        _attached_aks("msi", identity={"type": "SystemAssigned"}),
        "az ml compute attach --type Kubernetes",
        "Finding",
    ),
    Case(
        "aks-service-principal",
        False,
        "an attached cluster with the client id of a service principal",
        _attached_aks("5b0f7c0e-0000-4000-8000-00000000000b"),
    ),
)
