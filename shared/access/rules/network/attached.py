"""Attached machines that AML reaches by SSH."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Compute, ComputeType, Estate, Raw, Want, Workspace
from shared.access.raw import get, rows, scope_or_none, text
from shared.access.rules.az import az, code, itself
from shared.access.rules.network import seats
from shared.access.rules.network.commands import allow, close, narrow
from shared.access.rules.network.nsg import (
    ANYWHERE,
    INTERNET,
    NETWORK,
    Direction,
    Gate,
    SecurityRule,
    Traffic,
    admits,
    decide,
)
from shared.access.rules.network.nsg import network as addresses
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_TRAINING_DOCS = "learn.microsoft.com/azure/machine-learning/how-to-secure-training-vnet"
_COMPUTES = ("Microsoft.MachineLearningServices/workspaces/computes",)
_INTERFACE = "microsoft.network/networkinterfaces"
_AML = "AzureMachineLearning"
_SSH = 22
_WIDE_OPEN = frozenset({ANYWHERE, "0.0.0.0/0", INTERNET.casefold(), "any"})

SSH = "network-attached-ssh"


@dataclass(frozen=True, slots=True)
class _Outsider:
    """Somebody from outside whom `rule` of the group `gate` lets in."""

    who: str
    rule: SecurityRule
    gate: Gate


type _Problem = tuple[str, str]  # what is wrong, and how to correct it


def _ssh(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    wants = tuple(_ssh_wants(workspace, estate))
    yield from unreadable(wants, estate)
    if any(estate.unreadable(want) for want in wants):
        return
    for compute, scope in seats.attached(workspace, ComputeType.VIRTUAL_MACHINE, ComputeType.HD_INSIGHT):
        raw = estate.resource(scope)
        if raw is None:
            continue
        gates = _gates(raw, estate)
        port = _port(compute)
        outsiders = _outsiders(gates, port)
        problems = [*_not_ubuntu(raw), *_unreachable(gates, port), *_open(gates, scope, raw, outsiders, port)]
        if problems:
            yield Found(
                compute.id,
                f"{scope.name}, attached as {compute.id.name} ({compute.type_name}), "
                f"{' and '.join(what for what, _ in problems)}.",
                {"steps": ". ".join(how for _, how in problems)},
                kind=_kind(gates, outsiders),
            )


def _kind(gates: list[Gate], outsiders: tuple[_Outsider, ...]) -> str:
    wide_open = any(one.who.casefold() in _WIDE_OPEN for one in outsiders)
    return "open to anybody" if wide_open or not gates else "not as it should be"


def _ssh_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    for _, scope in seats.attached(workspace, ComputeType.VIRTUAL_MACHINE, ComputeType.HD_INSIGHT):
        yield Want(scope)
        raw = estate.resource(scope)
        if raw is not None:
            yield from (Want(each) for each in _interfaces(raw))
            yield from (Want(each.parent) for each in _subnets(raw, estate))
            yield from (Want(each) for each in _groups(raw, estate))


def _interfaces(raw: Raw) -> Iterator[Scope]:
    found = (scope_or_none(get(each, "id")) for each in rows(raw, "properties", "networkProfile", "networkInterfaces"))
    yield from (scope for scope in found if scope and scope.resource_type == _INTERFACE)


def _configurations(raw: Raw, estate: Estate) -> Iterator[object]:
    """The IP configurations of a machine's interfaces. For HDInsight, the network profiles of its nodes."""
    for each in _interfaces(raw):
        for configuration in rows(estate.resource(each), "properties", "ipConfigurations"):
            yield get(configuration, "properties")
    for role in rows(raw, "properties", "computeProfile", "roles"):
        yield {"subnet": {"id": get(role, "virtualNetworkProfile", "subnet")}}


def _subnets(raw: Raw, estate: Estate) -> tuple[Scope, ...]:
    found = (seats.subnet_id(get(each, "subnet", "id")) for each in _configurations(raw, estate))
    return tuple(dict.fromkeys(scope for scope in found if scope))


def _groups(raw: Raw, estate: Estate) -> tuple[Scope, ...]:
    """The security groups of its subnets and interfaces. Traffic must pass each of them."""
    places = [seats.subnet(estate, each) for each in _subnets(raw, estate)]
    places += [estate.resource(each) for each in _interfaces(raw)]
    found = (seats.linked(place, "networkSecurityGroup") for place in places)
    return tuple(dict.fromkeys(scope for scope in found if scope))


def _gates(raw: Raw, estate: Estate) -> list[Gate]:
    local = [each for found in _configurations(raw, estate) if (each := text(found, "privateIPAddress"))]
    found = (seats.gate_of(estate, group, local) for group in _groups(raw, estate))
    return [gate for gate in found if gate]


def _port(compute: Compute) -> int:
    port = get(compute.raw, "properties", "properties", "sshPort")
    return port if isinstance(port, int) else _SSH


def _not_ubuntu(raw: Raw) -> Iterator[_Problem]:
    """Nobody can tell what a custom image is."""
    image = get(raw, "properties", "storageProfile", "imageReference")
    system = text(raw, "properties", "storageProfile", "osDisk", "osType") or text(raw, "properties", "osType")
    named = " ".join(text(image, key) or "" for key in ("publisher", "offer", "sku")).strip()
    other = system if (system or "linux").casefold() != "linux" else named
    if other and not any(word in other.casefold() for word in ("ubuntu", "canonical")):
        made = {"name": "NAME", "resource_group": "RESOURCE-GROUP", "image": "Ubuntu2204", "nsg_rule": "NONE"}
        how = code(az("vm create", **made, generate_ssh_keys=True))
        yield f"runs {other}, and AML supports Ubuntu only", f"Attach an Ubuntu machine in its place: {how}"


def _unreachable(gates: list[Gate], port: int) -> Iterator[_Problem]:
    for gate in gates:
        by = gate.denial(Direction.INBOUND, "tcp", port, _AML)
        if by:
            closed = f"is closed to {_AML} on {port} (rule {by.name} of {gate.id.name}, priority {by.priority})"
            yield closed, f"Let it in: {code(allow(gate, by, protocol='tcp', remote=_AML, ports=(port,))[1])}"


def _outsiders(gates: list[Gate], port: int) -> tuple[_Outsider, ...]:
    """Nobody, if one of the gates keeps all of them out."""
    found = [
        [_Outsider(who, rule, gate) for who, rule in admits(gate.rules, "tcp", port) if _outside(who)] for gate in gates
    ]
    return tuple(one for each in found for one in each) if all(found) else ()


def _outside(who: str) -> bool:
    ours = addresses(who)
    if ours:
        return who == "0.0.0.0/0" or not ours.is_private
    return who.partition(".")[0].casefold() not in (_AML.casefold(), NETWORK.casefold(), "azureloadbalancer")


def _open(
    gates: list[Gate], machine: Scope, raw: Raw, outsiders: tuple[_Outsider, ...], port: int
) -> Iterator[_Problem]:
    if not gates:
        yield f"has no network security group: whoever reaches it reaches {port}", _close(machine, raw, port)
    elif outsiders:
        yield (
            f"is open on {port} to {', '.join(dict.fromkeys(one.who for one in outsiders))}, not only to {_AML}",
            f"Leave only {_AML}: {code(*_narrowed(outsiders, port))}",
        )


def _narrowed(outsiders: tuple[_Outsider, ...], port: int) -> Iterator[str]:
    rules = {(one.gate.id, one.rule.name): one for one in outsiders}
    for one in (rules[key] for key in sorted(rules, key=str)):
        only_ssh = one.rule.ports == ((port, port),)
        yield narrow(one.gate.id, one.rule.name, _AML) if only_ssh else close(one.gate, one.rule, port, _AML)


def _close(machine: Scope, raw: Raw, port: int) -> str:
    """At the machine's interface, so that its neighbours in the subnet are not affected."""
    group = machine.parent.child("providers", "Microsoft.Network", "networkSecurityGroups", f"{machine.name}-ssh")
    by = decide((), Traffic(Direction.INBOUND, "tcp", port, _AML))
    opened = allow(Gate(group, ()), by, protocol="tcp", remote=_AML, ports=(port,))[1]
    interface = next(_interfaces(raw), None)
    where = az("network nic update", ids=interface, network_security_group=group)
    if interface is None:
        where = az("network vnet subnet update", ids="SUBNET-ID", network_security_group=group)
    others = "" if interface else ", for HDInsight the service tag HDInsight"
    return (
        "Give it one. It closes everything else that the Internet reaches there, so first add rules for what must "
        f"stay open{others}: {code(az('network nsg create', **itself(group)), opened, where)}"
    )


RULES = (
    Rule(
        name=SSH,
        requirements=("AML-68",),
        mode=RuleKind.AUDIT,
        title="An attached machine or HDInsight cluster runs Ubuntu and lets nobody in by SSH except "
        "AzureMachineLearning.",
        source=_TRAINING_DOCS,
        examine=_ssh,
        acts="an attached machine whose network security group lets the Internet in on 22",
        leaves="an attached Ubuntu machine whose network security group lets only AzureMachineLearning in on 22",
        findings={
            "open to anybody": FindingKind(Severity.HIGH, "{steps}"),
            "not as it should be": FindingKind(Severity.MEDIUM, "{steps}"),
        },
        wants=_ssh_wants,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
)
