"""Plans and the catalogue for people and for other programs."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from handlers.cli.console import counted, in_lines
from shared.access.actions import Grant, Removal, Setting
from shared.access.plan_json import Document, Report, action, short
from shared.access.rules import Rule
from shared.audit_rows import Outcome

if TYPE_CHECKING:
    from handlers.cli.apply import Applied

_SARIF_LEVELS = {"high": "error", "medium": "warning", "low": "note", "informational": "note"}


def result_document(report: Report, applied: "Applied | None" = None) -> Document:
    """The JSON that other programs read. `apply` adds its run, an outcome for each action, and how to take it back."""
    document = report.document()
    if applied is None:
        return document
    done: dict[type, list[Document]] = {Grant: [], Setting: [], Removal: []}
    for result in applied.results:
        for outcome in result.outcomes:
            done[type(outcome.action)].append(action(outcome.action) | came_of(outcome))
    changes = {"grants": done[Grant], "settings": done[Setting], "removals": done[Removal]}
    ended = {"run": applied.run, "stopped": bool(applied.heard.number), "undo": applied.undo if applied.changed else ""}
    return document | ended | changes


def came_of(outcome: Outcome) -> Document:
    """`outcomeReason` is for people. Programs use the other keys."""
    return {
        "outcome": str(outcome.phase),
        "outcomeReason": outcome.reason,
        "found": outcome.found,
        "code": outcome.code,
        "lacksRight": outcome.lacks_right,
    }


def result_text(report: Report, applied: "Applied | None" = None) -> str:
    return in_lines(_lines(result_document(report, applied), applied is not None))


def looked_at(document: Document) -> str:
    """What amlguard looked at, by which policy and as which identity (law 14)."""
    said = document["lookedAt"]
    policy = f"policy file {said['policy']}" if said["policy"] else "no policy file (the defaults)"
    much = f"{counted(said['workspaces'], 'workspace')} in {counted(said['subscriptions'], 'subscription')}"
    return f"looked at {much}, by {policy}, as {said['identity'] or 'an identity that its token does not name'}"


def _lines(document: Document, done: bool) -> Iterator[str]:
    for one in document["grants"]:
        verb = one["outcome"] if done else "grant"
        yield f"+ {verb}: {one['roleName']} on {one['scope']} to {one['principalId']}"
        yield f"    {one.get('outcomeReason') or one['reason']}  [{_ids(one)}]"
    for one in document["settings"]:
        verb = one["outcome"] if done else "set"
        yield f"~ {verb}: {one['property']} {short(one['from'])} → {one['to']} on {one['resourceId']}"
        yield f"    {one.get('outcomeReason') or one['reason']}  [{_ids(one)}]"
    for one in document["removals"]:
        yield f"- {one['outcome'] if done else 'take back'}: {_short(one)}"
        yield f"    {one.get('outcomeReason') or one['reason']}  [{_ids(one)}]"
    for one in document["withheld"]:
        yield f"! withheld ({one['guard']}): {_short(one['action'])}"
        yield f"    {one['reason']}  [{_ids(one['action'])}]"
    for one in document["deferred"]:
        yield f"… deferred until {one['until']}: {_short(one['action'])}"
        yield f"    {one['reason']}"
    for one in document["findings"]:
        yield f"? {one['severity']}: {one['message']}  [{_ids(one)}]"
        yield f"    {one['remedy']}"
    for error in document["errors"]:
        yield f"✗ error: {error}"
    yield looked_at(document)
    yield _summary(document)
    if done and document["undo"]:
        yield f"Run {document['run']}. To take it back: {document['undo']}"
    elif done:
        yield f"Run {document['run']} changed nothing."


def _summary(document: Document) -> str:
    parts = ("grants", "settings", "removals", "findings", "withheld", "deferred")
    counts = [_number(part, len(document[part])) for part in parts if part != "removals" or document[part]]
    errors = f", {counted(len(document['errors']), 'error')}" if document["errors"] else ""
    return f"{', '.join(counts)}; {counted(document['satisfied'], 'need')} already satisfied{errors}"


def _number(part: str, number: int) -> str:
    return counted(number, part[:-1]) if part.endswith("s") else f"{number} {part}"


def _ids(one: Document) -> str:
    return ", ".join(filter(None, (one["rule"], *one["requirements"])))


def _short(one: Document) -> str:
    if "roleName" in one:
        return f"{one['roleName']} on {one['scope']} to {one['principalId']}"
    if "roleAssignmentId" in one:
        return f"role assignment {one['roleAssignmentId']}"
    if "property" in one:
        return f"{one['property']} {short(one['from'])} → {one['to']} on {one['resourceId']}"
    return str(one["resourceId"])


def catalogue(rules: Iterable[Rule]) -> list[Document]:
    return [
        {
            "rule": rule.name,
            "requirements": list(rule.requirements),
            "also": list(rule.also),
            "mode": str(rule.mode),
            "title": rule.title,
            "roles": list(dict.fromkeys(need.role_name for need in rule.grants)),
            "watches": list(rule.watches),
            "acts": rule.acts,
            "leaves": rule.leaves,
            "source": rule.source,
        }
        for rule in rules
    ]


def rules_text(rules: Sequence[Rule]) -> str:
    width = max(len(rule.name) for rule in rules)
    return "\n".join(f"{rule.name:<{width}}  {rule.mode:<2}  {_requirements(rule):<16}  {rule.title}" for rule in rules)


def _requirements(rule: Rule) -> str:
    return ", ".join(rule.requirements or rule.also) or "–"


def sarif(document: Document, rules: Iterable[Rule]) -> Document:
    """SARIF 2.1.0: one result for each thing that is missing, wrong or withheld, located by resource id."""
    results = [
        _result(f["rule"], _SARIF_LEVELS[f["severity"]], f["message"], f["resourceId"]) for f in document["findings"]
    ]
    wanted = (*document["grants"], *document["settings"], *document["removals"])
    results += [_result(one["rule"], "error", one["reason"], one["resourceId"]) for one in wanted]
    held = [(one["action"], one["reason"]) for one in document["withheld"]]
    results += [_result(one["rule"], "warning", reason, one["resourceId"]) for one, reason in held]
    known = [{"id": rule.name, "shortDescription": {"text": rule.title}} for rule in rules]
    invocation = {
        "executionSuccessful": not document["errors"],
        "toolExecutionNotifications": [{"level": "error", "message": {"text": error}} for error in document["errors"]],
        "properties": {"lookedAt": document["lookedAt"]},
    }
    driver = {"name": "amlguard", "rules": known}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results, "invocations": [invocation]}],
    }


def _result(rule: str, level: str, text: str, resource: str) -> Document:
    location = {"logicalLocations": [{"fullyQualifiedName": resource, "kind": "resource"}]}
    return {
        "ruleId": rule.split(", ", maxsplit=1)[0],
        "level": level,
        "message": {"text": text},
        "locations": [location],
    }


def html(document: Document) -> str:
    """One page that has no scripts and fetches nothing. It is pure ASCII, so that no encoding matters."""
    lines = "\n".join(f"<li>{escape(line)}</li>" for line in _lines(document, "run" in document))
    page = (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>amlguard plan</title>\n'
        "<style>body{font:15px/1.5 system-ui;max-width:70rem;margin:2rem auto;padding:0 1rem}"
        "li{list-style:none;white-space:pre-wrap;overflow-wrap:anywhere}</style>\n"
        f"<h1>amlguard plan</h1>\n<p>{escape(_summary(document))}</p>\n<ul>\n{lines}\n</ul></html>"
    )
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")
