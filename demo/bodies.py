"""Request bodies, as people send them to Azure Resource Manager."""

from typing import Any

type Json = dict[str, Any]

_WHERE = {"location": "westeurope"}
SAI: Json = {"type": "SystemAssigned"}


def uai(identifier: str) -> Json:
    return {"type": "UserAssigned", "userAssignedIdentities": {identifier: {}}}


def resource_group() -> Json:
    return dict(_WHERE)


def identity() -> Json:
    return dict(_WHERE)


def storage() -> Json:
    return {**_WHERE, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {}}


def vault(tenant_id: str) -> Json:
    sku = {"family": "A", "name": "standard"}
    return {**_WHERE, "properties": {"tenantId": tenant_id, "sku": sku, "enableRbacAuthorization": True}}


def insights() -> Json:
    return {**_WHERE, "kind": "web", "properties": {"Application_Type": "web"}}


def workspace(identity_block: Json, **dependencies: str) -> Json:
    """Keywords are the properties that name dependencies: storageAccount, keyVault and so on."""
    return {**_WHERE, "identity": identity_block, "kind": "Default", "properties": dependencies}


def cluster(identity_block: Json | None) -> Json:
    scale = {"minNodeCount": 0, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT5M"}
    size = {"vmSize": "STANDARD_D4S_V3", "vmPriority": "Dedicated", "scaleSettings": scale}
    body: Json = {**_WHERE, "properties": {"computeType": "AmlCompute", "properties": size}}
    return body if identity_block is None else {**body, "identity": identity_block}


def endpoint(identity_block: Json) -> Json:
    return {**_WHERE, "identity": identity_block, "properties": {"authMode": "AADToken"}}


def command_job(compute: str) -> Json:
    properties = {"jobType": "Command", "command": "python train.py", "computeId": compute, "experimentName": "churn"}
    return {"properties": properties}
