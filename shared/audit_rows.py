"""Rows of the audit tables (infra/tables.json): one row for each action and each phase of it, one for each finding, two
for each sweep.
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from shared.access.actions import Action, Grant, Refusal, Removal, Setting
from shared.access.asks import Finding
from shared.access.guards import Word
from shared.access.quoting import visible
from shared.access.terms import RunMode
from shared.messages import Trigger

REMEDIATIONS = "AmlGuardRemediation_CL"
FINDINGS = "AmlGuardFinding_CL"
SWEEPS = "AmlGuardSweep_CL"
COLUMNS = (
    "TimeGenerated",
    "RunId",
    "ActionId",
    "Action",
    "RuleId",
    "Requirements",
    "ResourceId",
    "PrincipalId",
    "RoleDefinitionId",
    "RoleAssignmentId",
    "Scope",
    "NeededBy",
    "Property",
    "From",
    "To",
    "Mode",
    "Outcome",
    "Guard",
    "Reason",
    "Found",
    "Code",
    "LacksRight",
    "AddedPermissions",
    "ReversedBy",
    "CorrelationId",
    "CallerObjectId",
    "EventTime",
    "DurationMs",
)
"""Of the table of remediations, as infra/tables.json has them."""
_FINDING_IDS = uuid.UUID("0d0b3c5e-1c43-5a5f-8f0f-6f1f8a8f7c55")


class Phase(StrEnum):
    PLANNED = "Planned"
    APPLIED = "Applied"
    FAILED = "Failed"
    WITHHELD = "Withheld"
    DEFERRED = "Deferred"
    UNDONE = "Undone"


@dataclass(frozen=True, slots=True)
class Run:
    """One reconcile of one workspace. Every row and the description of every grant have its id."""

    mode: RunMode
    trigger: Trigger = field(default_factory=Trigger)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to come, or came, of one action. `reason` is for people. Code, queries and alerts use the other fields.

    - `found`: amlguard found the state already there, and nobody can tell who made it.
    - `code`: Azure's error code.
    - `lacks_right`: amlguard's own identity lacks the right.
    - `reversed_by`: who took back what amlguard had done before: an object id or `SOMEBODY`. Empty if nobody did.
    - `wait`: how long Azure asks to be left alone.
    - `unclear`: nobody can tell yet whether it was done, so the intent stays without an outcome on record.
    """

    action: Action
    phase: Phase
    reason: str
    duration_ms: int | None = None
    guard: Word | None = None
    found: bool = False
    code: str = ""
    lacks_right: bool = False
    reversed_by: str = ""
    wait: timedelta = timedelta()
    unclear: bool = False


# long: one row, one line for each of its columns
def remediation(run: Run, one: Outcome) -> dict[str, Any]:
    action = one.action
    row: dict[str, Any] = {
        "TimeGenerated": _now(),
        "RunId": run.id,
        "ActionId": action.action_id,
        "Action": type(action).__name__,
        "RuleId": action.rule,
        "Requirements": list(action.requirements),
        "ResourceId": str(action.resource),
        "Mode": str(run.mode),
        "Outcome": str(one.phase),
        "Guard": one.guard or "",
        "Reason": one.reason,
        "Found": one.found,
        "Code": one.code,
        "LacksRight": one.lacks_right,
        "ReversedBy": one.reversed_by,
        "DurationMs": one.duration_ms,
        **_origin(run),
    }
    match action:
        case Grant():
            row |= {
                "PrincipalId": action.principal.id,
                "RoleDefinitionId": action.role_definition_id,
                "RoleAssignmentId": f"{action.scope}/providers/Microsoft.Authorization/roleAssignments/{action.name}",
                "Scope": str(action.scope),
                "From": action.before,
                "NeededBy": [str(one) for one in (action.on, *action.others)],
            }
        case Removal():
            row |= {
                "PrincipalId": action.principal_id,
                "RoleDefinitionId": action.role_definition_id,
                "RoleAssignmentId": str(action.assignment),
                "Scope": str(action.scope),
            }
        case Setting():
            row |= {
                "Property": str(action.name),
                "From": action.current,
                "To": action.to,
                "Scope": str(action.resource),
            }
            row["PrincipalId"] = action.principal.id if action.principal else ""
            row["NeededBy"] = [str(action.needed_by)] if action.needed_by else []
            row["AddedPermissions"] = list(action.adds)
    return _told(row)


def planned(run: Run, action: Grant | Setting | Removal) -> dict[str, Any]:
    return remediation(run, Outcome(action, Phase.PLANNED, action.reason))


def withheld(action: Action, refusal: Refusal, reversed_by: str = "") -> Outcome:
    return Outcome(action, Phase.WITHHELD, refusal.reason, guard=refusal.guard, reversed_by=reversed_by)


def finding(run: Run, one: Finding) -> dict[str, Any]:
    row = {
        "TimeGenerated": _now(),
        "RunId": run.id,
        "FindingId": str(uuid.uuid5(_FINDING_IDS, f"{one.resource.key}|{one.rule}|{'|'.join(one.requirements)}")),
        "RuleId": one.rule,
        "Requirements": list(one.requirements),
        "ResourceId": str(one.resource),
        "Severity": str(one.severity),
        "Message": one.message,
        "Remedy": one.remedy,
        "LacksRight": one.lacks_right,
        "Mode": str(run.mode),
        **_origin(run),
    }
    return _told(row)


def sweep_row(
    sweep: str,
    outcome: str,
    mode: str,
    *,
    workspaces: int,
    shards: int,
    failed: int,
    changes: int,
    findings: int,
    duration_ms: int,
) -> dict[str, Any]:
    """`outcome` is Started, Completed or Incomplete."""
    return {
        "TimeGenerated": _now(),
        "SweepId": sweep,
        "Outcome": outcome,
        "Mode": mode,
        "Workspaces": workspaces,
        "Shards": shards,
        "Failed": failed,
        "Changes": changes,
        "Findings": findings,
        "DurationMs": duration_ms,
    }


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """What people read tells what tenants wrote: names, tags. It is one line, and any log takes it."""
    return row | {name: visible(row[name]) for name in ("Reason", "Message", "Remedy") if name in row}


def _origin(run: Run) -> dict[str, Any]:
    time = run.trigger.event_time
    return {
        "CorrelationId": run.trigger.correlation_id,
        "CallerObjectId": run.trigger.caller_object_id,
        "EventTime": time.isoformat() if time else None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat()
