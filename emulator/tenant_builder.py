"""Builds what a tenant file holds: raw ARM objects in the shape in which GET returns them.

For whoever makes tenants: tests, demo and bench. What is not said is as Azure has it by default, or as it was when
somebody made the resource long ago. Microsoft's published types (the Bicep compiler's) say which types have a location,
a provisioning state, a `kind` or a `sku`.
"""

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emulator import names
from emulator.ids import ResourcePath

type Json = dict[str, Any]

LONG_AGO = "2024-02-01T08:00:00.0000000Z"
AML = "Microsoft.MachineLearningServices"
WORKSPACES = f"{AML}/workspaces"
REGISTRIES = "Microsoft.ContainerRegistry/registries"
STORAGE_ACCOUNTS = "Microsoft.Storage/storageAccounts"
VAULTS = "Microsoft.KeyVault/vaults"
COMPONENTS = "Microsoft.Insights/components"
USER_ASSIGNED_IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
CONTAINER_GROUPS = "Microsoft.ContainerInstance/containerGroups"
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_ROLES = "Microsoft.Authorization/roleDefinitions"
_DENIES = "Microsoft.Authorization/denyAssignments"
_LOCKS = "Microsoft.Authorization/locks"

# Built-in roles: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
REPOSITORY_WRITER = "2a1e307c-b015-4ebd-883e-5b7698a07328"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
FILE_PRIVILEGED_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
KEY_VAULT_ADMINISTRATOR = "00482a5a-887f-4fb3-b363-3b7fe8e74483"
INSIGHTS_CONTRIBUTOR = "ae349356-3a1b-4a5e-921d-050484c6347e"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"

_PLACELESS = re.compile(
    r"microsoft\.machinelearningservices/workspaces/(connections|datastores|environments|jobs).*"
    r"|microsoft\.authorization/.*|microsoft\.insights/diagnosticsettings"
    r"|microsoft\.network/privateendpoints/privatednszonegroups|microsoft\.keyvault/vaults/.*"
    r"|microsoft\.web/sites/(slots/)?(config|sitecontainers)|microsoft\.batch/batchaccounts/pools"
)
_STATELESS = re.compile(
    rf"{_PLACELESS.pattern}|microsoft\.machinelearningservices/registries"
    r"|microsoft\.managedidentity/userassignedidentities|microsoft\.web/sites(/.*)?|microsoft\.sql/servers"
    r"|microsoft\.dbfor(mysql|postgresql)/flexibleservers"
)
_OF_COMPUTE = (
    *("computeLocation", "createdOn", "disableLocalAuth", "isAttachedCompute", "modifiedOn"),
    *("provisioningErrors", "provisioningState", "resourceId"),
)
_NOBODY = "00000000-0000-0000-0000-000000000000"
_NO_PERMISSION: Mapping[str, Sequence[str]] = {"actions": (), "notActions": (), "dataActions": (), "notDataActions": ()}


def group(subscription: str, name: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{name}"


def below(scope: str, resource_type: str, *names: str) -> str:
    """The id of a resource of that type in a group, or of an extension of `scope`."""
    return "/".join((scope.rstrip("/"), "providers", resource_type, *names))


def resource(identifier: str, properties: Mapping[str, Any] | None = None, /, **frame: Any) -> Json:
    """Of any type; `frame` is what stands beside `properties`. Nothing that is None is in it."""
    path = ResourcePath.parse(identifier)
    kind = path.type.lower()
    place = {} if _PLACELESS.fullmatch(kind) else {"location": "westeurope"}
    state = {} if _STATELESS.fullmatch(kind) else {"provisioningState": "Succeeded"}
    made = {"id": identifier, "name": path.name, "type": path.type, **place, **frame}
    made = {name: value for name, value in made.items() if value is not None}
    made["properties"] = {**state, **(properties or {})}
    names.require_all(path, made)
    return made


def resource_group(identifier: str, tags: Mapping[str, str] | None = None) -> Json:
    """For one with tags: a group is there once something lies in it."""
    return resource(identifier, tags=dict(tags or {}), type="Microsoft.Resources/resourceGroups")


def system_assigned(principal: str, tenant_id: str) -> Json:
    """An identity block."""
    return {"type": "SystemAssigned", "principalId": principal, "tenantId": tenant_id}


def user_assigned(*identities: Json) -> Json:
    """The identity block of a resource that `identities` (of `user_assigned_identity`) are attached to, in order."""
    attached = {
        one["id"]: {"principalId": one["properties"]["principalId"], "clientId": one["properties"]["clientId"]}
        for one in identities
    }
    return {"type": "UserAssigned", "userAssignedIdentities": attached}


def user_assigned_identity(identifier: str, principal: str, client: str, tenant_id: str) -> Json:
    return resource(identifier, {"tenantId": tenant_id, "principalId": principal, "clientId": client})


def workspace(
    identifier: str, identity: Json | None, *, kind: str = "Default", tags: Json | None = None, **properties: Any
) -> Json:
    own = {"friendlyName": _name(identifier), "hbiWorkspace": False, "publicNetworkAccess": "Enabled"}
    return resource(
        identifier,
        {**own, **properties},
        kind=kind,
        sku={"name": "Basic", "tier": "Basic"},
        identity=identity,
        tags=tags or {},
        systemData={"createdAt": LONG_AGO, "createdByType": "User"},
    )


def compute(of: str, name: str, kind: str = "AmlCompute", *, identity: Json | None = None, **more: Any) -> Json:
    """Of workspace `of`. What ARM has beside the inner `properties` goes there, all else into them."""
    size = {"vmSize": "STANDARD_DS3_V2"} if kind in ("AmlCompute", "ComputeInstance") else {}
    inner = {**size, **{key: value for key, value in more.items() if key not in _OF_COMPUTE}}
    outer = {"createdOn": LONG_AGO, "modifiedOn": LONG_AGO, "isAttachedCompute": False}
    outer |= {key: value for key, value in more.items() if key in _OF_COMPUTE}
    return resource(f"{of}/computes/{name}", {"computeType": kind, **outer, "properties": inner}, identity=identity)


def endpoint(of: str, name: str, identity: Json | None, *, kind: str = "Managed", **properties: Any) -> Json:
    """An online endpoint of workspace `of`."""
    own = {"authMode": "AADToken", "traffic": {}}
    return resource(f"{of}/onlineEndpoints/{name}", {**own, **properties}, kind=kind, identity=identity)


def datastore(of: str, name: str, kind: str = "AzureBlob", *, credentials: str = "None", **properties: Any) -> Json:
    """Of workspace `of`. As GET has it: without `secrets`."""
    known = {"clientId": _NOBODY, "tenantId": _NOBODY} if credentials == "ServicePrincipal" else {}
    own = {"datastoreType": kind, "credentials": {"credentialsType": credentials, **known}, "isDefault": False}
    return resource(f"{of}/datastores/{name}", {**own, **properties})


def connection(of: str, name: str, category: str, target: str, **properties: Any) -> Json:
    own = {"category": category, "target": target, "authType": "ManagedIdentity"}
    return resource(f"{of}/connections/{name}", {**own, **properties})


def registry(identifier: str, *, admin: bool = False, abac: bool = False, sku: str = "Standard", **more: Any) -> Json:
    """A container registry."""
    own = {
        "loginServer": f"{_name(identifier).lower()}.azurecr.io",
        "creationDate": LONG_AGO,
        "adminUserEnabled": admin,
        "anonymousPullEnabled": False,
        "publicNetworkAccess": "Enabled",
        "roleAssignmentMode": "AbacRepositoryPermissions" if abac else "LegacyRegistryPermissions",
    }
    return resource(identifier, {**own, **more}, sku={"name": sku, "tier": sku}, tags={})


def storage(identifier: str, **properties: Any) -> Json:
    own = {"allowSharedKeyAccess": True, "publicNetworkAccess": "Enabled"}
    sku = {"name": "Standard_LRS", "tier": "Standard"}
    return resource(identifier, {**own, **properties}, kind="StorageV2", sku=sku)


def vault(identifier: str, tenant_id: str, *, rbac: bool = True, **properties: Any) -> Json:
    own = {
        "tenantId": tenant_id,
        "sku": {"family": "A", "name": "standard"},
        "enableRbacAuthorization": rbac,
        "accessPolicies": [],
    }
    return resource(identifier, {**own, **properties})


def component(identifier: str, **properties: Any) -> Json:
    """Of Application Insights."""
    return resource(identifier, {"Application_Type": "web", **properties}, kind="web")


def container_group(identifier: str, image: str) -> Json:
    """One that signs in to the image's registry as its admin user, who is called like it."""
    server = image.partition("/")[0]
    size = {"resources": {"requests": {"cpu": 1, "memoryInGB": 2}}}
    properties = {
        "osType": "Linux",
        "containers": [{"name": "one", "properties": {"image": image, **size}}],
        "imageRegistryCredentials": [{"server": server, "username": server.partition(".")[0]}],
    }
    return resource(identifier, properties)


def role_assignment(
    scope: str, principal: str, role: str, *, kind: str = "ServicePrincipal", by: str = "", **properties: Any
) -> Json:
    """`role` is a role definition's GUID, `by` the object id of who made it."""
    own = {
        "roleDefinitionId": below(_subscription(scope), _ROLES, role),
        "principalId": principal,
        "principalType": kind,
        "scope": scope,
        "createdOn": LONG_AGO,
        "updatedOn": LONG_AGO,
        **({"createdBy": by, "updatedBy": by} if by else {}),
        **properties,
    }
    name = _guid(scope, principal, role, json.dumps(properties, sort_keys=True, default=str))
    return resource(below(scope, _ASSIGNMENTS, name), own)


def granted_by_aml(made: Json) -> list[Json]:
    """What AML gives a workspace's system-assigned identity when somebody makes the workspace.

    Contributor of the resource group, and the data of the storage account:
    https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication
    """
    principal = (made.get("identity") or {}).get("principalId")
    if not principal:
        return []
    account = made["properties"].get("storageAccount")
    grants = [role_assignment("/".join(made["id"].split("/")[:5]), principal, CONTRIBUTOR)]
    if isinstance(account, str) and account.startswith("/subscriptions/"):
        grants.append(role_assignment(account, principal, BLOB_CONTRIBUTOR))
    return grants


def role_definition(name: str, assignable: str, permission: Mapping[str, Sequence[str]], **properties: Any) -> Json:
    """A custom role. Its GUID, which is its `name`, follows from the name that people see."""
    own = {
        "roleName": name,
        "type": "CustomRole",
        "description": "",
        "assignableScopes": [assignable],
        "permissions": [_permission(permission)],
    }
    return resource(below(_subscription(assignable), _ROLES, _guid("role", name)), {**own, **properties})


def deny_assignment(
    scope: str, permission: Mapping[str, Sequence[str]], principals: Iterable[Json], **properties: Any
) -> Json:
    """`principals` are as ARM has them: `id` and `type`."""
    principals = list(principals)
    own = {
        "denyAssignmentName": "No pulls during the audit",
        "description": "",
        "scope": scope,
        "doNotApplyToChildScopes": False,
        "isSystemProtected": True,
        "permissions": [_permission(permission)],
        "principals": principals,
        "excludePrincipals": [],
    }
    name = _guid("deny", scope, json.dumps([principals, properties], sort_keys=True))
    return resource(below(scope, _DENIES, name), {**own, **properties})


def lock(scope: str, level: str = "ReadOnly", name: str = "keep") -> Json:
    return resource(below(scope, _LOCKS, name), {"level": level, "notes": "do not touch"})


def tenant_file(tenant_id: str, resources: Iterable[Json], **parts: Any) -> Json:
    """What `python -m emulator --tenant` reads. `parts` are its other keys: roleAssignments, locks, groups …"""
    return {"tenantId": tenant_id, "resources": list(resources), **parts}


def _permission(block: Mapping[str, Sequence[str]]) -> Json:
    return {name: list(block.get(name, ())) for name in _NO_PERMISSION}


def _subscription(scope: str) -> str:
    return "/".join(scope.split("/")[:3]) if scope.lower().startswith("/subscriptions/") else ""


def _name(identifier: str) -> str:
    return identifier.rpartition("/")[2]


def _guid(*words: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "|".join(words)))
