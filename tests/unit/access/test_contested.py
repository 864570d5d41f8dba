"""What people read of a change that somebody reverts, and who it was."""

from datetime import datetime
from typing import Any

import pytest
from unit.build import REGISTRY, STORAGE, WORKSPACE, guid, sai

from shared.access.actions import Grant, Refusal, Removal, Setting
from shared.access.asks import Property, Severity
from shared.access.caps import Change
from shared.access.guards import Guard
from shared.access.history import SOMEBODY, Past, contested, finding, past, query, restored, reversed_by
from shared.access.needs import PULL
from shared.access.scope import Scope

C1 = sai("cpu1")
OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "r", ("AML-21",), "why", "s")
RESYNC = Setting(WORKSPACE, Property.CACHED_KEYS, "cached", "resynced", "r", (), "why", "s")
PULLS = Grant(C1, PULL, REGISTRY, WORKSPACE, "r", ("AML-18",), "why", "s")
AT = REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", PULLS.name)
GOES = Removal(AT, REGISTRY, C1.id, PULL.role_id, WORKSPACE, "r", (), "why", "s")
BEFORE = Past(2, "2026-11-02T12:00:00", "run-1")


def test_the_log_is_asked_about_what_counts() -> None:
    asked = query([PULLS, RESYNC, OFF])
    assert f'ActionId in ("{PULLS.action_id}", "{OFF.action_id}")' in asked
    assert RESYNC.action_id not in asked


def _row(run: str, at: Any, **more: Any) -> dict[str, Any]:
    return {"ActionId": "a", "RunId": run, "TimeGenerated": at, "Reason": "why", "Found": False} | more


def test_the_last_time_is_known_whether_the_log_gives_a_text_or_a_moment() -> None:
    first, second = datetime.fromisoformat("2026-11-02T12:00:00+00:00"), "2026-11-02T11:00:00+00:00"
    found = past([_row("run-1", first), _row("run-2", second), _row("run-1", second), _row("run-3", first, Found=True)])
    assert found == {"a": Past(2, "2026-11-02T12:00:00+00:00", "run-1")}


def test_what_was_made_as_often_as_the_policy_says_is_contested() -> None:
    said = contested({"a": Past(3, "noon", "run"), "b": Past(2, "noon", "run")}, 3)
    assert said.keys() == {"a"}
    assert said["a"].guard == Guard.CONTESTED
    assert said["a"].reason == (
        "it was made 3 times in 7 days, last at noon, and somebody reverts it each time (contested_after: 3); "
        "`amlguard apply --again` makes it once more"
    )


@pytest.mark.parametrize(
    ("action", "what", "where"),
    [
        (OFF, "adminUserEnabled of acrml", REGISTRY),
        (PULLS, "AcrPull on acrml", REGISTRY),
        (GOES, "a role on acrml", REGISTRY),
    ],
)
def test_the_finding_says_what_and_where_to_look(action: Change, what: str, where: Scope) -> None:
    one = finding(action, Refusal(Guard.CONTESTED, "somebody reverts it"), WORKSPACE)
    assert (one.resource, one.rule, one.severity) == (WORKSPACE, Guard.CONTESTED, Severity.HIGH)
    assert one.requirements == action.requirements
    assert one.message == f"{what}: somebody reverts it."
    assert f"the activity log of {where} has the caller" in one.remedy


@pytest.mark.parametrize(
    ("action", "changed", "caller", "who"),
    [
        (PULLS, AT, "jane", "jane"),
        (GOES, AT, "jane", "jane"),
        (OFF, REGISTRY, "jane", "jane"),
        (PULLS, AT, "", "unknown"),
        (PULLS, None, "jane", SOMEBODY),
        (OFF, STORAGE, "jane", SOMEBODY),
        (PULLS, REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", guid("x")), "jane", SOMEBODY),
        (GOES, REGISTRY, "jane", SOMEBODY),
    ],
)
def test_only_who_changed_that_very_thing_reverted_it(
    action: Change, changed: Scope | None, caller: str, who: str
) -> None:
    assert reversed_by(action, changed, caller) == who


def test_people_read_that_it_was_done_before_and_by_whom_it_was_undone() -> None:
    assert restored(PULLS, BEFORE, SOMEBODY) == (
        "restored (run run-1 made it at 2026-11-02T12:00:00, and it was taken away)"
    )
    assert restored(OFF, BEFORE, "jane").endswith(" and it was taken away by jane)")
    assert restored(GOES, BEFORE, "jane") == (
        "once more (run run-1 took it away at 2026-11-02T12:00:00, and it was assigned again by jane)"
    )
