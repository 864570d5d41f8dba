"""Answers the two questions that amlguard asks of its own audit rows."""

import re
from collections.abc import Sequence
from typing import Any

type Row = dict[str, Any]


def answer(kql: str, journal: Sequence[tuple[str, Any]]) -> list[Row]:
    remediations = [row for kind, row in journal if kind == "AmlGuardRemediation_CL"]
    if runs := re.search(r"RunId in \(([^)]*)\)", kql):
        return [row for row in remediations if f'"{row["RunId"]}"' in runs[1]]
    applied = [row for row in remediations if row["Outcome"] == "Applied"]
    if not kql.startswith("AmlGuardRemediation_CL"):
        return []  # nobody signs in as an admin user, or calls with a key
    wanted = re.search(r"ActionId in \(([^)]*)\)", kql)
    assert wanted, kql
    nothing_done = tuple(re.findall(r'!startswith "([^"]+)"', kql))
    rows = [one for one in applied if not one["Reason"].startswith(nothing_done)]
    return [found for one in re.findall(r'"([^"]+)"', wanted[1]) if (found := _summary(one, rows))]


def _summary(action_id: str, rows: Sequence[Row]) -> Row | None:
    mine = [row for row in rows if row["ActionId"] == action_id]
    if not mine:
        return None
    last = max(mine, key=lambda row: row["TimeGenerated"])
    runs = {row["RunId"] for row in mine}
    return {"ActionId": action_id, "Times": len(runs), "TimeGenerated": last["TimeGenerated"], "RunId": last["RunId"]}
