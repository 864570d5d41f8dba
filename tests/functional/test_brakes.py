"""Caps an hour across instances, and the kill switch: what they stop is withheld, seen, and goes on later."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import raw
from app import App, app
from unit.build import GROUP, REGISTRY, WORKSPACE, sai

from shared.access.terms import Caps, RunMode
from shared.audit_rows import Run
from shared.instructions import Instructions
from shared.memory import Memory

CLUSTERS = [f"cpu{number}" for number in range(4)]


def clusters(**policy: Any) -> App:
    return app(*(raw.compute(name, sai(name)) for name in CLUSTERS), **policy)


def guards(one: App) -> set[str]:
    return {row["Guard"] for row in one.audit.rows("Withheld")} - {""}


def pulling(one: App) -> int:
    return len(one.azure.holders("AcrPull", REGISTRY))


@pytest.mark.parametrize(
    ("caps", "guard"), [(Caps(per_hour=3), "cap-hour"), (Caps(per_target=3), "cap-target")], ids=["hour", "target"]
)
class TestCaps:
    async def test_what_is_over_it_goes_on_in_the_next_hour(self, caps: Caps, guard: str) -> None:
        one = clusters(caps=caps)
        await one.run()
        assert pulling(one) == 3
        assert guards(one) == {guard}
        await one.run()
        assert pulling(one) == 3
        await one.settle(hours=1.2)
        assert pulling(one) == 4

    async def test_instances_at_once_never_exceed_it(self, caps: Caps, guard: str) -> None:
        one = clusters(caps=caps)
        others = [App(one.terms, one.azure) for _ in range(5)]
        for other in others:
            other.store, other.audit, other.queue = one.store, one.audit, one.queue
        await asyncio.gather(*(each.run() for each in (one, *others)))
        assert pulling(one) <= 3
        assert guard in guards(one)

    async def test_what_is_within_it_is_made(self, caps: Caps, guard: str) -> None:
        one = app(*(raw.compute(name, sai(name)) for name in CLUSTERS[:3]), caps=caps)
        await one.run()
        assert pulling(one) == 3
        assert guard not in guards(one)


async def test_a_restart_does_not_forget_what_the_hour_has_seen() -> None:
    one = clusters(caps=Caps(per_hour=2))
    await one.run()
    one.memory = Memory()
    await one.run()
    assert pulling(one) == 2


async def test_nothing_to_do_counts_nothing() -> None:
    one = app()
    one.azure.have(raw.registry(admin_user=False))
    await one.run()
    assert one.store.documents == {}


async def test_documents_of_hours_that_are_over_go() -> None:
    one = clusters()
    await one.run()
    (first,) = one.store.documents
    one.azure.advance(timedelta(hours=3))
    one.azure.have(raw.compute("late", sai("late")))
    await one.run()
    (left,) = one.store.documents
    assert left != first


async def test_without_a_count_nothing_is_written() -> None:
    """The store is down: the event fails and comes again."""
    one = clusters()
    one.troubles.down.add("store")
    assert not await one.event(WORKSPACE)
    assert pulling(one) == 0
    one.troubles.heal()
    assert await one.event(WORKSPACE)
    assert pulling(one) == 4


async def test_an_app_that_cannot_count_at_all_writes_nothing() -> None:
    one = clusters()
    result = await replace(one.services.reconciler, store=None).run(WORKSPACE, Run(RunMode.ENFORCE))
    assert pulling(one) == 0
    assert {each.refusal.guard for each in result.plan.withheld} == {"cap-hour"}
    assert all("AzureWebJobsStorage" in each.refusal.reason for each in result.plan.withheld)


async def test_a_person_at_a_desk_without_the_store_is_trusted_to_count() -> None:
    one = clusters()
    await replace(one.services.reconciler, store=None, instructions=Instructions(by_hand=True)).run(
        WORKSPACE, Run(RunMode.ENFORCE)
    )
    assert pulling(one) == 4


class TestKillSwitch:
    async def test_the_setting_stops_all_changes_and_no_look(self) -> None:
        one = clusters()
        one.stopped = True
        await one.run()
        assert pulling(one) == 0
        assert guards(one) == {"kill-switch"}
        one.stopped = False
        await one.run()
        assert pulling(one) == 4

    @pytest.mark.parametrize("value", ["off", "stop", "", "OFF"])
    async def test_the_tag_of_the_resource_group_stops_what_is_in_it(self, value: str) -> None:
        one = clusters()
        one.azure.group_tags[GROUP] = {"AmlGuard": value}
        await one.run()
        assert pulling(one) == 0
        assert guards(one) == {"kill-switch"}

    @pytest.mark.parametrize("tags", [{"amlguard": "on"}, {"other": "off"}, {}])
    async def test_other_tags_stop_nothing(self, tags: dict[str, str]) -> None:
        one = clusters()
        one.azure.group_tags[GROUP] = tags
        await one.run()
        assert pulling(one) == 4

    async def test_it_keeps_the_admin_user_on_and_resyncs_nothing(self) -> None:
        one = app(settle=timedelta())
        one.azure.group_tags[GROUP] = {"amlguard": "off"}
        await one.run()
        assert one.azure.admin_user(REGISTRY)
        assert one.azure.stale_keys == set()
        assert {row["Outcome"] for row in one.audit.rows()} == {"Planned", "Withheld"}

    async def test_keys_that_wait_for_their_resync_wait_on(self) -> None:
        one = app(settle=timedelta())
        one.azure.troubles.after["write"] = 1  # the resync fails
        await one.run()
        assert not one.azure.admin_user(REGISTRY)
        one.stopped = True
        await one.settle(hours=2)
        assert one.azure.stale_keys == {WORKSPACE}
        one.stopped = False
        await one.settle(hours=2)
        assert one.azure.stale_keys == set()


@pytest.mark.parametrize("stopped", [True, False])
async def test_of_several_brakes_the_first_of_the_list_gives_the_word(stopped: bool) -> None:
    one = clusters(caps=Caps(per_hour=0))
    one.azure.group_tags[GROUP] = {"amlguard": "off"} if stopped else {}
    await one.run()
    assert guards(one) == {"kill-switch" if stopped else "cap-hour"}
