"""`amlguard report`: the posture as one page, with who reaches what, what amlguard did, and what waits for a person."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.cli.approve import Waiting
from handlers.cli.desk import Where, each, looking, new_report
from handlers.cli.formats.names import called, short_guid
from handlers.cli.formats.view import view
from handlers.cli.from_snapshot import services_of
from handlers.cli.page.build import Besides, page
from handlers.cli.present import result_document
from handlers.cli.progress import begin
from handlers.runtime import Runtime
from shared.access.access_map import access_map
from shared.access.actions import Plan
from shared.access.explain import explain
from shared.access.plan_json import Document
from shared.access.scope import Scope
from shared.audit_file import AuditFile
from shared.audit_rows import REMEDIATIONS
from shared.ports import AzureFailureError
from shared.state.approvals import Approvals

DAYS = 30
_MOST_ROWS = 5000
_OUTCOMES = ("Applied", "Failed", "Undone")
_QUERY = (
    f"{REMEDIATIONS} | where TimeGenerated > ago({DAYS}d) and Outcome in ({', '.join(map(repr, _OUTCOMES))}) "
    "| project TimeGenerated, Outcome, RuleId, ResourceId, Scope, PrincipalId, RunId, Reason "
    f"| order by TimeGenerated desc | take {_MOST_ROWS}"
)


@dataclass(frozen=True, slots=True)
class Posture:
    """`document` is the plan's; `besides` is what only the report has."""

    document: Document
    besides: Besides

    def html(self) -> str:
        return page(view(self.document), self.besides)

    def json(self) -> str:
        more = {"accessMaps": self.besides.maps, "past": list(self.besides.past), "waiting": list(self.besides.waiting)}
        return json.dumps(self.document | more, indent=2)


async def posture(where: Where, audit_file: Path | None) -> Posture:
    """Raises `AzureFailureError` when it cannot even find out where to look."""
    if not where.snapshot:
        begin("report")
    async with services_of(where.policy_file, where.snapshot) as services:
        return await posture_by(where, services, audit_file)


async def posture_by(where: Where, services: Runtime, audit_file: Path | None) -> Posture:
    """As `posture`, of services that are connected."""
    maps: dict[str, Sequence[Document]] = {}
    report = new_report(services, where)
    looks = await looking(where, services, report)
    terms = looks.reconciler.terms

    async def look(workspace: Scope) -> Plan:
        prepared = await looks.prepare(workspace)
        if prepared is None:
            return Plan()
        made = await looks.braked(prepared.plan, workspace)
        seen = explain(prepared.estate, terms, made, workspace)
        maps[str(workspace)] = access_map(seen, prepared.estate)
        return made

    await each(looks.workspaces, look, report, services)
    done, no_past = await past(services, audit_file)
    pending, no_waiting = await waiting(services)
    return Posture(result_document(report), Besides(maps, done, pending, no_past, no_waiting, whole=True))


async def past(services: Runtime, file: Path | None) -> tuple[list[Document], str]:
    """What was done in the last thirty days, the newest first; and why there is nothing."""
    if file:
        rows: Sequence[Any] = await AuditFile(file, must_be_there=True).of_outcomes(_OUTCOMES)
    else:
        try:
            found = await services.azure.logs(_QUERY)
        except AzureFailureError as error:
            return [], f"The audit log could not be read: {error}."
        if found is None:
            return [], "No audit log is set: AMLGUARD_LOG_WORKSPACE_ID names it, or --audit-file a file."
        rows = found
    newest = sorted(rows, key=lambda row: str(row.get("TimeGenerated")), reverse=True)[:_MOST_ROWS]
    return [_row(row) for row in newest], f"Nothing was changed in the last {DAYS} days."


def _row(row: Document) -> Document:
    on = str(row.get("Scope") or row.get("ResourceId") or "")
    who = f" for {short_guid(str(row['PrincipalId']))}" if row.get("PrincipalId") else ""
    return {
        "time": str(row.get("TimeGenerated") or "")[:19].replace("T", " "),
        "outcome": str(row.get("Outcome") or ""),
        "what": f"{row.get('RuleId') or ''} on {called(on)}{who}",
        "run": str(row.get("RunId") or ""),
        "reason": str(row.get("Reason") or ""),
    }


async def waiting(services: Runtime) -> tuple[list[Document], str]:
    if services.store is None:
        return [], "The app's storage account is not set (AzureWebJobsStorage), so nobody knows what waits."
    now = services.azure.now()
    try:
        pending = await Approvals(services.store).waiting(now)
    except AzureFailureError as error:
        return [], f"What waits could not be read: {error}."
    said = Waiting(now, pending)
    rows = [
        {"run": one.run, "workspace": one.workspace, "state": said.state(one), "actions": list(one.actions.values())}
        for one in pending
    ]
    return rows, "Nothing waits for a person."
