"""Clusters in a virtual network other than that of the workspace's private endpoint: what connects the two."""

from collections.abc import Iterator, Mapping

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Estate, Raw, Want, Workspace
from shared.access.raw import flag, get, rows, scope_or_none, text
from shared.access.rules.az import az, code, within
from shared.access.rules.network import seats
from shared.access.rules.network.commands import private_endpoint
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

CROSS_VNET = "network-cross-vnet"

# The beginning of the zones' names in every cloud. In Azure's public cloud they are privatelink.api.azureml.ms and
# privatelink.notebooks.azure.net.
_ZONES = ("privatelink.api.", "privatelink.notebooks.")

type _Problem = tuple[str, str]  # what is wrong, and the command that corrects it


def _cross_vnet(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    for vnet, seated in _afar(workspace, estate).items():
        raw = estate.resource(vnet)
        if raw is None:
            continue
        problems = [
            *_unconnected(vnet, raw, workspace, estate),
            *_unlinked(vnet, raw, workspace, estate),
            *_closed(vnet, raw, seated, workspace, estate),
        ]
        if problems:
            yield Found(
                vnet,
                f"Virtual network {vnet.name} has {seats.nodes(seated)}, and workspace {workspace.id.name} its "
                f"private endpoint in {_names(seats.vnets_of_endpoints(workspace.raw, estate))}: "
                f"{'; '.join(dict.fromkeys(what for what, _ in problems))}.",
                {"change": code(*dict.fromkeys(how for _, how in problems))},
            )


def _afar(workspace: Workspace, estate: Estate) -> Mapping[Scope, tuple[seats.Seat, ...]]:
    """Seats in virtual networks without a private endpoint of the workspace, if it has one in another network."""
    homes = seats.vnets_of_endpoints(workspace.raw, estate)
    found: dict[Scope, tuple[seats.Seat, ...]] = {}
    for subnet, seated in seats.by_subnet(workspace).items() if homes else ():
        if subnet.parent not in homes:
            found[subnet.parent] = (*found.get(subnet.parent, ()), *seated)
    return found


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    if not seats.seats(workspace):
        return
    yield from seats.endpoints_wanted(workspace.raw, workspace)
    afar = _afar(workspace, estate)
    if not afar:
        return
    yield from (Want(vnet) for vnet in afar)
    yield from (Want(scope) for scope in _dependencies(workspace))
    yield from (Want(endpoint, "privateDnsZoneGroups") for endpoint in _endpoints(workspace.raw))
    yield from (Want(zone, "virtualNetworkLinks") for zone in _zones(workspace, estate).values())
    for scope in _dependencies(workspace):
        raw = estate.resource(scope)
        if raw is not None and seats.secured(raw):
            yield from seats.endpoints_wanted(raw, workspace)


def _dependencies(workspace: Workspace) -> tuple[Scope, ...]:
    return tuple(scope for scope in (workspace.storage, workspace.registry, workspace.vault) if scope)


def _endpoints(raw: object) -> Iterator[Scope]:
    found = (seats.endpoint_id(each) for each in seats.approved_endpoints(raw))
    yield from (scope for scope in found if scope)


def _unconnected(vnet: Scope, raw: Raw, workspace: Workspace, estate: Estate) -> Iterator[_Problem]:
    homes = seats.vnets_of_endpoints(workspace.raw, estate)
    if not homes & _peers(raw):
        there = min(homes, key=str)
        what = "no connected peering leads there, and the workspace has no second private endpoint here"
        yield from ((what, _peer(a, b)) for a, b in ((vnet, there), (there, vnet)))


def _peer(vnet: Scope, other: Scope) -> str:
    named = {"name": f"to-{other.name}", **within(vnet), "vnet_name": vnet.name}
    return az("network vnet peering create", **named, remote_vnet=other, allow_vnet_access=True)


def _peers(vnet: Raw) -> frozenset[Scope]:
    peerings = [get(each, "properties") for each in rows(vnet, "properties", "virtualNetworkPeerings")]
    found = {
        scope_or_none(get(peering, "remoteVirtualNetwork", "id"))
        for peering in peerings
        if (text(peering, "peeringState") or "").casefold() == "connected"
        and flag(peering, "allowVirtualNetworkAccess") is not False
    }
    return frozenset(scope for scope in found if scope)


def _unlinked(vnet: Scope, raw: Raw, workspace: Workspace, estate: Estate) -> Iterator[_Problem]:
    """A virtual network with its own DNS servers asks these, and nobody can tell from outside what they know."""
    if rows(raw, "properties", "dhcpOptions", "dnsServers"):
        return
    zones = _zones(workspace, estate)
    for prefix in _ZONES:
        zone = next((scope for name, scope in zones.items() if name.startswith(prefix)), None)
        if zone is None and _zones_known(workspace, estate):
            yield (
                f"the workspace's private endpoint is in no DNS zone {prefix}*",
                _zone_command(prefix, workspace),
            )
        elif zone and vnet not in _linked_to(zone, estate) and not estate.unreadable(_links(zone)):
            yield f"private DNS zone {zone.name} is not linked to it", _link_command(zone, vnet)


def _zones(workspace: Workspace, estate: Estate) -> Mapping[str, Scope]:
    """By name: the zones in which the workspace's private endpoints are registered, wherever these are."""
    found = [
        scope_or_none(get(config, "properties", "privateDnsZoneId"))
        for endpoint in _endpoints(workspace.raw)
        for group in estate.listed(endpoint, "privateDnsZoneGroups")
        for config in rows(group, "properties", "privateDnsZoneConfigs")
    ]
    return {scope.name.casefold(): scope for scope in found if scope}


def _zones_known(workspace: Workspace, estate: Estate) -> bool:
    wants = [Want(endpoint, "privateDnsZoneGroups") for endpoint in _endpoints(workspace.raw)]
    return all(want in estate.facts and not estate.unreadable(want) for want in wants)


def _links(zone: Scope) -> Want:
    return Want(zone, "virtualNetworkLinks")


def _linked_to(zone: Scope, estate: Estate) -> frozenset[Scope]:
    links = estate.listed(zone, "virtualNetworkLinks")
    found = {scope_or_none(get(link, "properties", "virtualNetwork", "id")) for link in links}
    return frozenset(scope for scope in found if scope)


def _link_command(zone: Scope, vnet: Scope) -> str:
    link = {"name": vnet.name, **within(zone), "zone_name": zone.name, "virtual_network": vnet}
    return az("network private-dns link vnet create", **link, registration_enabled="false")


def _zone_command(prefix: str, workspace: Workspace) -> str:
    endpoint = next(_endpoints(workspace.raw), None)
    at = {**within(endpoint), "endpoint_name": endpoint.name} if endpoint else _UNNAMED
    zone = {"zone_name": prefix.strip(".").replace(".", "-"), "private_dns_zone": "PRIVATE-DNS-ZONE-ID"}
    return az("network private-endpoint dns-zone-group add", name="default", **at, **zone)


_UNNAMED = {"resource_group": "GROUP", "endpoint_name": "PRIVATE-ENDPOINT"}
"""The workspace's private endpoint, where the id that it gives is none (`rules.malformed`)."""


def _closed(
    vnet: Scope, raw: Raw, seated: tuple[seats.Seat, ...], workspace: Workspace, estate: Estate
) -> Iterator[_Problem]:
    """Storage, registry and vault that let in only some networks, and not this one."""
    near = {vnet, *_peers(raw)}
    for scope in _dependencies(workspace):
        found = estate.resource(scope)
        if found is None or not seats.secured(found) or _blind_to_endpoints(found, workspace, estate):
            continue
        let_in = seats.let_in(found)
        if near & seats.vnets_of_endpoints(found, estate) or all(seat.subnet in let_in for seat in seated):
            continue
        yield f"{scope.name} lets nobody in from there", _endpoint_command(scope, seated[0].subnet)


def _endpoint_command(scope: Scope, subnet: Scope) -> str:
    name, group_id = f"{scope.name}-{subnet.parent.name}", _GROUP_IDS.get(scope.resource_type, "GROUP-ID")
    return private_endpoint(scope, group_id, name=name, beside=subnet, subnet=subnet)


_GROUP_IDS = {
    "microsoft.storage/storageaccounts": "blob",
    "microsoft.containerregistry/registries": "registry",
    "microsoft.keyvault/vaults": "vault",
}


def _blind_to_endpoints(raw: Raw, workspace: Workspace, estate: Estate) -> bool:
    return any(estate.unreadable(want) for want in seats.endpoints_wanted(raw, workspace))


def _names(scopes: frozenset[Scope]) -> str:
    return ", ".join(sorted(scope.name for scope in scopes))


RULES = (
    Rule(
        name=CROSS_VNET,
        requirements=("AML-66",),
        mode=RuleKind.AUDIT,
        title="A virtual network without the workspace's private endpoint is peered with it, resolves its names and "
        "reaches its storage, registry and vault.",
        source="learn.microsoft.com/azure/machine-learning/how-to-secure-training-vnet",
        examine=_cross_vnet,
        acts="a cluster in a virtual network that is not peered with the private endpoint's",
        leaves="a cluster in a peered virtual network to which both private DNS zones are linked",
        severity=Severity.MEDIUM,
        remedy="{change}",
        wants=_wants,
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
)
