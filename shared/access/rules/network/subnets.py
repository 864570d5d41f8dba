"""The subnets in which nodes run: room for them, a way out, and no way out for data."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Estate, Raw, Workspace
from shared.access.raw import flag, get, rows, text
from shared.access.rules.az import az, code, within
from shared.access.rules.network import seats
from shared.access.rules.network.nsg import Direction
from shared.access.rules.network.nsg import network as addresses
from shared.access.rules.network.rules import regional
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_TRAINING_DOCS = _DOCS + "how-to-secure-training-vnet"
_COMPUTES = ("Microsoft.MachineLearningServices/workspaces/computes",)
_RESERVED = 5  # Azure keeps the first four addresses of a range and the last
_STORAGE_SERVICES = ("microsoft.storage", "microsoft.storage.global")

ROOM = "network-subnet-room"
OUTBOUND = "network-default-outbound"
EXFILTRATION = "network-storage-exfiltration"


def _room(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(seats.vnets(workspace, estate), estate)
    for scope, seated in seats.by_subnet(workspace).items():
        subnet = seats.subnet(estate, scope)
        if subnet is None:
            problems = ["is not there"] if seats.gone(estate, scope) else []
        else:
            problems = [*_delegated(subnet), *_crowded(subnet, seated)]
        if problems:
            yield Found(
                scope,
                f"Subnet {_name(scope)}, with {seats.nodes(seated)}, {' and '.join(problems)}.",
                {"create": _own_subnet(scope.parent)},
            )


def _own_subnet(vnet: Scope) -> str:
    made = {"name": "aml-nodes", "address_prefixes": "LARGE-ENOUGH-RANGE"}
    return code(az("network vnet subnet create", **within(vnet), vnet_name=vnet.name, **made))


def _delegated(subnet: Raw) -> Iterator[str]:
    services = [
        text(each, "properties", "serviceName") or "a service" for each in rows(subnet, "properties", "delegations")
    ]
    if services:
        yield f"is delegated to {', '.join(services)}"


def _crowded(subnet: Raw, seated: tuple[seats.Seat, ...]) -> Iterator[str]:
    """Nodes that run now are among the addresses in use. Everything else there keeps its address."""
    ranges = [found for each in seats.prefixes(subnet) if (found := addresses(each)) and found.version == 4]
    room = sum(max(each.num_addresses - _RESERVED, 0) for each in ranges)
    used = len(rows(subnet, "properties", "ipConfigurations"))
    others = max(used - sum(seat.running for seat in seated), 0)
    needed = sum(seat.most for seat in seated)
    if ranges and needed > room - others:
        taken = f", {others} of them taken by others" if others else ""
        yield f"has {room} usable addresses{taken}, and its nodes may need {needed} (one each)"


def _default_outbound(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(seats.routed(workspace, estate), estate)
    for scope, seated in seats.by_subnet(workspace, public_ip=False).items():
        subnet = seats.subnet(estate, scope)
        if subnet is None or seats.linked(subnet, "natGateway") or _routed_elsewhere(subnet, estate):
            continue
        private = flag(subnet, "properties", "defaultOutboundAccess") is False
        relies = "has no way out" if private else "relies on Azure's default outbound access, which is going away"
        yield Found(
            scope,
            f"Subnet {_name(scope)}, with {seats.nodes(seated)} (no public IPs), has neither a NAT gateway "
            f"nor a route to a firewall: it {relies}.",
            {"change": code(az("network vnet subnet update", ids=scope, nat_gateway="NAT-GATEWAY-ID"))},
        )


def _routed_elsewhere(subnet: Raw, estate: Estate) -> bool:
    """Whether a route of the subnet takes the traffic to the Internet elsewhere.

    Also true while the table is unknown.
    """
    table = seats.linked(subnet, "routeTable")
    if table is None:
        return False
    raw = estate.resource(table)
    if raw is None:
        return True
    routes = [get(each, "properties") for each in rows(raw, "properties", "routes")]
    taken = {
        text(route, "addressPrefix")
        for route in routes
        if (text(route, "nextHopType") or "internet").casefold() != "internet"
    }
    return "0.0.0.0/0" in taken or {"0.0.0.0/1", "128.0.0.0/1"} <= taken


def _exfiltration(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(seats.guarded(workspace, estate), estate)
    storage = regional("Storage.{region}", workspace.raw)
    for scope, seated in seats.by_subnet(workspace).items():
        subnet = seats.subnet(estate, scope)
        if subnet is None or _unknown_rules(subnet, estate):
            continue
        problem = _no_policy(subnet)
        gate = seats.gate(estate, scope)
        if problem and not (gate and gate.denial(Direction.OUTBOUND, "tcp", 443, storage)):
            yield Found(
                scope,
                f"From subnet {_name(scope)}, with {seats.nodes(seated)}, {storage} can be reached on 443, "
                f"and {problem}: data can leave to anybody's storage account.",
                {"change": _policy_commands(scope, subnet, seats.location(estate.resource(scope.parent)))},
            )


def _unknown_rules(subnet: Raw, estate: Estate) -> bool:
    group = seats.linked(subnet, "networkSecurityGroup")
    return group is not None and estate.resource(group) is None


def _no_policy(subnet: Raw) -> str:
    if not rows(subnet, "properties", "serviceEndpointPolicies"):
        return "it has no service endpoint policy"
    services = {(text(each, "service") or "").casefold() for each in rows(subnet, "properties", "serviceEndpoints")}
    if not services.intersection(_STORAGE_SERVICES):
        return "its service endpoint policy has no effect, because it has no service endpoint for Microsoft.Storage"
    return ""


def _policy_commands(scope: Scope, subnet: Raw, region: str | None) -> str:
    """The subnet keeps its other service endpoints, because an update replaces their list."""
    services = [name for each in rows(subnet, "properties", "serviceEndpoints") if (name := text(each, "service"))]
    has_storage = any(name.casefold() in _STORAGE_SERVICES for name in services)
    update = {"ids": scope, "service_endpoints": (*services, *([] if has_storage else ["Microsoft.Storage"]))}
    first = (
        f"Where storage accounts let the nodes in by IP address, first let subnet {_name(scope)} in by a network rule"
    )
    if rows(subnet, "properties", "serviceEndpointPolicies"):
        return f"{first}. Then: {code(az('network vnet subnet update', **update))}"
    where = within(scope)
    made = az(
        "network service-endpoint policy create",
        **where,
        name="aml-storage",
        **({"location": region} if region else {}),
    )
    definition = {**where, "policy_name": "aml-storage"}
    aml = {"name": "aml", "service": "Global", "service_resources": "/services/Azure/MachineLearning"}
    accounts = {"name": "accounts", "service": "Microsoft.Storage", "service_resources": "STORAGE-ACCOUNT-IDS"}
    commands = code(
        made,
        az("network service-endpoint policy-definition create", **definition, **aml),
        az("network service-endpoint policy-definition create", **definition, **accounts),
        az("network vnet subnet update", **update, service_endpoint_policy="aml-storage"),
    )
    return (
        f"{first}; and name every account that they use, because they can reach no other afterwards. Then: {commands}"
    )


def _name(subnet: Scope) -> str:
    return f"{subnet.parent.name}/{subnet.name}"


RULES = (
    Rule(
        name=ROOM,
        requirements=("AML-52",),
        mode=RuleKind.AUDIT,
        title="The subnet of nodes is delegated to no service and has an address for each of them.",
        source=_TRAINING_DOCS,
        examine=_room,
        acts="a cluster of up to 20 nodes in a /28, or a subnet that is delegated",
        leaves="a cluster of up to 4 nodes in a /28 of its own",
        severity=Severity.HIGH,
        remedy="Give the nodes a subnet of their own and recreate them there: {create}",
        wants=seats.vnets,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=OUTBOUND,
        requirements=("AML-64",),
        mode=RuleKind.AUDIT,
        title="Nodes without public IPs reach the Internet through a NAT gateway or a firewall, not by Azure's "
        "default.",
        source=_TRAINING_DOCS,
        examine=_default_outbound,
        acts="a cluster without public IPs in a subnet with neither NAT gateway nor route",
        leaves="a subnet whose route table sends 0.0.0.0/0 to a virtual appliance",
        severity=Severity.MEDIUM,
        remedy="Give it a NAT gateway (or a route table whose 0.0.0.0/0 leads to a firewall): {change}",
        wants=seats.routed,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=EXFILTRATION,
        requirements=("AML-65",),
        mode=RuleKind.AUDIT,
        title="If nodes can reach all of Storage, a service endpoint policy limits them to some accounts.",
        source=_DOCS + "how-to-prevent-data-loss-exfiltration",
        examine=_exfiltration,
        acts="a subnet that reaches Storage without a service endpoint policy",
        leaves="a subnet with a service endpoint for Microsoft.Storage and a policy on it",
        severity=Severity.MEDIUM,
        remedy="{change}",
        wants=seats.guarded,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
)
