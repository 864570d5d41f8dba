"""What Azure shows of networks although the template says it elsewhere, or in another form."""

from collections.abc import Iterator
from typing import Any

from shared.access.raw import get, rows, scope_or_none, text
from shared.access.scope import Scope

_NETWORK = "microsoft.network/virtualnetworks"
_SUBNET = f"{_NETWORK}/subnets"
_PEERING = f"{_NETWORK}/virtualnetworkpeerings"
_REMOTE = ("remoteVirtualNetwork", "id")
_ENDPOINT = "microsoft.network/privateendpoints"
# By the name of the list: https://learn.microsoft.com/azure/private-link/manage-private-endpoint
_STATES = {"privateLinkServiceConnections": "Approved", "manualPrivateLinkServiceConnections": "Pending"}

type _Resources = dict[Scope, dict[str, Any]]


def show_networks(resources: _Resources) -> None:
    """Subnets in their networks and by themselves; private endpoints at what they lead to."""
    for at in [one for one in resources if one.resource_type == _NETWORK]:
        _show_subnets(at, resources)
        _show_peerings(at, resources)
    for at in [one for one in resources if one.resource_type == _ENDPOINT]:
        for target, state in _connections(resources[at]):
            if target in resources:
                _connect(resources[target], at, state)


def _show_subnets(at: Scope, resources: _Resources) -> None:
    """A template lists a subnet inside its network, or makes it a resource of its own. Azure shows both."""
    inside: dict[Scope, dict[str, Any]] = {}
    for one in rows(resources[at], "properties", "subnets"):
        name = text(one, "name")
        below = scope_or_none(f"{at}/subnets/{name}") if name else None
        if below:
            inside[below] = {**one, "id": str(below), "name": below.name}
    inside |= {one: raw for one, raw in resources.items() if one.resource_type == _SUBNET and one.parent == at}
    if inside:
        resources[at]["properties"]["subnets"] = list(inside.values())
        for scope, raw in inside.items():
            resources.setdefault(scope, raw)


def _show_peerings(at: Scope, resources: _Resources) -> None:
    """Two networks are connected once each of them has a peering to the other."""
    mine = [raw for one, raw in resources.items() if one.resource_type == _PEERING and one.parent == at]
    for raw in mine:
        other = scope_or_none(get(raw, "properties", *_REMOTE))
        back = any(
            one.resource_type == _PEERING
            and one.parent == other
            and scope_or_none(get(theirs, "properties", *_REMOTE)) == at
            for one, theirs in resources.items()
        )
        raw["properties"]["peeringState"] = "Connected" if back else "Initiated"
    if mine:
        known = rows(resources[at], "properties", "virtualNetworkPeerings")
        resources[at]["properties"]["virtualNetworkPeerings"] = [*known, *mine]


def _connections(raw: dict[str, Any]) -> Iterator[tuple[Scope, str]]:
    for name, state in _STATES.items():
        for one in rows(raw, "properties", name):
            target = scope_or_none(get(one, "properties", "privateLinkServiceId"))
            if target:
                yield target, state


def _connect(raw: dict[str, Any], endpoint: Scope, state: str) -> None:
    """Azure approves at once what whoever deploys may approve."""
    made = {
        "id": f"{raw['id']}/privateEndpointConnections/{endpoint.name}",
        "name": endpoint.name,
        "properties": {
            "provisioningState": "Succeeded",
            "privateEndpoint": {"id": str(endpoint)},
            "privateLinkServiceConnectionState": {"status": state},
        },
    }
    known = rows(raw, "properties", "privateEndpointConnections")
    raw["properties"]["privateEndpointConnections"] = [*known, made]
