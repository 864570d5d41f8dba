"""The state machine in small: `make soak` is the same for long."""

from collections.abc import Callable

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from reliability.machine import counted
from reliability.tally import Tally

CASES = 25
STEPS = 12


def test_whatever_people_azure_and_death_do(record_property: Callable[[str, object], None]) -> None:
    tally = Tally()
    run_state_machine_as_test(
        counted(tally),
        settings=settings(
            max_examples=CASES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    record_property("machine", tally.line())
    assert tally.cases >= CASES
    assert tally.deaths.total() > 0
    assert tally.faults.total() > 0
