"""A plan as CSV (RFC 4180, but with line feeds), a row for each item, the worst first.

docs/schemas/plan-csv.schema.json describes a row.
"""

import csv
import io
from collections.abc import Mapping

from handlers.cli.formats.names import part
from handlers.cli.formats.safe import cell
from handlers.cli.formats.view import Item, View

COLUMNS: Mapping[str, str] = {
    "status": "change, withheld, deferred, unknown or finding",
    "severity": "of a finding: high, medium, low or informational; else empty",
    "rule": "the rules that ask for it, by name, separated by commas",
    "requirements": "their AML-ids, separated by blanks",
    "workspace": "id of the workspace, or of the first that has it in its plan",
    "workspaces": "how many workspaces have it in their plans",
    "subscription": "id of the workspace's subscription",
    "resource": "id of the resource that it is about",
    "what": "what it is, in words",
    "principalId": "object id of the identity that a grant is for",
    "role": "name of the role that would be granted",
    "scope": "where it would be granted",
    "guard": "of what is withheld: the guard's word",
    "reason": "why, in words",
    "remedy": "of a finding: what to do about it",
    "outcome": "of `apply`: what came of it; else empty",
}


def text(seen: View) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(map(_row, seen.worst_first))
    return out.getvalue().rstrip("\n")


def _row(item: Item) -> list[str]:
    one = item.action or item.document
    subscription = part(item.workspace, "subscriptions") or part(item.resource, "subscriptions")
    values = (
        item.status,
        item.severity,
        ",".join(item.rules),
        " ".join(item.requirements),
        item.workspace,
        str(len(item.workspaces)),
        subscription,
        item.resource,
        item.title,
        str(one.get("principalId") or ""),
        str(one.get("roleName") or ""),
        str(one.get("scope") or ""),
        item.guard,
        item.reason,
        item.remedy,
        item.outcome,
    )
    return [cell(value) for value in values]
