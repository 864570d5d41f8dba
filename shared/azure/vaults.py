"""Access policies of a key vault, through `accessPolicies/add` and `remove`: a PUT of the vault would drop others."""

from collections.abc import Mapping, Sequence

from shared.access.actions import Setting
from shared.access.needs import ACCESS_POLICY
from shared.access.raw import get, object_id, rows, text
from shared.azure.arm import Arm
from shared.ports import Raw, WriteRefusedError

type _Permissions = Mapping[str, Sequence[str]]


class Vaults:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def change(self, setting: Setting) -> None:
        """Adds every permission except purge, or takes away what the setting `takes`, and no more.

        Raises `WriteRefusedError` and `ReadFailedError`.
        """
        vault = await self._arm.get(setting.resource)
        tenant = get(vault, "properties", "tenantId")
        if setting.principal is None or tenant is None:
            raise WriteRefusedError(
                "change an access policy", "VaultNotReadable", "the vault or its tenant is not known"
            )
        holder = {"tenantId": tenant, "objectId": setting.principal.id}
        if not setting.takes:
            await self._put(setting, "add", {**holder, "permissions": ACCESS_POLICY})
            return
        held = _held(vault, setting.principal.id)
        await self._put(setting, "remove", {**holder, "permissions": held})
        kept = _less(held, frozenset(setting.takes))
        if any(kept.values()):  # whatever `remove` leaves of an entry, what was there before is added again
            await self._put(setting, "add", {**holder, "permissions": kept})

    async def _put(self, setting: Setting, how: str, entry: Mapping[str, object]) -> None:
        body = {"properties": {"accessPolicies": [entry]}}
        await self._arm.put(f"{setting.resource}/accessPolicies/{how}", "microsoft.keyvault", body)


def _held(vault: Raw | None, holder: str) -> _Permissions:
    entries = rows(vault or {}, "properties", "accessPolicies")
    mine = (one for one in entries if object_id(text(one, "objectId")) == object_id(holder))
    found = next((get(one, "permissions") for one in mine if not text(one, "applicationId")), None)
    return found if isinstance(found, Mapping) else {}


def _less(held: _Permissions, gone: frozenset[str]) -> _Permissions:
    """`gone` holds permissions like `keys/get`, in lower case."""
    return {
        kind: [name for name in names or () if f"{kind}/{name}".casefold() not in gone] for kind, names in held.items()
    }
