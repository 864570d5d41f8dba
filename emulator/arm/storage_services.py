"""What a storage account always has: one service of each kind, called `default`."""

from collections.abc import Mapping
from typing import Any

from emulator.arm.behaviour import Behaviour, Plain
from emulator.ids import ResourcePath, key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

_KINDS = ("blobServices", "fileServices", "queueServices", "tableServices")


class _Service(Plain):
    def __init__(self, tenant: Tenant, kind: str) -> None:
        self._tenant = tenant
        self._kind = kind

    def always_there(self, path: ResourcePath) -> Json | None:
        """As recorded of one that nobody wrote."""
        account = self._tenant.resources.get(key_of(path.text.rsplit("/", 2)[0]))
        if account is None or path.name.lower() != "default":
            return None
        own: Json = {"cors": {"corsRules": []}}
        if self._kind == "blobServices":
            own |= {"deleteRetentionPolicy": {"allowPermanentDelete": False, "enabled": False}}
        kind = f"Microsoft.Storage/storageAccounts/{self._kind}"
        return {"id": path.text, "name": "default", "type": kind, "sku": account.get("sku"), "properties": own}


class _Account(Behaviour):
    keeps_when_replaced = ("privateEndpointConnections",)


class _Table(Plain):
    needs_no_body = True


def behaviours(tenant: Tenant) -> Mapping[str, Behaviour]:
    own: Mapping[str, Behaviour] = {
        "microsoft.storage/storageaccounts": _Account(),
        "microsoft.storage/storageaccounts/tableservices/tables": _Table(),
    }
    services = {f"microsoft.storage/storageaccounts/{kind.lower()}": _Service(tenant, kind) for kind in _KINDS}
    return {**own, **services}
