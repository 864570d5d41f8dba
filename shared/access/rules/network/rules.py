"""What network security groups must let through for nodes in a customer's own virtual network."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Estate, Want, Workspace
from shared.access.raw import rows
from shared.access.rules.az import code
from shared.access.rules.network import seats
from shared.access.rules.network.commands import allow
from shared.access.rules.network.nsg import Direction, Gate, SecurityRule
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_TRAINING_DOCS = "learn.microsoft.com/azure/machine-learning/how-to-secure-training-vnet"
_FIREWALL_DOCS = "learn.microsoft.com/azure/machine-learning/how-to-access-azureml-behind-firewall"
_COMPUTES = ("Microsoft.MachineLearningServices/workspaces/computes",)
_SMB = 445


@dataclass(frozen=True, slots=True)
class Required:
    """Traffic between nodes and a service tag. `{region}` in the tag stands for the workspace's region."""

    tag: str
    protocol: str
    ports: tuple[int, ...]
    direction: Direction = Direction.OUTBOUND


MANAGEMENT = "network-management-outbound"
TRAINING = "network-training-outbound"
INBOUND = "network-public-ip-inbound"
FILE_SHARES = "network-instance-file-shares"

_ROOM = 10  # priorities for each rule

REQUIRED: Mapping[str, tuple[Required, ...]] = {
    MANAGEMENT: (
        Required("AzureMachineLearning", "tcp", (443, 8787, 18881)),
        Required("AzureMachineLearning", "udp", (5831,)),
        Required("BatchNodeManagement.{region}", "tcp", (443,)),
        Required("Storage.{region}", "tcp", (443,)),
    ),
    TRAINING: (
        Required("AzureActiveDirectory", "tcp", (80, 443)),
        Required("AzureResourceManager", "tcp", (443,)),
        Required("AzureFrontDoor.FrontEnd", "tcp", (443,)),
        Required("MicrosoftContainerRegistry.{region}", "tcp", (443,)),
    ),
    INBOUND: (Required("AzureMachineLearning", "tcp", (44224,), Direction.INBOUND),),
}


@dataclass(frozen=True, slots=True)
class _Stopped:
    """The ports of `required` that are stopped, and the first rule that stops them."""

    required: Required
    ports: tuple[int, ...]
    by: SecurityRule

    def __str__(self) -> str:
        ports = ", ".join(map(str, self.ports))
        way = "from" if self.required.direction is Direction.INBOUND else "to"
        return (
            f"{self.required.protocol.upper()} {ports} {way} {self.required.tag} "
            f"(rule {self.by.name}, priority {self.by.priority})"
        )


def regional(tag: str, raw: object) -> str:
    """The tag for the resource's region. If the region is not known, the tag for all regions."""
    region = seats.location(raw)
    return tag.replace("{region}", region) if region else tag.removesuffix(".{region}")


def _traffic(rule: str, workspace: Workspace, estate: Estate, *, public_ip: bool | None = None) -> Iterator[Ask]:
    yield from unreadable(seats.guarded(workspace, estate), estate)
    for subnet, seated in seats.by_subnet(workspace, public_ip=public_ip).items():
        gate = seats.gate(estate, subnet)
        stopped = _stopped_by(gate, REQUIRED[rule], workspace.raw) if gate else []
        if gate and stopped:
            yield _finding(rule, subnet, seated, stopped, gate)


def _stopped_by(gate: Gate, required: Iterable[Required], workspace: object) -> list[_Stopped]:
    found = (_stopped(each, regional(each.tag, workspace), gate) for each in required)
    return [each for each in found if each]


def _stopped(required: Required, tag: str, gate: Gate) -> _Stopped | None:
    verdicts = ((port, gate.denial(required.direction, required.protocol, port, tag)) for port in required.ports)
    denials = {port: by for port, by in verdicts if by}
    if not denials:
        return None
    named = Required(tag, required.protocol, required.ports, required.direction)
    return _Stopped(named, tuple(denials), min(denials.values(), key=lambda rule: rule.priority))


def _finding(
    rule: str,
    subnet: Scope,
    seated: tuple[seats.Seat, ...],
    stopped: list[_Stopped],
    gate: Gate,
) -> Found:
    return Found(
        subnet,
        f"Network security group {gate.id.name} of subnet {subnet.parent.name}/{subnet.name} stops, for "
        f"{seats.nodes(seated)}, {'; '.join(map(str, stopped))}.",
        {"change": code(*_commands(rule, gate, stopped))},
    )


def _commands(rule: str, gate: Gate, stopped: list[_Stopped]) -> Iterator[str]:
    """At priorities that the commands of the other rules here do not use, because a priority can be used only once."""
    kept_free = _ROOM * [*REQUIRED, FILE_SHARES].index(rule)
    taken = frozenset(each for one in stopped for each in range(one.by.priority - kept_free, one.by.priority))
    for each in stopped:
        tag, protocol = each.required.tag, each.required.protocol
        priority, commands = allow(gate, each.by, protocol=protocol, remote=tag, ports=each.ports, taken=taken)
        taken |= {priority}
        yield commands


def _file_shares(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_storage_ways(workspace, estate), estate)
    storage = estate.resource(workspace.storage)
    if storage is None:
        return
    for subnet, seated in seats.by_subnet(workspace).items():
        instances, gate = tuple(seat for seat in seated if seat.instance), seats.gate(estate, subnet)
        if not instances or gate is None:
            continue
        ways = _destinations(storage, estate)
        stopped = _stopped_by(gate, (Required(way, "tcp", (_SMB,)) for way in ways), workspace.raw)
        if len(stopped) == len(ways):  # one open way is enough
            yield _finding(FILE_SHARES, subnet, instances, stopped[:1], gate)


def _storage_ways(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    """For instances only: the account, its private endpoints and the virtual networks that these are in."""
    if workspace.storage is None or not any(seat.instance for seat in seats.seats(workspace)):
        return
    yield from seats.guarded(workspace, estate)
    yield Want(workspace.storage)
    storage = estate.resource(workspace.storage)
    yield from seats.endpoints_wanted(storage, workspace)
    yield from (Want(subnet.parent) for subnet in _file_subnets(storage, estate))


def _destinations(storage: object, estate: Estate) -> tuple[str, ...]:
    """Where the account's file shares are reached: at its private endpoints, or else at the service's addresses."""
    private = [
        prefix for subnet in _file_subnets(storage, estate) for prefix in seats.prefixes(seats.subnet(estate, subnet))
    ]
    return tuple(dict.fromkeys(private)) or (regional("Storage.{region}", storage),)


def _file_subnets(storage: object, estate: Estate) -> Iterator[Scope]:
    for endpoint in seats.approved_endpoints(storage):
        raw = estate.resource(seats.endpoint_id(endpoint))
        links = rows(raw, "properties", "privateLinkServiceConnections")
        subnet = seats.endpoint_subnet(estate, endpoint)
        if subnet and any("file" in rows(link, "properties", "groupIds") for link in links):
            yield subnet


RULES = (
    Rule(
        name=MANAGEMENT,
        requirements=("AML-59",),
        mode=RuleKind.AUDIT,
        title="Nodes in a virtual network reach AzureMachineLearning, BatchNodeManagement and Storage.",
        source=_TRAINING_DOCS,
        examine=partial(_traffic, MANAGEMENT),
        acts="a subnet whose network security group denies the Internet and allows AzureMachineLearning on 443 only",
        leaves="a subnet whose network security group allows each tag before it denies the Internet",
        severity=Severity.HIGH,
        remedy="{change}",
        wants=seats.guarded,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=TRAINING,
        requirements=("AML-69",),
        mode=RuleKind.AUDIT,
        title="Nodes in a virtual network reach Entra ID, Resource Manager, Front Door and Microsoft's container "
        "registry.",
        source=_FIREWALL_DOCS,
        examine=partial(_traffic, TRAINING),
        acts="a subnet from which AzureResourceManager cannot be reached",
        leaves="a subnet without a network security group: everything may go out",
        severity=Severity.MEDIUM,
        remedy="{change}",
        wants=seats.guarded,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=INBOUND,
        requirements=("AML-61",),
        mode=RuleKind.AUDIT,
        title="AzureMachineLearning reaches nodes with a public IP on TCP 44224.",
        source=_TRAINING_DOCS,
        examine=partial(_traffic, INBOUND, public_ip=True),
        acts="a cluster with public IPs in a subnet whose network security group lets nothing in",
        leaves="a cluster without public IPs in such a subnet",
        severity=Severity.HIGH,
        remedy="{change}",
        wants=seats.guarded,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=FILE_SHARES,
        requirements=("AML-57",),
        mode=RuleKind.AUDIT,
        title="Compute instances reach the file shares of the default storage account on TCP 445.",
        source=_TRAINING_DOCS,
        examine=_file_shares,
        acts="an instance in a subnet that stops 445 to the subnet of the account's private endpoint",
        leaves="a cluster in such a subnet: only instances mount file shares",
        severity=Severity.MEDIUM,
        remedy="{change}",
        wants=_storage_ways,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
)
