"""The plans of several workspaces as one JSON document: what it holds, docs/schemas/plan.schema.json says."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import zip_longest
from typing import Any

from shared.access.actions import Grant, Plan, Unknown
from shared.access.asks import Severity
from shared.access.guards import Guard
from shared.access.plan_json import Document, action, finding, in_words
from shared.access.scope import Scope

CHANGES = ("grants", "settings", "removals")
# Guards that object because something could not be read: what they withhold is unknown, not wrong (law 2).
NOT_KNOWN = frozenset({Guard.UNREADABLE, Guard.NOT_READ, Guard.NO_EVIDENCE})


@dataclass(slots=True)
class Report:
    """`plans` are those of the workspaces in `looked_at`, in the same order (law 14).

    `errors` are in words; those about one workspace are in `failed` as well, by what could not be read. `policy` is the
    file (None: the defaults), `identity` the object id that it was looked at with, `scopes` are those that were named;
    `time` is ARM's. `as_of` is when Resource Graph was asked for the resources; None: ARM showed all of it. `template`
    are the files of a plan of what is not there yet, `unknown` is what they leave open for all workspaces.
    """

    plans: list[Plan] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    looked_at: list[Scope] = field(default_factory=list)
    policy: str | None = None
    identity: str | None = None
    time: datetime | None = None
    version: str = ""
    scopes: tuple[Scope, ...] = ()
    failed: dict[Scope, str] = field(default_factory=dict)
    as_of: datetime | None = None
    template: list[str] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)

    @property
    def compliant(self) -> bool:
        return not (self.errors or self.unknown) and all(plan.compliant for plan in self.plans)

    def fail(self, workspace: Scope, why: str) -> None:
        self.errors.append(f"{workspace}: {why}")
        self.failed[workspace] = why

    def document(self) -> Document:
        made = {
            "version": self.version,
            "time": self.time.isoformat() if self.time else None,
            "scope": [str(one) for one in self.scopes],
            "policy": self.policy,
            "lookedAt": {
                "workspaces": len(self.looked_at),
                "subscriptions": len({one.subscription for one in self.looked_at}),
                "policy": self.policy,
                "identity": self.identity,
                "asOf": self.as_of.isoformat() if self.as_of else None,
            },
            **self._items(),
            "satisfied": sum(plan.satisfied for plan in self.plans),
            "errors": self.errors,
        }
        said = {"template": {"files": self.template, "needs": self._needs()}} if self.template else {}
        return made | said | {"counts": counts(made)}

    def _needs(self) -> Document:
        """How many needs of the template's identities are held and missing, and how much is unknown."""
        grants = [one for plan in self.plans for one in plan.grants]
        kept = [one.action for plan in self.plans for one in plan.withheld]
        kept += [one.action for plan in self.plans for one in plan.deferred]
        advised = [need for plan in self.plans for one in plan.findings for need in one.needs]
        return {
            "held": sum(plan.satisfied for plan in self.plans),
            "missing": len({one.action_id for one in (*grants, *kept) if isinstance(one, Grant)}) + len(advised),
            "unknown": len(self._items()["unknown"]),
        }

    def _items(self) -> dict[str, list[Document]]:
        return {
            "grants": distinct((at, action(one)) for at, plan in self._each() for one in plan.grants),
            "settings": distinct((at, action(one)) for at, plan in self._each() for one in plan.settings),
            "removals": distinct((at, action(one)) for at, plan in self._each() for one in plan.removals),
            "findings": distinct((at, finding(one)) for at, plan in self._each() for one in plan.findings),
            "withheld": distinct(
                (at, {"action": action(one.action), "guard": one.refusal.guard, "reason": one.refusal.reason})
                for at, plan in self._each()
                for one in plan.withheld
            ),
            "deferred": distinct(
                (at, {"action": action(one.action), "until": one.until.isoformat(), "reason": one.reason})
                for at, plan in self._each()
                for one in plan.deferred
            ),
            "unknown": distinct(self._unknown()),
        }

    def _each(self) -> Iterator[tuple[Scope | None, Plan]]:
        for at, plan in zip_longest(self.looked_at, self.plans):
            if plan is not None:
                yield at, plan

    def _unknown(self) -> Iterator[tuple[Scope | None, Document]]:
        """Workspaces that could not be read, and what could not be read of the others."""
        for besides in self.unknown:
            yield None, _open(besides)
        for at, why in self.failed.items():
            yield at, {"resourceId": str(at), "what": "the workspace", "reason": why}
        for workspace, plan in self._each():
            for kept in plan.withheld:
                if kept.refusal.guard in NOT_KNOWN:
                    what, where = f"whether to {in_words(kept.action)}", str(kept.action.resource)
                    yield workspace, {"resourceId": where, "what": what, "reason": kept.refusal.reason}
            for left_open in plan.unknown:
                yield workspace, _open(left_open)
            for one in plan.findings:
                if one.lacks_right:
                    yield workspace, {"resourceId": str(one.resource), "what": one.message, "reason": one.remedy}


def _open(one: Unknown) -> Document:
    return {"resourceId": str(one.resource), "what": one.what, "reason": one.reason}


def distinct(documents: Iterable[tuple[Scope | None, Document]]) -> list[Document]:
    """Each with the workspaces whose plans have it: a registry that two share is one setting."""
    seen: dict[tuple[str, ...], tuple[Document, dict[str, None]]] = {}
    for workspace, document in documents:
        key = tuple(value if isinstance(value, str) else repr(value) for value in document.values())
        _, workspaces = seen.setdefault(key, (document, {}))
        if workspace is not None:
            workspaces[str(workspace)] = None
    return [one | {"workspace": next(iter(at), None), "workspaces": list(at)} for one, at in seen.values()]


def counts(document: Mapping[str, Any]) -> Document:
    """How much of everything the document holds; findings by how severe they are."""
    severities = Counter(one["severity"] for one in document["findings"])
    lists = (*CHANGES, "withheld", "deferred", "unknown", "errors")
    return {
        "workspaces": document["lookedAt"]["workspaces"],
        "subscriptions": document["lookedAt"]["subscriptions"],
        **{name: len(document[name]) for name in lists},
        "findings": {str(severity): severities[severity] for severity in Severity},
        "satisfied": document["satisfied"],
    }
