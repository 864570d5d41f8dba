"""AKS clusters: what Azure makes beside one.

As recorded with the Azure CLI (2023-05-01) and Azure Service Operator (2025-08-01).
"""

from typing import Any

from emulator.arm.behaviour import Behaviour
from emulator.arm.services import UserAssignedIdentity
from emulator.identity.tokens import Caller
from emulator.ids import key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

_NEWEST = "1.33"
_PATCH = ".5"


class Cluster(Behaviour):
    def __init__(self, tenant: Tenant, identities: UserAssignedIdentity) -> None:
        self._tenant = tenant
        self._identities = identities

    def shaped(self, resource: Json, before: Json | None, caller: Caller) -> Json:
        """A client names a version with or without its patch. Pools have that of the cluster."""
        del before, caller
        properties = resource.get("properties") or {}
        version = str(properties.get("kubernetesVersion") or _NEWEST)
        current = version if version.count(".") > 1 else version + _PATCH
        of_pool = {"orchestratorVersion": version, "currentOrchestratorVersion": current}
        pools = [{**of_pool, **pool} for pool in properties.get("agentPoolProfiles") or () if isinstance(pool, dict)]
        own = {"kubernetesVersion": version, "currentKubernetesVersion": current, "agentPoolProfiles": pools}
        return {**resource, "properties": {**properties, **own}}

    def settled(self, resource: Json, *, created: bool) -> None:
        """The nodes' own identity, which pulls images, lies in the group of the nodes."""
        properties = resource["properties"]
        if not created or (properties.get("servicePrincipalProfile") or {}).get("clientId") != "msi":
            return
        group = f"{'/'.join(resource['id'].split('/')[:3])}/resourcegroups/{properties['nodeResourceGroup']}"
        name = f"{resource['name']}-agentpool"
        bare: Json = {
            "id": f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}",
            "name": name,
            "type": "Microsoft.ManagedIdentity/userAssignedIdentities",
            "location": resource.get("location"),
            "tags": {},
        }
        identity = properties.get("identityProfile") or self._made(bare)
        self._tenant.resources[key_of(resource["id"])] = {
            **resource,
            "properties": {**properties, "identityProfile": identity},
        }

    def removed(self, resource: Json) -> None:
        """With all that lies in the group of the nodes."""
        group = (resource.get("properties") or {}).get("nodeResourceGroup")
        if group:
            key = key_of(f"{'/'.join(resource['id'].split('/')[:3])}/resourcegroups/{group}")
            for one in list(self._tenant.resources.where("group", key)):
                del self._tenant.resources[key_of(one["id"])]

    def _made(self, bare: Json) -> Json:
        identity = self._identities.shaped(bare, None, None)
        self._tenant.resources[key_of(identity["id"])] = identity
        held = identity["properties"]
        known = {"resourceId": identity["id"], "clientId": held["clientId"], "objectId": held["principalId"]}
        return {"kubeletidentity": known}
