"""The resource group of a virtual network, in which AML makes and deletes what nodes with public IPs need."""

from collections.abc import Iterator, Mapping, Sequence

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Estate, Want, Workspace
from shared.access.rules.az import az, code
from shared.access.rules.network import seats
from shared.access.rules.network.azure_policy import ASSIGNMENTS, Ban, bans, definitions_wanted
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope
from shared.access.surroundings import Lock

OBSTACLES = "network-group-obstacles"

_SECURITY_GROUPS = "Microsoft.Network/networkSecurityGroups"


def _obstacles(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    groups = _groups(workspace)
    locked = [group for group in groups if any(lock.scope.contains(group) for lock in estate.locks)]
    wants = [want for want in _wants(workspace, estate) if want.scope not in locked]  # of those, there is more to say
    yield from unreadable(wants, estate)
    for group, seated in groups.items():
        locks = [lock for lock in estate.locks if lock.scope.contains(group)]
        banned = bans(_SECURITY_GROUPS, group, estate)
        if locks or banned:
            certain = bool(locks) or any(ban.certain for ban in banned)
            yield Found(
                group,
                f"In resource group {group.name} AML makes and deletes network security groups, load balancers and "
                f"public IPs for {seats.nodes(seated)}: {'; '.join([*map(_locked, locks), *map(_banned, banned)])}.",
                {"steps": _remedy(locks, banned, group)},
                kind="is in the way" if certain else "may be in the way",
            )


def _groups(workspace: Workspace) -> Mapping[Scope, tuple[seats.Seat, ...]]:
    found: dict[Scope, tuple[seats.Seat, ...]] = {}
    for subnet, seated in seats.by_subnet(workspace, public_ip=True).items():
        if subnet.resource_group:
            found[subnet.resource_group] = (*found.get(subnet.resource_group, ()), *seated)
    return found


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    """Locks need no extra reading: those of the workspace's subscription are known, and the group is in it (AML-51)."""
    for group in _groups(workspace):
        yield Want(group, ASSIGNMENTS)
        yield from definitions_wanted(group, estate)


def _locked(lock: Lock) -> str:
    level = "ReadOnly" if lock.read_only else "CanNotDelete"
    return f"a {level} lock at {lock.scope} forbids that"


def _remedy(locks: list[Lock], banned: Sequence[Ban], group: Scope) -> str:
    """A lock protects everything there, so people should know for what else it was made."""
    steps = ["Make the nodes without public IPs, which need none of this, or let AML do it:"]
    if locks:
        unlocked = code(*(az("lock delete", ids=lock.id) for lock in locks))
        steps.append(f"once you know what else the lock protects, remove it: {unlocked};")
    if banned:
        steps.append(f"exempt the resource group from the policy: {code(*(_exempt(ban, group) for ban in banned))};")
    return " ".join(steps).removesuffix(";")


def _banned(ban: Ban) -> str:
    verb = "forbids" if ban.certain else "may forbid"
    return f"the policy assignment {ban.assignment} {verb} network security groups"


def _exempt(ban: Ban, group: Scope) -> str:
    """An exemption adds to what is there. Excluded scopes would all have to be named again."""
    assignment = f"{ban.scope.rstrip('/')}/providers/Microsoft.Authorization/policyAssignments/{ban.name}"
    named = {"name": f"amlguard-{ban.name}"[:64], "policy_assignment": assignment, "scope": group}
    return az("policy exemption create", **named, exemption_category="Waiver")


RULES = (
    Rule(
        name=OBSTACLES,
        requirements=("AML-62",),
        mode=RuleKind.AUDIT,
        title="No lock and no policy stops AML from making what nodes with public IPs need beside their virtual "
        "network.",
        source="learn.microsoft.com/azure/machine-learning/how-to-secure-training-vnet",
        examine=_obstacles,
        acts="a CanNotDelete lock on the virtual network's resource group, or a policy that denies network security "
        "groups",
        leaves="a cluster without public IPs there, or a lock on the virtual network alone",
        findings={
            "is in the way": FindingKind(Severity.HIGH, "{steps}"),
            "may be in the way": FindingKind(Severity.LOW, "{steps}"),
        },
        wants=_wants,
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
)
