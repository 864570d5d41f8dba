"""Answers the questions that amlguard asks of its own audit rows."""

import re
from collections.abc import Callable, Sequence
from typing import Any

type Row = dict[str, Any]


def answer(kql: str, journal: Sequence[tuple[str, Any]], is_old: Callable[[Row], bool]) -> list[Row]:
    remediations = [row for kind, row in journal if kind == "AmlGuardRemediation_CL"]
    if runs := re.search(r"RunId in \(([^)]*)\)", kql):
        return [row for row in remediations if f'"{row["RunId"]}"' in runs[1]]
    if "arg_max" in kql:
        return _open(kql, remediations, is_old)
    if "Outcome in (" in kql:  # what the report tells
        return [row for row in remediations if f"'{row['Outcome']}'" in kql]
    applied = [row for row in remediations if row["Outcome"] == "Applied"]
    if not kql.startswith("AmlGuardRemediation_CL"):
        return []  # nobody signs in as an admin user, or calls with a key
    wanted = re.search(r"ActionId in \(([^)]*)\)", kql)
    assert wanted, kql
    ids = set(re.findall(r'"([^"]+)"', wanted[1]))
    return [row for row in applied if row["ActionId"] in ids and row.get("Found") is not True]


def _open(kql: str, remediations: Sequence[Row], is_old: Callable[[Row], bool]) -> list[Row]:
    """A page of the intents without an outcome, oldest first."""
    last = {(row["RunId"], row["ActionId"]): (at, row) for at, row in enumerate(remediations) if _is_asked_for(row)}
    after, most = re.search(r'strcmp\(Place, "([^"]*)"\)', kql), re.search(r"take (\d+)$", kql)
    assert after, kql
    assert most, kql
    found = [(f"{at:08}", row) for at, row in sorted(last.values(), key=lambda one: one[0])]
    page = [row | {"Place": at} for at, row in found if row["Outcome"] == "Planned" and is_old(row) and at > after[1]]
    return page[: int(most[1])]


def _is_asked_for(row: Row) -> bool:
    return row["Mode"] == "enforce" and len(str(row["RunId"])) == len(str(row["ActionId"])) == 36
