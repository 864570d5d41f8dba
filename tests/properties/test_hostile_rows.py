"""A row is a claim (ADR 33): whatever rows say, nothing ends in a traceback, and no law is broken on their word."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import raw
from app import App
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.hostile_rows import ABROAD, C1, NEARBY, OTHER_RUN, RUN, STRANGER, Row, as_logged, found, rows
from reliability.host import at_a_desk, work_off
from reliability.invariants import Watched, held
from reliability.on_record import open_intents
from troubles import Crashed, Dies
from unit.build import REGISTRY, VAULT, WORKSPACE, sai, terms

from handlers import sweep
from handlers.cli import status
from handlers.cli.formats.screen import Screen
from shared.audit_file import AuditFile
from shared.audit_rows import Run
from shared.ports import AzureFailureError
from shared.undo import Undo
from shared.writing.journal import Journal
from shared.writing.leftovers import Leftovers

_REMEDIATIONS = "AmlGuardRemediation_CL"


def _app() -> App:
    """A cluster that cannot pull yet. Two registries elsewhere and a stranger's access policy concern nobody."""
    azure = Watched(logged=True)
    azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=False), raw.storage(), raw.vault())
    azure.have(raw.registry(ABROAD, admin_user=False), raw.registry(NEARBY, admin_user=True), raw.compute("cpu1", C1))
    azure.resources[VAULT]["properties"]["accessPolicies"] = [
        {"objectId": STRANGER, "permissions": {"secrets": ["get"]}}
    ]
    return App(terms(settle=timedelta()), azure)


def _claim(one: App, some: list[Row]) -> None:
    """They have been in the log for a day."""
    for row in map(as_logged, some):
        one.azure.journal.append((_REMEDIATIONS, row))
        one.azure.accepted[id(row)] = one.azure.clock - timedelta(days=1)


def _unconcerned(one: App) -> object:
    """What no row may change."""
    policies = one.azure.resources[VAULT]["properties"]["accessPolicies"]
    theirs = [each for each in policies if each["objectId"] == STRANGER]
    return deepcopy((one.azure.resources[ABROAD], one.azure.resources[NEARBY], theirs))


async def _undone(one: App, file: AuditFile | None = None) -> None:
    for run in (RUN, OTHER_RUN):
        with suppress(AzureFailureError):  # such as: the run is unknown
            undoing = Undo(one.azure, Journal(one.audit), one.store, one.terms, file)
            await undoing.carry_out(await undoing.prepare([run]), Run(one.terms.mode), force=True)


async def _taken_back(some: list[Row]) -> None:
    one = _app()
    first = await one.run()  # what it grants is not of the runs that the rows name
    before, made = _unconcerned(one), held(one.azure)
    _claim(one, some)
    await _undone(one)
    assert one.azure.wrong == []  # type: ignore[attr-defined]  # see Watched
    assert _unconcerned(one) == before
    assert made <= held(one.azure)
    assert first.plan.grants


async def _swept(some: list[Row]) -> None:
    """By twins, one without the rows: they may hold something back, as what was reverted too often. No more."""
    twin, one = _app(), _app()
    before = _unconcerned(one)
    _claim(one, some)
    for each in (twin, one):
        await sweep.handle(each.services)
        assert await work_off(each, hours=1) == []
        assert each.poison == []
    assert one.azure.wrong == []  # type: ignore[attr-defined]  # see Watched
    assert _unconcerned(one) == before
    assert held(one.azure) <= held(twin.azure)
    told = await status.found(one.services)
    assert told.errors == []
    assert json.loads(json.dumps(told.document())) == told.document()
    assert told.text(Screen())


async def _filed(some: list[Row]) -> None:
    """The same rows in a person's audit file."""
    one = _app()
    before = _unconcerned(one)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        old = (datetime.now(UTC) - timedelta(days=1)).isoformat()
        lines = [json.dumps({"Table": _REMEDIATIONS, "TimeGenerated": old} | _timely(row, old)) for row in some]
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        path.chmod(0o600)
        file = AuditFile(path)
        await file.of_actions({"x"})
        leftovers = Leftovers(one.azure, one.audit, one.store, file)
        await leftovers.settle(workspace=WORKSPACE, runs=[RUN, OTHER_RUN])
        await at_a_desk(one).run(WORKSPACE, Run(one.terms.mode))
        await _undone(one, file)
    assert leftovers.failed == ""
    assert one.azure.wrong == []  # type: ignore[attr-defined]  # see Watched
    assert _unconcerned(one) == before


def _timely(row: Row, old: str) -> Row:
    """A whole row's time is the one that counts as open; whatever else stands there stays."""
    return row | {"TimeGenerated": old} if row.get("TimeGenerated") == "2026-11-28T00:00:00Z" else row


type Given = Callable[[list[Row]], Awaitable[None]]
_EACH: tuple[Given, ...] = (_taken_back, _swept, _filed)


@settings(max_examples=60, deadline=None)
@given(rows(), st.sampled_from(_EACH))
def test_whatever_rows_say(some: list[Row], work: Given) -> None:
    asyncio.run(_awaited(work(some)))


async def _awaited(work: Awaitable[None]) -> None:
    await work


@pytest.mark.parametrize("work", _EACH)
@pytest.mark.parametrize("name", found())
async def test_what_once_broke_it(name: str, work: Given) -> None:
    await work(found()[name])


@pytest.mark.parametrize("name", found())
async def test_no_row_keeps_another_run_from_its_outcome(name: str) -> None:
    one = _app()
    one.azure.troubles = Dies(armed=True)
    with suppress(Crashed):
        await one.run()
    one.restart()
    one.queue.messages.clear()
    one.store.documents.clear()
    mine, before = {row["RunId"] for row in one.audit.rows()}, len(one.azure.journal)
    one.azure.advance(timedelta(hours=1))
    _claim(one, found()[name])
    one.azure.journal[:] = [*one.azure.journal[before:], *one.azure.journal[:before]]  # the oldest first
    await sweep.handle(one.services)
    assert await work_off(one, hours=0.1) == []
    rows = [row for row in one.audit.rows() if row["RunId"] in mine]
    assert mine
    assert open_intents(rows) == set()


async def test_rows_that_are_right_lead_to_changes() -> None:
    """So that the rows above are refused for what they say."""
    one = _app()
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    row = {
        "RunId": RUN,
        "ActionId": RUN,
        "Action": "Setting",
        "Outcome": "Applied",
        "ResourceId": str(REGISTRY),
        "Property": "adminUserEnabled",
        "From": "true",
        "To": "false",
    }
    _claim(one, [row])
    await _undone(one)
    assert one.azure.admin_user(REGISTRY)
