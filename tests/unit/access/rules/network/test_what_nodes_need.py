"""What nodes and attached machines need around them: gates, ways out, the right place, nobody in the way."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    GROUP,
    NOW,
    OTHER_SUBSCRIPTION,
    STORAGE,
    SUBSCRIPTION,
    WORKSPACE,
    cluster,
    compute,
    estate,
    resource,
    sai,
    workspace,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import Finding, RequiredGrant
from shared.access.model import Compute, ComputeType, Fact, Principal, Want, Workspace
from shared.access.rules import RULES
from shared.access.rules.network.azure_policy import ASSIGNMENTS
from shared.access.rules.network.commands import allow
from shared.access.rules.network.nsg import Direction, Gate, SecurityRule
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
VNET, ABROAD = (
    resource("Microsoft.Network/virtualNetworks", "net", group)
    for group in (GROUP, OTHER_SUBSCRIPTION.child("resourceGroups", "lab"))
)
NODES, MORE, DATA = (VNET.child("subnets", name) for name in ("nodes", "more", "data"))
RANGES = {NODES: "10.0.1.0/24", MORE: "10.0.2.0/24", DATA: "10.0.3.0/24"}
NSG, NIC = (resource(f"Microsoft.Network/{kind}", "one") for kind in ("networkSecurityGroups", "networkInterfaces"))
FILES = resource("Microsoft.Network/privateEndpoints", "files")
DENY_ALL = {"direction": "Outbound", "access": "Deny", "destinationAddressPrefix": "*", "destinationPortRange": "*"}

type Facts = Mapping[Scope, Any]


def said(rule: str, subject: Workspace, properties: Facts, **more: Any) -> list[Finding]:
    """What the rule finds where these resources have these properties, and no other is there."""
    base = replace(estate(subject), **more)
    known: dict[Want, Fact] = {
        Want(scope): {"id": str(scope), "location": "westeurope", "properties": one}
        for scope, one in properties.items()
    }
    seen = replace(base, facts={**known, **base.facts})
    return [one for one in asks_of(RULE[rule], subject, seen) if isinstance(one, Finding)]


def nodes(name: str = "cpu1", subnet: Scope = NODES, *, instance: bool = False, **more: Any) -> Compute:
    raw = {"location": "westeurope", "properties": {"properties": {"subnet": {"id": str(subnet)}, **more}}}
    kind = ComputeType.COMPUTE_INSTANCE if instance else ComputeType.AML_COMPUTE
    return compute(name, kind, sai(name), raw=raw)


def placed(*computes: Compute, **more: Any) -> Workspace:
    return workspace(*computes, raw={"location": "westeurope"}, registry=None, **more)


def network(**subnets: Any) -> Any:
    """The virtual network with the subnets of `RANGES`; `subnets` add to their properties."""
    listed = [
        {"id": str(one), "properties": {"addressPrefix": prefix, **subnets.get(one.name, {})}}
        for one, prefix in RANGES.items()
    ]
    return {"subnets": listed}


def group(*rules: dict[str, Any]) -> Any:
    """Its rules come one after another, from priority 100."""
    body = {"protocol": "*", "sourcePortRange": "*", "sourceAddressPrefix": "*"}
    numbered = [
        {"name": f"r{number}", "properties": {**body, "priority": 100 * number, **one}}
        for number, one in enumerate(rules, 1)
    ]
    return {"securityRules": numbered}


GUARDED = {"networkSecurityGroup": {"id": str(NSG)}}


class TestGates:
    @pytest.mark.parametrize(
        ("rule", "tags"),
        [
            (
                "network-management-outbound",
                ("AzureMachineLearning", "BatchNodeManagement.westeurope", "Storage.westeurope"),
            ),
            (
                "network-training-outbound",
                ("AzureActiveDirectory", "AzureFrontDoor.FrontEnd", "MicrosoftContainerRegistry.westeurope"),
            ),
        ],
    )
    def test_what_a_gate_stops_is_let_out_by_its_tags(self, rule: str, tags: tuple[str, ...]) -> None:
        [one] = said(rule, placed(nodes()), {VNET: network(nodes=GUARDED), NSG: group(DENY_ALL)})
        assert one.resource == NODES
        for tag in tags:
            assert f"--destination-address-prefixes {tag} " in one.remedy

    def test_a_gate_that_stops_aml_is_opened_to_it_at_nodes_with_public_ips(self) -> None:
        facts = {VNET: network(nodes=GUARDED), NSG: group()}
        [one] = said("network-public-ip-inbound", placed(nodes()), facts)
        assert "--direction Inbound" in one.remedy
        assert "--source-address-prefixes AzureMachineLearning --destination-port-ranges 44224" in one.remedy

    def test_without_a_region_the_tags_of_all_regions_are_named(self) -> None:
        subject = replace(placed(nodes()), raw={})
        facts = {VNET: network(nodes=GUARDED), NSG: group(DENY_ALL)}
        [one] = said("network-management-outbound", subject, facts)
        assert "--destination-address-prefixes Storage " in one.remedy

    @pytest.mark.parametrize(("local", "stopped"), [("10.0.1.0/24", False), ("10.0.2.0/24", True)])
    def test_a_rule_for_the_subnet_itself_lets_its_nodes_out(self, local: str, *, stopped: bool) -> None:
        out = {**DENY_ALL, "access": "Allow", "sourceAddressPrefix": local}
        facts = {VNET: network(nodes=GUARDED), NSG: group(out, DENY_ALL)}
        assert bool(said("network-management-outbound", placed(nodes()), facts)) is stopped

    @pytest.mark.parametrize(
        ("service", "remote", "stopped"),
        [
            ("file", "10.0.3.0/24", True),
            ("file", "10.0.2.0/24", False),
            ("file", "Storage.westeurope", False),
            ("blob", "10.0.3.0/24", False),
            ("blob", "Storage.westeurope", True),
        ],
    )
    def test_file_shares_are_reached_at_their_private_endpoint_or_else_at_the_service(
        self, service: str, remote: str, *, stopped: bool
    ) -> None:
        state = {"status": "Approved"}
        approved = {"privateEndpoint": {"id": str(FILES)}, "privateLinkServiceConnectionState": state}
        link = {"properties": {"groupIds": [service]}}
        facts = {
            VNET: network(nodes=GUARDED),
            NSG: group({**DENY_ALL, "destinationAddressPrefix": remote}),
            STORAGE: {"privateEndpointConnections": [{"properties": approved}]},
            FILES: {"subnet": {"id": str(DATA)}, "privateLinkServiceConnections": [link]},
        }
        found = said("network-instance-file-shares", placed(nodes("ci1", instance=True)), facts)
        assert bool(found) is stopped
        assert all(f"--destination-address-prefixes {remote} " in one.remedy for one in found)

    @pytest.mark.parametrize(("before", "moved"), [(100, True), (101, False)])
    def test_where_no_priority_is_free_the_rule_in_the_way_moves_back(self, before: int, *, moved: bool) -> None:
        by = SecurityRule("closed", before, Direction.OUTBOUND, allow=False)
        priority, commands = allow(Gate(NSG, (by,)), by, protocol="tcp", remote="Storage", ports=(443,))
        assert priority == 100
        first, *others = commands.split(" && ")
        assert ("rule update" in first and "--name closed --priority 101" in first) is moved
        assert "--priority 100" in (others[0] if moved else first)


class TestWaysOut:
    HIDDEN = placed(nodes(enableNodePublicIp=False), nodes("cpu2", MORE, enableNodePublicIp=False))

    @pytest.mark.parametrize(("good", "bad"), [(NODES, MORE), (MORE, NODES)])
    def test_each_subnet_without_a_way_out_is_named(self, good: Scope, bad: Scope) -> None:
        nat = {"natGateway": {"id": str(resource("Microsoft.Network/natGateways", "nat"))}}
        [one] = said("network-default-outbound", self.HIDDEN, {VNET: network(**{good.name: nat})})
        assert one.resource == bad
        assert f"--ids {bad}" in one.remedy

    def test_a_policy_on_what_leaves_takes_the_service_endpoint_for_storage(self) -> None:
        others = {"serviceEndpoints": [{"service": "Microsoft.Sql"}]}
        [one] = said("network-storage-exfiltration", placed(nodes()), {VNET: network(nodes=others)})
        assert "--service-endpoints Microsoft.Sql Microsoft.Storage" in one.remedy
        assert "--service Microsoft.Storage" in one.remedy


class TestPlaces:
    def test_storage_in_another_region_is_found_with_where_a_new_one_belongs(self) -> None:
        near, far = nodes("near"), nodes("far", computeLocation="x")
        far = replace(far, raw={**far.raw, "location": "northeurope"})
        assert said("network-storage-region", placed(near), {STORAGE: {}}) == []
        [one] = said("network-storage-region", placed(near, far), {STORAGE: {}})
        assert one.resource == STORAGE
        assert "--location northeurope" in one.remedy
        assert "westeurope" in one.remedy

    @pytest.mark.parametrize(
        ("caller", "changed", "asked"),
        [
            (sai("me"), "cpu1", True),
            (sai("me"), "other", False),
            (sai("me"), None, False),
            (None, "cpu1", False),
        ],
    )
    def test_only_who_wrote_the_compute_deploys_it(
        self, caller: Principal | None, changed: str | None, *, asked: bool
    ) -> None:
        subject = placed(nodes())
        on = WORKSPACE.child("computes", changed) if changed else None
        seen = replace(estate(subject), caller=caller, changed=on)
        asks = [one for one in asks_of(RULE["network-deployer"], subject, seen) if isinstance(one, RequiredGrant)]
        assert [(one.principal, one.scope) for one in asks] == ([(caller, VNET)] if asked else [])

    @pytest.mark.parametrize(
        ("year", "public", "found"), [(2022, False, True), (2022, True, False), (2024, False, False)]
    )
    def test_what_was_made_in_the_preview_is_found(self, year: int, *, public: bool, found: bool) -> None:
        one = replace(nodes(enableNodePublicIp=public), created_on=NOW.replace(year=year))
        assert bool(said("network-no-public-ip-preview", placed(one), {})) is found


class TestAttached:
    DATABRICKS = resource("Microsoft.Databricks/workspaces", "dbx")

    @pytest.mark.parametrize(
        ("vnet", "region", "says"),
        [
            (VNET, "West Europe", ""),
            (VNET, "northeurope", "net in northeurope"),
            (ABROAD, "westeurope", "net of another subscription"),
            (None, "northeurope", ""),
        ],
    )
    def test_databricks_runs_beside_the_workspace(self, vnet: Scope | None, region: str, says: str) -> None:
        subject = placed(compute("dbx", ComputeType.DATABRICKS, attached=self.DATABRICKS))
        inside = {"parameters": {"customVirtualNetworkId": {"value": str(vnet)}}} if vnet else {}
        facts: dict[Want, Fact] = {Want(self.DATABRICKS): {"location": region, "properties": inside}}
        found = said("network-databricks", subject, {}, facts=facts)
        assert bool(found) is bool(says)
        assert all(says in one.message for one in found)

    def test_hdinsight_is_looked_at_like_a_machine(self) -> None:
        hadoop = resource("Microsoft.HDInsight/clusters", "hdi")
        subject = placed(compute("hdi", ComputeType.HD_INSIGHT, attached=hadoop))
        [one] = said("network-attached-ssh", subject, {hadoop: {}})
        assert "hdi, attached as hdi" in one.message

    def test_a_machine_without_a_gate_gets_one_at_its_own_interface(self) -> None:
        machine = resource("Microsoft.Compute/virtualMachines", "vm")
        subject = placed(compute("vm", ComputeType.VIRTUAL_MACHINE, attached=machine))
        at = {"networkProfile": {"networkInterfaces": [{"id": str(NIC)}]}}
        [one] = said("network-attached-ssh", subject, {machine: at, NIC: {}})
        assert f"network nic update --ids {NIC}" in one.remedy
        assert "subnet update" not in one.remedy
        [other] = said("network-attached-ssh", subject, {machine: {}})
        assert "network vnet subnet update" in other.remedy


@pytest.mark.parametrize(("kind", "found"), [("networkSecurityGroups", True), ("virtualNetworks", False)])
def test_a_policy_that_forbids_what_aml_makes_beside_the_nodes_is_found(kind: str, *, found: bool) -> None:
    own = SUBSCRIPTION.child("providers", "Microsoft.Authorization", "policyDefinitions", "own")
    rule = {"if": {"field": "type", "equals": f"Microsoft.Network/{kind}"}, "then": {"effect": "deny"}}
    assigned = {"name": "a", "properties": {"policyDefinitionId": str(own), "scope": str(GROUP)}}
    facts: dict[Want, Fact] = {
        Want(GROUP, ASSIGNMENTS): (assigned,),
        Want(own): {"properties": {"policyRule": rule}},
    }
    one = said("network-group-obstacles", placed(cluster("other"), nodes()), {}, facts=facts)
    assert bool(one) is found
    assert all("policy exemption create" in each.remedy for each in one)
