"""`approve`, `status`, `sweeps` and `undo` say things as `plan` does: names for ids, tables, harmless text."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from plans import HOSTILE
from unit.build import GROUP, REGISTRY, cluster, estate, sai, terms, workspace, workspace_id

from handlers.cli.approve import Waiting
from handlers.cli.formats.screen import Screen
from handlers.cli.status import Status
from handlers.cli.sweeps import sweeps_text
from handlers.cli.undo import Taken
from shared.access.plan import plan
from shared.access.plan_json import in_words
from shared.access.undo_steps import Done, Step
from shared.ports import GivenUp
from shared.state.approvals import Pending
from shared.state.failing import Failure
from shared.state.open_runs import OpenRun
from shared.state.sweep_documents import Summary, Tally
from shared.undo import ALL_THE_SAME, Undoing

COLUMNS = ("sweep", "outcome", "mode", "shards", "workspaces", "failed", "changes", "findings", "seconds")
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
(GRANT,) = plan(estate(workspace(cluster("cpu1", sai("cpu1")))), terms()).grants
SWEEPS = [
    Summary("20261102T0917", NOW, "report", "Completed", 3, 3, 40, Tally(40, 0, 2, 1), 61_000),
    Summary("20261102T0317", NOW, "report", "Started", 0, 0, 0, Tally(), 1000),
]


def _pending(said: str = in_words(GRANT)) -> Pending:
    return Pending("run-7", str(workspace_id()), {"a": said}, NOW, NOW + timedelta(days=7))


def _approve(said: str = in_words(GRANT)) -> str:
    return Waiting(NOW, [_pending(said), replaced(_pending(said))]).text(Screen())


def replaced(one: Pending) -> Pending:
    return Pending("run-8", one.workspace, {**one.actions, "b": "x"}, NOW - timedelta(days=8), NOW - timedelta(days=1))


def test_approve_lists_by_workspace_with_names_and_how_to_release() -> None:
    lines = _approve().splitlines()
    assert lines[0] == "waiting for approval: 3 changes of 2 runs"
    assert lines[2].startswith("● workspace mlw  in ")
    assert lines[2].endswith("run run-7")
    assert "AcrPull on registry acrml" in lines[3]
    assert "/subscriptions/" not in "".join(lines)
    assert "lapses at 2026-11-09 09:30 UTC" in lines[4]
    assert "lapsed at 2026-11-01 09:30 UTC" in "".join(lines)
    assert lines[-1] == "To release one, run: amlguard approve RUN_ID"
    assert Waiting(NOW, []).text(Screen()) == "waiting for approval: nothing"
    released = Waiting(NOW, [_pending()], "run-7").text(Screen())
    assert "run-7 is released" in released
    assert "To release one" not in released


def test_sweeps_are_a_table() -> None:
    head, first, second, note = sweeps_text(SWEEPS, Screen()).splitlines()
    assert head.split() == list(COLUMNS)
    assert " ".join(first.split()) == "20261102T0917 Completed report 3 of 3 40 of 40 0 2 1 61"
    assert second.split()[:4] == ["20261102T0317", "Started", "report", "–"]
    assert "still looking" in note
    assert sweeps_text([], Screen()) == "there was no sweep yet"


def _status(said: str = "x") -> Status:
    return Status(
        NOW,
        failing=[Failure("reading-azure", NOW, NOW, said)],
        sweeps=SWEEPS,
        waiting=1,
        approvals=2,
        given_up=[GivenUp(b"{", NOW)],
        runs=[OpenRun("run-3", NOW - timedelta(days=1), ({},))],
        open_in_log=1,
        errors=[said],
    )


def test_status_says_what_is_wrong_first_and_ends_with_the_sweeps() -> None:
    lines = _status("cannot").text(Screen()).splitlines()
    assert lines[0] == "✗ reading-azure fails since 2026-11-02 09:30 UTC, last at 2026-11-02 09:30 UTC: cannot"
    assert lines[1] == "1 message on the queue, 2 workspaces waiting for approval"
    assert lines[2].startswith("! given up: 1 of kind unknown")
    assert (
        lines[3]
        == "! run run-3 of 2026-11-01 09:30 UTC: 1 intent open, 0 outcomes not on record; the next sweep sees to it"
    )
    assert lines[4] == "! the audit log shows 1 intent without an outcome"
    assert lines[5] == "✗ error: cannot"
    assert lines[-3].startswith("20261102T0917")


def _undo(said: str = "undoes run r") -> Taken:
    done = Done("r", "compute-pull", ("AML-19",), REGISTRY, GRANT.principal.id, scope=REGISTRY)
    other = replace(done, on=GROUP)
    steps = (Step(done, GRANT, said), Step(other, None, said))
    return Taken(Undoing(("r",), steps, {done.action_id: (said,)}, refused=(said,)), notes=(said,), error=said)


def test_undo_says_what_would_go_who_relies_on_it_and_what_is_refused() -> None:
    lines = _undo("because").text(Screen()).splitlines()
    assert lines[0] == "+ would stay: grant AcrPull on registry acrml to cpu1"
    assert "    ! relied on: because" in lines
    assert "  nothing to do for resource group rg: because" in lines
    assert lines[-3:] == ["! because", "! because", "✗ error: because"]
    assert f"    {ALL_THE_SAME}" in lines
    taken = replace(_undo(), forced=True).text(Screen())
    assert taken.startswith("+ would: grant AcrPull")
    assert ALL_THE_SAME not in taken


def test_undo_asks_for_nothing_more_where_nobody_relies_on_it() -> None:
    undoing = replace(_undo().undoing, kept={})
    lines = replace(_undo(), undoing=undoing).text(Screen()).splitlines()
    assert lines[0] == "+ would: grant AcrPull on registry acrml to cpu1"
    assert f"    {ALL_THE_SAME}" not in lines


def test_undo_says_when_nothing_is_left() -> None:
    assert "Nothing is left to undo of r." in Taken(Undoing(("r",), ())).text(Screen())


@pytest.mark.parametrize("evil", HOSTILE.values(), ids=[name.replace(" ", "-") for name in HOSTILE])
def test_hostile_text_adds_no_line_and_moves_no_cursor(evil: str) -> None:
    for say in (_approve, lambda said: _status(said).text(Screen()), lambda said: _undo(said).text(Screen())):
        told = say(f"x {evil}")
        assert len(told.splitlines()) == len(say("x").splitlines())
        assert not [one for one in told if one != "\n" and not one.isprintable()]
