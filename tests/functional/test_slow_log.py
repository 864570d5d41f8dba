"""What becomes of intents that the log does not show: it refused them, or it is slow (ADR 34).

Log Analytics mostly shows a row within three minutes, and promises no time:
https://learn.microsoft.com/azure/azure-monitor/logs/data-ingestion-time
"""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import raw
from app import App
from event_grid import event
from fakes import FakeAzure
from reliability.host import at_a_desk, calm, deliver, undo, work_off
from reliability.on_record import given, open_intents, unrecorded
from troubles import Crashed, Dies
from unit.build import REGISTRY, WORKSPACE, assigned, sai, terms

from shared.access.intents import ENDED_EARLY, OPEN_AFTER
from shared.audit_file import AuditFile
from shared.audit_rows import Run
from shared.state.open_runs import OpenRuns
from shared.writing.leftovers import Leftovers

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
C1 = sai("cpu1")


def _app(*, can_pull: bool) -> App:
    """A cluster that cannot pull; or all that is left to do is the switch-off."""
    azure = FakeAzure(troubles=Dies(), logged=True)
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    if can_pull:
        azure.assignments.append(assigned(C1, "AcrPull", REGISTRY))
    return App(terms(settle=timedelta()), azure)


async def _dies(one: App) -> None:
    one.troubles.armed = True  # type: ignore[attr-defined]  # see Dies
    with suppress(Crashed):
        await one.run()
    one.restart()
    one.queue.messages.clear()


async def _refused(one: App) -> None:
    """It dies between the document and the log's answer, which was no: nothing was begun."""
    one.troubles.down = {"audit"}
    given(await deliver(event(str(WORKSPACE)), one), "the delivery fails, and comes again")
    (kept,) = await OpenRuns(one.store).all()
    given(not kept.run.intents, "the run itself said that nothing was begun")
    rows = [dict(row) | {"Outcome": "Planned"} for row in kept.run.outcomes]
    before = type(kept.run)(kept.run.run, kept.run.began, tuple(rows))
    await OpenRuns(one.store).replace(kept, before)
    one.queue.messages.clear()
    one.troubles.heal()


async def _look(one: App) -> None:
    """A sweep's part, without its looks at workspaces."""
    leftovers = Leftovers(one.azure, one.audit, one.store)
    await leftovers.settle(runs=[left.run.run for left in await leftovers.all()])
    assert leftovers.failed == ""


def _said(one: App) -> list[tuple[str, str]]:
    return [(row["Action"], row["Outcome"]) for row in one.audit.rows() if row["Code"] == ENDED_EARLY]


# The log took the intent, and is slow


async def test_a_grant_that_names_the_run_is_on_record_although_the_log_is_slow() -> None:
    one = _app(can_pull=False)
    one.azure.log_behind = 5 * HOUR
    await _dies(one)
    given(len(one.azure.assignments) == 1, "the grant was made")
    one.azure.advance(OPEN_AFTER)
    await _look(one)
    assert _said(one) == [("Grant", "Applied")]
    assert unrecorded(one.azure) == []


@pytest.mark.parametrize("hours", [1, 5, 20])
async def test_nothing_is_said_or_done_before_the_log_shows_the_intent(hours: int) -> None:
    one = _app(can_pull=True)
    one.azure.log_behind = hours * HOUR
    await _dies(one)
    given(one.azure.stale_keys, "the admin user went off, and the keys are stale")
    one.azure.advance(hours * HOUR - timedelta(minutes=1))
    await _look(one)
    assert (_said(one), one.azure.stale_keys) == ([], {WORKSPACE})
    assert len(await OpenRuns(one.store).all()) == 1


@pytest.mark.parametrize("hours", [1, 5, 20, 40])
async def test_a_switch_off_ends_with_the_resync_once_the_log_shows_it(hours: int) -> None:
    """After a day without it the document goes, and the log alone leads there."""
    one = _app(can_pull=True)
    one.azure.log_behind = hours * HOUR
    await _dies(one)
    for _ in range(hours // 6 + 1):
        one.azure.advance(6 * HOUR)
        await _look(one)
    assert one.azure.stale_keys == set()
    assert sorted(_said(one)) == [("Setting", "Applied")] * 2
    assert (open_intents(one.audit.rows()), unrecorded(one.azure)) == (set(), [])
    assert await OpenRuns(one.store).all() == []


async def test_what_a_slow_log_had_can_be_undone() -> None:
    one = _app(can_pull=False)
    one.azure.log_behind = 5 * HOUR
    await _dies(one)
    (made,) = one.azure.assignments
    one.azure.advance(6 * HOUR)
    await _look(one)
    (row,) = one.audit.rows("Applied")
    await undo(one, row["RunId"])
    assert made not in one.azure.assignments


# The log never took it


async def test_an_intent_that_was_refused_leads_to_no_resync_and_no_row() -> None:
    one = _app(can_pull=True)
    await _refused(one)
    one.azure.stale_keys.add(WORKSPACE)
    for _ in range(5):
        one.azure.advance(6 * HOUR)
        await _look(one)
    assert one.azure.stale_keys == {WORKSPACE}
    assert one.audit.rows() == []
    assert await OpenRuns(one.store).all() == []


async def test_what_another_run_made_meanwhile_is_not_said_of_one_that_was_refused() -> None:
    one = _app(can_pull=False)
    await _refused(one)
    await one.run()
    given(one.azure.holders("AcrPull", REGISTRY) == {C1.id}, "another run has granted it")
    one.azure.advance(DAY + HOUR)
    await _look(one)
    assert _said(one) == []
    assert len({row["RunId"] for row in one.audit.rows("Planned", "Applied")}) == 1


@pytest.mark.parametrize("too_late", [False, True])
async def test_of_a_run_that_could_not_record_its_intent_it_is_known_at_once_that_nothing_was_begun(
    too_late: bool,
) -> None:
    """The answer of the log may be lost: then it shows the intent, and needs its outcome."""
    one = _app(can_pull=False)
    one.troubles.too_late, one.troubles.after["audit"] = too_late, 0
    given(await deliver(event(str(WORKSPACE)), one), "the delivery fails, and comes again")
    given(one.azure.assignments == [], "nothing was written")
    one.troubles.heal()
    await work_off(one, hours=0.1)
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    (told,) = [row for row in one.audit.rows("Deferred") if row["Action"] == "Grant"]
    assert told["Reason"].startswith("nothing was begun: record")
    assert open_intents(one.audit.rows()) == set()
    assert await OpenRuns(one.store).all() == []


# The log is not readable, or there is only a file


async def test_where_nobody_can_read_the_log_the_document_is_believed() -> None:
    one = _app(can_pull=True)
    one.azure.logged = False
    await _dies(one)
    one.azure.advance(OPEN_AFTER)
    for kept in await OpenRuns(one.store).all():
        assert await Leftovers(one.azure, one.audit, one.store).settling.settle(kept.run, kept)
    assert one.azure.stale_keys == set()
    assert sorted(_said(one)) == [("Setting", "Applied")] * 2


async def test_a_file_shows_at_once_what_it_has(tmp_path: Path) -> None:
    """A file is never slow: its run is settled although the app's log never shows anything of it."""
    one, path = _app(can_pull=True), tmp_path / "audit.jsonl"
    one.troubles.armed = True  # type: ignore[attr-defined]  # see Dies
    with suppress(Crashed):
        await replace(at_a_desk(one), audit=AuditFile(path)).run(WORKSPACE, Run(one.terms.mode))
    one.restart()
    one.azure.advance(OPEN_AFTER)
    old = (datetime.now(UTC) - OPEN_AFTER - timedelta(minutes=1)).isoformat()
    rows = [json.loads(line) | {"TimeGenerated": old} for line in path.read_text("utf-8").splitlines()]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    leftovers = Leftovers(one.azure, None, one.store, AuditFile(path))
    await leftovers.settle(workspace=WORKSPACE)
    assert (leftovers.failed, one.azure.stale_keys) == ("", set())
    assert await OpenRuns(one.store).all() == []


async def test_all_comes_to_rest_by_sweeps_alone() -> None:
    one = _app(can_pull=True)
    one.azure.log_behind = 8 * HOUR
    await _dies(one)
    await calm(one, sweeps=4)
    assert one.azure.stale_keys == set()
    assert (open_intents(one.audit.rows()), unrecorded(one.azure)) == (set(), [])
