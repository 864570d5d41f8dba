"""Private endpoints: they get the first free addresses of their subnet, and what they lead to lists them.

As recorded with the Azure CLI (2020 to 2023) of storage accounts and vaults; what others list is in the shape of
Microsoft's types.
"""

import ipaddress
import uuid
from collections.abc import Iterator
from typing import Any

from emulator.arm.behaviour import Behaviour
from emulator.ids import ResourcePath, key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

_PLACES = ("privateLinkServiceConnections", "manualPrivateLinkServiceConnections")
_STORAGE = "microsoft.storage/storageaccounts"
_VAULT = "microsoft.keyvault/vaults"
_REGISTRY = "microsoft.containerregistry/registries"
# Azure keeps the first four for itself: learn.microsoft.com/azure/virtual-network/virtual-networks-faq
_FIRST = 4


class PrivateEndpoint(Behaviour):
    keeps_when_replaced = ("customDnsConfigs",)

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def settled(self, resource: Json, *, created: bool) -> None:
        del created
        names: list[str] = []
        for link in _links(resource):
            owner = self._owner(link)
            if owner is not None:
                self._list(owner, [*self._others(owner, resource), _connection(owner, resource, link)])
                names += _names(owner, link)
        addresses = self._addresses(resource, len(names))
        configs = [{"fqdn": name, "ipAddresses": [one]} for name, one in zip(names, addresses, strict=False)]
        properties = {**resource["properties"], "customDnsConfigs": configs}
        self._tenant.resources[key_of(resource["id"])] = {**resource, "properties": properties}

    def removed(self, resource: Json) -> None:
        for link in _links(resource):
            owner = self._owner(link)
            if owner is not None:
                self._list(owner, self._others(owner, resource))

    def _owner(self, link: Json) -> Json | None:
        properties: Json = link.get("properties") or {}
        return self._tenant.resources.get(key_of(str(properties.get("privateLinkServiceId", ""))))

    def _others(self, owner: Json, endpoint: Json) -> list[Json]:
        listed = (owner.get("properties") or {}).get("privateEndpointConnections") or []
        return [one for one in listed if key_of(_endpoint_of(one)) != key_of(endpoint["id"])]

    def _list(self, owner: Json, connections: list[Json]) -> None:
        properties = {**(owner.get("properties") or {}), "privateEndpointConnections": connections}
        if not connections and ResourcePath.parse(owner["id"]).type.lower() == _VAULT:
            del properties["privateEndpointConnections"]  # a vault without any does not say so
        self._tenant.resources[key_of(owner["id"])] = {**owner, "properties": properties}

    def _addresses(self, endpoint: Json, needed: int) -> list[str]:
        """None where nothing is known of the subnet."""
        subnet = str((endpoint["properties"].get("subnet") or {}).get("id", ""))
        network = self._tenant.resources.get(key_of(subnet.partition("/subnets/")[0])) or {}
        inside: list[Json] = (network.get("properties") or {}).get("subnets") or []
        named = [one for one in inside if str(one.get("name")).lower() == subnet.rpartition("/")[2].lower()]
        prefix = (named[0].get("properties") or {}).get("addressPrefix") if named else None
        if not prefix:
            return []
        taken = {
            address
            for other in self._tenant.resources.where("type", "microsoft.network/privateendpoints")
            if key_of(other["id"]) != key_of(endpoint["id"])
            for config in other["properties"].get("customDnsConfigs") or ()
            for address in config.get("ipAddresses") or ()
        }
        within = ipaddress.ip_network(prefix)
        free = (str(within[at]) for at in range(_FIRST, within.num_addresses - 1) if str(within[at]) not in taken)
        return [address for address, _ in zip(free, range(needed), strict=False)]


def _links(endpoint: Json) -> Iterator[Json]:
    for place in _PLACES:
        yield from (endpoint.get("properties") or {}).get(place) or ()


def _endpoint_of(connection: Json) -> str:
    return str(((connection.get("properties") or {}).get("privateEndpoint") or {}).get("id", ""))


def _connection(owner: Json, endpoint: Json, link: Json) -> Json:
    path = ResourcePath.parse(owner["id"])
    state = (link.get("properties") or {}).get("privateLinkServiceConnectionState") or {}
    properties = {"privateEndpoint": {"id": endpoint["id"]}, "provisioningState": "Succeeded"}
    if path.type.lower() == _VAULT:
        told = {"status": state.get("status"), "actionsRequired": "None"}
        name = str(link.get("name"))
        shown: Json = {"id": f"{owner['id']}/privateEndpointConnections/{name}"}
        return {**shown, "properties": {**properties, "privateLinkServiceConnectionState": told}}
    approved = state.get("status") == "Approved"
    told = {"status": state.get("status"), "description": "Auto-Approved" if approved else ""}
    told["actionRequired" if path.type.lower() == _STORAGE else "actionsRequired"] = "None"
    name = f"{path.name}.{uuid.uuid5(uuid.NAMESPACE_URL, endpoint['id'].lower())}"
    kind = f"{owner['type']}/privateEndpointConnections"
    shown = {"id": f"{owner['id']}/privateEndpointConnections/{name}", "name": name, "type": kind}
    return {**shown, "properties": {**properties, "privateLinkServiceConnectionState": told}}


def _names(owner: Json, link: Json) -> list[str]:
    """Under which names the endpoint answers. Only those of storage accounts, vaults and registries are known here."""
    path, groups = ResourcePath.parse(owner["id"]), (link.get("properties") or {}).get("groupIds") or []
    name, region = path.name.lower(), str(owner.get("location", "")).replace(" ", "").lower()
    match path.type.lower():
        case kind if kind == _STORAGE:
            return [f"{name}.{str(group).partition('_')[0]}.core.windows.net" for group in groups]
        case kind if kind == _VAULT:
            return [f"{name}.vault.azure.net"]
        case kind if kind == _REGISTRY:
            return [f"{name}.{region}.data.azurecr.io", f"{name}.azurecr.io"]
    return []
