"""Management locks: what they block."""

from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.tenant import Tenant

_ABOVE = {"PUT": {"readonly"}, "PATCH": {"readonly"}, "POST": {"readonly"}, "DELETE": {"readonly", "cannotdelete"}}


class Locks:
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def require(self, method: str, path: ResourcePath) -> None:
        """Refuses with 409 if a lock at or above the path forbids the method, or one below it forbids deleting it."""
        levels = _ABOVE.get(method)
        if levels is None or path.type.lower() == "microsoft.authorization/locks":
            return
        scopes = [scope for scope in self._tenant.hierarchy.lineage(path.text) if self._locked(scope, levels)]
        if method == "DELETE":
            scopes += [scope for scope in self._tenant.locks.values_of("scope") if scope.startswith(path.key + "/")]
        if scopes:
            operation = "delete" if method == "DELETE" else "write"
            raise AzureError(
                409,
                "ScopeLocked",
                f"The scope '{path.text}' cannot perform {operation} operation because following scope(s) are locked: "
                f"'{','.join(scopes)}'. Please remove the lock and try again.",
            )

    def _locked(self, scope: str, levels: set[str]) -> bool:
        return any(
            str(lock["properties"].get("level", "")).lower() in levels
            for lock in self._tenant.locks.where("scope", scope)
        )
