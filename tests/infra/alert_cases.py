"""Rows on which each alert must fire, and rows on which it must not. `age` is in minutes.

Where the words of a row count, amlguard's own code makes it (`produced.py`); where only time and number do,
`remediation`, `finding` and `sweep` do.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from produced import (
    contested,
    exception,
    failed,
    forbidden,
    granted,
    poisoned,
    reported,
    swept,
    unreadable_list,
    withheld,
)

from shared.audit_rows import FINDINGS, REMEDIATIONS, SWEEPS
from shared.azure.errors import reading, recording

type Rows = Mapping[str, Sequence[Mapping[str, Any]]]
# What amlguard itself makes, it makes when the test begins: each process of the tests imports this module.
type Given = Rows | Callable[[], Rows]

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


_AUDIT_REFUSED = exception(forbidden(recording("record in AmlGuardRemediation_CL"), "OperationFailed"))
_READ_REFUSED = exception(forbidden(reading("list computes of mlw")))


def _only(table: str, made: Callable[[], Rows]) -> Rows:
    return {table: made()[table]}


_GUARDS = ("kill-switch", "cap", "cap-hour", "cap-target", "lock", "approval")

FIRES: Mapping[str, Mapping[str, Given]] = {
    "remediation-failed": {"a change failed": failed},
    "withheld-by-guard": {
        **{f"by {guard}": partial(withheld, guard) for guard in _GUARDS},
        "as somebody reverts it": partial(_only, REMEDIATIONS, contested),
    },
    "contested-change": {
        "a finding": partial(_only, FINDINGS, contested),
        "a withheld change": partial(_only, REMEDIATIONS, contested),
    },
    "nothing-heard": {
        "no row at all": _NOTHING,
        "rows of the day before": {REMEDIATIONS: [remediation(1500, "Applied")], SWEEPS: [sweep(1450, "Completed")]},
    },
    "poison-work": {
        "the app found it": poisoned,
        "the queue saw it": {"StorageQueueLogs": [_put("amlguard-work-poison")]},
    },
    "policy-broken": {
        "now": {FINDINGS: [finding(5, "policy-broken")]},
        "at the last sweep": {FINDINGS: [finding(380, "policy-broken")]},
    },
    "sweep-overdue": {
        "never": _NOTHING,
        "the last one is 14 hours old": {SWEEPS: [sweep(14 * 60, "Completed")]},
        "started and never ended": {SWEEPS: [sweep(30, "Started"), sweep(14 * 60, "Completed")]},
        "one is incomplete": lambda: {SWEEPS: [*swept(whole=False)[SWEEPS], sweep(400, "Completed")]},
    },
    "grants-above-usual": {
        "out of the blue": partial(granted, 21),
        "far above the busiest hour": {REMEDIATIONS: [*_grants(40, 10), *_grants(12, 300), *_grants(3, 600)]},
    },
    "audit-ingestion-failing": {
        "refused on the way in": {"DCRLogErrors": [{"age": 5, "Message": "The payload exceeds the limit"}]},
        "the app could not record": _AUDIT_REFUSED,
    },
    "identity-lost-role": {
        "a change was forbidden": failed,
        "a list could not be read": unreadable_list,
        "a look failed": _READ_REFUSED,
        "nothing could be recorded": _AUDIT_REFUSED,
        "a sweep without telemetry": {SWEEPS: [sweep(12, "Started")]},
    },
}

QUIET: Mapping[str, Mapping[str, Given]] = {
    "remediation-failed": {
        "no row": _NOTHING,
        "other outcomes": {REMEDIATIONS: [remediation(5, one) for one in ("Planned", "Applied", "Withheld", "Undone")]},
        "long ago": {REMEDIATIONS: [remediation(20, "Failed")]},
    },
    "withheld-by-guard": {
        "as the policy asks": partial(withheld, "report-mode"),
        "exempt, as the policy asks": partial(withheld, "exemption"),
        "in mode report": reported,
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
        "a sweep as amlguard records it": partial(_only, SWEEPS, swept),
        "an action": {REMEDIATIONS: [remediation(5, "Planned")]},
        "a finding": {FINDINGS: [finding(5, "compute-settings")]},
    },
    "poison-work": {
        "work": {"StorageQueueLogs": [_put("amlguard-work")]},
        "poison taken away": {"StorageQueueLogs": [_put("amlguard-work-poison", "DeleteMessage")]},
        "other findings": {FINDINGS: [finding(5, "compute-settings")]},
    },
    "policy-broken": {
        "another finding": {FINDINGS: [finding(5, "policy-scope")]},
        "long ago": {FINDINGS: [finding(430, "policy-broken")]},
    },
    "sweep-overdue": {
        "one was completed": swept,
        "one is under way": {SWEEPS: [sweep(5, "Started"), sweep(12.5 * 60, "Completed")]},
        "one was incomplete the day before": {SWEEPS: [sweep(14 * 60, "Incomplete"), sweep(200, "Completed")]},
    },
    "grants-above-usual": {
        "none": _NOTHING,
        "a few": partial(granted, 20),
        "as many as usual": {REMEDIATIONS: [*_grants(40, 10), *_grants(20, 300)]},
        "many that were there already": {REMEDIATIONS: [one | {"Found": True} for one in _grants(50, 5)]},
        "many that failed": {REMEDIATIONS: [remediation(5, "Failed") for _ in range(50)]},
        "many settings": {REMEDIATIONS: [remediation(5, "Applied", Action="Setting") for _ in range(50)]},
    },
    "audit-ingestion-failing": {
        "no row": _NOTHING,
        "another exception": _READ_REFUSED,
        "long ago": {"DCRLogErrors": [{"age": 20, "Message": "The payload exceeds the limit"}]},
    },
    "identity-lost-role": {
        "refused for another reason": {REMEDIATIONS: [remediation(5, "Failed", Reason="a lock forbids the change")]},
        "another finding": {FINDINGS: [finding(5, "compute-settings")]},
        "another exception": exception(TimeoutError()),
        "a sweep with telemetry": {SWEEPS: [sweep(12, "Started")], "AppRequests": [{"age": 12, "Name": "sweep"}]},
        "a sweep whose telemetry is on its way": {SWEEPS: [sweep(2, "Started")]},
        "no row": _NOTHING,
    },
}
