"""Where an event says to look. The rules' `watches` say which events matter."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.access.rules import List, Rule
from shared.access.scope import Scope

WORKSPACE = "microsoft.machinelearningservices/workspaces"
_ROLE_ASSIGNMENT = "microsoft.authorization/roleassignments"


@dataclass(frozen=True, slots=True)
class Look:
    """A look at one workspace, or, if `workspace` is None, at all workspaces that lie in or use `scope`.

    `touched` is the list below the workspace in which something was written. None: everything may matter.
    """

    scope: Scope
    workspace: Scope | None = None
    touched: List | None = None


# Kinds of workspaces with operation names of their own (azure-facts §2). Their events name a workspace.
_OTHER_NAMES = (
    "Microsoft.MachineLearningServices/workspaces/hubs/write",
    "Microsoft.MachineLearningServices/workspaces/featurestores/write",
)


def operations(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The operation names that an Event Grid subscription should let through, in Azure's spelling.

    These are the operations that the rules watch, and the deletion of role assignments.
    """
    watched = sorted({kind for rule in rules for kind in rule.watches})
    changed = [f"{kind}/{verb}" for kind in watched for verb in ("write", "delete")]
    return (*changed, *_OTHER_NAMES, "Microsoft.Authorization/roleAssignments/delete")


def route(scope: Scope, kind: str, rules: Iterable[Rule]) -> Look | None:
    """`kind` is write or delete. None if nothing that amlguard looks after can depend on it."""
    if scope.resource_type == _ROLE_ASSIGNMENT:
        return _at(scope.parent) if kind == "delete" else None
    watched = (one.casefold() for rule in rules for one in rule.watches)
    if scope.resource_type not in watched:
        return None
    # What was deleted may leave grants behind, which are taken back only where no rule at all asks for them.
    return _at(scope, _LISTS.get(scope.resource_type) if kind == "write" else None)


_LISTS = {f"{WORKSPACE}/{name}".casefold(): name for name in List}


def _at(scope: Scope, touched: List | None = None) -> Look:
    return Look(scope, scope.ancestor(WORKSPACE), touched)
