"""Subnets, which a virtual network has inside itself and as resources of their own."""

from typing import Any

from emulator.arm.behaviour import Behaviour
from emulator.ids import ResourcePath, key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

_SUBNETS = "Microsoft.Network/virtualNetworks/subnets"


class Subnet(Behaviour):
    lies_in_its_parent = True

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def always_there(self, path: ResourcePath) -> Json | None:
        """One that is written in its network."""
        network = self._tenant.resources.get(_network(path.text))
        for subnet in _subnets(network):
            if str(subnet.get("name", "")).lower() == path.name.lower():
                return {"id": path.text, "type": _SUBNETS, **subnet}
        return None

    def settled(self, resource: Json, *, created: bool) -> None:
        """The network shows it, too."""
        del created
        network = self._tenant.resources[_network(resource["id"])]
        others = [one for one in _subnets(network) if str(one.get("name", "")).lower() != resource["name"].lower()]
        self._show(network, [*others, resource])

    def removed(self, resource: Json) -> None:
        network = self._tenant.resources.get(_network(resource["id"]))
        if network is not None:
            name = resource["name"].lower()
            self._show(network, [one for one in _subnets(network) if str(one.get("name", "")).lower() != name])

    def _show(self, network: Json, subnets: list[Json]) -> None:
        properties = {**(network.get("properties") or {}), "subnets": subnets}
        self._tenant.resources[key_of(network["id"])] = {**network, "properties": properties}


def _subnets(network: Json | None) -> list[Json]:
    found = ((network or {}).get("properties") or {}).get("subnets")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _network(subnet: str) -> str:
    return key_of(subnet.rpartition("/subnets/")[0])
