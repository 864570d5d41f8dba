"""The sweep: in shards, by what Resource Graph knows, one at a time, with an end."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import C1, App, app, waiting
from fakes import FakeAzure
from unit.build import GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, assigned, guid, sai, workspace_id

from handlers import sweep as handler
from shared.access.scope import Scope
from shared.messages import Shard, Sweep
from shared.ports import ReadFailedError, Row


def swept(one: App) -> list[Row]:
    return [row for table, row in one.azure.journal if table == "AmlGuardSweep_CL"]


def outcomes(one: App) -> list[str]:
    return [row["Outcome"] for row in swept(one)]


class Counted(App):
    """Notes what is asked of ARM, by whose part of `shared.ports.Reads`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.asked: list[tuple[str, Any]] = []
        for name in ("resource", "role_assignments"):
            self._count(name)

    def _count(self, name: str) -> None:
        read = getattr(self.azure, name)

        async def counted(*arguments: Any) -> Any:
            self.asked.append((name, arguments[0]))
            return await read(*arguments)

        setattr(self.azure, name, counted)


def compliant() -> Counted:
    one = Counted()
    acr = raw.registry(adminUserEnabled=False)
    acr["properties"]["roleAssignmentMode"] = "LegacyRegistryPermissions"
    one.azure.have(
        raw.workspace(sai("mlw"), registry=REGISTRY), acr, raw.storage(), raw.vault(), raw.compute("cpu1", C1)
    )
    one.azure.assignments = [assigned(C1, "AcrPull", REGISTRY)]
    # Of fewer than three in a subscription Resource Graph is not asked.
    one.azure.have(*(raw.workspace(sai(name), on=workspace_id(name), registry=None) for name in ("second", "third")))
    return one


class TestByResourceGraph:
    async def test_what_it_shows_is_not_asked_of_arm(self) -> None:
        one = compliant()
        await one.sweep()
        await one.settle()
        assert outcomes(one) == ["Started", "Completed"]
        assert one.asked == []

    async def test_a_registry_of_which_it_does_not_tell_the_kind_of_permissions_is(self) -> None:
        one = compliant()
        del one.azure.resources[REGISTRY]["properties"]["roleAssignmentMode"]
        await one.sweep()
        await one.settle()
        assert ("resource", REGISTRY) in one.asked

    async def test_who_is_in_a_group_is_asked_of_arm_before_anything_is_granted(self) -> None:
        one = compliant()
        one.azure.groups = {guid("pullers"): {C1.id}}
        one.azure.assignments = [assigned("pullers", "AcrPull", REGISTRY)]
        await one.sweep()
        await one.settle()
        assert one.asked == [("role_assignments", C1.id)]
        assert one.azure.holders("AcrPull", REGISTRY) == {guid("pullers")}

    async def test_what_is_held_under_a_condition_only_is_no_reason_to_do_nothing(self) -> None:
        one = compliant()
        one.azure.assignments = [assigned(C1, "AcrPull", REGISTRY, condition="@Resource[…] StringEquals 'other'")]
        await one.sweep()
        await one.settle()
        assert ("role_assignments", C1.id) in one.asked

    async def test_what_it_does_not_know_yet_is_held_all_the_same(self) -> None:
        """The grant was made a moment ago: nothing is granted twice, since ARM is asked before."""
        one = compliant()

        def late(kql: str, subscription: Scope) -> list[raw.Raw]:
            return [] if kql.startswith("authorization") else known(kql, subscription)

        known = one.azure._graph
        one.azure._graph = late  # type: ignore[method-assign]  # Resource Graph is behind
        await one.sweep()
        await one.settle()
        assert [what for what, _ in one.azure.journal if what == "grant"] == []

    async def test_what_is_missing_is_granted_by_what_arm_says(self) -> None:
        one = compliant()
        one.azure.assignments = []
        await one.sweep()
        await one.settle()
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert swept(one)[-1]["Changes"] == 1


def many(count: int) -> App:
    """Workspaces that nothing is to be done about, in two subscriptions."""
    one = App()
    for number in range(count):
        home = GROUP if number % 2 else Scope.parse(str(GROUP).replace(SUBSCRIPTION.name, guid("another")))
        scope = home.child("providers", "Microsoft.MachineLearningServices", "workspaces", f"mlw{number}")
        made = raw.workspace(registry=None)
        one.azure.have({**made, "id": str(scope), "properties": {}})
    return one


def _in_subscription(one: App, number: int) -> Scope:
    """A workspace alone in its subscription."""
    home = str(GROUP).replace(SUBSCRIPTION.name, f"{number:08}-0000-4000-8000-000000000000")
    scope = Scope.parse(home).child("providers", "Microsoft.MachineLearningServices", "workspaces", "mlw")
    one.azure.have({**raw.workspace(registry=None), "id": str(scope), "properties": {}})
    return scope


class TestShards:
    async def test_subscriptions_take_turns_and_no_shard_has_two(self) -> None:
        one = many(handler.PER_SHARD * 4)
        await one.sweep()
        assert [type(work) for work in waiting(one)] == [Sweep]
        await one.work()
        shards = [work for work in waiting(one) if isinstance(work, Shard)]
        homes = [{Scope.parse(text).subscription for text in work.workspaces} for work in shards]
        assert [len(each) for each in homes] == [1, 1, 1, 1]
        assert homes[0] == homes[2] != homes[1] == homes[3]
        assert sum(len(work.workspaces) for work in shards) == handler.PER_SHARD * 4

    async def test_one_that_comes_again_is_done_once(self) -> None:
        one = many(2)
        await one.sweep()
        await one.work()
        shard = next(work for work in waiting(one) if isinstance(work, Shard))
        await handler.look_over(shard, one.services)
        kept, recorded = dict(one.store.documents), list(one.azure.journal)
        one.troubles.down = {"read"}  # nothing may be read again
        await handler.look_over(shard, one.services)
        assert one.store.documents == kept
        assert one.azure.journal == recorded

    @pytest.mark.parametrize("put", range(6))
    async def test_none_is_missed_when_another_goes_while_it_is_cut_into_shards(self, put: int) -> None:
        """The first try puts some shards on the queue; for the second one all numbers would have moved."""
        one = Counted()
        first, *others = [_in_subscription(one, number) for number in range(6)]
        await one.sweep()
        one.troubles.after = {"queue": put}
        await one.work()
        while any(isinstance(work, Shard) for work in waiting(one)):
            await one.work()
        one.azure.lose(first)
        await one.settle()
        assert outcomes(one) == ["Started", "Completed"]
        assert {scope for what, scope in one.asked if what == "resource"} >= set(others)

    @pytest.mark.parametrize("calls", range(0, 40, 3))
    async def test_a_process_that_dies_costs_a_retry_of_that_shard(self, calls: int) -> None:
        one = compliant()
        one.azure.assignments = []
        await one.sweep()
        await one.work()
        one.troubles.crash_in = calls
        await one.work()
        one.troubles.restart()
        await one.settle()
        assert outcomes(one) == ["Started", "Completed"]
        assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
        assert one.poison == []

    async def test_a_workspace_that_fails_is_tried_again_alone(self) -> None:
        one = many(4)
        broken = min(one.azure.resources, key=str)
        children = one.azure.children

        async def failing(parent: Scope, collection: str, *, pages: int | None = None) -> Sequence[raw.Raw] | None:
            if parent == broken:
                one.troubles.after["read"] = 0
            return await children(parent, collection, pages=pages)

        one.azure.children = failing  # type: ignore[method-assign]  # one workspace that cannot be read
        await one.sweep()
        await one.settle()
        assert swept(one)[-1]["Failed"] == 1
        assert outcomes(one)[-1] == "Incomplete"

    async def test_poison_is_a_finding_and_the_sweep_ends_without_it(self) -> None:
        one = many(2)
        await one.sweep()
        await one.work()
        one.troubles.down = {"read"}
        await one.settle()
        assert outcomes(one) == ["Started", "Incomplete"]
        assert {row["RuleId"] for row in one.audit.findings()} == {"poison-work"}
        assert len(one.poison) == 2


class TestOneAtATime:
    async def test_a_second_one_does_nothing_while_the_first_is_under_way(self) -> None:
        one = many(2)
        await one.sweep()
        await one.sweep()
        await one.settle()
        assert outcomes(one) == ["Started", "Completed"]
        await one.sweep()
        await one.settle()
        assert outcomes(one) == ["Started", "Completed", "Started", "Completed"]

    async def test_one_that_cannot_be_put_on_record_at_first_is_not_lost(self) -> None:
        """The timer would not try again for six hours, and the next one would think it under way."""
        one = many(2)
        one.troubles.down = {"audit"}
        await one.sweep()
        await one.work()
        one.troubles.heal()
        await one.settle()
        assert outcomes(one) == ["Started", "Completed"]

    async def test_that_it_began_is_on_record_once_however_often_it_is_tried(self) -> None:
        one = many(2)
        await one.sweep()
        one.troubles.after = {"read": 0}
        await one.work()
        one.troubles.heal()
        await one.settle()
        assert outcomes(one) == ["Started", "Completed"]

    async def test_one_that_got_lost_is_closed_by_the_next(self) -> None:
        one = many(2)
        await one.sweep()
        await one.work()
        one.queue.messages.clear()
        one.azure.advance(timedelta(hours=6))
        await one.sweep()
        await one.settle()
        assert outcomes(one) == ["Started", "Incomplete", "Started", "Completed"]

    async def test_one_that_is_given_up_keeps_no_other_out(self) -> None:
        one = many(2)
        await one.sweep()
        one.troubles.down = {"read"}
        await one.settle()
        assert outcomes(one) == ["Started", "Incomplete"]
        (given_up,) = one.audit.findings()
        assert "put the message back" not in given_up["Remedy"]  # it would do nothing
        one.troubles.heal()
        await one.sweep()
        await one.settle()
        assert outcomes(one)[2:] == ["Started", "Completed"]

    @pytest.mark.parametrize(
        "found", [False, True], ids=["before it finds its workspaces", "before they are looked at"]
    )
    @pytest.mark.parametrize("number", [1, 5], ids=["one workspace", "a shard of five"])
    async def test_it_outlasts_an_outage_of_some_minutes(self, number: int, found: bool) -> None:
        """Five tries take two minutes, and the next sweep comes in six hours."""
        one = compliant() if number == 1 else many(number)
        one.azure.assignments = []
        await one.sweep()
        if found:
            await one.work()
        one.troubles.down = {"read"}
        await one.settle(hours=0.2)
        one.troubles.heal()
        await one.settle()
        assert one.poison == []
        if number > 1 or not found:
            assert outcomes(one) == ["Started", "Completed"]
        if number == 1:  # one workspace is looked at again alone
            assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}

    async def test_nobody_waits_for_a_right_that_is_missing(self) -> None:
        class Closed(FakeAzure):
            async def query(self, kql: str, subscription: Scope | None = None) -> AsyncIterator[raw.Raw]:
                if not subscription:
                    raise ReadFailedError("query", "AuthorizationFailed", "403", forbidden=True, lacks_right=True)
                async for row in super().query(kql, subscription):
                    yield row

        one = App(azure=Closed())
        await one.sweep()
        await one.settle(hours=0.05)
        assert len(one.poison) == 1

    async def test_a_message_that_comes_after_the_end_begins_nothing(self) -> None:
        one = many(2)
        await one.sweep()
        (message,) = waiting(one)
        assert isinstance(message, Sweep)
        await one.settle()
        await handler.find(one.services, message.id)
        assert one.queue.messages == []
        assert outcomes(one) == ["Started", "Completed"]

    async def test_without_the_queue_nothing_begins_that_would_keep_the_next_one_out(self) -> None:
        one = many(2)
        one.troubles.down = {"queue"}
        assert not await one.sweep()
        one.troubles.heal()
        await one.sweep()
        await one.settle()
        assert outcomes(one) == ["Started", "Completed"]

    async def test_one_that_is_given_up_ends_without_the_finding_that_cannot_be_recorded(self) -> None:
        one = many(2)
        await one.sweep()
        await one.work()
        one.troubles.down = {"audit", "read"}
        await one.settle()
        one.troubles.heal()
        await one.sweep()
        await one.settle()
        assert outcomes(one) == ["Started", "Incomplete", "Started", "Completed"]

    async def test_progress_shows(self) -> None:
        one = many(handler.PER_SHARD * 4)
        await one.sweep()
        await one.work()
        await one.work()
        assert one.services.sweeps
        (now,) = await one.services.sweeps.listed(one.azure.now())
        assert (now.done, now.shards, now.tally.workspaces) == (1, 4, handler.PER_SHARD)

    async def test_an_empty_tenant_has_an_end_as_well_and_is_not_complete(self) -> None:
        one = app()
        one.azure.lose(WORKSPACE)
        await one.sweep()
        await one.settle()
        assert outcomes(one) == ["Started", "Incomplete"]
        assert [row["RuleId"] for row in one.audit.findings()] == ["nothing-looked-at"]
