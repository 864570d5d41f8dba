"""Raw ARM objects in the shape that GET gives them, small enough to read a case at a glance.

What a case does not speak about is as it should be: identities are there, the admin user is off.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from catalogue.case import TENANT_ID, Place, Raw

from emulator import tenant_builder as build
from emulator.tenant_builder import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    BLOB_OWNER,
    BLOB_READER,
    CONTRIBUTOR,
    INSIGHTS_CONTRIBUTOR,
    KEY_VAULT_ADMINISTRATOR,
    LONG_AGO,
    OWNER,
    READER,
    REPOSITORY_READER,
    user_assigned,
)

__all__ = [
    "ACR_PULL",
    "BLOB_CONTRIBUTOR",
    "BLOB_OWNER",
    "BLOB_READER",
    "CONTRIBUTOR",
    "INSIGHTS_CONTRIBUTOR",
    "KEY_VAULT_ADMINISTRATOR",
    "LONG_AGO",
    "OWNER",
    "READER",
    "REPOSITORY_READER",
]

CURATED = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"


def days_ago(days: float) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%S}.0000000Z"


def system(object_id: str) -> Raw:
    """An identity block with a system-assigned identity."""
    return build.system_assigned(object_id, TENANT_ID)


def user(*identities: Raw) -> Raw:
    """An identity block with user-assigned identities (of `uai`), in their order."""
    return user_assigned(*identities)


def uai(place: Place, name: str = "uami") -> Raw:
    ids = place.object_id(name), place.object_id(f"client of {name}")
    return build.user_assigned_identity(place.id(build.USER_ASSIGNED_IDENTITIES, name), *ids, TENANT_ID)


def workspace(
    place: Place, *, name: str = "mlw", identity: Raw | None = None, kind: str = "Default", **more: Any
) -> Raw:
    """With a system-assigned identity unless another is given. `tags` is its own key, all else are properties."""
    scope = place.id(build.WORKSPACES, name)
    return build.workspace(scope, identity or system(place.object_id(name)), kind=kind, **more)


def compute(of: Raw, name: str, kind: str = "AmlCompute", *, identity: Raw | None = None, **more: Any) -> Raw:
    """`resourceId`, `createdOn`, `disableLocalAuth` belong to the compute, all else to what it is made of."""
    return build.compute(of["id"], name, kind, identity=identity, **more)


def endpoint(of: Raw, name: str, *, identity: Raw | None = None, kind: str = "Managed", **properties: Any) -> Raw:
    return build.endpoint(of["id"], name, identity, kind=kind, **properties)


def command(**more: Any) -> Raw:
    """Properties of a job that runs one command."""
    return {"jobType": "Command", "command": "python train.py", "environmentId": CURATED, **more}


def datastore(
    of: Raw, name: str, account: str, *, kind: str = "AzureBlob", credentials: str = "None", **more: Any
) -> Raw:
    within = {"AzureFile": "fileShareName", "AzureDataLakeGen2": "filesystem"}.get(kind, "containerName")
    where: Raw = {"accountName": account, within: "data"}
    if kind == "OneLake":
        where = {"artifact": {"artifactType": "LakeHouse", "artifactName": "data"}, "oneLakeWorkspaceName": "lake"}
    said = {key: value for key, value in {**where, **more}.items() if value is not None}
    return build.datastore(of["id"], name, kind, credentials=credentials, **said)


def connection(of: Raw, name: str, category: str, target: str, **more: Any) -> Raw:
    return build.connection(of["id"], name, category, target, **more)


def registry(place: Place, *, admin: bool = False, abac: bool = False, **more: Any) -> Raw:
    """Of a name that no other case has. `created` is its creationDate."""
    return registry_at(place.id(build.REGISTRIES, f"acrml{place.unique}"), admin=admin, abac=abac, **more)


def registry_at(identifier: str, *, admin: bool = False, abac: bool = False, **more: Any) -> Raw:
    return build.registry(identifier, admin=admin, abac=abac, **more)


def storage(place: Place, name: str = "", **properties: Any) -> Raw:
    return build.storage(place.id(build.STORAGE_ACCOUNTS, name or f"st{place.unique}"), **properties)


def vault(place: Place, *, rbac: bool = True, policies: list[Raw] | None = None, name: str = "", **more: Any) -> Raw:
    scope = place.id(build.VAULTS, name or f"kvml{place.unique}")
    return build.vault(scope, TENANT_ID, rbac=rbac, **{"accessPolicies": policies or [], **more})


def policy(object_id: str, **permissions: list[str]) -> Raw:
    """An entry of a vault's access policies."""
    return {"tenantId": TENANT_ID, "objectId": object_id, "permissions": permissions}


def insights(place: Place) -> Raw:
    return build.component(place.id("microsoft.insights/components", "appi"))


def container_group(place: Place, image: str) -> Raw:
    return build.container_group(place.id(build.CONTAINER_GROUPS, "group"), image)


def assign(scope: str, principal: str, role: str, *, kind: str = "ServicePrincipal", **more: Any) -> Raw:
    """`role` is a role definition's GUID."""
    return build.role_assignment(scope, principal, role, kind=kind, **more)


def resource(identifier: str, kind: str, properties: Raw, **more: Any) -> Raw:
    """Anything else, in the same frame."""
    return build.resource(identifier, properties, type=kind, **more)
