"""Nodes in another virtual network than the workspace's private endpoint: what must be there, one piece at a time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from unit.build import GROUP, STORAGE, cluster, estate, resource, sai, workspace

from shared.access.ask_rules import asks_of
from shared.access.asks import Finding
from shared.access.model import Estate, Fact, Want
from shared.access.rules import RULES
from shared.access.scope import Scope

[RULE] = [rule for rule in RULES if rule.name == "network-cross-vnet"]
SPOKE, HUB, EAST = (resource("Microsoft.Network/virtualNetworks", name) for name in ("spoke", "hub", "east"))
ENDPOINTS = {vnet: resource("Microsoft.Network/privateEndpoints", f"pe-{vnet.name}") for vnet in (HUB, EAST)}
ZONES = tuple(
    resource("Microsoft.Network/privateDnsZones", name)
    for name in ("privatelink.api.azureml.ms", "privatelink.notebooks.azure.net")
)


def private_endpoint(vnet: Scope) -> dict[str, Any]:
    at = {"id": str(ENDPOINTS[vnet]), "subnetArmId": str(vnet.child("subnets", "endpoints"))}
    return {"properties": {"privateEndpoint": at, "privateLinkServiceConnectionState": {"status": "Approved"}}}


def peering(vnet: Scope, state: str = "Connected", *, lets: bool = True) -> dict[str, Any]:
    body = {"remoteVirtualNetwork": {"id": str(vnet)}, "peeringState": state, "allowVirtualNetworkAccess": lets}
    return {"properties": body}


def spoke(*peerings: Any, dns: Any = ()) -> Fact:
    return {"properties": {"virtualNetworkPeerings": list(peerings), "dhcpOptions": {"dnsServers": list(dns)}}}


def links(*vnets: Scope) -> Fact:
    return tuple({"properties": {"virtualNetwork": {"id": str(vnet)}}} for vnet in vnets)


def zones(*ids: Scope) -> Fact:
    configs = [{"properties": {"privateDnsZoneId": str(one)}} for one in ids]
    return ({"properties": {"privateDnsZoneConfigs": configs}},)


def complete() -> Mapping[Want, Fact]:
    return {
        Want(SPOKE): spoke(peering(HUB)),
        Want(STORAGE): {"properties": {}},
        Want(ENDPOINTS[HUB], "privateDnsZoneGroups"): zones(*ZONES),
        **{Want(zone, "virtualNetworkLinks"): links(HUB, SPOKE) for zone in ZONES},
    }


def seen(facts: Mapping[Want, Fact], *homes: Scope) -> Estate:
    inner = {"subnet": {"id": str(SPOKE.child("subnets", "nodes"))}}
    one = cluster("cpu1", sai("cpu1"), raw={"properties": {"properties": inner}})
    raw = {"properties": {"privateEndpointConnections": [private_endpoint(home) for home in homes or (HUB,)]}}
    return replace(estate(workspace(one, raw=raw, registry=None)), facts=facts)


def found(facts: Mapping[Want, Fact], *homes: Scope) -> list[Finding]:
    one = seen({**complete(), **facts}, *homes)
    return [each for each in asks_of(RULE, one.subject, one) if isinstance(each, Finding)]


def test_all_that_it_says_rests_on_what_it_wants_to_see() -> None:
    assert set(RULE.wants(seen({}).subject, seen(complete()))) == set(complete())


def test_where_all_is_there_nothing_is_said() -> None:
    assert found({}) == []


@pytest.mark.parametrize(
    "peerings", [(), (peering(EAST),), (peering(HUB, "Disconnected"),), (peering(HUB, lets=False),)]
)
def test_without_a_peering_that_is_connected_it_is_to_be_made_on_both_sides(peerings: Any) -> None:
    [one] = found({Want(SPOKE): spoke(*peerings)})
    assert one.resource == SPOKE
    there, back = one.remedy.split(" && ")
    at = f"--resource-group {GROUP.name} --subscription"
    assert f"peering create --name to-hub {at}" in there
    assert f"--vnet-name spoke --remote-vnet {HUB}" in there
    assert f"peering create --name to-spoke {at}" in back
    assert f"--vnet-name hub --remote-vnet {SPOKE}" in back


def test_of_several_homes_one_is_enough_and_the_same_is_named_each_time() -> None:
    both = {Want(ENDPOINTS[EAST], "privateDnsZoneGroups"): zones(*ZONES)}
    assert found(both, HUB, EAST) == []
    for homes in ((HUB, EAST), (EAST, HUB)):
        [one] = found({**both, Want(SPOKE): spoke()}, *homes)
        assert "--name to-east" in one.remedy


@pytest.mark.parametrize("zone", ZONES, ids=lambda zone: zone.name)
def test_each_zone_is_to_be_linked(zone: Scope) -> None:
    [one] = found({Want(zone, "virtualNetworkLinks"): links(HUB)})
    [command] = one.remedy.strip("`").split(" && ")
    assert command.startswith(f"az network private-dns link vnet create --name spoke --resource-group {GROUP.name}")
    assert f"--zone-name {zone.name} --virtual-network {SPOKE}" in command


@pytest.mark.parametrize(("kept", "missing"), [(ZONES[1], "api"), (ZONES[0], "notebooks")])
def test_the_endpoint_is_to_be_registered_in_each_zone(kept: Scope, missing: str) -> None:
    [one] = found({Want(ENDPOINTS[HUB], "privateDnsZoneGroups"): zones(kept)})
    [command] = one.remedy.strip("`").split(" && ")
    assert "dns-zone-group add" in command
    assert f"--resource-group {GROUP.name}" in command
    assert "--endpoint-name pe-hub" in command
    assert f"--zone-name privatelink-{missing}" in command


def test_a_network_with_its_own_dns_servers_needs_no_link() -> None:
    unlinked = {Want(zone, "virtualNetworkLinks"): links() for zone in ZONES}
    assert found({**unlinked, Want(SPOKE): spoke(peering(HUB), dns=["10.0.0.4"])}) == []
    assert found({**unlinked, Want(SPOKE): spoke(peering(HUB))})
