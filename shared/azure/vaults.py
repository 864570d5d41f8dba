"""Access policies of a key vault. A PUT of the vault would drop those of others; `accessPolicies/…` leaves them alone.

`replace` gives one identity other permissions in one request, so that none is lost on the way (azurerm's
key_vault_access_policy is updated so). `remove` wants permissions as the vault spells them.
"""

from collections.abc import Mapping, Sequence

from shared.access.actions import Setting
from shared.access.needs import ACCESS_POLICY
from shared.access.raw import get, object_id, rows, text
from shared.azure.arm import Arm
from shared.ports import NotYetError, Raw, ReadFailedError, WriteRefusedError

_CHANGING = "change an access policy"

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
            raise WriteRefusedError(_CHANGING, "VaultNotReadable", "the vault or its tenant is not known")
        holder = {"tenantId": tenant, "objectId": setting.principal.id}
        if not setting.takes:
            await self._put(setting, "add", {**holder, "permissions": ACCESS_POLICY})
            return
        held = _held(vault, setting.principal.id)
        kept = _less(held, frozenset(setting.takes))
        if any(kept.values()):
            await self._put(setting, "replace", {**holder, "permissions": kept})
        else:
            await self._put(setting, "remove", {**holder, "permissions": held})
        await self._require_gone(setting, setting.principal.id)

    async def _require_gone(self, setting: Setting, holder: str) -> None:
        """Azure has answered 200 and taken nothing (github.com/Azure/azure-rest-api-specs/issues/42963)."""
        try:
            held = _held(await self._arm.get(setting.resource), holder)
        except ReadFailedError as error:
            raise NotYetError(_CHANGING, error.code, "whether it is gone could not be read", wait=error.wait) from None
        if any(_word(kind, name) in setting.takes for kind, names in held.items() for name in names or ()):
            said = "Azure answered that it is done, but the vault still has what was to be taken away"
            raise WriteRefusedError(_CHANGING, "StillThere", said)

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
    return {kind: [name for name in names or () if _word(kind, name) not in gone] for kind, names in held.items()}


def _word(kind: str, name: str) -> str:
    return f"{kind}/{name}".casefold()
