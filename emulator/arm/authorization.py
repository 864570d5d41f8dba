"""The rest of Microsoft.Authorization: deny assignments and locks."""

from typing import Any

from emulator.arm.call import Answer, Call, page
from emulator.arm.scoped_lists import Filter, holding_at
from emulator.errors import AzureError
from emulator.identity.rbac import Rbac, names
from emulator.ids import ROOT, key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]


class DenyAssignments:
    def __init__(self, tenant: Tenant, rbac: Rbac) -> None:
        self._tenant = tenant
        self._rbac = rbac

    def get(self, call: Call) -> Answer:
        if not call.path.is_collection:
            found = self._tenant.deny_assignments.get(call.path.key)
            if found is None:
                raise AzureError(404, "DenyAssignmentNotFound", f"The deny assignment '{call.path.name}' is not found.")
            return Answer(200, found)
        wanted = Filter.parse(call.query.get("$filter"), named=True)
        denies = (deny for deny in self._tenant.deny_assignments.values() if self._wanted(deny["properties"], wanted))
        scope = call.path.extends
        return page(call, holding_at(denies, _scope, scope, self._tenant.hierarchy, at_scope=wanted.at_scope))

    def _wanted(self, properties: Json, wanted: Filter) -> bool:
        """`principalId` leaves Everyone out. So does `assignedTo` here, and it ignores exclusions.

        The recordings allow this as well as an `assignedTo` that honours exclusions. With this one, code that trusts
        the filter alone is wrong in both ways.
        """
        if wanted.name and str(properties.get("denyAssignmentName", "")).lower() != wanted.name:
            return False
        if wanted.principal and not names(properties.get("principals"), {wanted.principal}):
            return False
        return not wanted.assigned_to or names(properties.get("principals"), self._rbac.identities(wanted.assigned_to))


class LockRoutes:
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def get(self, call: Call) -> Answer:
        if not call.path.is_collection:
            return Answer(200, self._found(call))
        wanted = Filter.parse(call.query.get("$filter"))
        scope, locks = call.path.extends, self._tenant.locks.values()
        return page(call, holding_at(locks, _lock_scope, scope, self._tenant.hierarchy, at_scope=wanted.at_scope))

    def put(self, call: Call) -> Answer:
        properties = call.object_body().get("properties")
        if not isinstance(properties, dict) or properties.get("level") not in ("CanNotDelete", "ReadOnly"):
            raise AzureError(400, "InvalidRequestContent", "The level of a lock is CanNotDelete or ReadOnly.")
        existed = call.path.key in self._tenant.locks
        lock = {
            "id": call.path.text,
            "name": call.path.name,
            "type": "Microsoft.Authorization/locks",
            "properties": properties,
        }
        self._tenant.locks[call.path.key] = lock
        return Answer(200 if existed else 201, lock, created=not existed)

    def delete(self, call: Call) -> Answer:
        return Answer(204 if self._tenant.locks.pop(call.path.key, None) is None else 200)

    def _found(self, call: Call) -> Json:
        found = self._tenant.locks.get(call.path.key)
        if found is None:
            raise AzureError(404, "LockNotFound", f"The lock '{call.path.text}' could not be found.")
        return found


def _scope(item: Json) -> str:
    return str(item["properties"]["scope"])


def _lock_scope(lock: Json) -> str:
    return key_of(lock["id"]).rpartition("/providers/microsoft.authorization/")[0] or ROOT
