"""What is around nodes in virtual networks: the group beside them, other networks, attached machines."""

from collections.abc import Callable
from typing import Any

from catalogue.build import compute, resource, storage, workspace
from catalogue.build_network import (
    assigned,
    built_in,
    cluster,
    connected,
    connected_to,
    definition,
    endpoint,
    home,
    in_subnet,
    nsg,
    peering,
    rule,
    subnet,
    vnet,
    zones,
)
from catalogue.case import Case, Place, Raw, Tenant
from catalogue.documented import acts, leaves

type Build = Callable[[Place], Tenant]

_NOT_ALLOWED_TYPES = built_in("6c112d4e-5bc7-47ae-a041-ea2d9dccd749")
_ALLOWED_TYPES = built_in("a08ec900-254a-4555-9bf5-e42af04b5c5c")
_NSG = "Microsoft.Network/networkSecurityGroups"


def _in_vnet(*, public_ip: bool = True) -> Build:
    def build(place: Place) -> Tenant:
        ws, account = home(place)
        network = vnet(place, subnet())
        return Tenant([ws, account, network, cluster(ws, network, public_ip=public_ip)])

    return build


def _locked(scope: str = "{place.group}", level: str = "CanNotDelete", *, public_ip: bool = True) -> Build:
    def build(place: Place) -> Tenant:
        made = _in_vnet(public_ip=public_ip)(place)
        where = f"{scope.format(place=place)}/providers/Microsoft.Authorization/locks/keep"
        return Tenant(made.resources, locks=[{"id": where, "properties": {"level": level}}])

    return build


def _policy(*made: Callable[[Place], Raw]) -> Build:
    """Assignments and definitions beside nodes with public IPs."""

    def build(place: Place) -> Tenant:
        return Tenant([*_in_vnet()(place).resources, *(one(place) for one in made)])

    return build


def _custom(condition: Raw, *, at: str = "{place.subscription}") -> Build:
    def build(place: Place) -> Tenant:
        scope = at.format(place=place)
        rule_ = definition(scope, condition)
        return Tenant([*_in_vnet()(place).resources, rule_, assigned(scope, rule_["id"])])

    return build


def _in_a_set(condition: Raw) -> Build:
    def build(place: Place) -> Tenant:
        rule_ = definition(place.subscription, condition)
        kind = "Microsoft.Authorization/policySetDefinitions"
        members: Raw = {"policyType": "Custom", "policyDefinitions": [{"policyDefinitionId": rule_["id"]}]}
        group = resource(f"{place.subscription}/providers/{kind}/set", kind, members)
        return Tenant([*_in_vnet()(place).resources, rule_, group, assigned(place.subscription, group["id"])])

    return build


def _cross(*, peered: bool = True, unlinked: str = "", own_dns: bool = False, **account: Any) -> Build:
    """A cluster in a spoke; the workspace's private endpoint in the hub."""

    def build(place: Place) -> Tenant:
        hub = vnet(place, subnet("endpoints"), name="hub")
        peers = [peering(hub)] if peered else [peering(hub, "Disconnected")]
        dns: Raw = {"dhcpOptions": {"dnsServers": ["10.0.9.9"]}} if own_dns else {}
        spoke = vnet(place, subnet(), name="spoke", virtualNetworkPeerings=peers, **dns)
        own = endpoint(place, hub, "amlworkspace", at="endpoints", name="pe")
        blobs = endpoint(place, hub, "blob", at="endpoints", name="blobs")
        data = storage(place, privateEndpointConnections=[connected_to(blobs)], **account)
        link = connected(place, hub, at="endpoints")
        ws = workspace(place, storageAccount=data["id"], privateEndpointConnections=[link])
        linked = () if own_dns else (hub, spoke)
        found = zones(place, own, *linked, leave_out=unlinked)
        return Tenant([ws, data, hub, spoke, own, blobs, *found, cluster(ws, spoke)])

    return build


def _secured_for_nobody(place: Place) -> Tenant:
    made = _cross(publicNetworkAccess="Disabled")(place)
    for one in made.resources:
        if one["type"] == "Microsoft.Storage/storageAccounts":
            one["properties"]["privateEndpointConnections"] = []
    return made


def _databricks(region: str = "westeurope", *, injected: bool = True, let_in: bool = True, **account: Any) -> Build:
    def build(place: Place) -> Tenant:
        network = vnet(place, subnet("public"), name="dbx") | {"location": region}
        rules = [{"id": in_subnet(network, "public")["id"], "action": "Allow"}] if let_in else []
        acls: Raw = {"networkAcls": {**account["networkAcls"], "virtualNetworkRules": rules}} if account else {}
        data = storage(place, **acls)
        kind = "Microsoft.Databricks/workspaces"
        own = {"customVirtualNetworkId": {"type": "String", "value": network["id"]}} if injected else {}
        body = {"parameters": own, "managedResourceGroupId": f"{place.subscription}/resourceGroups/dbx"}
        dbx = resource(place.id(kind, "dbx"), kind, body) | {"location": region}
        ws = workspace(place, storageAccount=data["id"])
        attached = compute(ws, "dbx", "Databricks", resourceId=dbx["id"], isAttachedCompute=True)
        return Tenant([ws, data, network, dbx, attached])

    return build


_DENY: Raw = {"networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"}}
_UBUNTU = {"publisher": "Canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts", "version": "latest"}
_WINDOWS = {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2022", "version": "latest"}


def _ssh(source: str, priority: int = 100) -> Raw:
    return rule(priority, "Allow", source, "22", protocol="Tcp", direction="Inbound")


def _machine(*rules: Raw, image: Raw | None = None, gated: bool = True) -> Build:
    """A virtual machine whose subnet has a network security group, attached as a compute."""

    def build(place: Place) -> Tenant:
        group = nsg(place, *rules)
        gate: Raw = {"networkSecurityGroup": group} if gated else {}
        network = vnet(place, subnet("machines", **gate))
        configuration = {"privateIPAddress": "10.0.1.4", "subnet": in_subnet(network, "machines")}
        nic_kind, kind = "Microsoft.Network/networkInterfaces", "Microsoft.Compute/virtualMachines"
        nic = resource(place.id(nic_kind, "nic"), nic_kind, {"ipConfigurations": [{"properties": configuration}]})
        body = {
            "storageProfile": {
                "imageReference": image or _UBUNTU,
                "osDisk": {"osType": "Linux", "createOption": "FromImage"},
            },
            "networkProfile": {"networkInterfaces": [{"id": nic["id"]}]},
        }
        vm = resource(place.id(kind, "vm"), kind, body)
        ws = workspace(place)
        attached = compute(ws, "vm", "VirtualMachine", resourceId=vm["id"], isAttachedCompute=True, sshPort=22)
        return Tenant([ws, group, network, nic, vm, attached])

    return build


def _hd_insight(*rules: Raw) -> Build:
    def build(place: Place) -> Tenant:
        group = nsg(place, *rules)
        network = vnet(place, subnet("heads", networkSecurityGroup=group))
        profile = {"id": network["id"], "subnet": in_subnet(network, "heads")["id"]}
        roles = [{"name": "headnode", "virtualNetworkProfile": profile}]
        kind = "Microsoft.HDInsight/clusters"
        hdi = resource(place.id(kind, "hdi"), kind, {"osType": "Linux", "computeProfile": {"roles": roles}})
        ws = workspace(place)
        attached = compute(ws, "hdi", "HDInsight", resourceId=hdi["id"], isAttachedCompute=True, sshPort=22)
        return Tenant([ws, group, network, hdi, attached])

    return build


CASES: tuple[Case, ...] = (
    acts("network-group-obstacles", _locked(), "az lock delete"),
    acts("network-group-obstacles", _locked("{place.subscription}", "ReadOnly"), "ReadOnly", "a subscription's lock"),
    acts(
        "network-group-obstacles",
        _policy(lambda at: assigned(at.group, _NOT_ALLOWED_TYPES, listOfResourceTypesNotAllowed=[_NSG])),
        "forbids network security groups",
        "the policy Not allowed resource types",
    ),
    acts(
        "network-group-obstacles",
        _policy(
            lambda at: assigned(at.subscription, _ALLOWED_TYPES, listOfResourceTypesAllowed=["Microsoft.Compute/disks"])
        ),
        "az policy exemption create",
        "the policy Allowed resource types without them",
    ),
    acts(
        "network-group-obstacles",
        _custom({"allOf": [{"field": "type", "equals": _NSG}, {"field": "tags['owner']", "exists": False}]}),
        "may forbid",
        "a policy of one's own that denies some of them",
    ),
    acts(
        "network-group-obstacles",
        _in_a_set({"field": "type", "equals": "Microsoft.Network/networkSecurityGroups"}),
        "forbids network security groups",
        "a policy in a set",
    ),
    leaves("network-group-obstacles", _locked(public_ip=False)),
    leaves(
        "network-group-obstacles",
        _policy(
            lambda at: assigned(at.group, _NOT_ALLOWED_TYPES, listOfResourceTypesNotAllowed=["Microsoft.Sql/servers"])
        ),
        "a policy that denies another type",
    ),
    leaves("network-group-obstacles", _custom({"field": "location", "notIn": ["westeurope"]}), "a policy on regions"),
    acts("network-cross-vnet", _cross(peered=False), "az network vnet peering create"),
    acts(
        "network-cross-vnet",
        _cross(unlinked="privatelink.notebooks.azure.net"),
        "privatelink.notebooks.azure.net is not linked",
        "a peered virtual network without the notebooks' DNS zone",
    ),
    acts("network-cross-vnet", _secured_for_nobody, "lets nobody in", "storage that lets nobody in from there"),
    leaves("network-cross-vnet", _cross()),
    leaves(
        "network-cross-vnet", _cross(publicNetworkAccess="Disabled"), "storage with an endpoint in a peered network"
    ),
    leaves("network-cross-vnet", _cross(own_dns=True), "DNS servers of one's own"),
    acts("network-databricks", _databricks(let_in=False, **_DENY), "does not let in"),
    acts("network-databricks", _databricks("northeurope"), "northeurope", "a Databricks in another region"),
    leaves("network-databricks", _databricks()),
    leaves("network-databricks", _databricks(**_DENY), "secured storage that lets the Databricks subnet in"),
    acts("network-attached-ssh", _machine(_ssh("AzureMachineLearning"), _ssh("Internet", 200)), "Internet"),
    acts("network-attached-ssh", _machine(), "closed to AzureMachineLearning", "a machine that AML cannot reach"),
    acts("network-attached-ssh", _machine(gated=False), "no network security group", "a machine without any group"),
    acts(
        "network-attached-ssh",
        _machine(_ssh("AzureMachineLearning"), image=_WINDOWS),
        "Ubuntu only",
        "a machine with Windows",
    ),
    acts("network-attached-ssh", _hd_insight(_ssh("*")), "az network nsg rule update", "an HDInsight cluster"),
    leaves("network-attached-ssh", _machine(_ssh("AzureMachineLearning"))),
    leaves("network-attached-ssh", _hd_insight(_ssh("AzureMachineLearning")), "an HDInsight cluster open to AML only"),
)
