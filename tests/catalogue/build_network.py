"""Networks as ARM returns them: what a case does not speak about is as AML wants it."""

from typing import Any

from catalogue.build import compute, resource, storage, system, workspace
from catalogue.case import Place, Raw

_NETWORK = "Microsoft.Network"
_POLICY = "/providers/Microsoft.Authorization/policy"
OUTBOUND = (
    ("AzureMachineLearning", "Tcp", "443", "8787", "18881"),
    ("AzureMachineLearning", "Udp", "5831"),
    ("BatchNodeManagement.westeurope", "Tcp", "443"),
    ("Storage.westeurope", "Tcp", "443", "445"),
    ("AzureActiveDirectory", "Tcp", "80", "443"),
    ("AzureResourceManager", "Tcp", "443"),
    ("AzureFrontDoor.FrontEnd", "Tcp", "443"),
    ("MicrosoftContainerRegistry", "Tcp", "443"),
)


def rule(priority: int, access: str, remote: str, *ports: str, protocol: str = "*", direction: str = "Outbound") -> Raw:
    """`remote` is the source of an inbound rule and the destination of an outbound one."""
    ends = ("source", "destination") if direction == "Inbound" else ("destination", "source")
    properties = {
        "provisioningState": "Succeeded",
        "protocol": protocol,
        "sourcePortRange": "*",
        f"{ends[0]}AddressPrefix": remote,
        f"{ends[1]}AddressPrefix": "*",
        "access": access,
        "priority": priority,
        "direction": direction,
        **({"destinationPortRange": ports[0]} if len(ports) == 1 else {"destinationPortRanges": list(ports or "*")}),
    }
    return {"name": f"{access}-{direction}-{priority}", "properties": properties}


def required(*, but: str = "") -> list[Raw]:
    """All that nodes need, without the tag `but`, and nothing else of the Internet."""
    wanted = [one for one in OUTBOUND if one[0].partition(".")[0] != but]
    allowed = [rule(100 + n, "Allow", tag, *ports, protocol=by) for n, (tag, by, *ports) in enumerate(wanted)]
    return [*allowed, rule(4000, "Deny", "Internet")]


def nsg(place: Place, *rules: Raw, name: str = "nsg") -> Raw:
    kind = f"{_NETWORK}/networkSecurityGroups"
    return resource(place.id(kind, name), kind, {"securityRules": list(rules), "defaultSecurityRules": []})


def vnet(place: Place, *subnets: Raw, name: str = "net", group: str = "", **properties: Any) -> Raw:
    """`subnets` are made by `subnet`; they get their ids here."""
    kind = f"{_NETWORK}/virtualNetworks"
    identifier = f"{group}/providers/{kind}/{name}" if group else place.id(kind, name)
    body = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "virtualNetworkPeerings": [], **properties}
    made = resource(identifier, kind, body)
    made["properties"]["subnets"] = [{**one, "id": f"{identifier}/subnets/{one['name']}"} for one in subnets]
    return made


def subnet(name: str = "nodes", prefix: str = "10.0.1.0/24", *, taken: int = 0, **properties: Any) -> Raw:
    """Links (`networkSecurityGroup=`, `routeTable=`, `natGateway=`) are resources or their ids."""
    links = {key: {"id": value["id"]} if "id" in value else value for key, value in properties.items() if key in _LINKS}
    used = [{"id": f"{name}/ipConfigurations/{number}"} for number in range(taken)]
    body = {"addressPrefix": prefix, "delegations": [], "ipConfigurations": used, **properties, **links}
    return {"name": name, "type": f"{_NETWORK}/virtualNetworks/subnets", "properties": body}


_LINKS = ("networkSecurityGroup", "routeTable", "natGateway")


def in_subnet(network: Raw, name: str = "nodes") -> Raw:
    return {"id": f"{network['id']}/subnets/{name}"}


def cluster(
    of: Raw, network: Raw, *, name: str = "cpu1", at: str = "nodes", public_ip: bool = True, **more: Any
) -> Raw:
    """Of up to four nodes, none of which runs."""
    defaults = {"scaleSettings": {"minNodeCount": 0, "maxNodeCount": 4}, "currentNodeCount": 0}
    identity = system(f"{of['identity']['principalId'][:-4]}0c1a")
    where = {"subnet": in_subnet(network, at), "enableNodePublicIp": public_ip}
    return compute(of, name, identity=identity, **{**defaults, **where, **more})


def instance(of: Raw, network: Raw, *, at: str = "nodes", **more: Any) -> Raw:
    identity = system(f"{of['identity']['principalId'][:-4]}0c1b")
    return compute(of, "ci1", "ComputeInstance", identity=identity, subnet=in_subnet(network, at), **more)


def connected(place: Place, network: Raw, *, at: str = "nodes", name: str = "pe", status: str = "Approved") -> Raw:
    """A workspace's private endpoint connection, which tells the endpoint's subnet."""
    endpoint = {"id": place.id(f"{_NETWORK}/privateEndpoints", name), "subnetArmId": in_subnet(network, at)["id"]}
    return _connection(endpoint, status)


def connected_to(endpoint: Raw) -> Raw:
    """Other resources' connections only name the endpoint."""
    return _connection({"id": endpoint["id"]}, "Approved")


def _connection(endpoint: Raw, status: str) -> Raw:
    state = {"status": status, "description": "", "actionsRequired": "None"}
    return {"properties": {"privateEndpoint": endpoint, "privateLinkServiceConnectionState": state}}


def endpoint(place: Place, network: Raw, *groups: str, at: str = "nodes", name: str = "pe") -> Raw:
    kind = f"{_NETWORK}/privateEndpoints"
    links = [{"name": name, "properties": {"groupIds": list(groups)}}]
    body = {"subnet": in_subnet(network, at), "privateLinkServiceConnections": links}
    return resource(place.id(kind, name), kind, body)


def zones(place: Place, of: Raw, *linked: Raw, leave_out: str = "") -> list[Raw]:
    """Both private DNS zones of the workspace's endpoint `of`, linked to `linked`; `leave_out` is linked to none."""
    kind = f"{_NETWORK}/privateDnsZones"
    made = [resource(place.id(kind, name), kind, {}) for name in ("privatelink.api.azureml.ms", _NOTEBOOKS)]
    configs = [{"name": one["name"], "properties": {"privateDnsZoneId": one["id"]}} for one in made]
    group_kind = f"{_NETWORK}/privateEndpoints/privateDnsZoneGroups"
    group = resource(f"{of['id']}/privateDnsZoneGroups/default", group_kind, {"privateDnsZoneConfigs": configs})
    links = [
        resource(
            f"{zone['id']}/virtualNetworkLinks/{network['name']}",
            f"{kind}/virtualNetworkLinks",
            {"virtualNetwork": {"id": network["id"]}, "virtualNetworkLinkState": "Completed"},
        )
        for zone in made
        if zone["name"] != leave_out
        for network in linked
    ]
    return [*made, group, *links]


_NOTEBOOKS = "privatelink.notebooks.azure.net"


def peering(to: Raw, state: str = "Connected") -> Raw:
    remote = {"remoteVirtualNetwork": {"id": to["id"]}, "peeringState": state, "allowVirtualNetworkAccess": True}
    return {"name": f"to-{to['name']}", "properties": remote}


def routes(place: Place, next_hop: str, prefix: str = "0.0.0.0/0") -> Raw:
    kind = f"{_NETWORK}/routeTables"
    hop = {"addressPrefix": prefix, "nextHopType": next_hop, "nextHopIpAddress": "10.0.9.4"}
    return resource(place.id(kind, "routes"), kind, {"routes": [{"name": "out", "properties": hop}]})


def assigned(scope: str, definition: str, **parameters: Any) -> Raw:
    """A policy assignment."""
    kind = "Microsoft.Authorization/policyAssignments"
    values = {name: {"value": value} for name, value in parameters.items()}
    body = {"policyDefinitionId": definition, "scope": scope, "parameters": values, "enforcementMode": "Default"}
    return resource(f"{scope}/providers/{kind}/no-nsg", kind, body)


def definition(scope: str, condition: Raw, effect: str = "deny", name: str = "custom") -> Raw:
    kind = "Microsoft.Authorization/policyDefinitions"
    body = {"mode": "All", "policyType": "Custom", "policyRule": {"if": condition, "then": {"effect": effect}}}
    return resource(f"{scope}/providers/{kind}/{name}", kind, body)


def built_in(guid: str) -> str:
    return f"{_POLICY}Definitions/{guid}"


def home(place: Place, **properties: Any) -> list[Raw]:
    """A workspace, first, and its storage account, second."""
    account = storage(place)
    return [workspace(place, storageAccount=account["id"], **properties), account]
