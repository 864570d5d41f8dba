"""Changes of the tenant between two calls that nobody requested: faults cause them."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from emulator.arm.store import ResourceStore
from emulator.ids import ResourcePath, key_of, object_key
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

_IDENTITIES = "microsoft.managedidentity/userassignedidentities"
_BELOW = "/providers/microsoft.authorization/"


class Changes:
    def __init__(self, tenant: Tenant, made_up: SeededValues, store: ResourceStore) -> None:
        self._tenant = tenant
        self._made_up = made_up
        self._store = store

    def make(self, change: Mapping[str, Any]) -> None:
        """One of put, delete, remake. What does not exist (any more) stays so."""
        ((kind, about),) = change.items()
        match kind:
            case "put":
                self._put(about)
            case "delete":
                self._delete(about)
            case _:
                self._remake(about)

    def _put(self, raw: Json) -> None:
        path = ResourcePath.parse(raw["id"])
        whole = {"name": path.name, "type": path.type, **deepcopy(raw)}
        _, found, below = path.key.rpartition(_BELOW)
        stores = {
            "locks": self._tenant.locks,
            "denyassignments": self._tenant.deny_assignments,
            "roleassignments": self._tenant.role_assignments,
        }
        store = stores.get(below.partition("/")[0]) if found else None
        if store is None:
            self._tenant.resources[path.key] = whole
            return
        if store is not self._tenant.locks:
            whole["properties"] = {"scope": path.extends, **(whole.get("properties") or {})}
        store[path.key] = whole

    def _delete(self, identifier: str) -> None:
        key = key_of(identifier)
        for store in (self._tenant.locks, self._tenant.deny_assignments, self._tenant.role_assignments):
            if key in store:
                del store[key]
        self._store.remove(ResourcePath.parse(identifier))

    def _remake(self, identifier: str) -> None:
        """Deletes it and makes it anew.

        Its own identity has another principal, and what was assigned belongs to nobody.
        """
        path = ResourcePath.parse(identifier)
        before = self._tenant.resources.get(path.key)
        if before is None:
            return
        made = deepcopy(before)
        block = made.get("properties") if path.type.lower() == _IDENTITIES else made.get("identity")
        self._store.remove(path)
        if isinstance(block, dict) and block.get("principalId"):
            principal = self._made_up.another(f"principal of {path.key}")
            block["principalId"] = principal
            self._tenant.principals[object_key(principal)] = {"id": principal, "type": "ServicePrincipal"}
        self._tenant.resources[path.key] = made
        self._store.behaviour(path).settled(made, created=True)
