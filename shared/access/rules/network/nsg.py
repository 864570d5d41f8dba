"""What a network security group lets through.

Azure decides it in this way. In the order of priority (a low number first), the first rule that concerns a packet
allows or denies it. The default rules come last. Here the question is about traffic as a whole (any host of a subnet,
any address behind a service tag), so a rule may concern only a part of it. A deny that concerns a part stops the
traffic. An allow that concerns only a part does not let it through. Service tags are names: which addresses are behind
them is not known.
"""

import ipaddress
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache

from shared.access.model import Raw
from shared.access.raw import get, rows, text
from shared.access.scope import Scope

ANYWHERE = "*"
INTERNET = "Internet"
NETWORK = "VirtualNetwork"

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type Ports = tuple[tuple[int, int], ...]

_ALL_PORTS = (0, 65535)
_EPHEMERAL = (1024, 65535)  # the ports from which a client picks its own
_EVERYTHING = ("*", "any", "0.0.0.0/0")
_CLOUD = "azurecloud"
_OUTSIDE = INTERNET.casefold()
_INSIDE = (NETWORK.casefold(), "azureloadbalancer")


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class _Part(IntEnum):
    """How much of the traffic a rule concerns."""

    NONE = 0
    SOME = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class Traffic:
    """`remote` is a service tag, an address range or `ANYWHERE`. `local` is a range of the subnet's addresses."""

    direction: Direction
    protocol: str
    port: int
    remote: str
    local: str = ANYWHERE


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """`remotes` are the sources of an inbound rule and the destinations of an outbound rule.

    `locals` are the other end.

    Both are empty if the rule names application security groups, because AML's nodes are in none.
    """

    name: str
    priority: int
    direction: Direction
    allow: bool
    protocol: str = "*"
    ports: Ports = (_ALL_PORTS,)
    client_ports: Ports = (_ALL_PORTS,)
    remotes: tuple[str, ...] = (ANYWHERE,)
    locals: tuple[str, ...] = (ANYWHERE,)

    @property
    def order(self) -> tuple[int, bool, str]:
        """Azure does not allow two rules of one priority. If there were two, the deny would count."""
        return self.priority, self.allow, self.name


@dataclass(frozen=True, slots=True)
class Gate:
    """The network security group `id` in front of the address ranges `local`."""

    id: Scope
    rules: tuple[SecurityRule, ...]
    local: tuple[str, ...] = (ANYWHERE,)

    def denial(self, direction: Direction, protocol: str, port: int, remote: str) -> SecurityRule | None:
        """The rule that keeps any of the addresses from this traffic."""
        verdicts = (decide(self.rules, Traffic(direction, protocol, port, remote, each)) for each in self.local)
        return next((rule for rule in verdicts if not rule.allow), None)


def _default(name: str, priority: int, direction: Direction, remote: str, local: str, *, allow: bool) -> SecurityRule:
    return SecurityRule(name, priority, direction, allow, remotes=(remote,), locals=(local,))


# The same in every group, and nobody can change them.
_DEFAULTS = (
    _default("AllowVnetInBound", 65000, Direction.INBOUND, NETWORK, NETWORK, allow=True),
    _default("AllowAzureLoadBalancerInBound", 65001, Direction.INBOUND, "AzureLoadBalancer", ANYWHERE, allow=True),
    _default("DenyAllInBound", 65500, Direction.INBOUND, ANYWHERE, ANYWHERE, allow=False),
    _default("AllowVnetOutBound", 65000, Direction.OUTBOUND, NETWORK, NETWORK, allow=True),
    _default("AllowInternetOutBound", 65001, Direction.OUTBOUND, INTERNET, ANYWHERE, allow=True),
    _default("DenyAllOutBound", 65500, Direction.OUTBOUND, ANYWHERE, ANYWHERE, allow=False),
)


def decide(rules: Iterable[SecurityRule], traffic: Traffic) -> SecurityRule:
    """The rule that lets `traffic` through as a whole, or that stops it or a part of it.

    `rules` may be in any order.
    """
    ordered = sorted((*rules, *_DEFAULTS), key=lambda rule: rule.order)
    parts = ((rule, _concerns(rule, traffic)) for rule in ordered)
    return next(rule for rule, part in parts if part is _Part.ALL or (part is _Part.SOME and not rule.allow))


def allows(rules: Iterable[SecurityRule], traffic: Traffic) -> bool:
    return decide(rules, traffic).allow


def admits(rules: Iterable[SecurityRule], protocol: str, port: int) -> tuple[tuple[str, SecurityRule], ...]:
    """Whom the group's own rules let in to `port` (as the rule says it), and the rule that does."""
    ordered = sorted(rules, key=lambda rule: rule.order)
    return tuple(
        (remote, rule)
        for at, rule in enumerate(ordered)
        for remote in rule.remotes
        if rule.allow and _has_effect(rule, ordered[:at], Traffic(Direction.INBOUND, protocol, port, remote))
    )


def _has_effect(rule: SecurityRule, before: Iterable[SecurityRule], traffic: Traffic) -> bool:
    """Whether any of the traffic gets as far as `rule`."""
    stopped = any(not each.allow and _concerns(each, traffic) is _Part.ALL for each in before)
    return not stopped and _concerns(rule, traffic) is not _Part.NONE


def free_priority(taken: Container[int], before: int) -> int | None:
    """The closest free priority before another one. Custom rules have priorities from 100 to 4096."""
    return next((each for each in range(min(before - 1, 4096), 99, -1) if each not in taken), None)


def _concerns(rule: SecurityRule, traffic: Traffic) -> _Part:
    if rule.direction is not traffic.direction or rule.protocol not in ("*", traffic.protocol):
        return _Part.NONE
    return min(
        _ports(rule.ports, (traffic.port, traffic.port)),
        _ports(rule.client_ports, _EPHEMERAL),
        max((_addresses(each, traffic.remote) for each in rule.remotes), default=_Part.NONE),
        max((_own_addresses(each, traffic.local) for each in rule.locals), default=_Part.NONE),
    )


def _ports(ranges: Ports, wanted: tuple[int, int]) -> _Part:
    low, high = wanted
    if any(first <= low and high <= last for first, last in ranges):
        return _Part.ALL
    return _Part.SOME if any(first <= high and low <= last for first, last in ranges) else _Part.NONE


def _own_addresses(rule: str, wanted: str) -> _Part:
    """A subnet lies in its virtual network, whatever its addresses are."""
    if rule.casefold() == _INSIDE[0]:
        return _Part.ALL
    return _Part.NONE if network(rule) is None and rule.casefold() not in _EVERYTHING else _addresses(rule, wanted)


def _addresses(rule: str, wanted: str) -> _Part:
    """How much of `wanted` the prefix or tag of a rule covers."""
    rule, wanted = rule.casefold(), wanted.casefold()
    if rule in _EVERYTHING or rule == wanted:
        return _Part.ALL
    if wanted in _EVERYTHING:
        return _Part.SOME
    ours, theirs = network(rule), network(wanted)
    if ours and theirs:
        return _overlap(ours, theirs)
    if theirs:
        return _range_behind(rule, theirs)
    return _some_behind(ours, wanted) if ours else _tags(rule, wanted)


def _overlap(ours: Network, theirs: Network) -> _Part:
    if not ours.overlaps(theirs):
        return _Part.NONE
    return _Part.ALL if ours.prefixlen <= theirs.prefixlen else _Part.SOME


def _range_behind(tag: str, wanted: Network) -> _Part:
    """A private range is in the virtual network or in one that it reaches. Other ranges are on the Internet."""
    return _Part.ALL if tag == _side(wanted) else _Part.NONE


def _some_behind(ours: Network, tag: str) -> _Part:
    """Which addresses are behind a service's tag is not known, so no range is taken to concern it."""
    return _Part.SOME if tag == _side(ours) else _Part.NONE


def _side(addresses: Network) -> str:
    return _INSIDE[0] if addresses.is_private else _OUTSIDE


def _tags(rule: str, wanted: str) -> _Part:
    (service, region), (wanted_service, wanted_region) = _split(rule), _split(wanted)
    wider = _holds(service, wanted_service)
    if not (wider or _holds(wanted_service, service)) or (region and wanted_region and region != wanted_region):
        return _Part.NONE
    return _Part.ALL if wider and region in ("", wanted_region) else _Part.SOME


def _holds(outer: str, inner: str) -> bool:
    """AzureCloud contains the services. Internet contains them and everything else that is not inside."""
    if inner in _INSIDE:
        return outer == inner
    return outer in (inner, _OUTSIDE) or (outer == _CLOUD and inner != _OUTSIDE)


def _split(tag: str) -> tuple[str, str]:
    """`Storage.westeurope` is the part of `Storage` in that region. `AzureFrontDoor.Frontend` works in the same way."""
    service, _, region = tag.partition(".")
    return service, region


@lru_cache(maxsize=1024)
def network(address: str) -> Network | None:
    """A single address is a network of one. A service tag is not a network."""
    try:
        return ipaddress.ip_network(address, strict=False)
    except ValueError:
        return None


def security_rules(group: Raw) -> tuple[SecurityRule, ...]:
    """The group's own rules, from the answer to a GET of the network security group."""
    return tuple(_rule(raw) for raw in rows(group, "properties", "securityRules"))


def _rule(raw: object) -> SecurityRule:
    body = get(raw, "properties")
    inbound = (text(body, "direction") or "").casefold() == "inbound"
    remote, local = ("source", "destination") if inbound else ("destination", "source")
    priority = get(body, "priority")
    return SecurityRule(
        name=text(raw, "name") or "?",
        priority=priority if isinstance(priority, int) else 4096,
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        allow=(text(body, "access") or "").casefold() == "allow",
        protocol=(text(body, "protocol") or "*").casefold(),
        ports=tuple(_port_ranges(_both(body, "destinationPortRange"))),
        client_ports=tuple(_port_ranges(_both(body, "sourcePortRange"))),
        remotes=tuple(_both(body, f"{remote}AddressPrefix")),
        locals=tuple(_both(body, f"{local}AddressPrefix")),
    )


def _both(body: object, name: str) -> Iterator[str]:
    """ARM has one value under the singular or several under the plural, and leaves the other empty or absent."""
    single = text(body, name)
    if single:
        yield single
    yield from (each for each in rows(body, f"{name}es" if name.endswith("x") else f"{name}s") if isinstance(each, str))


def _port_ranges(texts: Iterable[str]) -> Iterator[tuple[int, int]]:
    for each in texts:
        if each == "*":
            yield _ALL_PORTS
            continue
        first, _, last = each.partition("-")
        if first.strip().isdecimal() and (last or first).strip().isdecimal():
            yield int(first), int(last or first)
