"""The commands `apply` and `undo`, from the runtime on: they finish what died before, and say what they leave open."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import raw
from app import App
from fakes import FakeAzure
from reliability.on_record import given, open_intents
from troubles import Crashed, Dies
from unit.build import REGISTRY, WORKSPACE, assigned, sai, terms

from handlers.cli.apply import Applied, Asked, carry_out
from handlers.cli.desk import Where
from handlers.cli.undo import Taken, take_back
from handlers.runtime import Runtime
from shared.access.actions import Removal, Setting
from shared.access.asks import Property
from shared.access.intents import OPEN_AFTER
from shared.access.scope import Scope
from shared.audit_rows import Run
from shared.ports import NotYetError, ReadFailedError

C1 = sai("cpu1")
OPEN = OPEN_AFTER + timedelta(minutes=1)


@dataclass(repr=False)
class _Silent(FakeAzure):
    """Where it is `silent`, it makes a change and does not answer, and nobody can read what became of it."""

    silent: bool = False

    def _unanswered(self) -> None:
        if self.silent:
            raise NotYetError("write", "ServiceUnavailable", "Azure answered 503")

    async def revoke(self, removal: Removal) -> bool:
        answer = await super().revoke(removal)
        self._unanswered()
        return answer

    async def change(self, setting: Setting) -> None:
        await super().change(setting)
        self._unanswered()

    async def resource(self, scope: Scope) -> raw.Raw | None:
        if self.silent and scope.resource_type == "microsoft.authorization/roleassignments" and scope not in self._made:
            raise ReadFailedError("read", "ServiceUnavailable", "Azure answered 503")
        return await super().resource(scope)

    @property
    def _made(self) -> set[Scope]:
        return {Scope.parse(one.id) for one in self.assignments}


def _app(*, can_pull: bool = True, logged: bool = True) -> App:
    """All that is left to do is the switch-off; or a cluster cannot pull yet, and the switch-off is far."""
    azure = _Silent(troubles=Dies(), logged=logged)
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    if can_pull:
        azure.assignments.append(assigned(C1, "AcrPull", REGISTRY))
    return App(terms(settle=timedelta() if can_pull else timedelta(days=1)), azure)


def _desk(one: App, *, file_only: bool = False) -> Runtime:
    """Nobody's app is there: no queue, and perhaps neither store nor log."""
    services = replace(one.services, queue=None)
    return replace(services, store=None, audit=None, audit_reader=None) if file_only else services


async def _apply(services: Runtime, file: Path | None = None) -> Applied:
    run = Run(services.terms.mode)
    applied = Applied(run.id, file)
    await carry_out(Where(), services, run, applied, Asked())
    return applied


async def _dies(one: App, services: Runtime, file: Path | None = None) -> None:
    """Right after its first write."""
    one.troubles.armed = True  # type: ignore[attr-defined]  # see Dies
    with suppress(Crashed):
        await _apply(services, file)
    one.restart()
    given(one.azure.stale_keys, "the admin user went off, and the keys are stale")


async def _undo(one: App, run: str) -> Taken:
    return await take_back([run], _desk(one), None, force=False)


async def test_apply_finishes_what_only_its_file_remembers(tmp_path: Path) -> None:
    one, file = _app(logged=False), tmp_path / "audit.jsonl"
    await _dies(one, _desk(one, file_only=True), file)
    old = (datetime.now(UTC) - OPEN).isoformat()
    rows = [json.loads(line) | {"TimeGenerated": old} for line in file.read_text("utf-8").splitlines()]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    await _apply(_desk(one, file_only=True), file)
    assert one.azure.stale_keys == set()
    assert open_intents([json.loads(line) for line in file.read_text("utf-8").splitlines()]) == set()


@pytest.mark.parametrize("behind", [timedelta(), timedelta(minutes=20)], ids=["a quick log", "a slow log"])
async def test_undo_finds_out_first_what_became_of_the_run(behind: timedelta) -> None:
    """So it need not be forced, also where the log does not show yet what has just been found out."""
    one = _app()
    one.azure.log_behind = behind
    await _dies(one, _desk(one))
    run = one.audit.rows()[0]["RunId"]
    one.azure.advance(OPEN)
    taken = await _undo(one, run)
    assert one.azure.admin_user(REGISTRY)
    assert taken.exit_code == 0


async def test_undo_of_what_may_be_under_way_changes_nothing_unless_forced() -> None:
    one = _app()
    await _dies(one, _desk(one))
    taken = await _undo(one, one.audit.rows()[0]["RunId"])
    assert not one.azure.admin_user(REGISTRY)
    assert taken.exit_code == 2


async def test_apply_says_that_something_is_open() -> None:
    one = _app()
    one.azure.silent = True  # type: ignore[attr-defined]  # see _Silent
    one.troubles.too_late = True
    applied = await _apply(_desk(one))
    given(any(outcome.unclear for outcome in applied.made), "of the keys nobody can tell")
    assert "no outcome on record yet" in applied.in_short()
    assert "next `amlguard apply` or `undo` there" in applied.in_short()


async def test_apply_that_left_nothing_open_does_not_say_so() -> None:
    applied = await _apply(_desk(_app()))
    assert [outcome.action.name for outcome in applied.made if isinstance(outcome.action, Setting)] == [
        Property.ADMIN_USER,
        Property.CACHED_KEYS,
    ]
    assert "no outcome" not in applied.in_short()


async def test_undo_says_that_something_is_open() -> None:
    one = _app(can_pull=False)
    run = (await _apply(_desk(one))).run
    given(one.azure.holders("AcrPull", REGISTRY) == {C1.id}, "there is something to undo")
    one.azure.silent = True  # type: ignore[attr-defined]  # see _Silent
    taken = await _undo(one, run)
    assert any("not all of it has an outcome on record" in note for note in taken.notes)
    one.azure.silent = False  # type: ignore[attr-defined]  # see _Silent
    one.azure.advance(OPEN)
    again = await _undo(one, run)
    assert not any("not all of it has an outcome on record" in note for note in again.notes)


async def test_undo_says_that_what_is_open_stays_open() -> None:
    one = _app()
    await _dies(one, _desk(one))
    run = one.audit.rows()[0]["RunId"]
    one.azure.advance(OPEN)
    store = one.store

    class Closed(type(store)):  # type: ignore[misc]  # a fake store of the same kind
        async def names(self, prefix: str) -> list[str]:
            raise ReadFailedError(f"list {prefix}", "ServiceUnavailable", "Azure answered 503")

    closed = Closed(store.troubles, store.documents)
    taken = await take_back([run], replace(_desk(one), store=closed), None, force=False)
    assert any("stays open" in note for note in taken.notes)
    assert WORKSPACE in one.azure.stale_keys
