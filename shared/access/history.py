"""What amlguard did before, as its audit log tells: a change that is needed again was reverted by somebody (law 9)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.access.actions import Grant, Refusal, Removal, Setting
from shared.access.asks import Finding, Severity
from shared.access.caps import Change, counted, target
from shared.access.guards import Guard
from shared.access.quoting import kql
from shared.access.scope import Scope

DAYS = 7
# How `shared.writing.apply` says that nothing was done; it is no change that somebody could revert, or undo.
THERE_ALREADY, GONE_ALREADY = "it was there already", "it was gone already"
NOTHING_DONE = (THERE_ALREADY, GONE_ALREADY)


@dataclass(frozen=True, slots=True)
class Past:
    """How often in the last week, and when and in which run for the last time, one action was applied."""

    times: int
    last: str
    run: str


def query(actions: Iterable[Change]) -> str:
    """KQL over the audit log."""
    done = " ".join(f"and Reason !startswith {kql(one)}" for one in NOTHING_DONE)
    ids = ", ".join(kql(action.action_id) for action in actions if counted(action))
    return (
        f"AmlGuardRemediation_CL | where TimeGenerated > ago({DAYS}d) and Outcome == 'Applied' "
        f"and ActionId in ({ids}) {done} "
        "| summarize Times = dcount(RunId), arg_max(TimeGenerated, RunId) by ActionId"
    )


def past(rows: Iterable[Mapping[str, Any]]) -> dict[str, Past]:
    return {str(row["ActionId"]): Past(int(row["Times"]), str(row["TimeGenerated"]), str(row["RunId"])) for row in rows}


def together(one: Mapping[str, Past], other: Mapping[str, Past]) -> dict[str, Past]:
    """Two records of the same runs, or of some of them: what the fuller one says of each action."""
    return {**other, **{name: max(past, other.get(name, past), key=lambda p: p.times) for name, past in one.items()}}


def contested(before: Mapping[str, Past], most: int) -> dict[str, Refusal]:
    """By action id."""
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
        f"Find out who reverts it: the activity log of {target(action)} has the caller. Templates do, such as "
        "Terraform's admin_enabled = true. Change the template, or exempt the resource in the policy.",
    )


def _grant(action: Change) -> str:
    name = action.need.role_name if isinstance(action, Grant) else "a role"
    return f"{name} on {target(action).name}"


def restored(action: Change, before: Past, changed: Scope | None, caller: str) -> str:
    """For the record: that somebody took back what amlguard had done, and who if the event tells."""
    if isinstance(action, Removal):
        return f"once more (run {before.run} took it away at {before.last}, and it was assigned again)"
    theirs = changed is not None and _is_of(action, changed)
    who = f" by {caller}" if theirs and caller else ""
    return f"restored (run {before.run} made it at {before.last}, and it was taken away{who})"


def _is_of(action: Change, changed: Scope) -> bool:
    """Whether an event about `changed` is one about what the action makes."""
    if isinstance(action, Setting):
        return changed == action.resource
    return isinstance(action, Grant) and changed.name.casefold() == action.name.casefold()
