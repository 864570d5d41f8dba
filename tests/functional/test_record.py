"""No change without a record (law 4)."""

import pytest
import raw
from app import C1, WITHOUT_SETTLING, app, outcomes, waiting
from unit.build import (
    REGISTRY,
    WORKSPACE,
    sai,
    workspace_id,
)

from shared.messages import Reconcile
from shared.ports import AuditFailedError, AzureFailureError


class TestTheRecord:
    async def test_a_log_that_is_down_stops_every_write(self) -> None:
        one = app(raw.compute("cpu1", C1), **WITHOUT_SETTLING)
        one.troubles.down = {"audit"}
        with pytest.raises(AuditFailedError):
            await one.run()
        assert one.azure.assignments == []
        assert one.azure.admin_user(REGISTRY)
        assert one.azure.journal == []

    async def test_afterwards_all_is_done_and_recorded_once(self) -> None:
        one = app(raw.compute("cpu1", C1), **WITHOUT_SETTLING)
        one.troubles.down = {"audit"}
        assert not await one.event(WORKSPACE)
        one.troubles.heal()
        assert await one.event(WORKSPACE)
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert outcomes(one).count(("Grant", "Planned")) == outcomes(one).count(("Grant", "Applied")) == 1

    async def test_an_outcome_that_the_log_does_not_take_waits_on_the_queue_and_is_not_lost(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.troubles.after["audit"] = 1
        result = await one.run()
        assert ("Grant", "Applied") not in outcomes(one)
        assert [work.run for work in waiting(one) if isinstance(work, Reconcile)] == [result.run.id, result.run.id, ""]
        await one.settle(hours=0.1)
        assert outcomes(one).count(("Grant", "Applied")) == 1

    async def test_an_outcome_that_the_log_took_although_it_said_no_is_there_once(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.logged = True
        one.troubles.after["audit"], one.troubles.too_late = 1, True
        await one.run()
        assert ("Grant", "Applied") in outcomes(one)
        await one.settle(hours=0.1)
        assert outcomes(one).count(("Grant", "Applied")) == 1

    async def test_the_outcomes_of_a_whole_run_fit_on_the_queue(self) -> None:
        computes = [raw.compute(f"cluster-{i}", sai(f"cluster-{i}")) for i in range(50)]
        one = app(*computes)
        one.troubles.after["audit"] = 1
        await one.run()
        await one.settle(hours=0.2)
        assert outcomes(one).count(("Grant", "Applied")) == 50

    async def test_without_a_log_nothing_is_written(self) -> None:
        one = app(raw.compute("cpu1", C1))
        reconciler = one.services.reconciler
        blind = type(reconciler)(one.azure, None, one.queue, one.terms)
        with pytest.raises(AuditFailedError):
            await blind.run(WORKSPACE, (await one.run(workspace_id("gone"))).run)
        assert one.azure.assignments == []

    async def test_findings_are_recorded_in_their_own_table(self) -> None:
        one = app(raw.compute("cpu2"), raw.registry(admin_user=False))
        await one.run()
        assert [(row["RuleId"], row["Severity"]) for row in one.audit.findings()] == [("compute-identity", "high")]
        assert one.audit.rows() == []


async def test_a_queue_that_is_down_fails_the_delivery_so_that_it_comes_again() -> None:
    one = app(raw.compute("cpu1", C1))
    one.troubles.down = {"queue"}
    with pytest.raises(AzureFailureError):
        await one.run()
    assert outcomes(one)[-1] == ("Grant", "Applied")
