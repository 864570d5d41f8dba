"""The az commands that open a network security group."""

from collections.abc import Iterable, Iterator

from shared.access.network import group_name
from shared.access.nsg import Direction, Gate, SecurityRule, free_priority
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

    `taken` are priorities that earlier commands use. Where none is free before `by`, that one moves back.
    """
    group, priorities = gate.id, {rule.priority for rule in gate.rules} | taken
    priority = free_priority(priorities, by.priority)
    commands = [] if priority else [_move(group, by, priorities)]
    priority = priority or by.priority
    end = "source" if by.direction is Direction.INBOUND else "destination"
    name = f"Allow-{remote}-{protocol}-{'-'.join(map(str, ports))}".replace("/", "-")
    commands.append(
        f"az network nsg rule create {_at(group)} --name {name} --priority {priority} "
        f"--direction {by.direction.capitalize()} --access Allow --protocol {protocol.capitalize()} "
        f"--{end}-address-prefixes {remote} --destination-port-ranges {' '.join(map(str, ports))}"
    )
    return priority, " && ".join(commands)


def narrow(rules: Iterable[tuple[Scope, str]], remote: str) -> Iterator[str]:
    """Leaves only `remote` of whom these inbound rules (of these groups) let in."""
    for group, name in rules:
        yield f"az network nsg rule update {_at(group)} --name {name} --source-address-prefixes {remote}"


def _move(group: Scope, by: SecurityRule, taken: set[int]) -> str:
    later = next(each for each in range(by.priority + 1, 65536) if each not in taken)
    return f"az network nsg rule update {_at(group)} --name {by.name} --priority {later}"


def _at(group: Scope) -> str:
    return f"--resource-group {group_name(group)} --nsg-name {group.name}"
