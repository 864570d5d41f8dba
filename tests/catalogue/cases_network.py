"""Nodes in virtual networks of the owner's, and the machines that are attached."""

from collections.abc import Callable
from typing import Any

from catalogue.build import assign, compute, registry, storage, system, workspace
from catalogue.build_network import (
    cluster,
    connected,
    connected_to,
    endpoint,
    home,
    instance,
    nsg,
    required,
    routes,
    rule,
    subnet,
    vnet,
)
from catalogue.case import SUBSCRIPTION, Case, Place, Raw, Tenant
from catalogue.documented import acts, leaves
from event_grid import event

type Build = Callable[[Place], Tenant]

_READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
_NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"


def _in_vnet(make: Callable[..., Raw] = cluster, group: str = "", **more: Any) -> Build:
    """Nodes in a subnet without a network security group."""

    def build(place: Place) -> Tenant:
        ws, account = home(place)
        network = vnet(place, subnet(), group=group and group.format(place=place))
        return Tenant([ws, account, network, make(ws, network, **more)])

    return build


def _region(region: str) -> Build:
    def build(place: Place) -> Tenant:
        ws, account = home(place)
        network = vnet(place, subnet())
        return Tenant([ws, account, network, cluster(ws, network) | {"location": region}])

    return build


def _deployed(role: str) -> Build:
    def build(place: Place) -> Tenant:
        made = _in_vnet()(place)
        return Tenant(made.resources, [assign(place.group, place.object_id("deployer"), role, kind="User")])

    return build


def _written(place: Place) -> Raw:
    """By the deployer, just now."""
    compute_id = f"{place.id('Microsoft.MachineLearningServices/workspaces', 'mlw')}/computes/cpu1"
    return event(compute_id, caller=place.object_id("deployer"))


def _beside_endpoint(make: Callable[..., Raw]) -> Build:
    """The workspace's private endpoint is in one virtual network, the nodes in another."""

    def build(place: Place) -> Tenant:
        hub, spoke = vnet(place, subnet(), name="hub"), vnet(place, subnet(), name="spoke")
        ws, account = home(place, privateEndpointConnections=[connected(place, hub)])
        return Tenant([ws, account, hub, spoke, make(ws, spoke)])

    return build


def _lighthouse(*, in_vnet: bool) -> Build:
    def build(place: Place) -> Tenant:
        acr = registry(place)
        ws = workspace(place, containerRegistry=acr["id"])
        network = vnet(place, subnet())
        one = cluster(ws, network) if in_vnet else compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        managed = {"id": place.subscription, "managedByTenants": [{"tenantId": place.object_id("msp")}]}
        return Tenant([acr, ws, network, one, managed])

    return build


def _endpoint_of(status: str) -> Build:
    def build(place: Place) -> Tenant:
        network = vnet(place, subnet())
        ws, account = home(place, privateEndpointConnections=[connected(place, network, status=status)])
        return Tenant([ws, account, network, cluster(ws, network, public_ip=False)])

    return build


def _guarded(*rules: Raw, make: Callable[..., Raw] = cluster, **more: Any) -> Build:
    """Nodes in a subnet with a network security group of these rules."""

    def build(place: Place) -> Tenant:
        ws, account = home(place)
        group = nsg(place, *rules)
        network = vnet(place, subnet(networkSecurityGroup=group))
        return Tenant([ws, account, group, network, make(ws, network, **more)])

    return build


def _subnet(make: Callable[..., Raw] = cluster, *, nodes: dict[str, Any] | None = None, **more: Any) -> Build:
    def build(place: Place) -> Tenant:
        ws, account = home(place)
        network = vnet(place, subnet(**more))
        return Tenant([ws, account, network, make(ws, network, **(nodes or {}))])

    return build


def _routed(next_hop: str) -> Build:
    def build(place: Place) -> Tenant:
        ws, account = home(place)
        table = routes(place, next_hop)
        network = vnet(place, subnet(routeTable=table))
        return Tenant([ws, account, table, network, cluster(ws, network, public_ip=False)])

    return build


_DELEGATION = {"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}
_STORAGE_ENDPOINT = {"service": "Microsoft.Storage", "locations": ["westeurope"]}
_ONE_POLICY = [{"id": f"{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/serviceEndpointPolicies/aml"}]


def _file_shares(make: Callable[..., Raw], *rules: Raw) -> Build:
    """The account's private endpoint is in another subnet of the nodes' virtual network."""

    def build(place: Place) -> Tenant:
        group = nsg(place, *rules)
        network = vnet(place, subnet(networkSecurityGroup=group), subnet("data", "10.0.2.0/24"))
        files = endpoint(place, network, "file", at="data", name="files")
        account = storage(place, privateEndpointConnections=[connected_to(files)])
        ws = workspace(place, storageAccount=account["id"])
        return Tenant([ws, account, group, network, files, make(ws, network)])

    return build


_TO_DATA = rule(200, "Deny", "10.0.2.0/24", "445")
_DENY_ALL_IN = rule(4000, "Deny", "*", direction="Inbound")
_FROM_AML = rule(100, "Allow", "AzureMachineLearning", "44224", protocol="Tcp", direction="Inbound")

CASES: tuple[Case, ...] = (
    acts("network-vnet-subscription", _in_vnet(group=f"{SUBSCRIPTION}/resourceGroups/{{place.name}}"), "5b9a4c1e"),
    leaves("network-vnet-subscription", _in_vnet(group="{place.subscription}/resourceGroups/networks")),
    acts("network-storage-region", _region("northeurope"), "westeurope"),
    leaves("network-storage-region", _region("West Europe")),
    acts("network-deployer", _deployed(_READER), "Network Contributor", event=_written),
    leaves("network-deployer", _deployed(_NETWORK_CONTRIBUTOR), event=_written),
    leaves("network-deployer", _deployed(_READER), "a sweep: nobody is known to have deployed anything"),
    acts("network-instance-place", _beside_endpoint(instance), "spoke"),
    leaves("network-instance-place", _beside_endpoint(cluster)),
    acts("network-lighthouse", _lighthouse(in_vnet=True), "Lighthouse", outcome="Withheld"),
    acts("network-lighthouse", _lighthouse(in_vnet=True), "Lighthouse", "and the finding", outcome="Finding"),
    leaves("network-lighthouse", _lighthouse(in_vnet=False)),
    acts("network-no-public-ip-endpoint", _endpoint_of("Pending"), "az network private-endpoint create"),
    leaves("network-no-public-ip-endpoint", _endpoint_of("Approved")),
    acts("network-no-public-ip-preview", _in_vnet(public_ip=False, createdOn="2022-12-07T00:00:00Z"), "2022-12-07"),
    leaves("network-no-public-ip-preview", _in_vnet(public_ip=False, createdOn="2023-03-01T00:00:00Z")),
    acts(
        "network-subnet-room",
        _subnet(prefix="10.0.1.0/28", nodes={"scaleSettings": {"minNodeCount": 0, "maxNodeCount": 20}}),
        "may need 20",
    ),
    acts("network-subnet-room", _subnet(delegations=[_DELEGATION]), "Microsoft.Web/serverFarms", "a delegated subnet"),
    acts("network-subnet-room", _subnet(prefix="10.0.1.0/28", taken=9), "9 of them", "others have the addresses"),
    leaves("network-subnet-room", _subnet(prefix="10.0.1.0/28")),
    leaves(
        "network-subnet-room",
        _subnet(prefix="10.0.1.0/28", taken=10, nodes={"currentNodeCount": 4}),
        "a full subnet: the nodes are among those that fill it",
    ),
    acts("network-default-outbound", _subnet(nodes={"public_ip": False}), "--nat-gateway"),
    acts("network-default-outbound", _routed("Internet"), "default outbound", "a route that leads to the Internet"),
    leaves("network-default-outbound", _routed("VirtualAppliance")),
    leaves(
        "network-default-outbound",
        _subnet(nodes={"public_ip": False}, natGateway={"id": f"{SUBSCRIPTION}/resourceGroups/net"}),
        "a NAT gateway",
    ),
    leaves("network-default-outbound", _in_vnet(), "nodes with public IPs"),
    acts("network-storage-exfiltration", _in_vnet(), "no service endpoint policy"),
    acts(
        "network-storage-exfiltration",
        _subnet(serviceEndpointPolicies=_ONE_POLICY),
        "has no effect",
        "a policy without the service endpoint that it is about",
    ),
    leaves(
        "network-storage-exfiltration",
        _subnet(serviceEndpointPolicies=_ONE_POLICY, serviceEndpoints=[_STORAGE_ENDPOINT]),
    ),
    leaves("network-storage-exfiltration", _guarded(*required(but="Storage")), "a subnet that reaches no Storage"),
    acts(
        "network-management-outbound",
        _guarded(rule(100, "Allow", "AzureMachineLearning", "443"), rule(4000, "Deny", "Internet")),
        "8787, 18881",
    ),
    acts(
        "network-management-outbound",
        _guarded(*required(but="BatchNodeManagement")),
        "--destination-address-prefixes BatchNodeManagement.westeurope",
        "one tag of the three left out",
    ),
    leaves("network-management-outbound", _guarded(*required())),
    acts(
        "network-training-outbound",
        _guarded(*required(but="AzureResourceManager")),
        "TCP 443 to AzureResourceManager",
    ),
    leaves("network-training-outbound", _in_vnet()),
    leaves("network-training-outbound", _guarded(*required()), "every tag allowed before the Internet is denied"),
    acts("network-public-ip-inbound", _guarded(_DENY_ALL_IN), "44224"),
    acts("network-public-ip-inbound", _guarded(), "DenyAllInBound", "a group without rules: Azure's own lets none in"),
    leaves("network-public-ip-inbound", _guarded(_DENY_ALL_IN, public_ip=False)),
    leaves("network-public-ip-inbound", _guarded(_FROM_AML, _DENY_ALL_IN), "a rule that lets AzureMachineLearning in"),
    acts("network-instance-file-shares", _file_shares(instance, _TO_DATA), "445"),
    acts(
        "network-instance-file-shares",
        _guarded(rule(100, "Deny", "Storage", "445"), make=instance),
        "Storage.westeurope",
        "an account without private endpoints, and 445 to Storage stopped",
    ),
    leaves("network-instance-file-shares", _file_shares(cluster, _TO_DATA)),
    leaves(
        "network-instance-file-shares",
        _file_shares(instance, rule(200, "Deny", "Internet")),
        "an instance that reaches the account's private endpoint",
    ),
)
