"""A plan's document as people look at it: items, the worst first. All formats render this.

It is pure: documents in, values out. What text is safe depends on where it is shown, so each format sees to that.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import takewhile
from typing import Any

from handlers.cli.formats.names import called, holder, in_short, part, short_guid, utc
from shared.access.plan_json import Document, short
from shared.access.report import CHANGES
from shared.access.rules import RULES


class Status(StrEnum):
    CHANGE = "change"
    WITHHELD = "withheld"
    DEFERRED = "deferred"
    UNKNOWN = "unknown"
    FINDING = "finding"


SEVERITIES = ("high", "medium", "low", "informational")
LISTS = (*CHANGES, "withheld", "deferred", "unknown", "findings")
# How bad: a place on this list. Findings are told by their severity, all else by its status.
WORST_FIRST = ("high", "unknown", "medium", "change", "withheld", "deferred", "low", "informational")
_ROLES = {need.role_id: need.role_name for rule in RULES for need in rule.grants}
_NAME = re.compile(r"[^\s,;:()'\"`]+")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a plan. `document` is the JSON of it, `title` what it is in one line, with names in place of ids.

    `action` is that of a change, and of what is withheld or deferred: else it is empty.
    """

    status: Status
    part: str
    document: Document = field(repr=False)
    action: Document = field(repr=False)
    title: str
    reason: str
    remedy: str = ""
    guard: str = ""
    severity: str = ""

    @property
    def rule(self) -> str:
        """The first of the rules that ask for it."""
        return str((self.action or self.document).get("rule") or "").partition(",")[0]

    @property
    def rules(self) -> tuple[str, ...]:
        said = str((self.action or self.document).get("rule") or "")
        return tuple(filter(None, map(str.strip, said.split(","))))

    @property
    def requirements(self) -> tuple[str, ...]:
        return tuple((self.action or self.document).get("requirements") or ())

    @property
    def ids(self) -> str:
        return ", ".join((*self.rules, *self.requirements))

    @property
    def resource(self) -> str:
        one = self.action or self.document
        return str(one.get("resourceId") or one.get("scope") or "")

    @property
    def target(self) -> str:
        """Where it would act: a role's scope, the resource of a setting."""
        one = self.action or self.document
        return str(one.get("scope") or one.get("resourceId") or "")

    @property
    def workspace(self) -> str:
        """The first of the workspaces that have it in their plans, else the one that it lies in."""
        return str(self.document.get("workspace") or _workspace_of(self.resource))

    @property
    def workspaces(self) -> Sequence[str]:
        return tuple(self.document.get("workspaces") or filter(None, (self.workspace,)))

    @property
    def source(self) -> str:
        return str((self.action or self.document).get("source") or "")

    @property
    def outcome(self) -> str:
        return str(self.document.get("outcome") or "")

    @property
    def badness(self) -> int:
        """0 is worst."""
        return WORST_FIRST.index(self.severity or self.status)

    @property
    def key(self) -> tuple[str, ...]:
        """What it is about, whatever it is called and whenever it is looked at: for fingerprints."""
        one = self.action or self.document
        said = (one.get(name) for name in ("principalId", "roleDefinitionId", "roleAssignmentId", "property", "what"))
        named = (*self.rules, self.resource, self.target, *(str(each or "") for each in said))
        return (self.part, *(each.casefold().rstrip("/") for each in named), self.kind_of_thing)

    @property
    def kind_of_thing(self) -> str:
        """Items of the same kind are the same finding in other places: their text without its names."""
        names = {one.casefold() for one in _named(self)}
        return _NAME.sub(lambda found: "…" if found[0].strip(".").casefold() in names else found[0], self.title)


def _named(item: Item) -> Iterator[str]:
    """The words that only this item has: ids and names of what it is about."""
    for one in (item.resource, item.target, item.workspace, str(item.document.get("principal") or "")):
        parts = one.strip("/").split("/")
        yield from (one, *parts[1::2], "/".join(parts[-1:]), called(one).rpartition(" ")[2])
    about = item.action or item.document
    for name in ("principalName", "principalId"):
        said = str(about.get(name) or "")
        yield from (said, *said.split(), short_guid(said))


@dataclass(frozen=True)
class View:
    """`document` is what it was made of. `items` are in the order of the document."""

    document: Document
    items: Sequence[Item]

    @cached_property
    def worst_first(self) -> list[Item]:
        return sorted(self.items, key=lambda one: (one.badness, one.rule, one.workspace.casefold(), one.resource))

    @cached_property
    def by_workspace(self) -> dict[str, list[Item]]:
        """Workspaces that have anything, worst first, and what they have, worst first."""
        found: dict[str, list[Item]] = {}
        for item in self.worst_first:
            for workspace in item.workspaces or ("",):
                found.setdefault(workspace, []).append(item)
        return dict(sorted(found.items(), key=lambda pair: _worse(pair[0], pair[1])))

    @cached_property
    def groups(self) -> "list[Group]":
        """The same thing in several places once; worst first, then the most frequent."""
        found: dict[tuple[str, ...], list[Item]] = {}
        for item in self.worst_first:
            key = (item.status, item.severity, item.part, item.rule, item.guard, item.outcome, _shape(item))
            found.setdefault(key, []).append(item)
        groups = [Group(tuple(items)) for items in found.values()]
        return sorted(groups, key=lambda one: (one.first.badness, -len(one.items), one.first.rule))

    @property
    def severities(self) -> Mapping[str, int]:
        return dict(self.document["counts"]["findings"])

    @property
    def count(self) -> Mapping[str, Any]:
        return dict(self.document["counts"])


@dataclass(frozen=True, slots=True)
class Group:
    items: tuple[Item, ...]

    @property
    def first(self) -> Item:
        return self.items[0]

    @property
    def workspaces(self) -> list[str]:
        return list(dict.fromkeys(one for item in self.items for one in item.workspaces))

    @property
    def title(self) -> str:
        """With its names if there is one; what all have in common if there are several."""
        if len(self.items) == 1:
            return self.first.title
        some = self.items[:: -(-len(self.items) // _SAMPLE)]
        return in_common([item.title for item in some]) or f"{self.first.kind_of_thing} (and the like)"


_SAMPLE = 50
_LEAST_WORDS = 3
_ENDS = ",.;:)"


def in_common(titles: Sequence[str]) -> str:
    """The words that all of them have in the same places. Empty if they hardly have any."""
    first, *others = split = [title.split() for title in titles]
    if all(len(words) == len(first) for words in others):
        said = [words[0] if len(set(words)) == 1 else _gap(words) for words in zip(*split, strict=True)]
    else:
        alike = (words[0] for words in takewhile(lambda words: len(set(words)) == 1, zip(*split, strict=False)))
        said = [*alike, "…"]
    kept = [one for at, one in enumerate(said) if one != "…" or said[at - 1 : at] != ["…"]]
    return " ".join(kept) if sum(not one.startswith("…") for one in kept) >= _LEAST_WORDS else ""


def _gap(words: Sequence[str]) -> str:
    ends = {word[-1] for word in words}
    return f"…{ends.pop()}" if len(ends) == 1 and ends <= set(_ENDS) else "…"


def _shape(item: Item) -> str:
    """Of actions: what would be done, to whatever. A finding is told by its rule."""
    one = item.action
    return f"{one.get('roleName', '')} {one.get('property', '')}" if one else str(item.document.get("what", ""))[:20]


def _worse(workspace: str, items: Iterable[Item]) -> tuple[Any, ...]:
    counted = Counter(item.badness for item in items)
    return (*(-counted[place] for place in range(len(WORST_FIRST))), workspace.casefold())


def view(document: Document) -> View:
    return View(document, [_item(name, one) for name in LISTS for one in document.get(name, ())])


def _item(name: str, one: Document) -> Item:
    match name:
        case "findings":
            return Item(
                Status.FINDING, name, one, {}, in_short(one["message"]), "", one["remedy"], severity=one["severity"]
            )
        case "unknown":
            return Item(Status.UNKNOWN, name, one, {}, f"not known: {in_short(one['what'])}", one["reason"])
        case "withheld":
            title = f"withheld ({one['guard']}): {does(one['action'])}"
            return Item(Status.WITHHELD, name, one, one["action"], title, one["reason"], guard=one["guard"])
        case "deferred":
            title = f"deferred until {utc(one['until'])}: {does(one['action'])}"
            return Item(Status.DEFERRED, name, one, one["action"], title, one["reason"])
        case _:
            done = f"{one['outcome']}: " if one.get("outcome") else ""
            return Item(Status.CHANGE, name, one, one, done + does(one), one.get("outcomeReason") or one["reason"])


def does(action: Document) -> str:
    """An action in one line, with names."""
    who = holder(action.get("principalName"), action.get("principalType"), action.get("principalId"))
    if "roleName" in action:
        return f"grant {action['roleName']} on {called(action['scope'])} to {who}"
    if "roleAssignmentId" in action:
        role = _ROLES.get(action["roleDefinitionId"].rpartition("/")[2].casefold(), "a role")
        return f"take back {role} on {called(action['scope'])} from {who}"
    if "property" in action:
        change = f"{short(action['from'])} → {short(action['to'])}"
        return f"set {action['property']} {change} on {called(action['resourceId'])}"
    return f"wait for {called(action['resourceId'])}"


def _workspace_of(resource: str) -> str:
    parts = resource.split("/")
    lowered = [one.casefold() for one in parts]
    if "microsoft.machinelearningservices" not in lowered or not part(resource, "workspaces"):
        return ""
    return "/".join(parts[: lowered.index("workspaces") + 2])
