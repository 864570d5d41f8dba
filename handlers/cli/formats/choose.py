"""Which items of a plan are shown: by rule, severity, workspace and status. What a plan comes to is decided by all."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from handlers.cli.console import UsageError
from handlers.cli.formats.view import LISTS, SEVERITIES, Item, view
from shared.access.plan_json import Document
from shared.access.report import counts
from shared.access.rules import Rule


@dataclass(frozen=True, slots=True)
class Choice:
    """An empty list chooses all. Of several lists an item must be on each."""

    rules: Sequence[str] = ()
    severities: Sequence[str] = ()
    workspaces: Sequence[str] = ()
    statuses: Sequence[str] = ()

    @property
    def everything(self) -> bool:
        return not (self.rules or self.severities or self.workspaces or self.statuses)

    def takes(self, item: Item) -> bool:
        return (
            self._rule(item)
            and (not self.severities or item.severity in self.severities)
            and self._workspace(item)
            and (not self.statuses or item.status in self.statuses)
        )

    def _rule(self, item: Item) -> bool:
        named = {one.casefold() for one in (*item.rules, *item.requirements, *filter(None, (item.guard,)))}
        return not self.rules or any(one.casefold() in named for one in self.rules)

    def _workspace(self, item: Item) -> bool:
        asked = [one.casefold().rstrip("/") for one in self.workspaces]
        there = [one.casefold().rstrip("/") for one in item.workspaces]
        return not asked or any(
            one == each or fnmatchcase(each.rpartition("/")[2], one) for one in asked for each in there
        )


def chosen(document: Document, choice: Choice) -> Document:
    """The document with only those items. It says so, under `filter`; errors stay."""
    if choice.everything:
        return document
    kept = {id(item.document) for item in view(document).items if choice.takes(item)}
    made = document | {name: [one for one in document.get(name, ()) if id(one) in kept] for name in LISTS}
    said = {
        "rule": list(choice.rules),
        "severity": list(choice.severities),
        "workspace": list(choice.workspaces),
        "status": list(choice.statuses),
    }
    return made | {"filter": {name: values for name, values in said.items() if values}, "counts": counts(made)}


def require_rules(named: Sequence[str], rules: Sequence[Rule]) -> None:
    """Raises `UsageError` if one of them is neither a rule nor an AML-id; it says what comes close."""
    known = {one.casefold(): one for rule in rules for one in (rule.name, *rule.requirements, *rule.also)}
    for one in named:
        if one.casefold() not in known:
            close = [known[found] for found in get_close_matches(one.casefold(), known, 3)]
            meant = f"did you mean {' or '.join(close)}?" if close else "`amlguard rules` lists them"
            raise UsageError(f"--rule: there is no rule {one!r}: {meant}")


def exit_code(document: Document, fail_on: str | None) -> int:
    """0 compliant, 1 error, 2 what `fail_on` names. None: anything that is left to do or to look at."""
    if document["errors"]:
        return 1
    open_ends = ("findings", "withheld", "deferred", "unknown")
    changes = bool(document["grants"] or document["settings"] or document["removals"])
    match fail_on:
        case None:
            return 2 if changes or any(document.get(name) for name in open_ends) else 0
        case "never":
            return 0
        case "grant":
            return 2 if changes else 0
        case _:
            bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
            return 2 if changes or any(one["severity"] in bad for one in document["findings"]) else 0
