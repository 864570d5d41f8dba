"""What Azure shows of networks, from what a template says of them."""

from typing import Any

from unit.template.made import GROUP, STORAGE, resource

from shared.access.scope import Scope
from shared.template.networks import show_networks

NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/one"
OTHER = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/two"
ENDPOINT = f"{GROUP}/providers/Microsoft.Network/privateEndpoints/to-store"


def shown(*made: dict[str, Any]) -> dict[Scope, dict[str, Any]]:
    resources = {Scope.parse(one["id"]): one for one in made}
    show_networks(resources)
    return resources


def _peering(one: str, other: str) -> dict[str, Any]:
    return resource(f"{one}/virtualNetworkPeerings/p", {"remoteVirtualNetwork": {"id": other}})


def test_a_subnet_is_in_its_network_and_by_itself_wherever_it_is_declared() -> None:
    inside = resource(NETWORK, {"subnets": [{"name": "a", "properties": {"x": 1}}]})
    found = shown(inside, resource(f"{NETWORK}/subnets/b"), resource(f"{OTHER}/subnets/c"))
    assert found[Scope.parse(f"{NETWORK}/subnets/a")]["properties"] == {"x": 1}
    listed = [one["id"] for one in found[Scope.parse(NETWORK)]["properties"]["subnets"]]
    assert listed == [f"{NETWORK}/subnets/a", f"{NETWORK}/subnets/b"]


def test_networks_are_connected_if_each_has_a_peering_to_the_other() -> None:
    def state(*peerings: dict[str, Any]) -> object:
        found = shown(resource(NETWORK), resource(OTHER), *peerings)
        return found[Scope.parse(NETWORK)]["properties"]["virtualNetworkPeerings"][0]["properties"]["peeringState"]

    assert state(_peering(NETWORK, OTHER)) == "Initiated"
    assert state(_peering(NETWORK, OTHER), _peering(OTHER, NETWORK)) == "Connected"
    third = OTHER.replace("two", "three")
    assert state(_peering(NETWORK, OTHER), _peering(third, NETWORK)) == "Initiated", "that is another network"
    assert state(_peering(NETWORK, OTHER), _peering(OTHER, third)) == "Initiated", "it leads elsewhere"
    link = resource(f"{OTHER}/links/p", {"remoteVirtualNetwork": {"id": NETWORK}})
    assert state(_peering(NETWORK, OTHER), link) == "Initiated", "it is no peering"


def test_a_connection_says_which_endpoint_it_is_of() -> None:
    link = {"properties": {"privateLinkServiceId": STORAGE}}
    found = shown(resource(STORAGE), resource(ENDPOINT, {"privateLinkServiceConnections": [link]}))
    (one,) = found[Scope.parse(STORAGE)]["properties"]["privateEndpointConnections"]
    assert one["id"] == f"{STORAGE}/privateEndpointConnections/to-store"
    assert one["properties"]["privateEndpoint"] == {"id": ENDPOINT}


def test_a_private_endpoint_is_shown_at_what_it_leads_to() -> None:
    def states(name: str) -> list[str]:
        link = {"properties": {"privateLinkServiceId": STORAGE}}
        found = shown(resource(STORAGE), resource(ENDPOINT, {name: [link]}))
        connections = found[Scope.parse(STORAGE)]["properties"].get("privateEndpointConnections", [])
        return [one["properties"]["privateLinkServiceConnectionState"]["status"] for one in connections]

    assert states("privateLinkServiceConnections") == ["Approved"]
    assert states("manualPrivateLinkServiceConnections") == ["Pending"]
    assert states("others") == []
