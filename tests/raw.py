"""Raw ARM objects as GET returns them, as far as amlguard looks at them. Ids are those of `unit.build`."""

from collections.abc import Sequence
from typing import Any

from unit.build import CLUSTER, REGISTRY, STORAGE, VAULT, WORKSPACE, guid, workspace_id

from shared.access.model import Principal
from shared.access.scope import Scope

type Raw = dict[str, Any]


def resource(scope: Scope, properties: Raw, **more: Any) -> Raw:
    return {"id": str(scope), "name": scope.name, "type": scope.resource_type, "properties": properties, **more}


def identity(holders: Sequence[Principal]) -> Raw:
    """No `identity` key at all without any, as ARM does it."""
    system = next((p for p in holders if p.resource is None), None)
    user = {str(p.resource): {"principalId": p.id, "clientId": guid(p.id)} for p in holders if p.resource}
    kinds = (["SystemAssigned"] if system else []) + (["UserAssigned"] if user else [])
    if not kinds:
        return {}
    block: Raw = {"type": ",".join(kinds)}
    block |= {"principalId": system.id, "tenantId": guid("tenant")} if system else {}
    return {"identity": block | ({"userAssignedIdentities": user} if user else {})}


def workspace(*holders: Principal, on: Scope = WORKSPACE, registry: Scope | None = REGISTRY, **properties: Any) -> Raw:
    body = {"storageAccount": str(STORAGE), "keyVault": str(VAULT), "provisioningState": "Succeeded"}
    body |= {"containerRegistry": str(registry)} if registry else {}
    return resource(on, body | properties, **identity(holders))


def compute(name: str, *holders: Principal, on: Scope = WORKSPACE, kind: str = "AmlCompute", **properties: Any) -> Raw:
    body = {"computeType": kind, "provisioningState": "Succeeded"}
    return resource(on.child("computes", name), body | properties, **identity(holders))


def endpoint(name: str, *holders: Principal, on: Scope = WORKSPACE, **properties: Any) -> Raw:
    body = {"authMode": "AADToken", "provisioningState": "Succeeded"}
    return resource(on.child("onlineEndpoints", name), body | properties, **identity(holders))


def registry(scope: Scope = REGISTRY, *, admin_user: bool = True, **properties: Any) -> Raw:
    body = {"adminUserEnabled": admin_user, "loginServer": f"{scope.name}.azurecr.io"}
    return resource(scope, body | properties)


def vault(scope: Scope = VAULT, *, rbac: bool = False) -> Raw:
    return resource(scope, {"enableRbacAuthorization": rbac, "tenantId": guid("tenant"), "accessPolicies": []})


def storage(scope: Scope = STORAGE) -> Raw:
    return resource(scope, {"provisioningState": "Succeeded"})


def cluster(scope: Scope = CLUSTER, kubelet: str = "kubelet") -> Raw:
    return resource(scope, {"identityProfile": {"kubeletidentity": {"objectId": guid(kubelet)}}})


def user_identity(holder: Principal) -> Raw:
    assert holder.resource is not None
    return resource(holder.resource, {"principalId": holder.id})


def lock(scope: Scope, level: str = "ReadOnly") -> Raw:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/locks/keep out",
        "name": "keep out",
        "properties": {"level": level},
    }


OTHER = workspace_id("other")
