"""Where a workspace's nodes are in virtual networks of the customer, read from raw ARM objects.

Nodes in AML's managed network, or in none, have no seat. In a tenant without seats nothing of this is read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from shared.access.model import Compute, ComputeType, Estate, Raw, Want, Workspace
from shared.access.raw import flag, get, rows, scope_or_none, text
from shared.access.rules.network.nsg import ANYWHERE, Gate, security_rules
from shared.access.scope import Scope

_SUBNET = "microsoft.network/virtualnetworks/subnets"
_ENDPOINT = "microsoft.network/privateendpoints"
_ATTACHED = {
    ComputeType.DATABRICKS: "microsoft.databricks/workspaces",
    ComputeType.VIRTUAL_MACHINE: "microsoft.compute/virtualmachines",
    ComputeType.HD_INSIGHT: "microsoft.hdinsight/clusters",
}
_NODES = (ComputeType.AML_COMPUTE, ComputeType.COMPUTE_INSTANCE)


@dataclass(frozen=True, slots=True)
class Seat:
    """Nodes in a subnet. `on` is the compute. For serverless nodes, which have none, it is the workspace.

    `most` is how many nodes there may be (0 if AML sets no limit), `running` how many there are.
    """

    on: Scope
    label: str
    subnet: Scope
    public_ip: bool
    most: int = 0
    running: int = 0
    region: str | None = None
    compute: Compute | None = None

    @property
    def vnet(self) -> Scope:
        return self.subnet.parent

    @property
    def instance(self) -> bool:
        return self.compute is not None and self.compute.type is ComputeType.COMPUTE_INSTANCE


class _TheVery:
    """A workspace that is equal only to itself, because comparing its contents takes longer than reading them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __hash__(self) -> int:
        return id(self.workspace)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _TheVery) and other.workspace is self.workspace


def seats(workspace: Workspace) -> tuple[Seat, ...]:
    return _seats(_TheVery(workspace))


@lru_cache(maxsize=16)  # every rule asks, again and again
def _seats(of: _TheVery) -> tuple[Seat, ...]:
    workspace = of.workspace
    found = [_seat(compute) for compute in workspace.computes if compute.type in _NODES]
    return tuple(seat for seat in (*found, _serverless(workspace)) if seat)


def _seat(compute: Compute) -> Seat | None:
    body = get(compute.raw, "properties", "properties")
    subnet = subnet_id(get(body, "subnet", "id"))
    if subnet is None:
        return None
    instance = compute.type is ComputeType.COMPUTE_INSTANCE
    return Seat(
        compute.id,
        f"compute {compute.id.name}",
        subnet,
        flag(body, "enableNodePublicIp") is not False,
        1 if instance else _number(body, "scaleSettings", "maxNodeCount"),
        1 if instance else _number(body, "currentNodeCount"),
        region_of(compute),
        compute,
    )


def _serverless(workspace: Workspace) -> Seat | None:
    settings = get(workspace.raw, "properties", "serverlessComputeSettings")
    subnet = subnet_id(get(settings, "serverlessComputeCustomSubnet"))
    if subnet is None:
        return None
    public_ip = flag(settings, "serverlessComputeNoPublicIP") is not True
    label = f"serverless compute of {workspace.id.name}"
    return Seat(workspace.id, label, subnet, public_ip, region=location(workspace.raw))


def attached(workspace: Workspace, *kinds: ComputeType) -> Iterator[tuple[Compute, Scope]]:
    """Attached computes of `kinds`, with what they are attached to. An id of another type leads nowhere."""
    for compute in workspace.computes:
        if compute.type in kinds and compute.attached and compute.attached.resource_type == _ATTACHED[compute.type]:
            yield compute, compute.attached


def subnet_id(value: object) -> Scope | None:
    """Users of the workspace may write anything here. What is not a subnet's id leads nowhere."""
    scope = scope_or_none(value)
    return scope if scope and scope.resource_type == _SUBNET else None


def _number(raw: object, *path: str) -> int:
    value = get(raw, *path)
    return value if isinstance(value, int) else 0


def location(raw: object) -> str | None:
    """A region as ids and service tags spell it: `West Europe` is `westeurope`."""
    name = text(raw, "location")
    return name.replace(" ", "").casefold() if name else None


def region_of(compute: Compute) -> str | None:
    return location({"location": get(compute.raw, "properties", "computeLocation")}) or location(compute.raw)


def by_subnet(workspace: Workspace, *, public_ip: bool | None = None) -> Mapping[Scope, tuple[Seat, ...]]:
    """The seats in each subnet. With `public_ip`, only those whose nodes have a public IP, or have none."""
    found: dict[Scope, list[Seat]] = {}
    for seat in seats(workspace):
        if public_ip in (None, seat.public_ip):
            found.setdefault(seat.subnet, []).append(seat)
    return {scope: tuple(seated) for scope, seated in found.items()}


def nodes(seated: Iterable[Seat]) -> str:
    return f"the nodes of {', '.join(sorted(seat.label for seat in seated))}"


def vnets(workspace: Workspace, _: Estate) -> Iterator[Want]:
    yield from {Want(scope.parent) for scope in by_subnet(workspace)}


def guarded(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    """The virtual networks, and the network security groups of the subnets with seats."""
    yield from _of_subnets(workspace, estate, "networkSecurityGroup")


def routed(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    """The virtual networks, and the route tables of the subnets with seats."""
    yield from _of_subnets(workspace, estate, "routeTable")


def _of_subnets(workspace: Workspace, estate: Estate, link: str) -> Iterator[Want]:
    yield from vnets(workspace, estate)
    found = (linked(subnet(estate, scope), link) for scope in by_subnet(workspace))
    yield from (Want(scope) for scope in found if scope)


def subnet(estate: Estate, scope: Scope) -> Raw | None:
    """From its virtual network, which contains its subnets. None if the subnet does not exist or was not read."""
    listed = rows(estate.resource(scope.parent), "properties", "subnets")
    return next((raw for raw in listed if scope_or_none(get(raw, "id")) == scope), None)


def gone(estate: Estate, scope: Scope) -> bool:
    """Whether the virtual network does not exist, or was read and has no such subnet."""
    want = Want(scope.parent)
    return want in estate.facts and not estate.unreadable(want) and subnet(estate, scope) is None


def linked(raw: object, link: str) -> Scope | None:
    """What a subnet or a network interface points to: `networkSecurityGroup`, `routeTable`, `natGateway`."""
    return scope_or_none(get(raw, "properties", link, "id"))


def prefixes(raw: object) -> tuple[str, ...]:
    """The address ranges of a subnet. ARM has one, or several, or both."""
    single = text(raw, "properties", "addressPrefix")
    several = [each for each in rows(raw, "properties", "addressPrefixes") if isinstance(each, str)]
    return tuple(dict.fromkeys([*([single] if single else []), *several]))


def gate(estate: Estate, scope: Scope) -> Gate | None:
    """The subnet's network security group. None if it has none (everything is open) or if it was not read."""
    raw = subnet(estate, scope)
    group = linked(raw, "networkSecurityGroup")
    return gate_of(estate, group, prefixes(raw)) if group else None


def gate_of(estate: Estate, group: Scope, local: Sequence[str] = ()) -> Gate | None:
    """The group in front of the addresses `local`, if they are known. None if it was not read."""
    raw = estate.resource(group)
    return Gate(group, security_rules(raw), tuple(local) or (ANYWHERE,)) if raw is not None else None


def approved_endpoints(raw: object) -> tuple[Raw, ...]:
    """The `privateEndpoint` (with its id) of each approved private endpoint connection of a resource."""
    connections = rows(raw, "properties", "privateEndpointConnections")
    return tuple(
        endpoint
        for each in connections
        if (text(each, "properties", "privateLinkServiceConnectionState", "status") or "").casefold() == "approved"
        and isinstance(endpoint := get(each, "properties", "privateEndpoint"), Mapping)
    )


def endpoint_subnet(estate: Estate, endpoint: object) -> Scope | None:
    """Where a private endpoint is that a connection names.

    AML names the subnet itself; others name only the endpoint.
    """
    told = subnet_id(get(endpoint, "subnetArmId"))
    return told or subnet_id(get(estate.resource(endpoint_id(endpoint)), "properties", "subnet", "id"))


def endpoints_wanted(raw: object, workspace: Workspace) -> Iterator[Want]:
    """The private endpoints of a resource whose subnet is not said where they are named, if they may be the customer's.

    Those that other services made (a managed network, a data factory) lie in Microsoft's own subscriptions.
    """
    for each in approved_endpoints(raw):
        scope = endpoint_id(each)
        if scope and not get(each, "subnetArmId") and scope.subscription in _subscriptions(workspace):
            yield Want(scope)


def endpoint_id(endpoint: object) -> Scope | None:
    scope = scope_or_none(get(endpoint, "id"))
    return scope if scope and scope.resource_type == _ENDPOINT else None


def _subscriptions(workspace: Workspace) -> frozenset[Scope | None]:
    named = (workspace.id, workspace.storage, workspace.registry, workspace.vault, *by_subnet(workspace))
    return frozenset(scope.subscription for scope in named if scope)


def secured(raw: object) -> bool:
    """Whether only some networks are let in. A registry has other names for its rules than storage and vault."""
    return _closed_to_public(raw) or any(
        (text(raw, "properties", rules, "defaultAction") or "").casefold() == "deny"
        for rules in ("networkAcls", "networkRuleSet")
    )


def let_in(raw: object) -> frozenset[Scope]:
    """Subnets with a service endpoint. They count for nothing once public access is off."""
    if _closed_to_public(raw):
        return frozenset()
    found = [rows(raw, "properties", key, "virtualNetworkRules") for key in ("networkAcls", "networkRuleSet")]
    return frozenset(scope for rules in found for rule in rules if (scope := scope_or_none(get(rule, "id"))))


def _closed_to_public(raw: object) -> bool:
    return (text(raw, "properties", "publicNetworkAccess") or "").casefold() == "disabled"


def vnets_of_endpoints(raw: object, estate: Estate) -> frozenset[Scope]:
    """The virtual networks in which the resource has approved private endpoints, as far as is known."""
    found = (endpoint_subnet(estate, each) for each in approved_endpoints(raw))
    return frozenset(scope.parent for scope in found if scope)
