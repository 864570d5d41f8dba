"""Plans as documents: one of everything, every rule breached in many places, and what hostile people call things."""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from unit.build import (
    NOW,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    cluster,
    endpoint,
    estate,
    guid,
    registry,
    sai,
    terms,
    uai,
    workspace,
    workspace_id,
)

from shared.access.actions import Deferred, Grant, Plan, Refusal, Removal, Setting, Wait, Withheld
from shared.access.asks import Finding, Property, Severity
from shared.access.guards import Guard
from shared.access.model import Principal
from shared.access.needs import PULL
from shared.access.plan import plan
from shared.access.report import Report
from shared.access.rules import RULES
from shared.access.scope import Scope

type Document = dict[str, Any]

LOST = workspace_id("lost")
HOSTILE: dict[str, str] = {
    "end of script": "</script><script>window.hit=1</script>",
    "image": '"><img src=x onerror="window.hit=1">',
    "comment": "<!-- --><svg onload=window.hit=1>",
    "escapes": "\x1b[2J\x1b[31mred\x07\x9b31m",
    "rich markup": "[red]red[/red] [link=https://evil.example]x[/link] :bomb:",
    "table": "a|b||c",
    "line breaks": "one\ntwo\r\n# three\u2028four\x85five\x0bsix",
    "formula": "=cmd|'/c calc'!A0",
    "formula behind a quote": "\t+1+1",
    "wide formula": "\uff1d1+1",
    "link": "[click](javascript:alert(1)) <https://evil.example> www.evil.example",
    "mention": "@everyone #1 GH-1",
    "code": "`a` ``b`` \\`c\\` **d** __e__ ~~f~~",
    "template": "{{7*7}} {0} ${x} %(y)s {% raw %}",
    "workflow command": "::error::x ##[error]x",
    "bidi": "\u202egpj.exe\u2066\u200b",
    "surrogate": "\ud800",
    "quotes": "'\"&amp;&#60;",
    "mermaid": '"]; click A "javascript:alert(1)"; %%{init: {}}%% --> end',
}


def everything() -> Report:
    """One of each thing that a plan can hold, by the real plan where it makes one."""
    c1, scorer = sai("mlw/computes/train"), uai("scorer")
    made = plan(
        estate(
            workspace(cluster("train", c1), endpoint("score", scorer), cluster("nobody")),
            registry(admin_user=True),
        ),
        terms(),
    )
    assert made.grants
    assert made.withheld
    other = workspace_id("other")
    more = Plan(
        grants=(made.grants[0],),
        settings=(_setting(),),
        findings=(
            _finding(Severity.HIGH, other, "lacks a role"),
            _finding(Severity.LOW, other, "is unread", lacks=True),
        ),
        withheld=(Withheld(_setting(), Refusal(Guard.UNREADABLE, "nobody can read it")),),
        deferred=(
            Deferred(Wait(other), NOW + timedelta(minutes=5), "it is still being made"),
            Deferred(_setting(), NOW + timedelta(minutes=15), "the grants have to act first"),
        ),
        satisfied=3,
        removals=(_removal(other),),
    )
    report = Report(
        [made, more],
        ["nothing can be said about the rest"],
        [workspace_id(), other],
        "policy.yaml",
        guid("me"),
        NOW,
        "0.1.0",
        (SUBSCRIPTION,),
    )
    report.fail(LOST, "Azure answered 503")
    return report


def _setting() -> Setting:
    return Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "registry-admin-user", ("AML-21",), "why", "source")


def _removal(on: Scope) -> Removal:
    at = STORAGE.child("providers", "Microsoft.Authorization", "roleAssignments", guid("old"))
    return Removal(at, STORAGE, guid("old holder"), PULL.role_id, on, "own-grants", ("AML-80",), "unused", "source")


def _finding(severity: Severity, on: Scope, message: str, *, lacks: bool = False) -> Finding:
    return Finding(on, "workspace-identity", ("AML-01",), severity, f"{on.name} {message}", "Do it", lacks_right=lacks)


def poisoned(document: Document, evil: str) -> Document:
    """The same with `evil` in every field that somebody else may choose. Ids keep their beginning."""
    made: Document = json.loads(json.dumps(document), object_hook=lambda one: _poisoned(one, evil))
    return made


_FREE = frozenset(
    ("message", "remedy", "reason", "principalName", "roleName", "from", "to", "what", "source", "property", "policy")
)
_IDS = ("resourceId", "scope", "workspace", "principal")


def _poisoned(one: Document, evil: str) -> Document:
    free = {name: evil for name, value in one.items() if name in _FREE and isinstance(value, str)}
    ids = {name: f"{value}/{evil}" for name, value in one.items() if name in _IDS and isinstance(value, str)}
    lists: Document = {}
    if isinstance(one.get("workspaces"), list):
        lists["workspaces"] = [f"{each}/{evil}" for each in one["workspaces"]]
    if isinstance(one.get("errors"), list):
        lists["errors"] = [evil for _ in one["errors"]]
    return one | free | ids | lists


@cache
def _breaches() -> Sequence[tuple[str, tuple[str, ...], Severity, str]]:
    kinds = ((rule, kind) for rule in RULES for kind in (*rule.kinds.values(),))
    found = [(rule.name, rule.requirements, kind.severity, rule.title) for rule, kind in kinds]
    silent = [(r.name, r.requirements, Severity.MEDIUM, r.title) for r in RULES if not r.kinds]
    return [*found, *silent]


def every_rule_breached(workspaces: int, *, each: int | None = None) -> Report:
    """A finding of each rule, and changes besides. With `each`, a workspace has so many of them, in turns."""
    scopes = [_placed(number) for number in range(workspaces)]
    return Report(
        [Plan(_grants(scope), (), tuple(_found(scope, number, each))) for number, scope in enumerate(scopes)],
        [],
        scopes,
        None,
        guid("me"),
        NOW,
        "0.1.0",
    )


def _placed(number: int) -> Scope:
    group = SUBSCRIPTION.child("resourceGroups", f"rg-{number % 97}")
    return workspace_id(f"mlw-{number:05}", group)


def _found(scope: Scope, number: int, each: int | None) -> Iterator[Finding]:
    all_of_them = _breaches()
    some = all_of_them if each is None else [all_of_them[(number * each + at) % len(all_of_them)] for at in range(each)]
    for rule, requirements, severity, title in some:
        yield Finding(scope, rule, requirements, severity, f"workspace {scope.name}: not so: {title}", f"Mend {rule}")


def _grants(scope: Scope) -> tuple[Grant, ...]:
    holder = Principal(guid(f"sai {scope.key}"), f"{scope.name}/computes/train")
    on = scope.child("computes", "train")
    return (Grant(holder, PULL, REGISTRY, on, "compute-pull", ("AML-18",), f"{holder.label} pulls", "source"),)
