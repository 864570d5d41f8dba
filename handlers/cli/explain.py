"""`amlguard explain`: who needs what on a resource, through what they hold it, and why. It only reads."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from handlers.cli.console import scope_of
from handlers.cli.desk import at_a_desk
from handlers.cli.explanation import Explanation
from handlers.cli.from_snapshot import services_of
from handlers.runtime import Runtime
from shared.access.asks import RegistryUser
from shared.access.explain import Seen, explain, users
from shared.access.scope import Scope
from shared.access.users import unsuitable
from shared.ports import ReadFailedError
from shared.prepare import prepare, prepare_for_everybody

_REGISTRY = "microsoft.containerregistry/registries"
_KINDS = {
    "workspaces": "workspace",
    "computes": "compute",
    "onlineendpoints": "online endpoint",
    "datastores": "datastore",
    "connections": "connection",
    "registries": "registry",
    "storageaccounts": "storage account",
    "vaults": "key vault",
    "userassignedidentities": "user-assigned identity",
    "resourcegroups": "resource group",
    "subscriptions": "subscription",
}


async def explained(resource: str, policy_file: Path | None, snapshot: Path | None = None) -> Explanation:
    """Raises `UsageError` if `resource` is not an id, and `AzureFailureError`, also if the resource does not exist."""
    scope = scope_of(resource)
    async with services_of(policy_file, snapshot) as services:
        return await explained_by(scope, services)


async def explained_by(scope: Scope, services: Runtime) -> Explanation:
    """As `explained`, of services that are connected."""
    found = await _leading_to(scope, services)
    each = await asyncio.gather(*(_seen_from(workspace, scope, services) for workspace in found))
    using = await _users(found, scope, services) if scope.resource_type == _REGISTRY else ()
    return Explanation(scope, tuple(one for one in each if one), using)


async def _leading_to(scope: Scope, services: Runtime) -> Sequence[Scope]:
    """Raises `ReadFailedError`, also if there is no such resource."""
    if scope.subscription is None:
        return await services.scopes.workspaces(scope)
    try:
        there = await services.azure.resource(scope) is not None
    except ReadFailedError as error:
        raise ReadFailedError(f"explain {scope}", error.code, error.reason, lacks_right=error.lacks_right) from error
    if not there:
        kind = _KINDS.get(scope.resource_type.rpartition("/")[2], "resource")
        reason = f"there is no {kind} {scope}, so no workspace is, lies in or uses it: check the id"
        raise ReadFailedError(
            "explain", "NotFound", f"{reason} (`az resource list --query '[].id'` lists the ids that exist)"
        )
    # A resource that cannot be a scope, such as a cluster or a container, may also lead to workspaces.
    users = await services.scopes.users(scope) if unsuitable(scope) else ()
    return users or await services.scopes.workspaces(scope)


async def _seen_from(workspace: Scope, resource: Scope, services: Runtime) -> Seen | None:
    desk = at_a_desk(services, None)
    prepared = await prepare(workspace, services.azure, desk.terms)
    if prepared is None:
        if workspace.contains(resource):
            raise ReadFailedError("explain", "ResourceNotFound", f"there is no workspace {workspace}, or not any more")
        return None
    made = await desk.braked(prepared.plan, workspace)
    return explain(prepared.estate, desk.terms, made, resource)


async def _users(found: Sequence[Scope], registry: Scope, services: Runtime) -> tuple[RegistryUser, ...]:
    """Starts at the first workspace on the registry. From there all others are looked at."""
    for workspace in found:
        prepared = await prepare_for_everybody(workspace, services.azure, services.terms)
        if prepared and prepared.estate.subject.registry == registry:
            return users(prepared.estate, services.terms, prepared.plan, registry)
    return ()
