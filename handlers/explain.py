"""`amlguard explain`: who needs what on a resource, who holds it through what, and why. Reads only."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from handlers.services import Services, connected
from shared.access.documents import Document
from shared.access.explain import Explained, explain, settings
from shared.access.outcomes import Setting
from shared.access.plan import plan
from shared.access.scope import Scope
from shared.discover import workspaces_at
from shared.observe import observe
from shared.ports import ReadFailedError


@dataclass(frozen=True, slots=True)
class Explanation:
    """`workspaces` are those that lead to the resource: that it is of, or that use it."""

    resource: Scope
    workspaces: tuple[Scope, ...] = ()
    needs: tuple[Explained, ...] = ()
    settings: tuple[tuple[Setting, str], ...] = ()

    @property
    def all_held(self) -> bool:
        return not self.settings and all(one.held for one in self.needs)

    def document(self) -> Document:
        return {
            "resourceId": str(self.resource),
            "workspaces": [str(one) for one in self.workspaces],
            "needs": [one.document() for one in self.needs],
            "settings": [
                {"property": str(one.name), "from": one.current, "to": one.to, "verdict": verdict}
                for one, verdict in self.settings
            ],
        }

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.resource}"
        for one in self.needs:
            need, document = one.ask, one.document()
            yield f"{'✓' if one.held else '✗'} {need.principal.label} must {need.need.name} on {need.scope}"
            yield from (f"    {why}  [{', '.join(one.ask.requirements)}]" for why in document["why"])
            yield from (f"    held through {_role(through)}" for through in document["heldThrough"])
            if not one.held:
                yield f"    {one.verdict}: {need.need.role_name} ({one.reason})"
            yield from (f"    {source}" for source in document["sources"])
        for setting, verdict in self.settings:
            yield f"~ {setting.name} {setting.current} → {setting.to}: {verdict}"
        if not self.needs and not self.settings:
            yield f"  nothing: no rule asks for anything here, in the {len(self.workspaces)} workspaces that lead to it"


async def explained(resource: str, policy_file: Path | None) -> Explanation:
    """Raises `AzureFailureError`, also when nothing leads to the resource, and `InvalidScopeError`."""
    scope = Scope.parse(resource)
    async with connected(os.environ, policy_file) as services:
        found = await workspaces_at(scope, services.azure)
        if not found:
            raise ReadFailedError("explain", "NoWorkspace", f"no workspace is, lies in or uses {scope}")
        each = await asyncio.gather(*(_seen_from(workspace, scope, services) for workspace in found))
    needs = {(one.ask.principal.id, one.ask.scope, one.ask.need): one for some, _ in each for one in some}
    wanted = {(one.name, verdict): (one, verdict) for _, some in each for one, verdict in some}
    return Explanation(scope, tuple(found), tuple(needs.values()), tuple(wanted.values()))


async def _seen_from(
    workspace: Scope, resource: Scope, services: Services
) -> tuple[Sequence[Explained], Sequence[tuple[Setting, str]]]:
    estate = await observe(workspace, services.azure, services.terms)
    if estate is None:
        if workspace.contains(resource):
            raise ReadFailedError("explain", "ResourceNotFound", f"there is no workspace {workspace}")
        return (), ()
    made = plan(estate, services.terms)
    return explain(estate, services.terms, made, resource), tuple(settings(made, resource))


def _role(through: Document) -> str:
    group = f" as a member of group {through['group']}" if through["group"] else ""
    return f"{through['roleName']} at {through['scope']}{group}  ({through['roleAssignmentId']})"
