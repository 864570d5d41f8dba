"""Grants that amlguard made and that nobody needs any more (AML-80)."""

from collections.abc import Iterator

from shared.access.asks import Ask, RequiredRemoval
from shared.access.model import Estate, Want, Workspace
from shared.access.own_assignments import OwnAssignment, own
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_WORKSPACE = "microsoft.machinelearningservices/workspaces"


def _groups(workspace: Workspace) -> list[Scope]:
    """Where the workspace's grants are. The list of one resource group has all assignments in it."""
    named = (workspace.id, workspace.registry, workspace.storage, workspace.vault, workspace.app_insights)
    return list(dict.fromkeys(group for scope in named if scope and (group := scope.resource_group)))


def _lists(workspace: Workspace) -> list[Want]:
    return [Want(group, _ASSIGNMENTS) for group in _groups(workspace)]


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from _lists(workspace)
    attached = _attached(workspace)
    yield from (Want(one.shared) for one in _made_for(workspace, estate) if one.shared and one.shared not in attached)


def _attached(workspace: Workspace) -> frozenset[Scope]:
    """Shared identities and clusters that the workspace uses. They exist, so they need no look."""
    identities = (
        workspace.identity,
        *(compute.identity for compute in workspace.computes),
        *(endpoint.identity for endpoint in workspace.endpoints),
    )
    clusters = (compute.attached for compute in workspace.computes if compute.attached)
    return frozenset((*clusters, *(one.resource for each in identities for one in each.user if one.resource)))


def _made_for(workspace: Workspace, estate: Estate) -> list[OwnAssignment]:
    listed = [raw for group in _groups(workspace) for raw in estate.listed(group, _ASSIGNMENTS)]
    found = {one.assignment: one for raw in listed if (one := own(raw))}
    return [one for one in found.values() if one.on.ancestor(_WORKSPACE) == workspace.id]


def _left_behind(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """All of amlguard's grants: `shared.access.removals` keeps those that some rule still asks for."""
    yield from unreadable(_lists(workspace), estate)
    attached = _attached(workspace)
    for one in _made_for(workspace, estate):
        there = one.shared in attached or (one.shared and estate.facts.get(Want(one.shared)) is not None)
        gone = one.shared is not None and not there
        yield RequiredRemoval(
            one.assignment,
            one.scope,
            one.principal_id,
            one.role_id,
            one.on,
            ("AML-80",),
            f"amlguard granted role {one.role_id} on {one.scope.name} for {one.on.name}, and no rule asks for it any "
            f"more{'; its identity is gone' if gone else ''}",
            shared_with="" if one.shared is None or gone else one.shared.name,
        )


OWN_GRANTS = "own-grants"

RULES = (
    Rule(
        name=OWN_GRANTS,
        requirements=("AML-80",),
        mode=RuleKind.OPT_IN,
        title="amlguard reports its own grants that no rule asks for any more, and takes them back once the policy "
        "says so.",
        source="learn.microsoft.com/azure/role-based-access-control/role-assignments-remove",
        examine=_left_behind,
        acts="a grant by amlguard for a cluster that was deleted",
        leaves="a grant of the same role that somebody else made",
        wants=_wants,
        reads=(List.COMPUTES, List.ENDPOINTS),
        asks_everybody=True,
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
)
