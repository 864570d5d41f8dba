"""What a network security group lets through: a truth table, and the laws that hold for every set of rules."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access.rules.network.nsg import (
    ANYWHERE,
    Direction,
    SecurityRule,
    Traffic,
    admits,
    allows,
    decide,
    free_priority,
)
from shared.access.rules.network.nsg import security_rules as parsed

IN, OUT = Direction.INBOUND, Direction.OUTBOUND
SUBNET = "10.0.1.0/24"


def out(remote: str, port: int = 443, protocol: str = "tcp") -> Traffic:
    return Traffic(OUT, protocol, port, remote, SUBNET)


def rule(
    priority: int,
    remote: str = ANYWHERE,
    ports: tuple[int, int] = (0, 65535),
    *,
    allow: bool = True,
    direction: Direction = OUT,
    **more: Any,
) -> SecurityRule:
    return SecurityRule(f"r{priority}", priority, direction, allow, ports=(ports,), remotes=(remote,), **more)


def deny(priority: int, remote: str = ANYWHERE, ports: tuple[int, int] = (0, 65535), **more: Any) -> SecurityRule:
    return rule(priority, remote, ports, allow=False, **more)


@pytest.mark.parametrize(
    ("rules", "traffic", "through"),
    [
        # by default all may go out, and nobody comes in but the network itself
        ((), out("Storage.westeurope"), True),
        ((), out("VirtualNetwork"), True),
        ((), Traffic(IN, "tcp", 44224, "AzureMachineLearning", SUBNET), False),
        ((), Traffic(IN, "tcp", 22, "10.7.0.4", SUBNET), True),
        # the Internet holds every service; AzureCloud all of Azure's
        ((deny(4096, "Internet"),), out("AzureMachineLearning"), False),
        ((deny(4096, "Internet"),), out("VirtualNetwork"), True),
        ((deny(4096, "AzureCloud"),), out("Storage.westeurope"), False),
        ((deny(4096),), out("VirtualNetwork"), False),
        ((rule(100, "Internet"), deny(200)), out("AzureActiveDirectory"), True),
        ((rule(100, "AzureCloud.westeurope"), deny(200)), out("Storage.westeurope"), True),
        ((rule(100, "AzureCloud.westeurope"), deny(200)), out("AzureMachineLearning"), False),
        ((rule(100, "AzureCloud"), deny(200)), out("Internet"), False),
        # a tag without a region holds its regions; a region is not the whole
        ((rule(100, "Storage"), deny(200)), out("Storage.westeurope"), True),
        ((rule(100, "Storage.westeurope"), deny(200)), out("Storage.westeurope"), True),
        ((rule(100, "storage.WestEurope"), deny(200)), out("Storage.westeurope"), True),
        ((rule(100, "Storage.northeurope"), deny(200)), out("Storage.westeurope"), False),
        ((rule(100, "Storage.westeurope"), deny(200)), out("Storage"), False),
        ((deny(100, "Storage.northeurope"),), out("Storage.westeurope"), True),
        ((deny(100, "Storage.northeurope"),), out("Storage"), False),
        ((rule(100, "AzureFrontDoor.Frontend"), deny(200)), out("AzureFrontDoor.FrontEnd"), True),
        ((rule(100, "AzureFrontDoor.Backend"), deny(200)), out("AzureFrontDoor.FrontEnd"), False),
        ((deny(100, "Sql"),), out("Storage.westeurope"), True),
        # ports, protocols and directions
        ((rule(100, "Storage", (443, 443)), deny(200)), out("Storage", 445), False),
        ((rule(100, "Storage", (440, 450)), deny(200)), out("Storage", 445), True),
        ((deny(100, "Storage", (0, 444)),), out("Storage", 445), True),
        ((rule(100, protocol="udp"), deny(200)), out("Storage"), False),
        ((deny(100, protocol="udp"),), out("Storage"), True),
        ((deny(100, protocol="icmp"),), out("Storage", protocol="udp"), True),
        ((deny(100, direction=IN),), out("Storage"), True),
        # a client picks its own port: who allows one port allows nothing
        ((rule(100, client_ports=((443, 443),)), deny(200)), out("Storage"), False),
        ((rule(100, client_ports=((2000, 3000),)), deny(200)), out("Storage"), False),
        ((rule(100, client_ports=((1024, 65535),)), deny(200)), out("Storage"), True),
        # the subnet's own side: all of it must be allowed, and none of it denied
        ((rule(100, locals=("10.0.0.0/16",)), deny(200)), out("Storage"), True),
        ((rule(100, locals=("VirtualNetwork",)), deny(200)), out("Storage"), True),
        ((rule(100, locals=("10.0.1.0/25",)), deny(200)), out("Storage"), False),
        ((rule(100, locals=("10.0.2.0/24",)), deny(200)), out("Storage"), False),
        ((deny(100, locals=("10.0.2.0/24",)),), out("Storage"), True),
        ((deny(100, locals=("10.0.1.4",)),), out("Storage"), False),
        # application security groups hold none of AML's nodes
        ((deny(100, locals=()),), out("Storage"), True),
        ((rule(100, locals=()), deny(200)), out("Storage"), False),
        # addresses
        ((rule(100, "10.0.2.0/24"), deny(200)), out("10.0.2.0/28", 445), True),
        ((rule(100, "10.0.2.0/28"), deny(200)), out("10.0.2.0/24", 445), False),
        ((rule(100, "VirtualNetwork"), deny(200)), out("10.0.2.0/28", 445), True),
        ((deny(100, "Internet"),), out("10.0.2.0/28", 445), True),
        ((deny(100, "10.0.2.7"),), out("10.0.2.0/28", 445), False),
        ((deny(100, "20.0.0.0/8"),), out("Storage.westeurope"), True),
        ((deny(100, "20.0.0.0/8"),), out("Internet"), False),
        ((deny(100, "fd00::/8"),), out("10.0.2.0/28"), True),
        ((deny(100, "0.0.0.0/0"),), out("Storage.westeurope"), False),
        # the first that concerns it decides, whatever the order of the list
        ((deny(200), rule(100, "Storage")), out("Storage"), True),
        ((rule(200), deny(100, "Storage")), out("Storage"), False),
    ],
)
def test_truth_table(rules: tuple[SecurityRule, ...], traffic: Traffic, through: bool) -> None:
    assert allows(rules, traffic) is through


def test_the_deciding_rule_is_named() -> None:
    assert decide((deny(300, "Internet"), rule(100, "Storage")), out("AzureMachineLearning")).name == "r300"
    assert decide((), out("Storage")).name == "AllowInternetOutBound"


TAGS = "* Internet VirtualNetwork AzureCloud AzureCloud.westeurope Storage Storage.westeurope Storage.northeurope"
REMOTES = st.sampled_from(
    [*TAGS.split(), "AzureMachineLearning", "AzureLoadBalancer", "10.0.0.0/8", "10.0.1.7", "20.1.0.0/16"]
)
PORTS = st.tuples(st.sampled_from([0, 80, 443, 445]), st.sampled_from([445, 8787, 65535]))
RULES = st.lists(
    st.builds(
        SecurityRule,
        name=st.sampled_from("abc"),
        priority=st.integers(100, 4096),
        direction=st.sampled_from(Direction),
        allow=st.booleans(),
        protocol=st.sampled_from(["*", "tcp", "udp"]),
        ports=st.tuples(PORTS),
        client_ports=st.just(((0, 65535),)),
        remotes=st.lists(REMOTES, max_size=2).map(tuple),
        locals=st.lists(st.sampled_from(["*", "10.0.1.0/24", "10.0.1.4", "10.9.0.0/16"]), max_size=2).map(tuple),
    ),
    max_size=6,
)
TRAFFIC = st.builds(
    Traffic,
    st.sampled_from(Direction),
    st.sampled_from(["tcp", "udp"]),
    st.sampled_from([80, 443, 445, 8787]),
    REMOTES,
    st.sampled_from([SUBNET, "10.0.1.4/32", ANYWHERE]),
)


@given(RULES, TRAFFIC, st.randoms())
def test_the_order_of_the_list_does_not_matter(rules: list[SecurityRule], traffic: Traffic, chance: Any) -> None:
    shuffled = list(rules)
    chance.shuffle(shuffled)
    assert decide(rules, traffic) == decide(shuffled, traffic)


@given(RULES, TRAFFIC, st.sampled_from(["traffic", "everything"]))
def test_a_deny_before_all_others_wins(rules: list[SecurityRule], traffic: Traffic, of: str) -> None:
    remote, local = (traffic.remote, traffic.local) if of == "traffic" else (ANYWHERE, ANYWHERE)
    first = SecurityRule("first", 99, traffic.direction, allow=False, remotes=(remote,), locals=(local,))
    assert decide([*rules, first], traffic) == first


@given(RULES, TRAFFIC)
def test_an_allow_before_all_others_wins(rules: list[SecurityRule], traffic: Traffic) -> None:
    first = SecurityRule("first", 99, traffic.direction, allow=True, remotes=(traffic.remote,), locals=(traffic.local,))
    assert decide([*rules, first], traffic) == first


@given(RULES, RULES, TRAFFIC)
def test_one_more_allow_takes_nothing_away_and_one_more_deny_gives_nothing(
    rules: list[SecurityRule], more: list[SecurityRule], traffic: Traffic
) -> None:
    before = allows(rules, traffic)
    assert allows([*rules, *(replace(one, allow=True) for one in more)], traffic) >= before
    assert allows([*rules, *(replace(one, allow=False) for one in more)], traffic) <= before


@given(RULES, TRAFFIC)
def test_the_other_direction_has_no_say(rules: list[SecurityRule], traffic: Traffic) -> None:
    assert decide(rules, traffic) == decide([one for one in rules if one.direction is traffic.direction], traffic)


@given(RULES, st.sampled_from(["Storage", "AzureCloud"]), st.sampled_from([443, 445]))
def test_what_reaches_a_service_reaches_its_regions(rules: list[SecurityRule], tag: str, port: int) -> None:
    assert allows(rules, out(tag, port)) <= allows(rules, out(f"{tag}.westeurope", port))


def test_whom_a_group_lets_in() -> None:
    ssh = (22, 22)
    rules = (
        rule(100, "AzureMachineLearning", ssh, direction=IN),
        deny(150, "20.1.0.0/16", ssh, direction=IN),
        rule(200, "20.1.0.0/16", ssh, direction=IN),
        rule(300, "Internet", (0, 1000), direction=IN),
        rule(400, "*", (80, 80), direction=IN),
        rule(500, "Storage", ssh, direction=OUT),
    )
    assert [(who, by.name) for who, by in admits(rules, "tcp", 22)] == [
        ("AzureMachineLearning", "r100"),
        ("Internet", "r300"),
    ]
    half = (deny(150, "20.1.0.0/17", ssh, direction=IN), rule(200, "20.1.0.0/16", ssh, direction=IN))
    assert [by.name for _, by in admits(half, "tcp", 22)] == ["r200"]
    twice = (rule(100, "*", ssh, direction=IN), rule(200, "Internet", ssh, direction=IN))
    assert [by.name for _, by in admits(twice, "tcp", 22)] == ["r100", "r200"]  # both must be narrowed
    assert admits((), "tcp", 22) == ()
    assert admits((deny(100, direction=IN), rule(200, "Internet", direction=IN)), "tcp", 22) == ()


def test_the_next_free_priority() -> None:
    assert free_priority((4096,), 4096) == 4095
    assert free_priority((4095, 4096), 4096) == 4094
    assert free_priority((100, 101), 101) is None
    assert free_priority((), 65500) == 4096


def test_rules_as_arm_writes_them() -> None:
    body = {
        "priority": 120,
        "direction": "Outbound",
        "access": "Deny",
        "protocol": "Tcp",
        "sourcePortRange": "*",
        "destinationPortRanges": ["443", "8000-9000"],
        "destinationPortRange": "",
        "sourceAddressPrefix": "VirtualNetwork",
        "destinationAddressPrefixes": ["Storage.westeurope", "10.1.0.0/16"],
        "sourceAddressPrefixes": [],
    }
    [one] = parsed({"properties": {"securityRules": [{"name": "r", "properties": body}]}})
    assert one == SecurityRule(
        "r",
        120,
        OUT,
        allow=False,
        protocol="tcp",
        ports=((443, 443), (8000, 9000)),
        remotes=("Storage.westeurope", "10.1.0.0/16"),
        locals=("VirtualNetwork",),
    )


@pytest.mark.parametrize("raw", [{}, {"properties": None}, {"properties": {"securityRules": [None, {}, {"name": 3}]}}])
def test_what_is_not_a_rule_lets_nothing_through_and_stops_nothing(raw: dict[str, Any]) -> None:
    assert allows(parsed(raw), out("Storage")) is True
