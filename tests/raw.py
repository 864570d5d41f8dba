"""Raw ARM objects for what `unit.build` names: `emulator.tenant_builder` with scopes and principals."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from unit.build import CLUSTER, NOW, REGISTRY, STORAGE, VAULT, WORKSPACE, guid, workspace_id

from emulator import tenant_builder as build
from shared.access.model import Principal
from shared.access.scope import Scope

type Raw = dict[str, Any]

TENANT_ID = guid("tenant")


def resource(scope: Scope, properties: Raw, **more: Any) -> Raw:
    return build.resource(str(scope), properties, **more)


def identity(holders: Sequence[Principal]) -> Raw | None:
    """The identity block. None without any holder: ARM leaves it out."""
    system = next((build.system_assigned(p.id, TENANT_ID) for p in holders if p.resource is None), None)
    attached = [user_identity(p) for p in holders if p.resource]
    user = build.user_assigned(*attached) if attached else None
    if system and user:
        return {**user, **system, "type": "SystemAssigned,UserAssigned"}
    return system or user


def workspace(*holders: Principal, on: Scope = WORKSPACE, registry: Scope | None = REGISTRY, **properties: Any) -> Raw:
    named = {"storageAccount": str(STORAGE), "keyVault": str(VAULT)}
    named |= {"containerRegistry": str(registry)} if registry else {}
    made = build.workspace(str(on), identity(holders), **{**named, **properties})
    return {**made, "systemData": {"createdAt": (NOW - timedelta(days=7)).isoformat(), "createdByType": "User"}}


def compute(name: str, *holders: Principal, on: Scope = WORKSPACE, kind: str = "AmlCompute", **properties: Any) -> Raw:
    """`properties` are the compute's own; its inner ones are a key of these."""
    made = build.compute(str(on), name, kind, identity=identity(holders))
    return {**made, "properties": {**made["properties"], **properties}}


def endpoint(name: str, *holders: Principal, on: Scope = WORKSPACE, **properties: Any) -> Raw:
    return build.endpoint(str(on), name, identity(holders), **properties)


def registry(scope: Scope = REGISTRY, *, admin_user: bool = True, **properties: Any) -> Raw:
    return build.registry(str(scope), admin=admin_user, **properties)


def vault(scope: Scope = VAULT, *, rbac: bool = False) -> Raw:
    return build.vault(str(scope), TENANT_ID, rbac=rbac)


def storage(scope: Scope = STORAGE) -> Raw:
    return build.storage(str(scope))


def cluster(scope: Scope = CLUSTER, kubelet: str = "kubelet") -> Raw:
    return resource(scope, {"identityProfile": {"kubeletidentity": {"objectId": guid(kubelet)}}})


def user_identity(holder: Principal) -> Raw:
    return build.user_assigned_identity(str(holder.resource), holder.id, guid(holder.id), TENANT_ID)


def lock(scope: Scope, level: str = "ReadOnly") -> Raw:
    return build.lock(str(scope), level, "keep out")


OTHER = workspace_id("other")
