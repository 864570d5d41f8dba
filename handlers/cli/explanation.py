"""What `explain` found, as a document and as text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from handlers.cli.console import counted
from handlers.cli.formats.explained import text as explained_text
from handlers.cli.formats.screen import Screen
from shared.access.actions import Removal, Setting, Wait
from shared.access.asks import RegistryUser
from shared.access.explain import Explained, Seen, user_document
from shared.access.plan_json import Document, finding
from shared.access.scope import Scope

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Explanation:
    """`seen` has an entry for each workspace that the resource belongs to, or that uses it.

    `told` makes of a document what people may read: a template's own words in place of what stands for them.
    """

    resource: Scope
    seen: tuple[Seen, ...] = ()
    users: tuple[RegistryUser, ...] = ()
    told: Callable[[Document], Document] = lambda document: document

    @property
    def needs(self) -> Sequence[Explained]:
        found = {(one.ask.principal.id, one.ask.scope, one.ask.need): one for each in self.seen for one in each.needs}
        return list(found.values())

    @property
    def all_well(self) -> bool:
        return all(one.held for one in self.needs) and not any(one.changes or one.findings for one in self.seen)

    def document(self) -> Document:
        changes = [change for one in self.seen for change in one.changes]
        return self.told(
            {
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
        )

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
