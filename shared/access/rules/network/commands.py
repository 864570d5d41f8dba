"""The az commands that open a network security group."""

from collections.abc import Mapping

from shared.access.rules.az import az, within
from shared.access.rules.network.nsg import Direction, Gate, SecurityRule, free_priority
from shared.access.scope import Scope


def allow(
    gate: Gate,
    by: SecurityRule,
    *,
    protocol: str,
    remote: str,
    ports: tuple[int, ...],
    taken: frozenset[int] = frozenset(),
) -> tuple[int, str]:
    """The priority and the commands of a rule that lets in (or out) what the rule `by` of the group stops.

    `taken` are priorities that earlier commands use. If no priority before `by` is free, `by` moves back.
    """
    group, priorities = gate.id, {rule.priority for rule in gate.rules} | taken
    priority = free_priority(priorities, by.priority)
    commands = [] if priority else [_move(group, by, priorities)]
    priority = priority or by.priority
    end = "source" if by.direction is Direction.INBOUND else "destination"
    name = f"Allow-{remote}-{protocol}-{'-'.join(map(str, ports))}".replace("/", "-")
    said = {"name": name, "priority": priority, "direction": by.direction.capitalize(), "access": "Allow"}
    what = {"protocol": protocol.capitalize(), f"{end}_address_prefixes": remote, "destination_port_ranges": ports}
    commands.append(az("network nsg rule create", **_at(group), **said, **what))
    return priority, " && ".join(commands)


def private_endpoint(target: Scope, group_id: str, *, name: str, beside: Scope, subnet: object) -> str:
    made = {"name": name, **within(beside), "subnet": subnet}
    said = {"private_connection_resource_id": target, "group_id": group_id, "connection_name": target.name}
    return az("network private-endpoint create", **made, **said)


def narrow(group: Scope, rule: str, remote: str) -> str:
    """Narrows whom an inbound rule lets in, on any port, to `remote` only."""
    return az("network nsg rule update", **_at(group), name=rule, source_address_prefixes=remote)


def close(gate: Gate, rule: SecurityRule, port: int, remote: str) -> str:
    """Closes one port to everyone except `remote`, ahead of an inbound rule that lets others in to more ports."""
    taken = frozenset(each.priority for each in gate.rules)
    deny = free_priority(taken, rule.priority) or rule.priority
    before = free_priority(taken | {deny}, deny) or deny
    commands = [] if before < deny < rule.priority else [_move(gate.id, rule, set(taken))]
    said = {"direction": "Inbound", "protocol": "Tcp", "destination_port_ranges": port}
    for access, priority, who in (("Allow", before, remote), ("Deny", deny, "*")):
        name = f"{access}-{'others' if who == '*' else who}-tcp-{port}"
        options = {"name": name, "priority": priority, "access": access, "source_address_prefixes": who}
        commands.append(az("network nsg rule create", **_at(gate.id), **options, **said))
    return " && ".join(commands)


def _move(group: Scope, by: SecurityRule, taken: set[int]) -> str:
    later = next((each for each in range(by.priority + 1, 65536) if each not in taken), by.priority)
    return az("network nsg rule update", **_at(group), name=by.name, priority=later)


def _at(group: Scope) -> Mapping[str, str]:
    return {**within(group), "nsg_name": group.name}
