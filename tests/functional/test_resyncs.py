"""The second half of a switch-off: it is done although somebody stops, and not lost where Azure refuses it."""

from dataclasses import replace
from datetime import timedelta

import pytest
import raw
from app import App
from fakes import FakeAzure
from reliability.host import at_a_desk, calm, work_off
from reliability.on_record import given, open_intents
from troubles import Crashed
from unit.build import REGISTRY, WORKSPACE, assigned, guid, sai, terms, workspace_id

from shared.access.actions import Plan, Setting
from shared.access.asks import Property
from shared.access.intents import ENDED_EARLY, OPEN_AFTER
from shared.access.terms import RunMode
from shared.audit_rows import Run
from shared.messages import Resync, encode
from shared.state.open_runs import OpenRuns
from shared.stop import Stop

C1 = sai("cpu1")
KEYS = Property.CACHED_KEYS


def _app(*, forbidden: bool = False) -> App:
    """All that is left to do is the switch-off. Where it is `forbidden`, Azure refuses to resync keys."""
    azure = FakeAzure(logged=True, forbidden={KEYS} if forbidden else set())
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    azure.assignments.append(assigned(C1, "AcrPull", REGISTRY))
    return App(terms(settle=timedelta()), azure)


def _said(one: App, name: Property) -> list[tuple[str, str]]:
    return [(row["Outcome"], row["Code"]) for row in one.audit.rows() if row.get("Property") == name]


async def _off_without_a_resync() -> App:
    """At a desk, so that only the document remembers it."""
    one = _app(forbidden=True)
    await at_a_desk(one).run(WORKSPACE, Run(one.terms.mode))
    given(not one.azure.admin_user(REGISTRY) and one.azure.stale_keys, "it is off, and the keys are stale")
    given(_said(one, KEYS) == [("Planned", "")], "of the keys nothing is on record yet")
    return one


async def test_a_person_who_stops_amid_the_switch_off_waits_for_the_resync() -> None:
    one, stop = _app(), Stop()
    one.azure.before_switch_off = lambda _: stop.ask()
    desk = at_a_desk(one)
    await replace(desk, instructions=replace(desk.instructions, stop=stop)).run(WORKSPACE, Run(one.terms.mode))
    given(stop.asked and not one.azure.admin_user(REGISTRY), "it went off while somebody stopped the command")
    assert one.azure.stale_keys == set()
    assert open_intents(one.audit.rows()) == set()


async def test_the_queue_remembers_the_keys_of_as_many_workspaces_as_use_the_registry() -> None:
    """A message holds 64 KB."""
    one, many = _app(), [workspace_id(f"{'long-name-' * 3}{number}") for number in range(400)]
    for each in many:
        one.azure.have(raw.workspace(sai(each.name), on=each))
    off = Setting(REGISTRY, Property.ADMIN_USER, "true", "false", "rule", (), "why", "source")
    keys = [Setting(each, KEYS, "cached", "resynced", "rule", (), "why", "source") for each in many]
    one.troubles.crash_in = 10  # among the resyncs
    changes, run = one.services.reconciler.changes, Run(one.terms.mode)
    with pytest.raises(Crashed):
        await changes.carry_out(Plan((), (off, *keys)), run, None, {}, (), {})
    one.restart()
    given(not one.azure.admin_user(REGISTRY), "it went off")
    given(many[-1] in one.azure.stale_keys, "the keys of the last are stale")
    await work_off(one, hours=0.2)
    assert one.azure.stale_keys.isdisjoint(many)


# The message of the queue


async def _message(one: App, run: str = "") -> None:
    one.azure.stale_keys.add(WORKSPACE)
    await one.queue.put(encode(Resync((str(WORKSPACE),), run=run)), timedelta())


@pytest.mark.parametrize("run", ["", guid("the run")])
async def test_it_has_its_intent_and_its_outcome(run: str) -> None:
    """Messages of older versions do not name their run."""
    one = _app()
    await _message(one, run)
    assert await work_off(one, hours=0.1) == []
    assert one.azure.stale_keys == set()
    assert _said(one, KEYS) == [("Planned", ""), ("Applied", "")]
    if run:
        assert {row["RunId"] for row in one.audit.rows()} == {run}


async def test_without_a_log_it_is_not_done() -> None:
    one = _app()
    await _message(one)
    one.troubles.down = {"audit"}
    assert await work_off(one, hours=0.01) != []
    assert one.azure.stale_keys == {WORKSPACE}


@pytest.mark.parametrize("refused", [True, False])
async def test_what_fails_comes_again(refused: bool) -> None:
    one = _app(forbidden=refused)
    one.troubles.down = set() if refused else {"write"}
    await _message(one)
    assert len(await work_off(one, hours=0.01)) >= 1
    one.azure.forbidden, one.troubles.down = set(), set()
    await work_off(one, hours=0.1)
    assert one.azure.stale_keys == set()
    assert one.poison == []


async def test_one_that_cannot_be_done_keeps_no_other_waiting() -> None:
    """A registry has many workspaces, and one message names all of them."""
    one, gone = _app(), workspace_id("gone")
    one.azure.stale_keys.add(WORKSPACE)
    await one.queue.put(encode(Resync((str(gone), str(WORKSPACE)), run=guid("the run"))), timedelta())
    await work_off(one, hours=0.1)
    assert one.azure.stale_keys == set()


async def test_while_the_kill_switch_is_on_it_waits() -> None:
    one = _app()
    one.stopped = True
    await _message(one)
    await work_off(one, hours=0.5)
    assert one.azure.stale_keys == {WORKSPACE}
    one.stopped = False
    await work_off(one, hours=2)
    assert one.azure.stale_keys == set()


async def test_in_report_mode_it_changes_nothing() -> None:
    one = _app()
    one.terms = replace(one.terms, mode=RunMode.REPORT)
    await _message(one)
    assert await work_off(one, hours=2) == []
    assert one.azure.stale_keys == {WORKSPACE}
    assert _said(one, KEYS) == []


# A later look


@pytest.mark.parametrize("why", ["kill switch", "report mode"])
async def test_a_later_look_leaves_it_while_amlguard_may_change_nothing(why: str) -> None:
    one = await _off_without_a_resync()
    one.azure.forbidden, enforce = set(), one.terms
    if why == "kill switch":
        one.stopped = True
    else:
        one.terms = replace(one.terms, mode=RunMode.REPORT)
    await calm(one, sweeps=5)
    assert one.azure.stale_keys == {WORKSPACE}
    assert _said(one, KEYS) == [("Planned", "")]
    one.stopped, one.terms = False, enforce
    await calm(one)
    assert one.azure.stale_keys == set()
    assert _said(one, KEYS) == [("Planned", ""), ("Applied", ENDED_EARLY)]


async def test_what_azure_refuses_for_a_day_is_on_record_as_failed() -> None:
    one = await _off_without_a_resync()
    (kept,) = await OpenRuns(one.store).all()
    one.azure.advance(OPEN_AFTER)
    await one.services.leftovers.settling.of_run(kept.run.run)
    assert _said(one, KEYS) == [("Planned", "")]
    one.azure.advance(timedelta(days=1))
    assert await one.services.leftovers.settling.of_run(kept.run.run) == (1, 0)
    assert _said(one, KEYS) == [("Planned", ""), ("Failed", "AuthorizationFailed")]
    assert open_intents(one.audit.rows()) == set()
