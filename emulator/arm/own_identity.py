"""The identity of a resource, read as a resource of its own."""

from emulator.arm.call import Answer, Call
from emulator.arm.store import ResourceStore, not_found
from emulator.ids import ResourcePath
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant


class IdentityOf:
    """`{resource}/providers/Microsoft.ManagedIdentity/identities/default`: its own identity, as a resource.

    https://learn.microsoft.com/rest/api/managedidentity/system-assigned-identities/get-by-scope
    """

    def __init__(self, tenant: Tenant, made_up: SeededValues, store: ResourceStore) -> None:
        self._tenant = tenant
        self._made_up = made_up
        self._store = store

    def get(self, call: Call) -> Answer:
        owner = self._store.find(ResourcePath.parse(call.path.extends))
        principal = (owner.get("identity") or {}).get("principalId")
        if principal is None or call.path.name.lower() != "default":
            raise not_found(call.path, "Microsoft.ManagedIdentity/identities")
        shown = {
            "id": f"{owner['id']}/providers/Microsoft.ManagedIdentity/identities/default",
            "name": "default",
            "type": "Microsoft.ManagedIdentity/identities",
            "location": owner.get("location"),
            "properties": {
                "tenantId": self._tenant.tenant_id,
                "principalId": principal,
                "clientId": self._made_up.guid(f"client of {principal}"),
            },
        }
        return Answer(200, shown)
