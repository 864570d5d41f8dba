"""When all is as it should be: nothing is missing, nothing is unknown, and nothing failed."""

import pytest
from unit.build import WORKSPACE

from shared.access.actions import Plan, Unknown
from shared.access.report import Report

UNKNOWN = Unknown(WORKSPACE, "whether cpu1 holds AcrPull", "nobody can tell")


def test_a_plan_with_nothing_to_do_is_compliant() -> None:
    assert Report([Plan()]).compliant


@pytest.mark.parametrize(
    "one", [Report([Plan()], ["it could not be read"]), Report([Plan()], unknown=[UNKNOWN])], ids=["failed", "unknown"]
)
def test_what_could_not_be_told_is_not(one: Report) -> None:
    assert not one.compliant
