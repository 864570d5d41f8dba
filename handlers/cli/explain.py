"""`amlguard explain`: who needs what on a resource, through what they hold it, and why. It only reads."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from handlers.cli.console import counted, scope_of
from handlers.cli.desk import at_a_desk
from handlers.cli.formats.explained import text as explained_text
from handlers.cli.formats.screen import Screen
from handlers.runtime import Runtime, connected
from shared.access.actions import Removal, Setting, Wait
from shared.access.asks import RegistryUser
from shared.access.explain import Explained, Seen, explain, user_document, users
from shared.access.plan_json import Document, finding
from shared.access.scope import Scope
from shared.access.users import unsuitable
from shared.ports import ReadFailedError
from shared.prepare import prepare, prepare_for_everybody

_REGISTRY = "microsoft.containerregistry/registries"
_MOST_NAMED = 5
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


@dataclass(frozen=True, slots=True)
class Explanation:
    """`seen` has an entry for each workspace that the resource belongs to, or that uses it."""

    resource: Scope
    seen: tuple[Seen, ...] = ()
    users: tuple[RegistryUser, ...] = ()

    @property
    def needs(self) -> Sequence[Explained]:
        found = {(one.ask.principal.id, one.ask.scope, one.ask.need): one for each in self.seen for one in each.needs}
        return list(found.values())

    @property
    def all_well(self) -> bool:
        return all(one.held for one in self.needs) and not any(one.changes or one.findings for one in self.seen)

    def document(self) -> Document:
        changes = [change for one in self.seen for change in one.changes]
        return {
            "resourceId": str(self.resource),
            "workspaces": [str(one.workspace.id) for one in self.seen],
            "lookedAt": [{"resourceId": str(one.workspace.id), **_below(one)} for one in self.seen],
            "needs": [one.document() for one in self.needs],
            "roles": _distinct(one.document() for each in self.seen for one in each.roles),
            "settings": _distinct(_setting(one, verdict) for one, verdict in changes if isinstance(one, Setting)),
            "removals": _distinct(_removal(one, verdict) for one, verdict in changes if isinstance(one, Removal)),
            "waits": _distinct(
                {"resourceId": str(one.resource), "verdict": verdict}
                for one, verdict in changes
                if isinstance(one, Wait)
            ),
            "findings": _distinct(finding(one) for each in self.seen for one in each.findings),
            "users": [user_document(one) for one in self.users],
        }

    def text(self, screen: Screen) -> str:
        return explained_text(self.document(), list(self._looked()), screen)

    def _looked(self) -> Iterator[str]:
        if not self.seen:
            yield "looked at: no workspace is, lies in or uses it"
        for one in self.seen[:_MOST_NAMED]:
            below = ", ".join(counted(count, what[:-1]) for what, count in _below(one).items())
            yield f"looked at: workspace {one.workspace.id} ({below})"
        if len(self.seen) > _MOST_NAMED:
            yield f"looked at: {counted(len(self.seen) - _MOST_NAMED, 'workspace')} more"


async def explained(resource: str, policy_file: Path | None) -> Explanation:
    """Raises `UsageError` if `resource` is not an id, and `AzureFailureError`, also if the resource does not exist."""
    scope = scope_of(resource)
    async with connected(os.environ, policy_file) as services:
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


def _below(one: Seen) -> dict[str, int]:
    parts = ("computes", "endpoints", "datastores", "connections")
    return {part: len(getattr(one.workspace, part)) for part in parts}


def _setting(one: Setting, verdict: str) -> Document:
    return {
        "resourceId": str(one.resource),
        "property": str(one.name),
        "from": one.current,
        "to": one.to,
        "verdict": verdict,
    }


def _removal(one: Removal, verdict: str) -> Document:
    return {"roleAssignmentId": str(one.assignment), "resourceId": str(one.on), "verdict": verdict}


def _distinct(documents: Iterator[Document]) -> list[Document]:
    seen: dict[str, Document] = {}
    for document in documents:
        seen.setdefault(repr(document), document)
    return list(seen.values())
