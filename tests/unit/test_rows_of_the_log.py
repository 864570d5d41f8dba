"""What a row of the audit log says of a change: who needs it, and what set it off."""

from dataclasses import replace
from datetime import UTC, datetime

from unit.build import REGISTRY, WORKSPACE, guid, sai

from shared.access.actions import Grant
from shared.access.needs import PULL
from shared.access.terms import RunMode
from shared.audit_rows import Run, planned
from shared.messages import Trigger

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)
CPU1, CPU2 = (WORKSPACE.child("computes", name) for name in ("cpu1", "cpu2"))
GRANT = Grant(sai("cpu1"), PULL, REGISTRY, CPU1, "compute-pull", ("AML-28",), "it pulls", "AML-28")


def test_a_grant_is_needed_by_all_who_share_the_identity() -> None:
    run = Run(RunMode.ENFORCE)
    assert planned(run, GRANT)["NeededBy"] == [str(CPU1)]
    assert planned(run, replace(GRANT, others=(CPU2,)))["NeededBy"] == [str(CPU1), str(CPU2)]


def test_a_run_that_an_event_began_says_which_and_when_and_another_nothing() -> None:
    columns = ("CorrelationId", "CallerObjectId", "EventTime")
    told = planned(Run(RunMode.ENFORCE, Trigger(guid("c"), guid("who"), AT)), GRANT)
    assert [told[name] for name in columns] == [guid("c"), guid("who"), AT.isoformat()]
    assert [planned(Run(RunMode.ENFORCE), GRANT)[name] for name in columns] == ["", "", None]
