"""What infra/ deploys and rules or guards decide.

Event Grid's filters, the app's condition, the workbook, and an alert.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared import policy
from shared.access.condition import condition
from shared.access.guards import WANTED
from shared.access.routing import operations
from shared.access.terms import Terms

QUERIES = Path(__file__).parent.parent / "infra" / "queries"

# Event Grid takes 25 values in the filters of one event subscription.
_VALUES = 25
_EVENT_TYPES = {
    "write": "Microsoft.Resources.ResourceWriteSuccess",
    "delete": "Microsoft.Resources.ResourceDeleteSuccess",
}

# The title, the query (a file of infra/queries) and the visualization of each part of the workbook.
WORKBOOK: Sequence[tuple[str, str, str]] = (
    ("Open findings, and what to do", "open-findings", "table"),
    ("Waiting for approval, with the command that releases it", "pending-approvals", "table"),
    ("Open findings by workspace", "open-by-workspace", "table"),
    ("Open findings by subscription", "open-by-subscription", "table"),
    ("Open findings by rule", "open-by-rule", "table"),
    ("Open findings a day", "posture-over-time", "barchart"),
    ("Changes a day", "changes-over-time", "barchart"),
    ("Remediations by rule and outcome", "remediations-by-rule", "table"),
    ("Seconds from event to grant", "event-to-grant", "linechart"),
    ("Withheld and contested", "withheld-and-contested", "table"),
    ("Contested changes", "contested-change", "table"),
    ("Endpoints still called with keys", "endpoints-called-with-keys", "table"),
    ("Registries whose admin user is still used", "admin-users-still-used", "table"),
    ("Changes that Azure refused", "remediation-failed", "table"),
)


def deployed_terms(root: Path) -> Terms:
    """The terms of `policy.yaml` if there is one, because it is deployed with the app. Raises `PolicyError`."""
    file = root / "policy.yaml"
    return policy.load(file).terms() if file.exists() else policy.Policy().terms()


def documents(terms: Terms) -> dict[str, str]:
    """The text of every generated file below infra/, by its path from the root."""
    return {
        "infra/generated/derived.json": _json(derived(terms)),
        "infra/generated/workbook.json": _json(workbook()),
        "infra/queries/withheld-by-guard.kql": withheld_by_guard(),
    }


def withheld_by_guard() -> str:
    """The query of an alert. It leaves out the guards that people turned on in the policy."""
    wanted = ", ".join(f"'{one}'" for one in WANTED)
    return f"""\
// Changes that a guard withheld although no policy asked for that: one row for each action and guard.
AmlGuardRemediation_CL
| where Outcome == 'Withheld' and Guard !in ({wanted})
| summarize Times = count(), Last = max(TimeGenerated) by ActionId, Guard, RuleId, ResourceId, Reason
"""


def derived(terms: Terms) -> Mapping[str, Any]:
    return {
        "comment": "Generated from shared/access/rules by `make docs`; edit the rules, not this file.",
        "condition": condition(terms),
        "eventSubscriptions": list(event_subscriptions(operations(terms.table))),
    }


def event_subscriptions(watched: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Each operation is in exactly one event subscription, so that no event is delivered twice."""
    for verb, event_type in _EVENT_TYPES.items():
        operations = [one for one in watched if one.endswith(f"/{verb}")]
        for start in range(0, len(operations), _VALUES):
            yield {
                "name": f"amlguard-{verb}-{start // _VALUES + 1}",
                "eventTypes": [event_type],
                "operations": operations[start : start + _VALUES],
            }


def workbook() -> Mapping[str, Any]:
    """An Azure Workbook as its gallery exports it."""
    return {
        "version": "Notebook/1.0",
        "items": [_time_range(), *(_part(*one) for one in WORKBOOK)],
        "fallbackResourceIds": [],
        "$schema": "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json",
    }


def _time_range() -> Mapping[str, Any]:
    days = 24 * 60 * 60 * 1000
    return {
        "type": 9,
        "content": {
            "version": "KqlParameterItem/1.0",
            "parameters": [
                {
                    "id": "7c1f4d3a-2f6e-5f0b-9a44-0d6b6a1e2c01",
                    "version": "KqlParameterItem/1.0",
                    "name": "TimeRange",
                    "label": "Time range",
                    "type": 4,
                    "isRequired": True,
                    "value": {"durationMs": 30 * days},
                    "typeSettings": {"selectableValues": [{"durationMs": n * days} for n in (1, 7, 30, 90)]},
                }
            ],
            "style": "pills",
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
        },
        "name": "time range",
    }


def _part(title: str, query: str, visualization: str) -> Mapping[str, Any]:
    return {
        "type": 3,
        "content": {
            "version": "KqlItem/1.0",
            "query": (QUERIES / f"{query}.kql").read_text("utf-8"),
            "size": 0,
            "title": title,
            "timeContextFromParameter": "TimeRange",
            "queryType": 0,
            "resourceType": "microsoft.operationalinsights/workspaces",
            "visualization": visualization,
            "noDataMessage": "Nothing in this time range.",
        },
        "name": query,
    }


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
