"""`amlguard diff OLD NEW`: what changed between two snapshots in who holds what, in needs and in findings.

Each is planned as `plan --snapshot` does it. What one of them does not tell is unknown, and is said: a workspace that
could not be read in one of them has neither lost nor gained anything.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from handlers.cli.console import in_lines
from handlers.cli.desk import Where, each, looking, new_report
from handlers.cli.explanation import Explanation
from handlers.cli.from_snapshot import opened, played
from shared.access.actions import Plan
from shared.access.explain import Seen, explain
from shared.access.plan_json import Document
from shared.access.raw import get, object_id, rows
from shared.access.scope import Scope
from shared.snapshot.played import Played

_PARTS = ("holds", "needs", "findings", "unknown")
_WORDS = {"holds": "who holds what", "needs": "needs", "findings": "findings", "unknown": "what nobody can tell"}
_VAULT = "microsoft.keyvault/vaults"
type _Entries = dict[tuple[str, ...], Document]


@dataclass(frozen=True, slots=True)
class _Side:
    """One snapshot: each part as entries under a key that stays the same where nothing changed."""

    time: str
    parts: Mapping[str, _Entries]


@dataclass(frozen=True, slots=True)
class Difference:
    old: _Side
    new: _Side

    def document(self) -> Document:
        made: Document = {"old": self.old.time, "new": self.new.time}
        for part in _PARTS:
            before, after = self.old.parts[part], self.new.parts[part]
            made[part] = {
                "gone": [before[key] for key in before if key not in after],
                "added": [after[key] for key in after if key not in before],
                "changed": [
                    {"from": before[key], "to": after[key]}
                    for key in before
                    if key in after and before[key] != after[key]
                ],
            }
        return made

    @property
    def exit_code(self) -> int:
        return 2 if any(any(self.document()[part].values()) for part in _PARTS) else 0

    def text(self) -> str:
        told = self.document()
        lines = [f"from {told['old']} to {told['new']}"]
        for part in _PARTS:
            one = told[part]
            said = [
                *(f"  - {_said(part, each)}" for each in one["gone"]),
                *(f"  + {_said(part, each)}" for each in one["added"]),
                *(f"  ~ {_said(part, each['to'])} (was: {_state(part, each['from'])})" for each in one["changed"]),
            ]
            lines += ["", f"{_WORDS[part]}:", *(said or ["  nothing changed"])]
        return in_lines(lines)


def compare(old: Path, new: Path, policy_file: Path | None, form: str) -> int:
    """Raises as `difference` does."""
    found = asyncio.run(difference(old, new, policy_file))
    print(json.dumps(found.document(), indent=2) if form == "json" else found.text())
    return found.exit_code


async def difference(old: Path, new: Path, policy_file: Path | None) -> Difference:
    """Raises `UsageError` for what is no snapshot, and `AzureFailureError` where one says of no workspace."""
    return Difference(await _side(played(old), policy_file), await _side(played(new), policy_file))


async def _side(snapshot: Played, policy_file: Path | None) -> _Side:
    services = opened(snapshot, policy_file)
    where = Where(snapshot.about["scopes"], policy_file, empty_is_fine=True, fresh=True)
    report = new_report(services, where)
    looks = await looking(where, services, report)
    seen: list[Seen] = []

    async def look(workspace: Scope) -> Plan:
        prepared = await looks.prepare(workspace)
        if prepared is None:
            return Plan()
        made = await looks.braked(prepared.plan, workspace)
        seen.append(explain(prepared.estate, looks.reconciler.terms, made, workspace))
        return made

    await each(looks.workspaces, look, report, services)
    told = report.document()
    needs = [one for each_seen in seen for one in Explanation(each_seen.workspace.id, (each_seen,)).document()["needs"]]
    return _Side(
        str(snapshot.about["time"]),
        {
            "holds": _entries(_holds(snapshot), _holding),
            "needs": _entries(map(_need, needs), lambda one: (one["principalId"], one["roleName"], one["scope"])),
            "findings": _entries(told["findings"], lambda one: (one["rule"], one["resourceId"], one["message"])),
            "unknown": _entries(told["unknown"], lambda one: (one["resourceId"], one["what"])),
        },
    )


def _entries(told: Iterable[Document], key: Callable[[Document], Iterable[object]]) -> _Entries:
    """In the order of their keys, so that the same snapshots are always compared in the same words."""
    found = {tuple(str(part).casefold() for part in key(one)): one for one in told}
    return dict(sorted(found.items()))


def _holding(one: Document) -> tuple[object, ...]:
    """A vault may have several policies for one identity, each for another application that it acts through."""
    return one["principalId"], one["role"], one["scope"], one.get("applicationId")


def _need(one: Document) -> Document:
    return {name: one[name] for name in ("principalId", "identity", "roleName", "scope", "verdict")}


def _holds(snapshot: Played) -> Iterator[Document]:
    """Role assignments, and what access policies of vaults allow."""
    names = {role_id: role.name for role_id, role in snapshot.built_in.items()}
    for key, raw in snapshot.known.items():
        body = get(raw, "properties")
        match Scope.parse(key).resource_type:
            case "microsoft.authorization/roleassignments":
                role = str(get(body, "roleDefinitionId")).rpartition("/")[2].casefold()
                yield {
                    "principalId": object_id(get(body, "principalId")),
                    "role": names.get(role, role),
                    "scope": str(get(body, "scope")),
                    "condition": get(body, "condition"),
                }
            case kind if kind == _VAULT:
                for one in rows(body, "accessPolicies"):
                    granted = get(one, "permissions") or {}
                    yield {
                        "principalId": object_id(get(one, "objectId")),
                        "role": "access policy",
                        **({"applicationId": app} if (app := get(one, "applicationId")) else {}),
                        "scope": str(raw["id"]),
                        "permissions": sorted(
                            f"{each}/{name}".lower() for each, all_ in granted.items() for name in all_ or ()
                        ),
                    }


def _said(part: str, one: Document) -> str:
    match part:
        case "holds":
            return f"{one['principalId']} holds {one['role']} on {one['scope']}{_state(part, one)}"
        case "needs":
            return (
                f"{one['identity']} ({one['principalId']}) needs {one['roleName']} on {one['scope']}: {one['verdict']}"
            )
        case "findings":
            return f"{one['severity']} {one['rule']} on {one['resourceId']}: {one['message']}"
    return f"{one['what']} ({one['resourceId']}): {one['reason']}"


def _state(part: str, one: Document) -> str:
    """What may differ under the same key."""
    match part:
        case "holds":
            limits = one.get("condition") or ", ".join(one.get("permissions") or ())
            return f", with {limits}" if limits else ""
        case "needs":
            return str(one["verdict"])
        case "findings":
            return f"{one['severity']}; {one['remedy']}"
    return str(one["reason"])
