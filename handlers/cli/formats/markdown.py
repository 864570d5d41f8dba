"""A plan as Markdown for a pull request or an issue: a summary, and tables that fold open."""

from collections.abc import Iterator, Sequence

from handlers.cli.console import counted
from handlers.cli.formats.names import called, part
from handlers.cli.formats.safe import markdown as safe
from handlers.cli.formats.text import looked_at, summary
from handlers.cli.formats.view import SEVERITIES, Group, Item, Status, View

# A comment on GitHub holds 65,536 characters.
_LONGEST = 60_000
_MOST_GROUPS = 60
_ICONS = {"high": "🔴", "medium": "🟠", "low": "🔵", "informational": "⚪"}
_MARKS = {
    Status.CHANGE: "➕",
    Status.WITHHELD: "✋",
    Status.DEFERRED: "⏳",
    Status.UNKNOWN: "❓",
}


def text(seen: View) -> str:
    said = "\n".join(_lines(seen))
    if len(said) <= _LONGEST:
        return said
    cut = said[:_LONGEST].rpartition("\n")[0]
    closed = "</details>" * (cut.count("<details>") - cut.count("</details>"))
    return f"{cut}\n\n{closed}\n\nThere is more: `--format json` has all of it."


def _lines(seen: View) -> Iterator[str]:
    yield "## amlguard plan"
    yield ""
    yield _verdict(seen)
    yield ""
    yield f"{safe(summary(seen.document))}  "
    yield safe(looked_at(seen.document))
    yield ""
    yield from (f"- ❌ {safe(error)}" for error in seen.document["errors"])
    if seen.groups:
        yield ""
        yield "| | what | where | rule |"
        yield "| --- | --- | --- | --- |"
        yield from map(_row, seen.groups[:_MOST_GROUPS])
        more = seen.groups[_MOST_GROUPS:]
        if more:
            yield f"| | {counted(sum(len(one.items) for one in more), 'item')} more | | |"
    for workspace, items in seen.by_workspace.items():
        yield ""
        yield from _workspace(workspace, items)


def _verdict(seen: View) -> str:
    found = [f"{_ICONS[one]} {seen.severities[one]} {one}" for one in SEVERITIES if seen.severities.get(one)]
    kinds = [f"{_MARKS[one]} {seen.count[one]} {one}" for one in list(_MARKS)[1:] if seen.count[one]]
    changes = sum(seen.count[part] for part in ("grants", "settings", "removals"))
    told = [*found, *([f"{_MARKS[Status.CHANGE]} {counted(changes, 'change')}"] if changes else []), *kinds]
    return f"**{' · '.join(told) or '✅ nothing to do'}**"


def _row(group: Group) -> str:
    item, where = group.first, group.workspaces
    icon = _ICONS.get(item.severity) or _MARKS[item.status]
    many = f"{len(group.items)} × " if len(group.items) > 1 else ""
    place = safe(called(where[0])) if len(where) == 1 else counted(len(where), "workspace")
    return f"| {icon} {item.severity or item.status} | {many}{safe(group.title)} | {place} | {safe(item.ids)} |"


def _workspace(workspace: str, items: Sequence[Item]) -> Iterator[str]:
    name = safe(called(workspace)) if workspace else "no workspace in particular"
    where = f" in {safe(part(workspace, 'resourceGroups'))}" if workspace else ""
    yield f"<details><summary>{name}{where}: {counted(len(items), 'item')}</summary>"
    yield ""
    for item in items:
        icon = _ICONS.get(item.severity) or _MARKS[item.status]
        yield f"- {icon} {safe(item.title)}"
        told = [one for one in (item.reason, f"Remedy: {item.remedy}" if item.remedy else "") if one]
        yield from (f"  <br>{safe(one)}" for one in told)
    yield ""
    yield "</details>"
