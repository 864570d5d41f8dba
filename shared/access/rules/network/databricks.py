"""Attached Databricks: where its clusters run, and whether they reach the workspace's storage."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Severity
from shared.access.model import ComputeType, Estate, Raw, Want, Workspace
from shared.access.raw import get, scope_or_none
from shared.access.rules.az import az, code, within
from shared.access.rules.network import seats
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

DATABRICKS = "network-databricks"


def _databricks(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_databricks_wants(workspace, estate), estate)
    for compute, scope in seats.attached(workspace, ComputeType.DATABRICKS):
        raw = estate.resource(scope)
        if raw is None:
            continue
        vnet = _injected(raw)
        problems = [*_elsewhere(raw, vnet, workspace), *_apart_from_storage(vnet, workspace, estate)]
        if problems:
            yield Found(
                compute.id,
                f"Databricks workspace {scope.name}, attached as {compute.id.name}, {' and '.join(problems)}.",
                {"create": _made(workspace)},
            )


def _made(workspace: Workspace) -> str:
    where = {**within(workspace.id), "location": seats.location(workspace.raw) or "REGION", "sku": "premium"}
    inside = {"vnet": "VNET-ID", "public_subnet": "NAME", "private_subnet": "NAME"}
    return code(az("databricks workspace create", name="NAME", **where, **inside))


def _databricks_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    for _, scope in seats.attached(workspace, ComputeType.DATABRICKS):
        yield Want(scope)
        if workspace.storage:
            yield Want(workspace.storage)
            storage = estate.resource(workspace.storage)
            yield from seats.endpoints_wanted(storage, workspace) if seats.secured(storage) else ()


def _injected(raw: Raw) -> Scope | None:
    """The virtual network that the Databricks clusters were put into. None if Databricks manages it."""
    return scope_or_none(get(raw, "properties", "parameters", "customVirtualNetworkId", "value"))


def _elsewhere(raw: Raw, vnet: Scope | None, workspace: Workspace) -> Iterator[str]:
    """A virtual network is always in the region of the Databricks workspace that uses it."""
    if vnet is None:
        return
    if vnet.subscription != workspace.id.subscription:
        yield f"runs in virtual network {vnet.name} of another subscription"
    here, there = seats.location(workspace.raw), seats.location(raw)
    if here and there and here != there:
        yield f"runs in virtual network {vnet.name} in {there}, its AML workspace in {here}"


def _apart_from_storage(vnet: Scope | None, workspace: Workspace, estate: Estate) -> Iterator[str]:
    storage = estate.resource(workspace.storage)
    if workspace.storage is None or storage is None or not seats.secured(storage):
        return
    if any(estate.unreadable(want) for want in seats.endpoints_wanted(storage, workspace)):
        return
    near = {subnet.parent for subnet in seats.let_in(storage)} | seats.vnets_of_endpoints(storage, estate)
    if vnet is None or vnet not in near:
        where = f"virtual network {vnet.name}" if vnet else "no virtual network of yours"
        yield f"runs in {where}, which storage account {workspace.storage.name} does not let in"


RULES = (
    Rule(
        name=DATABRICKS,
        requirements=("AML-67",),
        mode=RuleKind.AUDIT,
        title="An attached Databricks runs in the workspace's subscription and region, and in its storage's virtual "
        "network.",
        source="learn.microsoft.com/azure/machine-learning/how-to-secure-training-vnet",
        examine=_databricks,
        acts="a Databricks in a virtual network that the workspace's secured storage does not let in",
        leaves="a Databricks in a virtual network of the workspace's region, with storage open to all networks",
        severity=Severity.MEDIUM,
        remedy="Attach one whose clusters run in a virtual network of the workspace's subscription and region, that "
        "of its storage: {create}",
        wants=_databricks_wants,
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
)
