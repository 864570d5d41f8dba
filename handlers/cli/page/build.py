"""Makes the page: one file that fetches nothing, and whose scripts and styles are those that its policy names by hash.

Azure's text gets into it in two ways only: by Jinja2, which escapes it, and as JSON, which the script puts into the
page as text. It is pure ASCII, so that no encoding matters.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from handlers.cli.console import UsageError
from handlers.cli.formats.names import called, holder, in_short, part, utc
from handlers.cli.formats.safe import visible
from handlers.cli.formats.text import looked_at
from handlers.cli.formats.view import SEVERITIES, WORST_FIRST, Item, View
from shared.access.plan_json import Document

_HERE = Path(__file__).parent
_COLUMNS = ("high", "medium", "low", "informational", "change", "withheld", "deferred", "unknown")
_WORST = 10
_MOST_SUBSCRIPTIONS = 200


@dataclass(frozen=True, slots=True)
class Besides:
    """What a report has and a plan has not.

    `maps` are by workspace; `past` are rows of the record, `waiting` what waits for a person. Where there are none, the
    page says `no_past` or `no_waiting`.
    """

    maps: Mapping[str, Sequence[Document]] = field(default_factory=dict)
    past: Sequence[Document] = ()
    waiting: Sequence[Document] = ()
    no_past: str = ""
    no_waiting: str = ""
    whole: bool = False


class _Strings:
    """Each text once: most of a large plan says the same again and again."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def place(self, text: object) -> int:
        return self.places.setdefault(visible(str(text or "")), len(self.places))


def page(seen: View, besides: Besides | None = None) -> str:
    """Raises `UsageError` without the extra `desk`."""
    if not find_spec("jinja2"):
        raise UsageError("a page needs the extra `desk`: pipx install 'amlguard[desk]', or add Jinja2")
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - other formats do without it
    from markupsafe import Markup  # noqa: PLC0415 - see above

    besides = besides or Besides()
    css, js = ((_HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    made = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    # Markup is for what is ours, and for JSON in which nothing can end the script.
    text = made.get_template("page.html.j2").render(
        **_overview(seen),
        title="amlguard report" if besides.whole else "amlguard plan",
        css=Markup(css),  # noqa: S704 - a file of ours
        js=Markup(js),  # noqa: S704 - a file of ours
        csp=_policy(css, js),
        data=Markup(_json(_data(seen, besides))),  # noqa: S704 - see `_json`
    )
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _policy(css: str, js: str) -> str:
    """Only this script and this style, and nothing from anywhere."""
    return (
        f"default-src 'none'; script-src 'sha256-{_hash(js)}'; style-src 'sha256-{_hash(css)}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(data: Document) -> str:
    """Without the characters that could end a script or begin a comment in it."""
    said = json.dumps(data, separators=(",", ":"))
    return said.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _overview(seen: View) -> dict[str, Any]:
    document, count = seen.document, seen.count
    changes = sum(count[name] for name in ("grants", "settings", "removals"))
    cards = [("", count["workspaces"], "workspaces"), ("", count["satisfied"], "needs held")]
    cards += [(name, count["findings"][name], name) for name in SEVERITIES]
    cards += [("change", changes, "changes"), *((name, count[name], name) for name in _COLUMNS[5:])]
    about = [
        ("made", utc(document["time"]) if document["time"] else "at an unknown time"),
        ("by amlguard", document["version"]),
    ]
    about += [("scope", ", ".join(document["scope"]) or "all that the identity reads")]
    if chosen := document.get("filter"):
        about.append(("only", "; ".join(f"{name} {', '.join(values)}" for name, values in chosen.items())))
    places = {workspace: place for place, workspace in enumerate(_workspaces(seen))}
    return {
        "looked_at": visible(looked_at(document)),
        "cards": [{"kind": kind, "number": number, "name": name} for kind, number, name in cards],
        "about": visible(", ".join(f"{name} {said}" for name, said in about if said)),
        "errors": [visible(error) for error in document["errors"]],
        "columns": _COLUMNS,
        "matrix": _matrix(seen),
        "anything": bool(count["workspaces"]),
        "worst": [_worst(one, items, places) for one, items in list(seen.by_workspace.items())[:_WORST] if one],
    }


def _matrix(seen: View) -> list[Document]:
    """Rows by subscription, the worst first."""
    counted: dict[str, Counter[str]] = {}
    workspaces: dict[str, set[str]] = {}
    for item in seen.items:
        where = part(item.workspace or item.resource, "subscriptions") or "–"
        counted.setdefault(where, Counter())[item.severity or str(item.status)] += 1
        workspaces.setdefault(where, set()).update(item.workspaces)

    def badness(where: str) -> tuple[int, ...]:
        return tuple(-counted[where][name] for name in WORST_FIRST)

    rows = [
        {"name": visible(one), "workspaces": len(workspaces[one]), "counts": counted[one]}
        for one in sorted(counted, key=badness)
    ]
    return rows[:_MOST_SUBSCRIPTIONS]


def _worst(workspace: str, items: Sequence[Item], places: Mapping[str, int]) -> Document:
    tally = Counter(item.severity or str(item.status) for item in items)
    return {
        "place": places[workspace],
        "name": visible(called(workspace)),
        "where": visible(part(workspace, "resourceGroups")),
        "counts": ", ".join(f"{count} {name}" for name, count in tally.items()),
    }


def _workspaces(seen: View) -> list[str]:
    """Those with something, worst first, then the others that the report knows."""
    return [one for one in seen.by_workspace if one]


def _data(seen: View, besides: Besides) -> Document:
    strings = _Strings()
    maps = besides.maps if besides.whole else _missing(seen)
    workspaces = list(dict.fromkeys((*_workspaces(seen), *maps)))
    places = {workspace: place for place, workspace in enumerate(workspaces)}
    return {
        "items": [_columns(item, strings, places) for item in seen.items],
        "workspaces": [strings.place(one) for one in workspaces],
        "maps": {places[one]: [_edge(edge, strings) for edge in edges] for one, edges in maps.items()},
        "past": [_row(one, ("time", "outcome", "what", "run", "reason"), strings) for one in besides.past],
        "waiting": [_waits(one, strings) for one in besides.waiting],
        "noPast": besides.no_past,
        "noWaiting": besides.no_waiting,
        "whole": besides.whole,
        "strings": list(strings.places),
    }


def _columns(item: Item, strings: _Strings, places: Mapping[str, int]) -> list[Any]:
    """In the order of FIELDS in page.js."""
    one = item.action or item.document
    before: Iterable[object] = (item.status, item.severity, ", ".join(item.rules), ", ".join(item.requirements))
    principal = " ".join(filter(None, (one.get("principalName"), one.get("principalId"))))
    until = item.document.get("until")
    after: Iterable[object] = (
        *(item.resource, _told(item), item.reason, item.remedy, item.source, item.guard, item.outcome),
        *(principal, one.get("roleName"), one.get("scope"), until),
    )
    where = [places[workspace] for workspace in item.workspaces if workspace in places]
    return [*map(strings.place, before), where, *map(strings.place, after)]


def _told(item: Item) -> str:
    """The message of a finding as it is: whoever searches for it finds it."""
    return str(item.document.get("message") or item.document.get("what") or item.title)


def _missing(seen: View) -> dict[str, list[Document]]:
    """Of a plan alone: the grants that it would make. What is held already it does not say."""
    maps: dict[str, list[Document]] = {}
    for item in seen.items:
        if "roleName" not in item.action:
            continue
        edge = {
            "identity": holder(*(item.action.get(name) for name in ("principalName", "principalType", "principalId"))),
            "need": item.reason,
            "role": item.action["roleName"],
            "target": called(item.target),
            "kind": "missing",
            "through": str(item.status),
        }
        for workspace in item.workspaces:
            maps.setdefault(workspace, []).append(edge)
    return maps


def _edge(edge: Document, strings: _Strings) -> list[int]:
    said = edge | {name: in_short(edge[name]) for name in ("target", "through")}
    return _row(said, ("identity", "need", "role", "target", "kind", "through"), strings)


def _row(one: Document, names: Iterable[str], strings: _Strings) -> list[int]:
    return [strings.place(one[name]) for name in names]


def _waits(one: Document, strings: _Strings) -> list[Any]:
    return [*_row(one, ("run", "workspace", "state"), strings), [strings.place(each) for each in one["actions"]]]
