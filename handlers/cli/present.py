"""Plans for people and for other programs: the document, and each of its formats."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from handlers.cli.formats import az_script, bicep_file, csv_file, markdown, sarif, terraform_file
from handlers.cli.formats.screen import Screen
from handlers.cli.formats.text import text
from handlers.cli.formats.view import View, view
from handlers.cli.page.build import page
from shared.access.actions import Grant, Removal, Setting
from shared.access.plan_json import Document, action
from shared.access.report import Report, counts, distinct
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.audit_rows import Outcome

if TYPE_CHECKING:
    from handlers.cli.apply import Applied

_FORMATS: Mapping[str, Callable[[View], str]] = {
    "json": lambda seen: json.dumps(seen.document, indent=2),
    "sarif": lambda seen: json.dumps(sarif.document(seen, RULES), indent=2),
    "az": az_script.text,
    "bicep": bicep_file.text,
    "csv": csv_file.text,
    "markdown": markdown.text,
    "html": page,
    "terraform": terraform_file.text,
}


def render(document: Document, form: str, screen: Screen, *, full: bool = False) -> str:
    """What `plan` and `apply` print, in the format of that name."""
    return text(document, screen, full=full) if form == "text" else _FORMATS[form](view(document))


def files(document: Document, form: str, file: Path, *, full: bool = False) -> dict[Path, str]:
    """What is written for `file`: one file, or with its modules beside it."""
    if form == "bicep" and (file.is_file() or not file.exists()):
        return {file.with_name(name): one for name, one in bicep_file.files(view(document), file.name).items()}
    return {file: render(document, form, Screen.of_output(to_file=True), full=full)}


def result_document(report: Report, applied: "Applied | None" = None) -> Document:
    """The JSON that other programs read. `apply` adds its run, an outcome for each action, and how to take it back."""
    document = report.document()
    if applied is None:
        return document
    done: dict[type, list[tuple[Scope | None, Document]]] = {Grant: [], Setting: [], Removal: []}
    for result in applied.results:
        for outcome in result.outcomes:
            done[type(outcome.action)].append((result.workspace, action(outcome.action) | came_of(outcome)))
    changes = {"grants": done[Grant], "settings": done[Setting], "removals": done[Removal]}
    ended = {"run": applied.run, "stopped": bool(applied.heard.number), "undo": applied.undo if applied.changed else ""}
    made = document | ended | {name: distinct(one) for name, one in changes.items()}
    return made | {"counts": counts(made)}


def came_of(outcome: Outcome) -> Document:
    """`outcomeReason` is for people. Programs use the other keys."""
    return {
        "outcome": str(outcome.phase),
        "outcomeReason": outcome.reason,
        "found": outcome.found,
        "code": outcome.code,
        "lacksRight": outcome.lacks_right,
    }
