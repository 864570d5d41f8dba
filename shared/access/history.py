"""What amlguard did before, as its audit log shows it.

A change that is needed again was reverted by somebody (law 9).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.access.actions import Grant, Refusal, Removal, Setting
from shared.access.asks import Finding, Severity
from shared.access.caps import Change, counted, target
from shared.access.guards import Guard
from shared.access.quoting import kql
from shared.access.scope import Scope

DAYS = 7
SOMEBODY = "unknown"
THERE_ALREADY, GONE_ALREADY = "it was there already", "it was gone already"


@dataclass(frozen=True, slots=True)
class Past:
    """How often one action was applied in the last week, and when and in which run it was last applied."""

    times: int
    last: str
    run: str


def query(actions: Iterable[Change]) -> str:
    """KQL over the audit log: one row for each run that made one of `actions`, for `past` to read.

    A table that was deployed by an older version has no column `Found`. Then `past` uses the reason.
    """
    ids = ", ".join(kql(action.action_id) for action in actions if counted(action))
    return (
        f"AmlGuardRemediation_CL | where TimeGenerated > ago({DAYS}d) and Outcome == 'Applied' and ActionId in ({ids}) "
        "| extend Found = column_ifexists('Found', bool(null)) | where isnull(Found) or Found == false "
        "| summarize TimeGenerated = max(TimeGenerated) by ActionId, RunId, Found, Reason"
    )


def is_found(row: Mapping[str, Any]) -> bool:
    """Whether the state was there already and amlguard changed nothing, so that nobody could revert or undo it.

    In rows from before the column `Found`, only the first words of the reason say so.
    """
    found = row.get("Found")
    if isinstance(found, bool):
        return found
    return str(row.get("Reason")).startswith((THERE_ALREADY, GONE_ALREADY))


def past(rows: Iterable[Mapping[str, Any]]) -> dict[str, Past]:
    """Reads rows of applied actions, of one record or of several that cover the same runs."""
    made: dict[str, dict[str, str]] = {}
    for row in rows:
        if not is_found(row):
            runs, run = made.setdefault(str(row["ActionId"]), {}), str(row.get("RunId"))
            runs[run] = max(runs.get(run, ""), _in_text(row.get("TimeGenerated")))
    return {action_id: _latest(runs) for action_id, runs in made.items()}


def _latest(runs: Mapping[str, str]) -> Past:
    """`runs` say when each of them made it."""
    last, run = max((at, run) for run, at in runs.items())
    return Past(len(runs), last, run)


def _in_text(moment: Any) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else str(moment)


def contested(before: Mapping[str, Past], most: int) -> dict[str, Refusal]:
    """The refusals, by action id."""
    return {
        action_id: Refusal(
            Guard.CONTESTED,
            f"it was made {one.times} times in {DAYS} days, last at {one.last}, and somebody reverts it each time "
            f"({Guard.CONTESTED.in_policy(most)}); `amlguard apply --again` makes it once more",
        )
        for action_id, one in before.items()
        if one.times >= most
    }


def finding(action: Change, refusal: Refusal, on: Scope) -> Finding:
    what = f"{action.name} of {action.resource.name}" if isinstance(action, Setting) else _grant(action)
    return Finding(
        on,
        Guard.CONTESTED,
        action.requirements,
        Severity.HIGH,
        f"{what}: {refusal.reason}.",
        f"Find out who reverts it: the activity log of {target(action)} has the caller. Templates often do, such as "
        "Terraform's admin_enabled = true. Change the template, or exempt the resource in the policy.",
    )


def _grant(action: Change) -> str:
    name = action.need.role_name if isinstance(action, Grant) else "a role"
    return f"{name} on {target(action).name}"


def reversed_by(action: Change, changed: Scope | None, caller: str) -> str:
    """Who reverted amlguard's change: the caller, if the event is about exactly that."""
    return caller if caller and changed is not None and _is_of(action, changed) else SOMEBODY


def restored(action: Change, before: Past, by: str) -> str:
    """The same in words, for people."""
    who = "" if by == SOMEBODY else f" by {by}"
    if isinstance(action, Removal):
        return f"once more (run {before.run} took it away at {before.last}, and it was assigned again{who})"
    return f"restored (run {before.run} made it at {before.last}, and it was taken away{who})"


def _is_of(action: Change, changed: Scope) -> bool:
    """Whether an event about `changed` is an event about what the action makes or takes away."""
    if isinstance(action, Setting):
        return changed == action.resource
    name = action.assignment.name if isinstance(action, Removal) else action.name
    return changed.name.casefold() == name.casefold()
