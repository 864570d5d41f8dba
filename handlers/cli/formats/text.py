"""A plan for people: a headline, what is the same in many places once with a count, and the workspaces, worst first.

What fits is told in full. Of more than that the worst is shown, and how to see the rest.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from handlers.cli.console import counted
from handlers.cli.formats.names import called, part, short_guid, utc
from handlers.cli.formats.screen import Block, Line, Piece, Screen, Table
from handlers.cli.formats.view import SEVERITIES, Group, Item, Status, View, view
from shared.access.plan_json import Document

MOST_LINES = 100
_MOST_GROUPS = 48
_MOST_WORKSPACES = 24
_FEW = 6
_STYLES = {
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
    Status.CHANGE: "green",
    Status.WITHHELD: "magenta",
    Status.DEFERRED: "blue",
    Status.UNKNOWN: "bold yellow",
}
_SIGNS = {"grants": "+", "settings": "~", "removals": "-", "withheld": "!", "deferred": "…", "unknown": "?"}


def text(document: Document, screen: Screen, *, full: bool = False) -> str:
    seen = view(document)
    if full or len(seen.by_workspace) <= _FEW:
        lines = screen.lines(_in_full(seen))
        if full or len(lines) <= MOST_LINES:
            return "\n".join(lines)
    return screen.text(_in_short(seen), cut=True)


def _in_full(seen: View) -> Iterator[Block]:
    yield from _headline(seen)
    told: set[int] = set()
    for workspace, items in seen.by_workspace.items():
        yield Line()
        yield Line((("● ", "bold"), *_heading(workspace, items)))
        for item in items:
            yield from _again(item) if id(item) in told else _item(item, workspace)
            told.add(id(item))
    yield from _ending(seen)


def _in_short(seen: View) -> Iterator[Block]:
    yield from _headline(seen)
    groups = seen.groups
    if groups:
        yield Line()
        yield Table(
            ("", "what", "places", "workspaces"), [_row(group) for group in groups[:_MOST_GROUPS]], 1, frozenset({2, 3})
        )
        yield from _rest_of_groups(groups[_MOST_GROUPS:])
        yield Line()
        yield _workspaces(seen)
        more = len(seen.by_workspace) - _MOST_WORKSPACES
        if more > 0:
            yield Line((f"… and {more} more workspaces",), whole=True)
        yield Line(
            ("--full tells all of it; --workspace, --rule, --severity, --status a part; `report` makes a page",),
            whole=True,
        )
    yield from _ending(seen)


def _headline(seen: View) -> Iterator[Block]:
    yield Line((looked_at(seen.document),), whole=True)
    if as_of := seen.document["lookedAt"].get("asOf"):
        when = f"resources are as Resource Graph knew them at {utc(as_of)}"
        yield Line((f"{when}; what is missing, ARM has confirmed; --fresh asks ARM alone",), whole=True)
    if asked := seen.document.get("filter"):
        what = "; ".join(f"{name} {', '.join(values)}" for name, values in asked.items())
        yield Line((f"shown is only what you asked for ({what}); the exit code is that of the whole plan",), whole=True)
    yield Line((*(["of that, "] if asked else []), *_would(seen)), whole=True)
    found = seen.severities
    if any(found.values()):
        pieces: list[Piece] = ["findings: "]
        for severity in SEVERITIES:
            if found.get(severity):
                pieces += [", "] if len(pieces) > 1 else []
                pieces.append((f"{found[severity]} {severity}", _STYLES[severity]))
        yield Line(pieces, whole=True)


def looked_at(document: Document) -> str:
    """How much was looked at, by which policy and as whom (law 14)."""
    said = document["lookedAt"]
    policy = f"policy file {said['policy']}" if said["policy"] else "no policy file (the defaults)"
    much = f"{counted(said['workspaces'], 'workspace')} in {counted(said['subscriptions'], 'subscription')}"
    if "template" in document:
        return f"looked at {much} that {_files(document)} would make, by {policy}. {_needs(document)}"
    return f"looked at {much}, by {policy}, as {said['identity'] or 'an identity that its token does not name'}"


def _files(document: Document) -> str:
    files = document["template"]["files"]
    return files[0] if len(files) == 1 else f"{len(files)} files"


def _needs(document: Document) -> str:
    """A green plan of a template is not a promise about what is there already."""
    needs = document["template"]["needs"]
    told = f"{counted(needs['held'], 'need')} held, {needs['missing']} missing, {needs['unknown']} unknown"
    return f"{told}. This speaks only of what the template shows"


def _would(seen: View) -> Sequence[Piece]:
    count = seen.count
    changes = [counted(count[part], part[:-1]) for part in ("grants", "settings", "removals") if count[part]]
    said = "changed" if "run" in seen.document else "would change"
    pieces: list[Piece] = [(f"{said}: {', '.join(changes) or 'nothing'}", _STYLES[Status.CHANGE] if changes else "")]
    for name in (Status.WITHHELD, Status.DEFERRED, Status.UNKNOWN):
        if count[name]:
            pieces += ["; ", (f"{count[name]} {name}", _STYLES[name])]
    return pieces


def _heading(workspace: str, items: Sequence[Item]) -> Sequence[Piece]:
    tally = Counter(item.severity or str(item.status) for item in items)
    return *place(workspace), "  " + ", ".join(f"{count} {name}" for name, count in tally.items())


def place(workspace: str) -> Sequence[Piece]:
    """A workspace, and where it is."""
    if not workspace:
        return (("no workspace in particular", "bold"),)
    where = f"{part(workspace, 'resourceGroups')}, subscription {short_guid(part(workspace, 'subscriptions'))}"
    return (called(workspace), "bold"), (f"  in {where}", "dim")


def _item(item: Item, workspace: str) -> Iterator[Block]:
    style = _STYLES[item.severity or item.status]
    before = f"{item.severity}: " if item.severity else ""
    yield Line(((f"{_sign(item)} {before}", style), item.title), 2)
    if item.reason:
        yield Line((item.reason, (f"  [{item.ids}]" if item.ids else "", "dim")), 6)
    elif item.ids:
        yield Line(((f"[{item.ids}]", "dim"),), 6)
    if item.remedy:
        yield Line((item.remedy,), 6)
    others = [one for one in item.workspaces if one != workspace]
    if others:
        yield Line(((f"also in {_some(others)}", "dim"),), 6)


def _again(item: Item) -> Iterator[Block]:
    yield Line(((f"{_sign(item)} as above: ", "dim"), item.title), 2)


def _sign(item: Item) -> str:
    return _SIGNS.get(item.part, "•")


def _row(group: Group) -> Sequence[Piece]:
    item = group.first
    what = item.severity or str(item.status)
    places = f"{len(group.items)}×" if len(group.items) > 1 else ""
    where = group.workspaces
    some = str(len(where)) if len(where) != 1 else called(where[0]).rpartition(" ")[2]
    ids = item.requirements[0] if item.requirements else item.rule
    return (f"{_sign(item)} {what}", _STYLES[item.severity or item.status]), f"{ids}: {group.title}", places, some


def _rest_of_groups(groups: Sequence[Group]) -> Iterator[Block]:
    if groups:
        tally = Counter(group.first.severity or str(group.first.status) for group in groups)
        kinds = ", ".join(f"{count} {name}" for name, count in tally.items())
        yield Line((f"… and {len(groups)} more kinds ({kinds})",), whole=True)


def _workspaces(seen: View) -> Table:
    rows = []
    for workspace, items in list(seen.by_workspace.items())[:_MOST_WORKSPACES]:
        tally = Counter(item.severity or str(item.status) for item in items)
        names = ("high", "medium", "low", Status.CHANGE, Status.WITHHELD, Status.DEFERRED, Status.UNKNOWN)
        numbers = [(str(tally[name] or ""), _STYLES[name]) for name in names]
        where: Sequence[Piece] = (
            called(workspace).rpartition(" ")[2] if workspace else "–",
            part(workspace, "resourceGroups"),
            short_guid(part(workspace, "subscriptions")),
        )
        rows.append((*where, *numbers))
    columns = (
        "workspace",
        "group",
        "subscription",
        "high",
        "medium",
        "low",
        "change",
        "withheld",
        "deferred",
        "unknown",
    )
    return Table(columns, rows, 0, frozenset(range(3, len(columns))))


def _ending(seen: View) -> Iterator[Block]:
    document = seen.document
    if document["errors"] or seen.items:
        yield Line()
    errors = document["errors"]
    for error in errors[:_FEW]:
        yield Line((("✗ error: ", "bold red"), error))
    if len(errors) > _FEW:
        yield Line((f"… and {counted(len(errors) - _FEW, 'error')} more",), whole=True)
    yield Line((summary(document),), whole=True)
    if "run" in document:
        back = f"To take it back: {document['undo']}"
        yield Line((f"Run {document['run']}{'. ' + back if document['undo'] else ' changed nothing.'}",), whole=True)


def summary(document: Document) -> str:
    """One line: what was counted."""
    parts = ("grants", "settings", "removals", "findings", "withheld", "deferred")
    counts = [_number(part, len(document[part])) for part in parts if part != "removals" or document[part]]
    errors = f", {counted(len(document['errors']), 'error')}" if document["errors"] else ""
    return f"{', '.join(counts)}; {counted(document['satisfied'], 'need')} already satisfied{errors}"


def _number(part: str, number: int) -> str:
    return counted(number, part[:-1]) if part.endswith("s") else f"{number} {part}"


def _some(workspaces: Sequence[str]) -> str:
    named = ", ".join(called(one).rpartition(" ")[2] for one in workspaces[:3])
    more = len(workspaces) - 3
    return f"{named} and {counted(more, 'workspace')} more" if more > 0 else named
