"""Who finds out what became of a run that died: one of several, by ARM's clock, and as often as it takes."""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import raw
from app import App
from fakes import FakeAzure
from reliability.host import work_off
from reliability.on_record import given, open_intents, unrecorded
from troubles import Crashed, Dies
from unit.build import NOW, REGISTRY, WORKSPACE, guid, sai, terms

from shared.access.actions import Grant
from shared.access.history import THERE_ALREADY
from shared.access.intents import ENDED_EARLY, OPEN_AFTER
from shared.access.scope import Scope
from shared.messages import Reconcile, encode
from shared.ports import NotYetError, ReadFailedError
from shared.state.open_runs import OpenRuns

C1, C2 = sai("cpu1"), sai("cpu2")


@dataclass(repr=False)
class _Azure(FakeAzure):
    """ARM's clock is that of its last answer. `closed` to reading assignments, nobody can tell what became of them."""

    answered: datetime = NOW
    closed: bool = False
    reads: int = 0

    def now(self) -> datetime:
        return self.answered

    async def resource(self, scope: Scope) -> raw.Raw | None:
        self.reads += 1
        if self.closed and "roleAssignments" in str(scope):
            raise ReadFailedError("read", "ServiceUnavailable", "Azure answered 503")
        self.answered = self.clock
        return await super().resource(scope)


async def _dead() -> tuple[App, _Azure, str]:
    """Two clusters cannot pull yet. The run dies right after its first write, and its message waits."""
    azure = _Azure(troubles=Dies(armed=True), logged=True)
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault())
    azure.have(raw.compute("cpu1", C1), raw.compute("cpu2", C2))
    one = App(terms(), azure)
    with suppress(Crashed):
        await one.run()
    one.restart()
    given(open_intents(one.audit.rows()), "it died before it could say what it did")
    return one, azure, one.audit.rows()[0]["RunId"]


def _told(one: App) -> list[tuple[str, str]]:
    return [(row["RunId"], row["ActionId"]) for row in one.audit.rows() if row["Code"] == ENDED_EARLY]


async def test_of_two_at_once_one_records() -> None:
    one, azure, run = await _dead()
    azure.advance(OPEN_AFTER)
    settled = [one.services.leftovers.settling.of_run(run) for _ in range(2)]
    await asyncio.gather(*settled)
    assert _told(one)
    assert len(_told(one)) == len(set(_told(one)))
    assert open_intents(one.audit.rows()) == set()


async def test_what_a_wrong_clock_began_in_the_future_is_open_all_the_same() -> None:
    one, azure, run = await _dead()
    (kept,) = await OpenRuns(one.store).all()
    await OpenRuns(one.store).replace(kept, msgspec.structs.replace(kept.run, began=NOW + timedelta(days=365)))
    azure.advance(OPEN_AFTER)
    await one.services.leftovers.settling.of_run(run)
    assert open_intents(one.audit.rows()) == set()


async def test_a_process_that_has_slept_for_hours_asks_for_the_time() -> None:
    one, azure, run = await _dead()
    azure.advance(timedelta(hours=6))
    given(azure.now() == NOW, "its last answer is six hours old")
    await one.services.leftovers.settling.of_run(run)
    assert _told(one)


async def test_what_cannot_be_told_yet_is_asked_again_without_a_sweep() -> None:
    one, azure, run = await _dead()
    azure.closed = True
    azure.advance(OPEN_AFTER)
    one.queue.messages.clear()
    await one.queue.put(encode(Reconcile((str(WORKSPACE),), run=run)), timedelta())
    await work_off(one, hours=0.1)
    given(_told(one) == [], "nobody can tell yet")
    azure.closed = False
    await work_off(one, hours=1)
    assert _told(one)
    assert (open_intents(one.audit.rows()), unrecorded(azure)) == (set(), [])


async def test_a_message_about_a_run_that_has_said_all_costs_no_look() -> None:
    one, azure, _ = await _dead()
    one.queue.messages.clear()
    await one.queue.put(encode(Reconcile((str(WORKSPACE),), run=guid("another run"))), timedelta())
    before = azure.reads
    assert await work_off(one, hours=0.1) == []
    assert azure.reads == before
    assert one.queue.messages == []


async def test_the_look_after_it_makes_what_is_missing() -> None:
    """Nobody else would: the run died, and its event was acknowledged or is gone."""
    one, azure, run = await _dead()
    azure.advance(OPEN_AFTER)
    one.queue.messages.clear()
    await one.queue.put(encode(Reconcile((str(WORKSPACE),), run=run)), timedelta())
    await work_off(one, hours=0.1)
    assert azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}


async def test_what_another_run_made_meanwhile_is_there_already() -> None:
    """Azure does not answer, and the assignment that is there then names another run."""

    class Raced(FakeAzure):
        async def grant(self, grant: Grant, description: str) -> bool:
            await super().grant(grant, re.sub("run [0-9a-f-]{36}", f"run {guid('another run')}", description))
            raise NotYetError("write", "ServiceUnavailable", "Azure answered 503")

    one = App(terms(), Raced(logged=True))
    one.azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    await one.run()
    (told,) = one.audit.rows("Applied")
    assert told["Found"]
    assert told["Reason"].startswith(THERE_ALREADY)
