"""Answers the questions that amlguard asks of its own audit rows."""

import re
from collections.abc import Callable, Sequence
from typing import Any

type Row = dict[str, Any]


def answer(kql: str, journal: Sequence[tuple[str, Any]], is_old: Callable[[Row], bool]) -> list[Row]:
    remediations = [row for kind, row in journal if kind == "AmlGuardRemediation_CL"]
    if runs := re.search(r"RunId in \(([^)]*)\)", kql):
        return [row for row in remediations if f'"{row["RunId"]}"' in runs[1]]
    if "arg_max" in kql:  # what is open
        last = {(row["RunId"], row["ActionId"]): row for row in remediations if row["Mode"] == "enforce"}
        return [row for row in last.values() if row["Outcome"] == "Planned" and is_old(row)]
    if "Outcome in (" in kql:  # what the report tells
        return [row for row in remediations if f"'{row['Outcome']}'" in kql]
    applied = [row for row in remediations if row["Outcome"] == "Applied"]
    if not kql.startswith("AmlGuardRemediation_CL"):
        return []  # nobody signs in as an admin user, or calls with a key
    wanted = re.search(r"ActionId in \(([^)]*)\)", kql)
    assert wanted, kql
    ids = set(re.findall(r'"([^"]+)"', wanted[1]))
    return [row for row in applied if row["ActionId"] in ids and row.get("Found") is not True]
