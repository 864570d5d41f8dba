"""What Azure refuses, what must wait, and what has no time left."""

import time
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import C1, C2, SETTLE, app, outcomes, waiting
from unit.build import (
    NOW,
    REGISTRY,
    ROLES,
    STORAGE,
    WORKSPACE,
    sai,
)

from shared.access.terms import Caps
from shared.audit_rows import Phase
from shared.messages import Reconcile


class TestRefusals:
    async def test_one_refused_grant_does_not_stop_the_others(self) -> None:
        one = app(raw.compute("cpu1", C1), raw.endpoint("serve", C2))
        one.azure.forbidden = {ROLES["Storage Blob Data Reader"].role_id}
        result = await one.run()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}
        assert one.azure.holders("Storage Blob Data Reader", STORAGE) == set()
        (failed,) = [o for o in result.outcomes if o.phase is Phase.FAILED]
        assert "AuthorizationFailed" in failed.reason
        assert one.audit.rows("Failed")[0]["Reason"] == failed.reason

    @pytest.mark.parametrize("settle", [timedelta(), SETTLE])
    async def test_a_refused_pull_keeps_the_admin_user_on_and_is_not_tried_again_blindly(
        self, settle: timedelta
    ) -> None:
        one = app(raw.compute("cpu1", C1), settle=settle)
        one.azure.forbidden = {ROLES["AcrPull"].role_id}
        await one.run()
        assert one.queue.messages == []
        assert outcomes(one).count(("Grant", "Failed")) == 1
        assert one.azure.admin_user(REGISTRY)

    async def test_an_identity_that_has_not_replicated_is_waited_for(self) -> None:
        one = app(raw.compute("cpu1", C1))
        one.azure.unborn = {C1.id}
        result = await one.run()
        assert [o.phase for o in result.outcomes] == [Phase.DEFERRED]
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]
        one.azure.unborn = set()
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert not one.azure.admin_user(REGISTRY)

    @pytest.mark.parametrize("settle", [timedelta(), SETTLE])
    async def test_the_wait_grows_and_ends_at_last(self, settle: timedelta) -> None:
        one = app(raw.compute("cpu1", C1), settle=settle)
        one.azure.unborn = {C1.id}
        await one.run()
        assert one.queue.messages[0].due == NOW + timedelta(minutes=1)
        await one.run(attempt=3)
        assert one.queue.messages[-1].due == NOW + timedelta(minutes=8)
        await one.settle(hours=48)
        assert one.queue.messages == []

    async def test_what_is_still_being_made_is_looked_at_again(self) -> None:
        one = app(raw.endpoint("serve", provisioningState="Creating"))
        await one.run()
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]
        one.azure.have(raw.endpoint("serve", C2))
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C2.id}

    async def test_a_wake_that_comes_a_moment_early_is_put_off_again(self) -> None:
        one = app(raw.compute("cpu1", C1))
        await one.run()
        (message,) = one.queue.messages
        one.queue.messages = []
        one.azure.clock = message.due - timedelta(seconds=1)
        await one.run(attempt=1)
        assert len(one.queue.messages) == 1

    async def test_a_cap_a_run(self) -> None:
        one = app(*(raw.compute(f"cpu{i}", sai(f"cpu{i}")) for i in range(5)), caps=Caps(per_run=3))
        await one.run()
        assert len(one.azure.assignments) == 3
        assert {row["Guard"] for row in one.audit.rows("Withheld")} == {"cap"}
        await one.run()
        assert len(one.azure.assignments) == 5


class TestTheDeadline:
    async def test_that_has_passed_is_a_timeout_before_anything_is_recorded(self) -> None:
        one = app(raw.compute("cpu1", C1))
        with pytest.raises(TimeoutError):
            await one.run(deadline=time.monotonic() - 1)
        assert one.azure.journal == []

    async def test_that_passes_while_azure_is_slow_leaves_the_rest_to_the_queue(self) -> None:
        one = app(raw.compute("cpu1", C1))
        deadline = time.monotonic() + 2
        inner = one.audit.record

        class Slow:
            async def record(self, table: str, rows: Any) -> None:
                await inner(table, rows)
                time.sleep(max(0.0, deadline - time.monotonic()))  # noqa: ASYNC251 - the log takes its time

        one.audit = Slow()  # type: ignore[assignment]  # a log that is slow
        result = await one.run(deadline=deadline)
        assert [o.phase for o in result.outcomes] == [Phase.DEFERRED]
        assert one.azure.assignments == []
        assert waiting(one) == [Reconcile((str(WORKSPACE),), attempt=1)]
