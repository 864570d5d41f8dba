"""Rules of networks where the catalogue's cases do not reach: what may not be read, is misshapen, costs nothing."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.build import (
    GROUP,
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
from shared.access.asks import Finding, Objection, Severity
from shared.access.model import ComputeType, Estate, Fact, Unreadable, Want, Workspace
from shared.access.rules import RULES, Rule
from shared.access.scope import Scope

NETWORKS = [rule for rule in RULES if rule.name.startswith("network-")]
RULE = {rule.name: rule for rule in NETWORKS}
VNET = resource("Microsoft.Network/virtualNetworks", "net")
SUBNET = VNET.child("subnets", "nodes")
MACHINE = resource("Microsoft.Compute/virtualMachines", "vm")
DATABRICKS = resource("Microsoft.Databricks/workspaces", "dbx")


def nodes(subnet: object = str(SUBNET), **more: Any) -> dict[str, Any]:
    inner = {"subnet": {"id": subnet}, "scaleSettings": {"maxNodeCount": 4}, **more}
    return {"location": "westeurope", "properties": {"createdOn": "2022-12-01T00:00:00Z", "properties": inner}}


def in_network(*computes: Any, **properties: Any) -> Workspace:
    return replace(workspace(*computes), raw={"location": "westeurope", "properties": properties})


def everything() -> Workspace:
    """A compute of each kind that some rule looks at, and a private endpoint elsewhere."""
    endpoint = {
        "id": str(resource("Microsoft.Network/privateEndpoints", "pe")),
        "subnetArmId": f"{resource('Microsoft.Network/virtualNetworks', 'hub')}/subnets/s",
    }
    approved = {"privateEndpoint": endpoint, "privateLinkServiceConnectionState": {"status": "Approved"}}
    return in_network(
        cluster("public", sai("public"), raw=nodes()),
        cluster("hidden", sai("hidden"), raw=nodes(enableNodePublicIp=False)),
        compute("ci1", ComputeType.COMPUTE_INSTANCE, sai("ci1"), raw=nodes()),
        compute("vm", ComputeType.VIRTUAL_MACHINE, attached=MACHINE),
        compute("dbx", ComputeType.DATABRICKS, attached=DATABRICKS),
        privateEndpointConnections=[{"properties": approved}],
    )


def looked(subject: Workspace, rules: list[Rule], answer: Callable[[Want], Fact]) -> Estate:
    """The estate after all that the rules want was asked of `answer`."""
    seen = estate(subject)
    while wanted := {want for rule in rules for want in rule.wants(subject, seen)} - seen.facts.keys():
        seen = replace(seen, facts={**seen.facts, **{want: answer(want) for want in wanted}})
    return seen


def findings(rule: str, subject: Workspace, answer: Callable[[Want], Fact]) -> list[Finding]:
    seen = looked(subject, [RULE[rule]], answer)
    return [one for one in asks_of(RULE[rule], subject, seen) if isinstance(one, Finding)]


@pytest.mark.parametrize("rule", NETWORKS, ids=lambda rule: rule.name)
def test_what_is_in_no_network_costs_nothing(rule: Rule) -> None:
    subject = in_network(
        cluster("cpu1", sai("cpu1")),
        cluster("odd", raw=nodes("/subscriptions/me/and my dog")),
        cluster("other", raw=nodes(str(STORAGE))),
        compute("vm", ComputeType.VIRTUAL_MACHINE, attached=STORAGE),
        compute("dbx", ComputeType.DATABRICKS, attached=None),
    )
    assert list(rule.wants(subject, estate(subject))) == []
    assert list(asks_of(rule, subject, estate(subject))) == []


def test_all_rules_together_read_each_thing_once() -> None:
    asked: list[Want] = []

    def answer(want: Want) -> Fact:
        asked.append(want)
        return {"id": str(want.scope), "properties": {}}

    looked(everything(), NETWORKS, answer)
    assert len(asked) == len(set(asked))
    assert {want.scope.name for want in asked} >= {"net", "store", "vm", "dbx", SUBSCRIPTION.name, GROUP.name}


@pytest.mark.parametrize(
    "rule", [one for one in NETWORKS if list(one.wants(everything(), estate(everything())))], ids=lambda rule: rule.name
)
def test_what_may_not_be_read_is_a_finding(rule: Rule) -> None:
    found = findings(rule.name, everything(), lambda _: Unreadable.FORBIDDEN)
    blind = [one for one in found if one.severity is Severity.LOW]
    assert blind
    assert all("/read is missing" in one.message for one in blind)
    assert all('--role "Reader"' in one.remedy for one in blind)
    assert all(one.requirements == rule.requirements for one in found)
    assert len({one.resource for one in found}) == len(found)


@pytest.mark.parametrize("rule", NETWORKS, ids=lambda rule: rule.name)
def test_what_is_not_there_is_found_by_those_that_need_it_and_by_no_other(rule: Rule) -> None:
    found = {one.message.partition(",")[0] for one in findings(rule.name, everything(), lambda _: None)}
    assert found == {
        "network-subnet-room": {"Subnet net/nodes"},
        "network-instance-place": {"Compute instance ci1 is in virtual network net"},  # which the cluster itself says
    }.get(rule.name, set())


KEYS = """
    id name properties subnets networkSecurityGroup securityRules routeTable routes addressPrefix subnet delegations
    privateEndpointConnections privateEndpoint publicNetworkAccess networkAcls parameters ipConfigurations
    networkProfile
    networkInterfaces storageProfile managedByTenants policyDefinitionId policyRule if allOf then virtualNetworkPeerings
    remoteVirtualNetwork sshPort priority location
"""
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "x", str(SUBNET), str(VNET), str(STORAGE), "10.0.0.0/8"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS.split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JUNK, JUNK, st.sampled_from(NETWORKS))
def test_misshapen_answers_raise_nothing(body: Any, settings: Any, rule: Rule) -> None:
    subject = replace(everything(), raw=settings if isinstance(settings, dict) else {})
    found = findings(
        rule.name, subject, lambda want: (body,) if want.collection else body if isinstance(body, dict) else {}
    )
    assert all(one.message and one.remedy for one in found)


def vnet(prefix: object, *, used: int = 0, **more: Any) -> Callable[[Want], Fact]:
    properties = {"addressPrefix": prefix, "ipConfigurations": [{}] * used, **more}
    subnet = {"id": str(SUBNET), "properties": properties}
    return lambda _: {"id": str(VNET), "properties": {"subnets": [subnet]}}


@pytest.mark.parametrize(
    ("prefix", "used", "most", "running", "room"),
    [
        ("10.0.1.0/28", 0, 11, 0, True),
        ("10.0.1.0/28", 0, 12, 0, False),
        ("10.0.1.0/28", 7, 4, 0, True),
        ("10.0.1.0/28", 8, 4, 0, False),
        ("10.0.1.0/28", 11, 11, 11, True),
        ("10.0.1.0/28", 11, 11, 10, False),
        ("10.0.1.0/29", 0, 4, 0, False),
        ("fd00::/64", 0, 4, 0, True),
        (None, 0, 4, 0, True),
    ],
)
def test_room(prefix: object, used: int, most: int, running: int, *, room: bool) -> None:
    raw = nodes(scaleSettings={"maxNodeCount": most}, currentNodeCount=running)
    found = findings("network-subnet-room", in_network(cluster("cpu1", raw=raw)), vnet(prefix, used=used))
    assert (found == []) is room


def test_ranges_of_a_subnet_add_up_and_so_do_its_nodes() -> None:
    both = vnet(None, addressPrefixes=["10.0.1.0/29", "10.0.2.0/29"])
    two = [cluster(name, raw=nodes(scaleSettings={"maxNodeCount": 3})) for name in ("a", "b")]
    assert findings("network-subnet-room", in_network(two[0]), both) == []
    assert findings("network-subnet-room", in_network(*two), both) == []
    assert findings("network-subnet-room", in_network(*two, cluster("cpu", raw=nodes())), both)


def test_serverless_nodes_have_a_seat_too() -> None:
    settings = {"serverlessComputeCustomSubnet": str(SUBNET), "serverlessComputeNoPublicIP": True}
    subject = in_network(serverlessComputeSettings=settings)
    [one] = findings("network-default-outbound", subject, vnet("10.0.1.0/24"))
    assert "serverless compute of mlw" in one.message
    assert findings("network-no-public-ip-endpoint", subject, vnet("10.0.1.0/24"))


def test_private_endpoints_in_microsofts_own_subscriptions_are_not_read() -> None:
    def connection(subscription: Scope) -> Any:
        endpoint = subscription.child("resourceGroups", "g", "providers", "Microsoft.Network", "privateEndpoints", "e")
        state = {"status": "Approved"}
        return {"properties": {"privateEndpoint": {"id": str(endpoint)}, "privateLinkServiceConnectionState": state}}

    asked: list[Scope] = []

    def answer(want: Want) -> Fact:
        asked.append(want.scope)
        connections = [connection(SUBSCRIPTION), connection(OTHER_SUBSCRIPTION)]
        return {"properties": {"privateEndpointConnections": connections}} if want.scope == STORAGE else {}

    subject = in_network(compute("ci1", ComputeType.COMPUTE_INSTANCE, raw=nodes()))
    findings("network-instance-file-shares", subject, answer)
    read = [scope for scope in asked if scope.resource_type.endswith("/privateendpoints")]
    assert [scope.subscription for scope in read] == [SUBSCRIPTION]


def test_lighthouse_holds_back_the_identities_of_these_computes_only() -> None:
    subject = in_network(cluster("inside", sai("inside"), raw=nodes()), cluster("outside", sai("outside")))
    rule = RULE["network-lighthouse"]
    managed: dict[str, Any] = {"managedByTenants": [{"tenantId": "t"}]}
    seen = looked(subject, [rule], lambda _: managed)
    objections = [one for one in asks_of(rule, subject, seen) if isinstance(one, Objection)]
    assert [one.principal for one in objections] == [sai("inside").id]
    assert all(one.target.contains(WORKSPACE) and one.setting is None for one in objections)
    alone = looked(subject, [rule], lambda _: {"managedByTenants": []})
    assert list(asks_of(rule, subject, alone)) == []


def test_where_lighthouse_cannot_be_seen_nothing_is_granted_either() -> None:
    subject = in_network(cluster("inside", sai("inside"), raw=nodes()))
    rule = RULE["network-lighthouse"]
    seen = looked(subject, [rule], lambda _: Unreadable.FORBIDDEN)
    assert [one.principal for one in asks_of(rule, subject, seen) if isinstance(one, Objection)] == [sai("inside").id]


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ({"publisher": "Canonical", "offer": "ubuntu-24_04-lts"}, ""),
        ({"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer"}, "AML supports Ubuntu only"),
    ],
)
def test_an_attached_machine_without_a_gate_is_open_and_should_run_ubuntu(image: dict[str, str], says: str) -> None:
    rule = RULE["network-attached-ssh"]
    subject = in_network(compute("vm", ComputeType.VIRTUAL_MACHINE, attached=MACHINE))
    told = {"id": str(MACHINE), "properties": {"storageProfile": {"imageReference": image}}}
    (one,) = asks_of(rule, subject, looked(subject, [rule], lambda want: told if want.scope == MACHINE else None))
    assert isinstance(one, Finding)
    assert one.resource == WORKSPACE.child("computes", "vm")
    assert "has no network security group" in one.message
    assert says in one.message
    assert ("Ubuntu" in one.remedy) is bool(says)


def test_a_machine_behind_the_gate_of_its_subnet_has_one() -> None:
    rule = RULE["network-attached-ssh"]
    subject = in_network(compute("vm", ComputeType.VIRTUAL_MACHINE, attached=MACHINE))
    nic, gate = (
        resource(f"Microsoft.Network/{kind}", "one") for kind in ("networkInterfaces", "networkSecurityGroups")
    )
    subnet = {"id": str(SUBNET), "name": SUBNET.name, "properties": {"networkSecurityGroup": {"id": str(gate)}}}
    told: dict[Scope, dict[str, Any]] = {
        MACHINE: {"networkProfile": {"networkInterfaces": [{"id": str(nic)}]}},
        nic: {"ipConfigurations": [{"properties": {"subnet": {"id": str(SUBNET)}}}]},
        VNET: {"subnets": [subnet]},
        gate: {"securityRules": [], "defaultSecurityRules": []},
    }
    answers = {scope: {"id": str(scope), "properties": properties} for scope, properties in told.items()}
    seen = looked(subject, [rule], lambda want: answers.get(want.scope))
    assert not any("no network security group" in str(one) for one in asks_of(rule, subject, seen))
    open_to_all = looked(subject, [rule], lambda want: answers.get(want.scope) if want.scope == MACHINE else None)
    assert any("no network security group" in str(one) for one in asks_of(rule, subject, open_to_all))
