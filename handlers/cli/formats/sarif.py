"""SARIF 2.1.0 as GitHub's code scanning takes it: one result for each item of a plan, the worst first.

What GitHub asks for and what it limits: docs.github.com/code-security/code-scanning, "SARIF support for code scanning".
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from handlers.cli.formats.safe import sarif as safe
from handlers.cli.formats.view import LISTS, SEVERITIES, Item, View
from shared.access.plan_json import Document
from shared.access.rules import Rule

MOST_RESULTS = 25_000
MOST_SHOWN = 5_000
_LONGEST = 1000
_RULES = "https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
_LEVELS = {"high": "error", "medium": "warning", "low": "note", "informational": "note"}
_BY_STATUS = {"change": "error", "withheld": "warning", "deferred": "note", "unknown": "warning"}
# Bands of GitHub: over 9.0 critical, 7.0 high, 4.0 medium, 0.1 low.
_SCORES = {"high": "8.0", "medium": "5.5", "low": "3.0", "informational": "1.0"}
NOT_KNOWN = "not-known"


def document(seen: View, rules: Sequence[Rule]) -> Document:
    kept = seen.worst_first[:MOST_RESULTS]
    left_out = len(seen.items) - len(kept)
    known = [*(_rule(rule) for rule in rules), _unknown()]
    places = {one["id"]: at for at, one in enumerate(known)}
    strangers = sorted({_rule_id(item) for item in kept} - places.keys())
    places |= {name: len(known) + at for at, name in enumerate(strangers)}
    known += [_stranger(name) for name in strangers]
    said = seen.document
    driver = {
        "name": "amlguard",
        "informationUri": _RULES,
        **({"semanticVersion": said["version"]} if said.get("version") else {}),
        "rules": known,
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": "amlguard/"},
                "columnKind": "unicodeCodePoints",
                "results": [_result(item, places[_rule_id(item)], _declared(item, said)) for item in kept],
                "invocations": [_invocation(said, left_out)],
                "properties": {"leftOut": left_out, "counts": said["counts"]},
            }
        ],
    }


def left_out(plan: Document) -> str:
    """What to say of results that GitHub does not take or does not show. Empty if it shows all."""
    every = sum(len(plan[name]) for name in LISTS)
    return _more(max(every - MOST_RESULTS, 0), every)


def _more(left: int, of: int) -> str:
    if left:
        return f"GitHub takes {MOST_RESULTS} results of one run: the {left} least severe of {of} are left out"
    return f"GitHub shows {MOST_SHOWN} of {of} results, the worst first" if of > MOST_SHOWN else ""


def _result(item: Item, place: int, declared: Document | None) -> Document:
    named = {name: value for name, value in (("guard", item.guard), ("workspace", item.workspace)) if value}
    return {
        "ruleId": _rule_id(item),
        "ruleIndex": place,
        "level": _LEVELS.get(item.severity) or _BY_STATUS[item.status],
        "message": {"text": _message(item)},
        "locations": [_location(item, declared)],
        "partialFingerprints": {"primaryLocationLineHash": f"{_fingerprint(item)}:1"},
        "properties": {"status": str(item.status), "requirements": list(item.requirements), **named},
    }


def _message(item: Item) -> str:
    said = [item.title, item.reason, f"Remedy: {item.remedy}" if item.remedy else ""]
    return " ".join(f"{safe(one).rstrip('.')}." for one in said if one.strip(". ")) or "."


def _declared(item: Item, plan: Document) -> Document | None:
    """Of a template: the file that was given, and the line where it declares what the item is about."""
    template = plan.get("template")
    if not template:
        return None
    known = template["places"]
    file, line = known.get(item.resource) or known.get(item.workspace) or (template["files"][0], 1)
    return {"artifactLocation": {"uri": quote(file.removeprefix("./"), safe="/")}, "region": {"startLine": line}}


def _location(item: Item, declared: Document | None) -> Document:
    """A virtual file if there is no other. Its path is the resource's id, so that an alert is found by it."""
    resource = item.resource or item.workspace or "/"
    if declared:
        logical = {"fullyQualifiedName": resource, "kind": "resource"}
        return {"physicalLocation": declared, "logicalLocations": [logical]}
    path = "/".join(_quoted(part) for part in resource.split("/") if part) or "tenant"
    return {
        "physicalLocation": {"artifactLocation": {"uri": f"azure/{path}"}, "region": {"startLine": 1}},
        "logicalLocations": [{"fullyQualifiedName": resource, "kind": "resource"}],
    }


def _quoted(part: str) -> str:
    """No segment of a path leads up."""
    quoted = quote(part, safe="", errors="replace")
    return quoted.replace(".", "%2E") if set(quoted) == {"."} else quoted


def _fingerprint(item: Item) -> str:
    return hashlib.sha256("\n".join(item.key).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _rule_id(item: Item) -> str:
    return item.rule or NOT_KNOWN


def _rule(rule: Rule) -> Document:
    worst = next((one for one in SEVERITIES for kind in rule.kinds.values() if kind.severity == one), None)
    about = [f"It acts: {rule.acts}", f"It leaves alone: {rule.leaves}", f"Source: {rule.source}"]
    text = "\n".join((rule.title, *about))
    tags = ["azure-machine-learning", *([] if worst is None else ["security"]), *(rule.requirements or rule.also)[:10]]
    score: dict[str, Any] = {"security-severity": _SCORES[worst]} if worst else {}
    return {
        "id": rule.name,
        **_name(rule.name),
        "shortDescription": {"text": _short(rule.title)},
        "fullDescription": {"text": _short(f"{rule.title} {rule.acts}")},
        "help": {"text": text, "markdown": "\n\n".join((rule.title, *about))},
        **({"helpUri": rule.source} if rule.source.startswith("https://") else {}),
        "defaultConfiguration": {"level": _LEVELS[worst] if worst else "error"},
        "properties": {"tags": tags, "precision": "very-high", **score},
    }


def _name(rule: str) -> Document:
    """For people. It must differ from the id (SARIF1001)."""
    name = "".join(word.capitalize() for word in rule.split("-"))
    return {"name": name} if name.casefold() != rule else {}


def _unknown() -> Document:
    text = "amlguard could not read it, so nobody knows whether it is as it should be."
    return {
        "id": NOT_KNOWN,
        "name": "NotKnown",
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": f"{text} The message says what could not be read, and why."},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["azure-machine-learning"], "precision": "very-high"},
    }


def _stranger(name: str) -> Document:
    """A finding that no rule of the catalogue makes: an exemption that has expired, a scope that is wrong."""
    text = f"{name.replace('-', ' ').capitalize()}: the message says what to do."
    return _unknown() | {
        "id": name,
        **_name(name),
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": text},
    }


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _invocation(said: Document, left: int) -> Document:
    notes = [{"level": "error", "message": {"text": safe(error)}} for error in said["errors"]]
    of = left + min(left, 1) * MOST_RESULTS
    more: Iterable[Document] = [{"level": "warning", "message": {"text": _more(left, of)}}] if left else []
    return {
        "executionSuccessful": not said["errors"],
        "toolExecutionNotifications": [*notes, *more],
        "properties": {"lookedAt": said["lookedAt"], "scope": said["scope"], "policy": said["policy"]},
        **({"endTimeUtc": said["time"].replace("+00:00", "Z")} if said.get("time") else {}),
    }
