"""Tenants as tenant files hold them: raw ARM objects in the shape that GET gives them.

Object ids are made from names, so that a test can name the identity that it asks about.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

type Json = dict[str, Any]

TENANT_ID = "7d1c2b6e-0d0b-4d0e-9f3e-5a4f2f6b9a01"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
_ROLES = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
REPOSITORY_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
REPOSITORY_WRITER = "2a1e307c-b015-4ebd-883e-5b7698a07328"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
FILE_PRIVILEGED_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"

LONG_AGO = "2024-02-01T08:00:00.0000000Z"

# A policy for tests of grants: these two rules find something in every workspace of the plain kind built here.
GRANTS_ONLY = (
    "rules: {managed-network: {enabled: false}, compute-settings: {enabled: false}, "
    "workspace-group-role: {enabled: false}}\n"
)

CONDITION = (
    "((!(ActionMatches{'Microsoft.ContainerRegistry/registries/repositories/content/read'})) OR "
    "(@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringEquals 'team/one'))"
)


def oid(name: str) -> str:
    """The object id of the identity that tests call `name`."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"object:{name}"))


def group_id(name: str, subscription: str = SUBSCRIPTION) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{name}"


def child(scope: str, provider: str, *names: str) -> str:
    return "/".join((scope, "providers", provider, *names))


def system_assigned(name: str) -> Json:
    return {"type": "SystemAssigned", "principalId": oid(name), "tenantId": TENANT_ID}


def user_assigned(*identities: Json) -> Json:
    """The block of a resource that `identities` (of `uai`) are attached to, in their order."""
    attached = {
        one["id"]: {"principalId": one["properties"]["principalId"], "clientId": one["properties"]["clientId"]}
        for one in identities
    }
    return {"type": "UserAssigned", "userAssignedIdentities": attached}


@dataclass
class Tenant:
    """What a tenant file holds. Each method adds one object and gives it back, so that its id can be used."""

    resources: list[Json] = field(default_factory=list)
    role_assignments: list[Json] = field(default_factory=list)
    role_definitions: list[Json] = field(default_factory=list)
    deny_assignments: list[Json] = field(default_factory=list)
    locks: list[Json] = field(default_factory=list)
    management_groups: list[Json] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    principals: list[Json] = field(default_factory=list)

    def document(self) -> Json:
        return {
            "tenantId": TENANT_ID,
            "resources": self.resources,
            "roleAssignments": self.role_assignments,
            "roleDefinitions": self.role_definitions,
            "denyAssignments": self.deny_assignments,
            "locks": self.locks,
            "managementGroups": self.management_groups,
            "groups": self.groups,
            "principals": self.principals,
        }

    def add(self, resource: Json) -> Json:
        self.resources.append(resource)
        return resource

    def workspace(
        self, group: str, name: str = "ws", *, identity: Json | None = None, aml: bool = True, **properties: Any
    ) -> Json:
        """`group` is a resource group's id; without `identity` the workspace has a system-assigned one.

        A system-assigned one holds what AML gave it when the workspace was made (`aml`; azure-facts §4).
        """
        scope = child(group, "Microsoft.MachineLearningServices/workspaces", name)
        identity = identity or system_assigned(scope)
        if aml and (system := identity.get("principalId")):
            self.assign(group, system, CONTRIBUTOR)
            if storage := properties.get("storageAccount"):
                self.assign(storage, system, BLOB_CONTRIBUTOR)
        return self.add(
            {
                "id": scope,
                "name": name,
                "type": "Microsoft.MachineLearningServices/workspaces",
                "location": "westeurope",
                "kind": "Default",
                "sku": {"name": "Basic", "tier": "Basic"},
                "identity": identity,
                "tags": {},
                "systemData": {"createdAt": LONG_AGO, "createdByType": "User"},
                "properties": {
                    "friendlyName": name,
                    "hbiWorkspace": False,
                    "provisioningState": "Succeeded",
                    "publicNetworkAccess": "Enabled",
                    "v1LegacyMode": False,
                    **properties,
                },
            }
        )

    def compute(
        self, workspace: Json, name: str, *, identity: Json | None = None, kind: str = "AmlCompute", **inner: Any
    ) -> Json:
        resource = {
            "id": f"{workspace['id']}/computes/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/computes",
            "location": "westeurope",
            "properties": {
                "computeType": kind,
                "provisioningState": "Succeeded",
                "createdOn": LONG_AGO,
                "modifiedOn": LONG_AGO,
                "isAttachedCompute": False,
                "properties": {"vmSize": "STANDARD_DS3_V2", **inner},
            },
        }
        if identity is not None:
            resource["identity"] = identity
        return self.add(resource)

    def endpoint(self, workspace: Json, name: str, identity: Json) -> Json:
        return self.add(
            {
                "id": f"{workspace['id']}/onlineEndpoints/{name}",
                "name": name,
                "type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
                "location": "westeurope",
                "kind": "Managed",
                "identity": identity,
                "properties": {"authMode": "AADToken", "provisioningState": "Succeeded", "traffic": {}},
            }
        )

    def registry(self, group: str, name: str, *, admin: bool = False, abac: bool = False) -> Json:
        return self.add(
            {
                "id": child(group, "Microsoft.ContainerRegistry/registries", name),
                "name": name,
                "type": "Microsoft.ContainerRegistry/registries",
                "location": "westeurope",
                "sku": {"name": "Standard", "tier": "Standard"},
                "tags": {},
                "properties": {
                    "loginServer": f"{name.lower()}.azurecr.io",
                    "creationDate": LONG_AGO,
                    "provisioningState": "Succeeded",
                    "adminUserEnabled": admin,
                    "publicNetworkAccess": "Enabled",
                    "anonymousPullEnabled": False,
                    "roleAssignmentMode": "AbacRepositoryPermissions" if abac else "LegacyRegistryPermissions",
                },
            }
        )

    def storage(self, group: str, name: str) -> Json:
        return self.add(
            {
                "id": child(group, "Microsoft.Storage/storageAccounts", name),
                "name": name,
                "type": "Microsoft.Storage/storageAccounts",
                "location": "westeurope",
                "kind": "StorageV2",
                "sku": {"name": "Standard_LRS", "tier": "Standard"},
                "properties": {"provisioningState": "Succeeded", "allowSharedKeyAccess": True},
            }
        )

    def uai(self, group: str, name: str) -> Json:
        scope = child(group, "Microsoft.ManagedIdentity/userAssignedIdentities", name)
        return self.add(
            {
                "id": scope,
                "name": name,
                "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
                "location": "westeurope",
                "properties": {"tenantId": TENANT_ID, "principalId": oid(scope), "clientId": oid(f"client:{scope}")},
            }
        )

    def container_group(self, group: str, name: str, image: str) -> Json:
        return self.add(
            {
                "id": child(group, "Microsoft.ContainerInstance/containerGroups", name),
                "name": name,
                "type": "Microsoft.ContainerInstance/containerGroups",
                "location": "westeurope",
                "properties": {
                    "provisioningState": "Succeeded",
                    "osType": "Linux",
                    "containers": [{"name": name, "properties": {"image": image}}],
                    "imageRegistryCredentials": [
                        {"server": image.partition("/")[0], "username": image.partition(".")[0]}
                    ],
                },
            }
        )

    def assign(
        self, scope: str, principal: str, role: str, *, kind: str = "ServicePrincipal", condition: str | None = None
    ) -> Json:
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"assignment:{scope}|{principal}|{role}"))
        properties = {
            "roleDefinitionId": f"{_ROLES}/{role}",
            "principalId": principal,
            "principalType": kind,
            "scope": scope,
            "condition": condition,
            "conditionVersion": "2.0" if condition else None,
            "description": None,
            "createdOn": LONG_AGO,
            "updatedOn": LONG_AGO,
            "createdBy": oid("someone"),
            "updatedBy": oid("someone"),
        }
        assignment = {
            "id": f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "name": name,
            "type": "Microsoft.Authorization/roleAssignments",
            "properties": properties,
        }
        self.role_assignments.append(assignment)
        return assignment

    def custom_role(self, name: str, assignable: str, **block: list[str]) -> str:
        """The role's GUID. `block` is its one element of `permissions`."""
        role = str(uuid.uuid5(uuid.NAMESPACE_URL, f"role:{name}"))
        empty: dict[str, list[str]] = {"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}
        self.role_definitions.append(
            {
                "id": f"{_ROLES}/{role}",
                "name": role,
                "type": "Microsoft.Authorization/roleDefinitions",
                "properties": {
                    "roleName": name,
                    "type": "CustomRole",
                    "description": "",
                    "assignableScopes": [assignable],
                    "permissions": [{**empty, **block}],
                },
            }
        )
        return role

    def deny(self, scope: str, principal: str, **block: list[str]) -> Json:
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"deny:{scope}|{principal}"))
        empty: dict[str, list[str]] = {"actions": [], "notActions": [], "dataActions": [], "notDataActions": []}
        deny = {
            "id": f"{scope}/providers/Microsoft.Authorization/denyAssignments/{name}",
            "name": name,
            "type": "Microsoft.Authorization/denyAssignments",
            "properties": {
                "denyAssignmentName": "No pulls during the audit",
                "description": "",
                "scope": scope,
                "doNotApplyToChildScopes": False,
                "isSystemProtected": True,
                "permissions": [{**empty, **block}],
                "principals": [{"id": principal, "type": "Group" if principal in self.groups else "ServicePrincipal"}],
                "excludePrincipals": [],
            },
        }
        self.deny_assignments.append(deny)
        return deny

    def lock(self, scope: str, level: str) -> Json:
        lock = {
            "id": f"{scope}/providers/Microsoft.Authorization/locks/keep",
            "name": "keep",
            "type": "Microsoft.Authorization/locks",
            "properties": {"level": level, "notes": "do not touch"},
        }
        self.locks.append(lock)
        return lock

    def group(self, name: str, *members: str) -> str:
        """An Entra group, by its object id; members are object ids, those of groups too."""
        self.groups[oid(name)] = list(members)
        return oid(name)

    def management_group(self, name: str, *subscriptions: str, parent: str | None = None) -> str:
        """The management group's id as a scope."""
        self.management_groups.append({"name": name, "parent": parent, "subscriptions": list(subscriptions)})
        return f"/providers/Microsoft.Management/managementGroups/{name}"
