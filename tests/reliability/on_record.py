"""What must hold whatever Azure does: every write has its outcome, and each change is on a row that says so."""

from collections.abc import Mapping, Sequence
from typing import Any

from fakes import FakeAzure

type Row = Mapping[str, Any]

_WRITES = ("grant", "setting", "removal")


class SetUpError(Exception):
    """The test is not about what it says."""


def given(holds: object, what: str) -> None:
    """A condition of the test itself: no assertion, so that it cannot pass for the failure that is expected."""
    if not holds:
        raise SetUpError(what)


def open_intents(rows: Sequence[Row]) -> set[tuple[str, str]]:
    """(RunId, ActionId) of what was planned and has no outcome after it."""
    found = set[tuple[str, str]]()
    for row in rows:
        key = row["RunId"], row["ActionId"]
        (found.add if row["Outcome"] == "Planned" else found.discard)(key)
    return found


def unrecorded(azure: FakeAzure) -> list[str]:
    """Changes that Azure made and no row tells of as made."""
    rows = [row for kind, row in azure.journal if kind == "AmlGuardRemediation_CL"]
    told = {row["ActionId"] for row in rows if row["Outcome"] == "Applied"}
    return [f"{kind} {one.action_id}" for kind, one in azure.journal if kind in _WRITES and one.action_id not in told]
