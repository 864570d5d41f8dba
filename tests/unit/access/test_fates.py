"""What became of an intent: who made what exists is told where it can be told, and nowhere else."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from unit.build import LONG_AGO, NOW, REGISTRY, VAULT, WORKSPACE, guid, sai

from shared.access.actions import Grant, Removal, Setting
from shared.access.asks import Property
from shared.access.intents import ENDED_EARLY, LONGEST_RUN, Fate, Intent, intent, outcome
from shared.access.needs import PULL
from shared.access.own_assignments import description
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Run, planned

C1 = sai("cpu1")
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


def _setting(name: Property, to: str = "false", adds: tuple[str, ...] = ()) -> Intent:
    target = {Property.ADMIN_USER: REGISTRY, Property.ACCESS_POLICY: VAULT, Property.CACHED_KEYS: WORKSPACE}[name]
    holder = C1 if name is Property.ACCESS_POLICY else None
    one = Setting(target, name, "true", to, "rule", (), "why", "source", holder, adds=adds)
    return intent(planned(Run(RunMode.ENFORCE, id=MINE), one))


@pytest.mark.parametrize("to", ["true", "false"])
@pytest.mark.parametrize("on", [True, False])
def test_of_an_admin_user_the_registry_tells(to: str, on: bool) -> None:
    registry = {"properties": {"adminUserEnabled": on, "provisioningState": "Succeeded"}}
    as_meant = on is (to == "true")
    assert _setting(Property.ADMIN_USER, to).fate(registry, NOW) is (Fate.FOUND if as_meant else Fate.NOT_MADE)


@pytest.mark.parametrize("state", ["Updating", "Creating", "", 5])
def test_a_registry_that_is_being_changed_does_not_tell_yet(state: object) -> None:
    """Azure shows the old value for a while."""
    registry = {"properties": {"adminUserEnabled": True, "provisioningState": state}}
    assert _setting(Property.ADMIN_USER).fate(registry, NOW) is Fate.UNKNOWN


@pytest.mark.parametrize("state", ["Failed", "Canceled", None])
def test_a_registry_at_rest_tells(state: str | None) -> None:
    registry = {"properties": {"adminUserEnabled": True, "provisioningState": state}}
    assert _setting(Property.ADMIN_USER).fate(registry, NOW) is Fate.NOT_MADE


def test_a_registry_that_is_gone_has_no_admin_user_to_tell_of() -> None:
    assert _setting(Property.ADMIN_USER).fate(None, NOW) is Fate.NOT_MADE


def _vault(*permissions: str, holder: str = C1.id) -> dict[str, Any]:
    policies = [{"objectId": holder, "permissions": {"secrets": list(permissions)}}]
    return {"id": str(VAULT), "properties": {"accessPolicies": policies}}


@pytest.mark.parametrize(
    ("vault", "fate"),
    [
        (_vault("get", "list"), Fate.FOUND),
        (_vault("Get", "List", "set"), Fate.FOUND),
        (_vault("get"), Fate.NOT_MADE),
        (_vault("get", "list", holder=guid("somebody")), Fate.NOT_MADE),
        ({"id": str(VAULT), "properties": {}}, Fate.NOT_MADE),
        (None, Fate.NOT_MADE),
    ],
)
def test_of_an_access_policy_the_vault_tells(vault: dict[str, Any] | None, fate: Fate) -> None:
    one = _setting(Property.ACCESS_POLICY, adds=("secrets/get", "secrets/list"))
    assert one.fate(vault, NOW) is fate


def test_without_what_it_added_nobody_can_tell_of_an_access_policy() -> None:
    assert _setting(Property.ACCESS_POLICY).fate(_vault("get"), NOW) is Fate.UNKNOWN


def test_cached_keys_never_show() -> None:
    assert _setting(Property.CACHED_KEYS).fate({"id": str(WORKSPACE)}, NOW) is Fate.UNKNOWN
    assert _setting(Property.CACHED_KEYS).fate(None, NOW) is Fate.NOT_MADE


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
