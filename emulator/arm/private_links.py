"""What of a resource a private endpoint can lead to: `…/privateLinkResources`.

Of storage accounts and AML registries as recorded (Azure CLI, 2023). Of the others as in the examples of
learn.microsoft.com/rest/api (azureml, containerregistry and keyvault: private-link-resources).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.arm.call import Answer, Call
from emulator.arm.store import ResourceStore, not_found
from emulator.ids import ResourcePath

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    members: tuple[str, ...]
    zones: tuple[str, ...]


def _storage(name: str) -> _Group:
    return _Group(name, (name,), (f"privatelink.{name.partition('_')[0]}.core.windows.net",))


_GROUPS: Mapping[str, tuple[_Group, ...]] = {
    "microsoft.containerregistry/registries": (
        _Group("registry", ("registry", "registry_data_{region}"), ("privatelink.azurecr.io",)),
    ),
    "microsoft.keyvault/vaults": (_Group("vault", ("default",), ("privatelink.vaultcore.azure.net",)),),
    "microsoft.machinelearningservices/registries": (
        _Group("amlregistry", ("default",), ("privatelink.api.azureml.ms",)),
    ),
    "microsoft.machinelearningservices/workspaces": (
        _Group("amlworkspace", ("default",), ("privatelink.api.azureml.ms", "privatelink.notebooks.azure.net")),
    ),
    "microsoft.storage/storageaccounts": tuple(map(_storage, ("blob", "table", "queue", "file", "web", "dfs"))),
}


class PrivateLinks:
    def __init__(self, store: ResourceStore) -> None:
        self._store = store

    def types(self) -> list[str]:
        return [f"{kind}/privatelinkresources" for kind in _GROUPS]

    def get(self, call: Call) -> Answer:
        """All, or one by its name."""
        path = ResourcePath.parse(call.path.parent if call.path.is_collection else call.path.parent.rpartition("/")[0])
        owner = self._store.find(path)
        groups = _GROUPS[path.type.lower()]
        if call.path.is_collection:
            return Answer(200, {"value": [_shown(group, owner) for group in groups]})
        found = next((group for group in groups if group.name == call.path.name.lower()), None)
        if found is None:
            raise not_found(call.path, call.path.type)
        return Answer(200, _shown(found, owner))


def _shown(group: _Group, owner: Json) -> Json:
    region = str(owner.get("location") or "").replace(" ", "").lower()
    return {
        "id": f"{owner['id']}/privateLinkResources/{group.name}",
        "name": group.name,
        "type": f"{owner['type']}/privateLinkResources",
        "properties": {
            "groupId": group.name,
            "requiredMembers": [member.format(region=region) for member in group.members],
            "requiredZoneNames": list(group.zones),
        },
    }
