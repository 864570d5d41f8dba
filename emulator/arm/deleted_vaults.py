"""Vaults that were deleted and can be recovered: https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview

As recorded: the list and one of them, `purge` with 202, and a PUT with `createMode: recover`.
"""

from datetime import timedelta
from typing import Any

from emulator.arm.call import Answer, Call, page
from emulator.arm.manners import Manner
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.ids import ResourcePath

type Json = dict[str, Any]

_PURGE = Manner(
    202,
    None,
    headers={
        "Location": "{base}{provider}/locations/{region}/operationResults/{operation}?api-version={version}",
        "Retry-After": "1",
    },
    result="status",
)
_KEPT = timedelta(days=90)


class DeletedVaults:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._vaults: dict[str, tuple[Json, Json]] = {}
        """By lower-case name: the vault as it was, and what is shown of it. A name is unique in all of Azure."""

    def keep(self, vault: Json) -> None:
        path, now = ResourcePath.parse(vault["id"]), self._clock.now()
        properties = vault.get("properties") or {}
        place = f"/subscriptions/{path.subscription}/providers/Microsoft.KeyVault/locations/{vault.get('location')}"
        shown = {
            "id": f"{place}/deletedVaults/{path.name}",
            "name": path.name,
            "type": "Microsoft.KeyVault/deletedVaults",
            "properties": {
                "vaultId": vault["id"],
                "location": vault.get("location"),
                "tags": vault.get("tags") or {},
                "deletionDate": _time(now),
                "scheduledPurgeDate": _time(now + _KEPT),
                **({"purgeProtectionEnabled": True} if properties.get("enablePurgeProtection") else {}),
            },
        }
        self._vaults[path.name.lower()] = (vault, shown)

    def get(self, call: Call) -> Answer:
        if call.path.is_collection:
            return page(call, [shown for _, shown in self._vaults.values()])
        return Answer(200, self._find(call.path.name)[1])

    def purge(self, call: Call) -> Answer:
        name = call.path.names[-1]
        if self._find(name)[1]["properties"].get("purgeProtectionEnabled"):
            message = f"The vault '{name}' has purge protection."
            raise AzureError(400, "MethodNotAllowed", message)

        def finish(_: str) -> None:
            self._vaults.pop(name.lower(), None)

        return Answer(202, finish=finish, manner=_PURGE)

    def recovered(self, name: str) -> Json:
        """The vault as it was. It is no longer among the deleted ones."""
        vault = self._find(name)[0]
        del self._vaults[name.lower()]
        return vault

    def holds(self, name: str) -> bool:
        return name.lower() in self._vaults

    def _find(self, name: str) -> tuple[Json, Json]:
        found = self._vaults.get(name.lower())
        if found is None:
            raise AzureError(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")
        return found


def _time(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
