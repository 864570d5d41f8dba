"""Parts of az commands that remedies share."""

from shared.access.scope import Scope


def group(scope: Scope) -> str:
    return scope.resource_group.name if scope.resource_group else "RESOURCE-GROUP"


def at(workspace: Scope) -> str:
    """The options by which `az ml` commands find the workspace of what they are about."""
    return f"--workspace-name {workspace.name} --resource-group {group(workspace)}"
