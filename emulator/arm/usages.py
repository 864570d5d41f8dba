"""How much of what a subscription or a registry may hold is there.

Limits: learn.microsoft.com/azure of storage/common/scalability-targets-standard-account (250 accounts in a region),
container-instances/container-instances-resource-and-quota-limits (100 groups) and
container-registry/container-registry-skus (storage and webhooks by tier). Shapes: the REST reference's examples.
"""

from collections.abc import Mapping
from typing import Any

from emulator.arm.call import Answer, Call
from emulator.arm.store import ResourceStore
from emulator.ids import ResourcePath
from emulator.tenant import Tenant

type Json = dict[str, Any]

# Lower-case namespace → the type that is counted, its name there, that name for people, the most of it in a region
_COUNTED: Mapping[str, tuple[str, str, str, int]] = {
    "microsoft.storage": ("storageaccounts", "StorageAccounts", "Storage Accounts", 250),
    "microsoft.containerinstance": ("containergroups", "ContainerGroups", "Container Groups", 100),
}
_GIB = 1024**3
# Tier → bytes, webhooks
_REGISTRY = {"basic": (10 * _GIB, 2), "standard": (100 * _GIB, 10), "premium": (500 * _GIB, 500)}


class Usages:
    def __init__(self, tenant: Tenant, store: ResourceStore) -> None:
        self._tenant = tenant
        self._store = store

    def types(self) -> list[str]:
        return [f"{namespace}/locations/usages" for namespace in _COUNTED]

    def of_a_region(self, call: Call) -> Answer:
        namespace, region = call.path.namespace.lower(), call.path.names[-1].lower()
        kind, name, shown, limit = _COUNTED[namespace]
        within = f"/subscriptions/{call.path.subscription}/".lower()
        held = [
            one
            for one in self._tenant.resources.where("type", f"{namespace}/{kind}")
            if one["id"].lower().startswith(within) and str(one.get("location")).replace(" ", "").lower() == region
        ]
        names = {"value": name, "localizedValue": shown}
        return Answer(200, {"value": [{"unit": "Count", "currentValue": len(held), "limit": limit, "name": names}]})

    def container_logs(self, call: Call) -> Answer:
        """No container runs here, so none has said anything."""
        self._store.find(ResourcePath.parse(call.path.parent.rsplit("/", 2)[0]))
        return Answer(200, {"content": ""})

    def of_a_registry(self, call: Call) -> Answer:
        """Nothing is ever pushed here, so its storage is empty."""
        registry = self._store.find(ResourcePath.parse(call.path.parent))
        tier = str((registry.get("sku") or {}).get("name")).lower()
        size, hooks = _REGISTRY.get(tier, _REGISTRY["basic"])
        held = self._tenant.resources.where("collection", f"{ResourcePath.parse(registry['id']).key}/webhooks")
        found = (("Size", size, 0, "Bytes"), ("Webhooks", hooks, len(list(held)), "Count"))
        shown = [{"name": name, "limit": most, "currentValue": now, "unit": unit} for name, most, now, unit in found]
        return Answer(200, {"value": shown})
