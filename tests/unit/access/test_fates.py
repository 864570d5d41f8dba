"""What became of an intent: who made what exists is told where it can be told, and nowhere else."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.build import LONG_AGO, NOW, REGISTRY, WORKSPACE, guid, sai

from shared.access.actions import Grant, Removal
from shared.access.intents import ENDED_EARLY, LONGEST_RUN, Fate, Intent, intent, outcome
from shared.access.needs import PULL
from shared.access.own_assignments import description
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Run, planned

C1 = sai("c1")
MINE, OTHER = guid("mine"), guid("other")
GRANT = Grant(C1, PULL, REGISTRY, WORKSPACE, "rule", ("AML-21",), "why", "source")
ASSIGNMENT = REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", GRANT.name)
REMOVAL = Removal(ASSIGNMENT, REGISTRY, C1.id, PULL.role_id, WORKSPACE, "rule", (), "why", "source")
MINUTE = timedelta(minutes=1)


def _intent(action: Grant | Removal = GRANT) -> Intent:
    return intent(planned(Run(RunMode.ENFORCE, id=MINE), action))


def _marked(run: str, on: Scope = WORKSPACE) -> str:
    return description("rule", ("AML-21",), run, on, None)


def _shown(said: str | None, created: datetime | None = NOW) -> dict[str, Any]:
    """As ARM shows the assignment."""
    properties = {
        "scope": str(REGISTRY),
        "principalId": C1.id,
        "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{PULL.role_id}",
        "createdOn": created.isoformat() if created else None,
        "description": said,
    }
    return {"id": str(ASSIGNMENT), "name": ASSIGNMENT.name, "properties": properties}


@pytest.mark.parametrize("created", [LONG_AGO, NOW, NOW + 60 * MINUTE, None])
def test_the_mark_tells_whatever_the_time(created: datetime | None) -> None:
    assert _intent().fate(_shown(_marked(MINE), created), NOW) is Fate.MADE
    assert _intent().fate(_shown(_marked(OTHER), created), NOW) is Fate.OF_OTHERS


@pytest.mark.parametrize("said", [None, "", "for the ML team", f"{_marked(MINE)}, see ticket 7"])
@pytest.mark.parametrize(
    ("created", "fate"),
    [
        (NOW + MINUTE, Fate.FOUND),
        (NOW - MINUTE, Fate.FOUND),  # clocks differ by minutes
        (NOW + LONGEST_RUN, Fate.FOUND),
        (NOW + LONGEST_RUN + MINUTE, Fate.OF_OTHERS),
        (NOW - 6 * MINUTE, Fate.OF_OTHERS),
        (LONG_AGO, Fate.OF_OTHERS),
        (None, Fate.FOUND),
    ],
)
def test_where_people_changed_the_description_the_time_may_tell(
    said: str | None, created: datetime | None, fate: Fate
) -> None:
    assert _intent().fate(_shown(said, created), NOW) is fate


def test_of_a_run_that_is_under_way_the_time_tells_nothing() -> None:
    assert _intent().fate(_shown(None, LONG_AGO)) is Fate.FOUND


def test_what_does_not_exist_was_not_made() -> None:
    assert _intent().fate(None, NOW) is Fate.NOT_MADE


@pytest.mark.parametrize(
    ("created", "fate"),
    [(NOW - MINUTE, Fate.NOT_MADE), (None, Fate.NOT_MADE), (NOW + MINUTE, Fate.FOUND)],
)
def test_what_was_made_after_a_removal_began_is_not_what_it_was_to_remove(created: datetime | None, fate: Fate) -> None:
    assert _intent(REMOVAL).fate(_shown(_marked(OTHER), created), NOW) is fate
    assert _intent(REMOVAL).fate(None, NOW) is Fate.FOUND


@pytest.mark.parametrize(
    ("fate", "says", "found"),
    [
        (Fate.MADE, "Applied", False),
        (Fate.FOUND, "Applied", True),
        (Fate.OF_OTHERS, "Deferred", False),
        (Fate.NOT_MADE, "Deferred", False),
    ],
)
def test_the_record_says_no_more_than_is_known(fate: Fate, says: str, found: bool) -> None:
    row = outcome(_intent(), fate, NOW)
    assert (row["Outcome"], row["Found"], row["Code"]) == (says, found, ENDED_EARLY)
    assert ("nobody can tell" in row["Reason"]) is found
    assert ("another run" in row["Reason"]) is (fate is Fate.OF_OTHERS)


@pytest.mark.parametrize("clock", [-60 * MINUTE, timedelta(), 60 * MINUTE], ids=str)
def test_an_outcome_comes_after_its_intent_whatever_the_clock_says(clock: timedelta) -> None:
    """By the latest row of an action the log tells whether it is open."""
    told = _intent()
    begun = datetime.fromisoformat(told.row["TimeGenerated"])
    row = outcome(told, Fate.MADE, begun + clock)
    assert datetime.fromisoformat(row["TimeGenerated"]) > begun


@pytest.mark.parametrize(
    "columns",
    [
        {"RunId": "x" * 36},
        {"RunId": None},
        {"ActionId": "x" * 36},
        {"ActionId": ["x"]},
        {"Action": "Wait"},
        {"RoleAssignmentId": "x"},
        {"RoleAssignmentId": None},
        {"Action": "Setting", "Property": "x"},
        {"Action": "Setting"},
    ],
    ids=str,
)
def test_what_amlguard_does_not_write_is_no_intent(columns: dict[str, Any]) -> None:
    row = planned(Run(RunMode.ENFORCE), GRANT)
    with pytest.raises(ValueError, match=r"."):
        intent(row | columns)
