"""Rows on which each alert must fire, and rows on which it must not. `age` is in minutes."""

from collections.abc import Mapping, Sequence
from typing import Any

type Rows = Mapping[str, Sequence[Mapping[str, Any]]]

REMEDIATIONS, FINDINGS, SWEEPS = "AmlGuardRemediation_CL", "AmlGuardFinding_CL", "AmlGuardSweep_CL"
_NOTHING: Rows = {}


def remediation(age: float, outcome: str, **more: Any) -> dict[str, Any]:
    columns = {"ActionId": "a1", "Action": "Grant", "RuleId": "compute-pull", "ResourceId": "/w", "Guard": ""}
    return {"age": age, "RunId": "r1", "Outcome": outcome, **columns, **more}


def finding(age: float, rule: str, message: str = "something") -> dict[str, Any]:
    return {"age": age, "RuleId": rule, "FindingId": rule, "ResourceId": "/w", "Severity": "low", "Message": message}


def sweep(age: float, outcome: str) -> dict[str, Any]:
    return {"age": age, "SweepId": f"s{age}", "Outcome": outcome}


def _grants(count: int, age: float) -> list[dict[str, Any]]:
    return [remediation(age, "Applied", ActionId=f"a{age}-{n}") for n in range(count)]


def _put(queue: str, operation: str = "PutMessage") -> dict[str, Any]:
    return {"age": 3, "OperationName": operation, "Uri": f"https://st.queue.core.windows.net/{queue}/messages?x=y"}


_FORBIDDEN = "Azure refused it: amlguard's identity lacks the right to make this change here"
_UNREADABLE = "locks of rg could not be read, so nobody can tell whether x holds: the right locks/read is missing."
_EXCEPTION = (
    "Result: Failure Exception: ReadFailedError: list: Azure answered 403: the identity lacks the right to do this"
)
_NOT_RECORDED = "Result: Failure Exception: AuditFailedError: record in AmlGuardRemediation_CL: Azure answered 403"

FIRES: Mapping[str, Mapping[str, Rows]] = {
    "remediation-failed": {"a change failed": {REMEDIATIONS: [remediation(5, "Failed", Reason="Azure answered 400")]}},
    "withheld-by-guard": {
        f"by {guard}": {REMEDIATIONS: [remediation(5, "Withheld", Guard=guard)]}
        for guard in ("kill-switch", "cap", "cap-hour", "lock", "target-outside-boundary", "approval", "contested")
    },
    "contested-change": {
        "a finding": {FINDINGS: [finding(5, "contested")]},
        "a withheld change": {REMEDIATIONS: [remediation(5, "Withheld", Guard="contested")]},
    },
    "nothing-heard": {
        "no row at all": _NOTHING,
        "rows of the day before": {REMEDIATIONS: [remediation(1500, "Applied")], SWEEPS: [sweep(1450, "Completed")]},
    },
    "poison-work": {
        "the app found it": {FINDINGS: [finding(5, "poison-work")]},
        "the queue saw it": {"StorageQueueLogs": [_put("amlguard-work-poison")]},
    },
    "sweep-overdue": {
        "never": _NOTHING,
        "the last one is 14 hours old": {SWEEPS: [sweep(14 * 60, "Completed")]},
        "started and never ended": {SWEEPS: [sweep(30, "Started"), sweep(14 * 60, "Completed")]},
        "one is incomplete": {SWEEPS: [sweep(30, "Incomplete"), sweep(400, "Completed")]},
    },
    "grants-above-usual": {
        "out of the blue": {REMEDIATIONS: _grants(21, 10)},
        "far above the busiest hour": {REMEDIATIONS: [*_grants(40, 10), *_grants(12, 300), *_grants(3, 600)]},
    },
    "audit-ingestion-failing": {
        "refused on the way in": {"DCRLogErrors": [{"age": 5, "Message": "The payload exceeds the limit"}]},
        "the app could not record": {"AppExceptions": [{"age": 5, "InnermostMessage": _NOT_RECORDED}]},
    },
    "identity-lost-role": {
        "a change was forbidden": {REMEDIATIONS: [remediation(5, "Failed", Reason=_FORBIDDEN)]},
        "a list could not be read": {FINDINGS: [finding(5, "network-group-obstacles", _UNREADABLE)]},
        "a look failed": {"AppExceptions": [{"age": 5, "InnermostMessage": _EXCEPTION}]},
        "a sweep without telemetry": {SWEEPS: [sweep(12, "Started")]},
    },
}

QUIET: Mapping[str, Mapping[str, Rows]] = {
    "remediation-failed": {
        "no row": _NOTHING,
        "other outcomes": {REMEDIATIONS: [remediation(5, one) for one in ("Planned", "Applied", "Withheld", "Undone")]},
        "long ago": {REMEDIATIONS: [remediation(20, "Failed")]},
    },
    "withheld-by-guard": {
        "as the policy asks": {
            REMEDIATIONS: [remediation(5, "Withheld", Guard=guard) for guard in ("report-mode", "exemption")]
        },
        "applied": {REMEDIATIONS: [remediation(5, "Applied")]},
        "long ago": {REMEDIATIONS: [remediation(70, "Withheld", Guard="cap")]},
    },
    "contested-change": {
        "other findings and guards": {
            FINDINGS: [finding(5, "compute-settings")],
            REMEDIATIONS: [remediation(5, "Withheld", Guard="lock"), remediation(5, "Applied", Guard="contested")],
        },
    },
    "nothing-heard": {
        "a sweep": {SWEEPS: [sweep(1400, "Started")]},
        "an action": {REMEDIATIONS: [remediation(5, "Planned")]},
        "a finding": {FINDINGS: [finding(5, "compute-settings")]},
    },
    "poison-work": {
        "work": {"StorageQueueLogs": [_put("amlguard-work")]},
        "poison taken away": {"StorageQueueLogs": [_put("amlguard-work-poison", "DeleteMessage")]},
        "other findings": {FINDINGS: [finding(5, "compute-settings")]},
    },
    "sweep-overdue": {
        "one was completed": {SWEEPS: [sweep(350, "Completed")]},
        "one is under way": {SWEEPS: [sweep(5, "Started"), sweep(12.5 * 60, "Completed")]},
        "one was incomplete the day before": {SWEEPS: [sweep(14 * 60, "Incomplete"), sweep(200, "Completed")]},
    },
    "grants-above-usual": {
        "none": _NOTHING,
        "a few": {REMEDIATIONS: _grants(20, 10)},
        "as many as usual": {REMEDIATIONS: [*_grants(40, 10), *_grants(20, 300)]},
        "many that failed": {REMEDIATIONS: [remediation(5, "Failed") for _ in range(50)]},
        "many settings": {REMEDIATIONS: [remediation(5, "Applied", Action="Setting") for _ in range(50)]},
    },
    "audit-ingestion-failing": {
        "no row": _NOTHING,
        "another exception": {"AppExceptions": [{"age": 5, "InnermostMessage": _EXCEPTION}]},
        "long ago": {"DCRLogErrors": [{"age": 20, "Message": "The payload exceeds the limit"}]},
    },
    "identity-lost-role": {
        "refused for another reason": {REMEDIATIONS: [remediation(5, "Failed", Reason="a lock forbids the change")]},
        "another finding": {FINDINGS: [finding(5, "compute-settings")]},
        "another exception": {"AppExceptions": [{"age": 5, "InnermostMessage": "TimeoutError"}]},
        "a sweep with telemetry": {SWEEPS: [sweep(12, "Started")], "AppRequests": [{"age": 12, "Name": "sweep"}]},
        "a sweep whose telemetry is on its way": {SWEEPS: [sweep(2, "Started")]},
        "no row": _NOTHING,
    },
}
