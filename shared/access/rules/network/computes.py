"""Computes in a customer's own virtual network: where they may be, who may put them there, what they need there."""

# long: seven small rules share their private functions
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.access.asks import Ask, Found, Objection, RequiredGrant, Severity
from shared.access.model import Compute, ComputeType, Estate, Want, Workspace
from shared.access.needs import Need
from shared.access.permissions import Permission
from shared.access.raw import rows, text
from shared.access.rules.az import az, code, itself, subscription, within
from shared.access.rules.network import seats
from shared.access.rules.network.commands import private_endpoint
from shared.access.rules.recreate import recreate
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_TRAINING_DOCS = "learn.microsoft.com/azure/machine-learning/how-to-secure-training-vnet"
_COMPUTES = ("Microsoft.MachineLearningServices/workspaces/computes",)
_EVERYWHERE = Scope.parse("/")
_GENERAL_AVAILABILITY = datetime(2023, 1, 20, tzinfo=UTC)

VNET_SUBSCRIPTION = "network-vnet-subscription"
STORAGE_REGION = "network-storage-region"
DEPLOYER = "network-deployer"
INSTANCE_PLACE = "network-instance-place"
LIGHTHOUSE = "network-lighthouse"
NO_PUBLIC_IP = "network-no-public-ip-endpoint"
PREVIEW = "network-no-public-ip-preview"

_DEPLOY = Need(
    "put computes into it",
    (
        Permission("Microsoft.Network/*/read"),
        Permission("Microsoft.Network/virtualNetworks/join/action"),
        Permission("Microsoft.Network/virtualNetworks/subnets/join/action"),
    ),
    "4d97b98b-1d4f-4787-a291-c67834d212e7",
    "Network Contributor",
    broad=True,
)


def _vnet_subscription(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for subnet, seated in seats.by_subnet(workspace).items():
        if subnet.subscription == workspace.id.subscription:
            continue
        where = subnet.subscription.name if subnet.subscription else "no subscription"
        for seat in seated:
            yield Found(
                seat.on,
                f"The nodes of {seat.label} are in virtual network {subnet.parent.name} of subscription {where}, which "
                "is not the workspace's.",
                {"steps": _recreate(workspace, seat.compute, subnet="SUBNET-ID-IN-THE-WORKSPACE-SUBSCRIPTION")},
            )


def _storage_region(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_storage(workspace, estate), estate)
    region = seats.location(estate.resource(workspace.storage))
    afar = [seat for seat in seats.seats(workspace) if region and seat.region and seat.region != region]
    if workspace.storage and afar:
        regions = ", ".join(sorted({seat.region for seat in afar if seat.region}))
        yield Found(
            workspace.storage,
            f"Storage account {workspace.storage.name} is in {region}, {seats.nodes(afar)} in {regions}: "
            "traffic between them is slow and costs money.",
            {"datastore": _account(workspace, afar[0]), "region": region},
        )


def _account(workspace: Workspace, seat: seats.Seat) -> str:
    closed = {"allow_shared_key_access": "false", "allow_blob_public_access": "false"}
    where = {**within(workspace.id), "location": seat.region}
    return code(az("storage account create", name="NAME", **where, sku="Standard_ZRS", **closed))


def _storage(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.storage and seats.seats(workspace):
        yield Want(workspace.storage)


def _deployer(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """Only for whoever has just written the compute. Nobody else is known to be its deployer."""
    caller = estate.caller
    for seat in seats.seats(workspace):
        if caller and estate.changed == seat.on:
            reason = f"{caller.label} deploys {seat.label} into virtual network {seat.vnet.name}"
            yield RequiredGrant(caller, _DEPLOY, seat.vnet, seat.on, ("AML-54",), reason)


def _instance_place(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_endpoints(workspace, estate), estate)
    region = seats.location(workspace.raw)
    homes = seats.vnets_of_endpoints(workspace.raw, estate)
    subnets = {seat.on: seat for seat in seats.seats(workspace)}
    for compute in workspace.computes:
        if compute.type is not ComputeType.COMPUTE_INSTANCE:
            continue
        own, seat = seats.region_of(compute), subnets.get(compute.id)
        problems = [f"in region {own}, its workspace in {region}"] if own and region and own != region else []
        if seat and homes and seat.vnet not in homes:
            names = ", ".join(sorted(home.name for home in homes))
            problems.append(f"in virtual network {seat.vnet.name}, the workspace's private endpoint in {names}")
        if problems:
            yield Found(
                compute.id,
                f"Compute instance {compute.id.name} is {' and '.join(problems)}; only clusters can be elsewhere.",
                {"steps": _beside(compute, seat)},
            )


def _endpoints(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if any(seat.instance for seat in seats.seats(workspace)):
        yield from seats.endpoints_wanted(workspace.raw, workspace)


def _lighthouse(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """AML does not support such computes, so amlguard grants their identities nothing, also while nobody can tell."""
    yield from unreadable(_subscription(workspace, estate), estate)
    subscription, seated = workspace.id.subscription, seats.seats(workspace)
    if subscription is None or not seated:
        return
    tenants = sorted(text(each, "tenantId") or "?" for each in rows(estate.resource(subscription), "managedByTenants"))
    if tenants:
        why = (
            f"subscription {subscription.name} is managed from other tenants through Azure Lighthouse "
            f"({', '.join(tenants)}), which AML does not support for computes in a virtual network"
        )
        yield _managed_elsewhere(workspace, seated, why)
        yield from _hands_off(seated, why)
    elif estate.unreadable(Want(subscription)):
        yield from _hands_off(seated, f"whether Azure Lighthouse manages subscription {subscription.name} is not known")


def _hands_off(seated: tuple[seats.Seat, ...], why: str) -> Iterator[Objection]:
    for principal in dict.fromkeys(seat.compute.identity.default for seat in seated if seat.compute):
        if principal:
            yield Objection(_EVERYWHERE, None, f"{principal.label}: {why}", principal.id)


def _managed_elsewhere(workspace: Workspace, seated: tuple[seats.Seat, ...], why: str) -> Found:
    mine = subscription(workspace.id)
    managed = code(az("ml workspace update", **itself(workspace.id), managed_network="allow_internet_outbound"))
    listed = code(az("managedservices assignment list", **mine))
    ended = code(az("managedservices assignment delete", assignment="ASSIGNMENT-ID", **mine))
    return Found(
        workspace.id,
        f"Workspace {workspace.id.name} has {seats.nodes(seated)} in a virtual network, and {why}. Their identities "
        "get no grants.",
        {"create": managed, "find": listed, "end": ended},
    )


def _subscription(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.id.subscription and seats.seats(workspace):
        yield Want(workspace.id.subscription)


def _no_public_ip(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    hidden = tuple(seat for seat in seats.seats(workspace) if not seat.public_ip)
    if hidden and not seats.approved_endpoints(workspace.raw):
        me, name = workspace.id, f"{workspace.id.name}-endpoint"
        made = private_endpoint(me, "amlworkspace", name=name, beside=me, subnet=hidden[0].subnet)
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} has no approved private endpoint, and {seats.nodes(hidden)} have no "
            "public IPs: they reach it only through one.",
            {"endpoint": code(made)},
        )


def _preview(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for seat in seats.seats(workspace):
        created = seat.compute.created_on if seat.compute else None
        if created and created < _GENERAL_AVAILABILITY and not seat.public_ip:
            yield Found(
                seat.on,
                f"The nodes of {seat.label} have no public IPs, and it was made on {created.date()}, in the preview of "
                "that feature, which ended on 2023-01-20.",
                {"steps": _recreate(workspace, seat.compute, subnet=seat.subnet, enable_node_public_ip="false")},
            )


def _recreate(workspace: Workspace, compute: Compute | None, **changed: object) -> str:
    """A compute cannot move to another subnet. Serverless nodes, which have no compute, get another subnet."""
    if compute:
        return recreate(compute, changed=changed)
    subnet = f"serverless_compute.custom_subnet={changed['subnet']}"
    return code(az("ml workspace update", **itself(workspace.id), set=subnet))


def _beside(instance: Compute, seat: seats.Seat | None) -> str:
    """In the workspace's region, because instances are always made there."""
    changed = {"subnet": "SUBNET-ID-BESIDE-THE-ENDPOINT"} if seat else {}
    return recreate(instance, changed={**changed, "location": ()})


RULES = (
    Rule(
        name=VNET_SUBSCRIPTION,
        requirements=("AML-51",),
        mode=RuleKind.AUDIT,
        title="The virtual network of nodes is in the workspace's subscription.",
        source=_TRAINING_DOCS,
        examine=_vnet_subscription,
        acts="a cluster whose subnet id names another subscription",
        leaves="a cluster whose virtual network is in another resource group of the subscription",
        severity=Severity.HIGH,
        remedy="{steps}",
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=STORAGE_REGION,
        requirements=("AML-53",),
        mode=RuleKind.AUDIT,
        title="The default storage account is in the region of the nodes.",
        source=_TRAINING_DOCS,
        examine=_storage_region,
        acts="a cluster in northeurope whose workspace keeps its data in westeurope",
        leaves="a cluster in the region of its workspace's storage account",
        severity=Severity.LOW,
        remedy="Keep the data in the region of the nodes, and make a datastore for it that keeps no credential: "
        "{datastore} (or recreate the compute in {region})",
        wants=_storage,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=DEPLOYER,
        requirements=("AML-54",),
        mode=RuleKind.AUDIT,
        title="Whoever puts a compute into a virtual network may read the network and join its subnets.",
        source=_TRAINING_DOCS,
        examine=_deployer,
        acts="a user who created a cluster in a virtual network on which they hold only Reader",
        leaves="a user who holds Network Contributor on the virtual network's resource group",
        advises=True,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=INSTANCE_PLACE,
        requirements=("AML-55",),
        mode=RuleKind.AUDIT,
        title="A compute instance is in its workspace's region and virtual network; only clusters can be elsewhere.",
        source=_TRAINING_DOCS,
        examine=_instance_place,
        acts="an instance in a virtual network other than that of the workspace's private endpoint",
        leaves="a cluster there",
        severity=Severity.MEDIUM,
        remedy="{steps}",
        wants=_endpoints,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=LIGHTHOUSE,
        requirements=("AML-56",),
        mode=RuleKind.GUARD,
        title="In a subscription under Azure Lighthouse, identities of computes in a virtual network get no grants.",
        source=_TRAINING_DOCS,
        examine=_lighthouse,
        objects_to_grants=True,
        acts="a cluster in a virtual network, in a subscription that another tenant manages",
        leaves="a cluster in no virtual network there",
        severity=Severity.HIGH,
        remedy="Recreate the computes without a subnet in a managed virtual network, which cannot be turned off again: "
        "{create}. Or end the delegation, if nobody needs it: find it ({find}), then {end}",
        wants=_subscription,
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=NO_PUBLIC_IP,
        requirements=("AML-58",),
        mode=RuleKind.AUDIT,
        title="A workspace whose nodes have no public IPs has a private endpoint.",
        source=_TRAINING_DOCS,
        examine=_no_public_ip,
        acts="a cluster without public IPs in a workspace whose only private endpoint is still pending",
        leaves="a cluster without public IPs in a workspace with an approved private endpoint",
        severity=Severity.HIGH,
        remedy="{endpoint}. Link the virtual network to the private DNS zones privatelink.api.azureml.ms and "
        "privatelink.notebooks.azure.net, so that its names resolve to it",
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
    Rule(
        name=PREVIEW,
        requirements=("AML-60",),
        mode=RuleKind.AUDIT,
        title="Computes without public IPs were not made in the preview of that feature.",
        source=_TRAINING_DOCS,
        examine=_preview,
        acts="a cluster without public IPs, made in December 2022",
        leaves="a cluster without public IPs, made in March 2023",
        severity=Severity.MEDIUM,
        remedy="{steps}",
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
    ),
)
