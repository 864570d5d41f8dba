"""Raw ARM objects in the shape that GET gives them, small enough to read a case at a glance.

What a case does not speak about is as it should be: identities are there, the admin user is off.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from catalogue.case import TENANT_ID, Place, Raw

LONG_AGO = "2024-02-01T08:00:00.0000000Z"
_AML = "Microsoft.MachineLearningServices/workspaces"
# By Microsoft's published types (2025-12-01): what has no location, and what has no provisioning state.
_PLACELESS = tuple(f"{_AML}/{child}" for child in ("connections", "datastores", "environments", "jobs"))
_STATELESS = (*_PLACELESS, "Microsoft.MachineLearningServices/registries")

CURATED = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
INSIGHTS_CONTRIBUTOR = "ae349356-3a1b-4a5e-921d-050484c6347e"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def days_ago(days: float) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%S}.0000000Z"


def system(object_id: str) -> Raw:
    """An identity block with a system-assigned identity."""
    return {"type": "SystemAssigned", "principalId": object_id, "tenantId": TENANT_ID}


def user(*identities: Raw) -> Raw:
    """An identity block with user-assigned identities (of `uai`), in their order."""
    attached = {
        one["id"]: {"principalId": one["properties"]["principalId"], "clientId": one["properties"]["clientId"]}
        for one in identities
    }
    return {"type": "UserAssigned", "userAssignedIdentities": attached}


def uai(place: Place, name: str = "id") -> Raw:
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    ids = {"principalId": place.object_id(name), "clientId": place.object_id(f"client of {name}")}
    return _resource(place.id(kind, name), kind, {"tenantId": TENANT_ID, **ids})


def workspace(
    place: Place, *, name: str = "ws", identity: Raw | None = None, kind: str = "Default", **more: Any
) -> Raw:
    """With a system-assigned identity unless another is given. `tags` is its own key, all else are properties."""
    made = _resource(place.id(_AML, name), _AML, {"friendlyName": name, "hbiWorkspace": False})
    made["properties"] |= {"publicNetworkAccess": "Enabled", **{key: more[key] for key in more if key != "tags"}}
    return made | {
        "kind": kind,
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": identity or system(place.object_id(name)),
        "tags": more.get("tags", {}),
        "systemData": {"createdAt": LONG_AGO, "createdByType": "User"},
    }


def compute(of: Raw, name: str, kind: str = "AmlCompute", *, identity: Raw | None = None, **more: Any) -> Raw:
    """`resourceId`, `createdOn`, `disableLocalAuth` belong to the compute, all else to what it is made of."""
    own = ("resourceId", "createdOn", "modifiedOn", "disableLocalAuth", "provisioningState", "isAttachedCompute")
    size = {"vmSize": "STANDARD_DS3_V2"} if kind in ("AmlCompute", "ComputeInstance") else {}
    inner = {**size, **{key: more[key] for key in more if key not in own}}
    properties = {
        "computeType": kind,
        "createdOn": LONG_AGO,
        "modifiedOn": LONG_AGO,
        "isAttachedCompute": False,
        **{key: more[key] for key in more if key in own},
        "properties": inner,
    }
    made = _resource(f"{of['id']}/computes/{name}", f"{_AML}/computes", properties)
    return made | ({"identity": identity} if identity else {})


def endpoint(of: Raw, name: str, *, identity: Raw | None = None, kind: str = "Managed", **properties: Any) -> Raw:
    made = _resource(
        f"{of['id']}/onlineEndpoints/{name}",
        f"{_AML}/onlineEndpoints",
        {"authMode": "AADToken", "traffic": {}, **properties},
    )
    return made | {"kind": kind} | ({"identity": identity} if identity else {})


def command(**more: Any) -> Raw:
    """Properties of a job that runs one command."""
    return {"jobType": "Command", "command": "python train.py", "environmentId": CURATED, **more}


def datastore(
    of: Raw, name: str, account: str, *, kind: str = "AzureBlob", credentials: str = "None", **more: Any
) -> Raw:
    properties = {
        "datastoreType": kind,
        "accountName": account,
        "containerName": "data",
        "credentials": {"credentialsType": credentials},
        "isDefault": False,
        **more,
    }
    return _resource(f"{of['id']}/datastores/{name}", f"{_AML}/datastores", properties)


def connection(of: Raw, name: str, category: str, target: str, **more: Any) -> Raw:
    properties = {"category": category, "target": target, "authType": "ManagedIdentity", **more}
    return _resource(f"{of['id']}/connections/{name}", f"{_AML}/connections", properties)


def registry(place: Place, *, admin: bool = False, abac: bool = False, **more: Any) -> Raw:
    """Of a name that no other case has. `created` is its creationDate."""
    name = f"acr{place.unique}"
    return registry_at(place.id("Microsoft.ContainerRegistry/registries", name), admin=admin, abac=abac, **more)


def registry_at(identifier: str, *, admin: bool = False, abac: bool = False, **more: Any) -> Raw:
    name = identifier.rsplit("/", 1)[-1]
    properties = {
        "loginServer": f"{name}.azurecr.io",
        "creationDate": LONG_AGO,
        "adminUserEnabled": admin,
        "anonymousPullEnabled": False,
        "publicNetworkAccess": "Enabled",
        "roleAssignmentMode": "AbacRepositoryPermissions" if abac else "LegacyRegistryPermissions",
        **more,
    }
    made = _resource(identifier, "Microsoft.ContainerRegistry/registries", properties)
    return made | {"sku": {"name": "Standard", "tier": "Standard"}}


def storage(place: Place, name: str = "", **properties: Any) -> Raw:
    kind = "Microsoft.Storage/storageAccounts"
    made = _resource(
        place.id(kind, name or f"st{place.unique}"),
        kind,
        {"allowSharedKeyAccess": True, "publicNetworkAccess": "Enabled", **properties},
    )
    return made | {"kind": "StorageV2", "sku": {"name": "Standard_LRS", "tier": "Standard"}}


def vault(place: Place, *, rbac: bool = True, policies: list[Raw] | None = None, name: str = "", **more: Any) -> Raw:
    kind = "Microsoft.KeyVault/vaults"
    return _resource(
        place.id(kind, name or f"kv{place.unique}"),
        kind,
        {
            "tenantId": TENANT_ID,
            "sku": {"family": "A", "name": "standard"},
            "enableRbacAuthorization": rbac,
            "accessPolicies": policies or [],
            **more,
        },
    )


def policy(object_id: str, **permissions: list[str]) -> Raw:
    """An entry of a vault's access policies."""
    return {"tenantId": TENANT_ID, "objectId": object_id, "permissions": permissions}


def insights(place: Place) -> Raw:
    return _resource(place.id("microsoft.insights/components", "appi"), "microsoft.insights/components", {})


def container_group(place: Place, image: str) -> Raw:
    kind = "Microsoft.ContainerInstance/containerGroups"
    properties = {
        "osType": "Linux",
        "containers": [{"name": "one", "properties": {"image": image}}],
        "imageRegistryCredentials": [{"server": image.partition("/")[0], "username": image.partition(".")[0]}],
    }
    return _resource(place.id(kind, "group"), kind, properties)


def assign(scope: str, principal: str, role: str, *, kind: str = "ServicePrincipal", **more: Any) -> Raw:
    """`role` is a role definition's GUID."""
    properties = {
        "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "principalId": principal,
        "principalType": kind,
        "scope": scope,
        "createdOn": LONG_AGO,
        "updatedOn": LONG_AGO,
        **more,
    }
    return {"properties": properties}


def resource(identifier: str, kind: str, properties: Raw, **more: Any) -> Raw:
    """Anything else, in the same frame."""
    return _resource(identifier, kind, properties) | more


def _resource(identifier: str, kind: str, properties: Raw) -> Raw:
    made: Raw = {"id": identifier, "name": identifier.rsplit("/", 1)[-1], "type": kind, "properties": properties}
    if not kind.startswith(_PLACELESS):
        made["location"] = "westeurope"
    if not kind.startswith(_STATELESS):
        made["properties"] = {"provisioningState": "Succeeded", **properties}
    return made
