"""When a run that leaves something for later is followed by another look."""

from dataclasses import replace
from datetime import timedelta

import pytest
from unit.build import NOW, REGISTRY, STORAGE, WORKSPACE, sai

from shared.access.actions import Deferred, Grant, Plan, Setting, Wait
from shared.access.asks import Property
from shared.access.guards import Guard
from shared.access.needs import PULL
from shared.audit_rows import Outcome, Phase
from shared.waiting import delay, follows_at_once

MINUTE = timedelta(minutes=1)
SWITCH_OFF = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "rule", ("AML-21",), "covered", "source")
GRANT = Grant(sai("cpu1"), PULL, REGISTRY, WORKSPACE, "rule", ("AML-15",), "pulls", "source")


def settling(minutes: float = 15) -> Plan:
    return Plan(deferred=(Deferred(SWITCH_OFF, NOW + minutes * MINUTE, "settles"),))


def came(phase: Phase, guard: Guard | None = None, grant: Grant = GRANT) -> list[Outcome]:
    return [Outcome(grant, phase, "", guard=guard)]


@pytest.mark.parametrize(
    ("made", "outcomes", "expected"),
    [
        (Plan(), [], None),
        (Plan(), came(Phase.APPLIED), None),
        (Plan(), came(Phase.FAILED), None),
        (settling(), came(Phase.APPLIED), 15 * MINUTE),
        (settling(-1), came(Phase.APPLIED), timedelta()),
        (settling(), came(Phase.FAILED), None),
        (settling(), came(Phase.FAILED, grant=replace(GRANT, scope=STORAGE)), 15 * MINUTE),
        (settling(), came(Phase.DEFERRED), MINUTE),
        (Plan(deferred=(Deferred(Wait(WORKSPACE), NOW + MINUTE, "is being made"),)), [], MINUTE),
        (Plan(), came(Phase.WITHHELD, Guard.CAP_HOUR), 60 * MINUTE),
        (Plan(), came(Phase.WITHHELD, Guard.CAP_TARGET), 60 * MINUTE),
        (Plan(), came(Phase.WITHHELD, Guard.LOCK), None),
    ],
)
def test_the_next_look_comes_when_something_could_go_on(
    made: Plan, outcomes: list[Outcome], expected: timedelta | None
) -> None:
    assert NOW.minute == 0
    assert delay(made, outcomes, NOW, attempt=0) == expected


def test_what_azure_cannot_do_yet_is_tried_less_often_and_not_for_ever() -> None:
    waits = [delay(Plan(), came(Phase.DEFERRED), NOW, attempt) for attempt in (0, 1, 2, 5, 6, 49, 50)]
    assert waits == [MINUTE, 2 * MINUTE, 4 * MINUTE, 32 * MINUTE, 32 * MINUTE, 32 * MINUTE, None]


@pytest.mark.parametrize(
    ("minutes", "phase", "follows"),
    [(0, Phase.APPLIED, True), (15, Phase.APPLIED, False), (0, Phase.FAILED, False)],
)
def test_a_setting_follows_in_the_same_run_only_without_a_settle_time(
    minutes: float, phase: Phase, follows: bool
) -> None:
    assert follows_at_once(settling(minutes), came(phase), NOW) is follows
