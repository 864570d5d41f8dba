"""The log takes an intent and then no outcome, or says so: each outcome is on record as it was, once and soon."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import raw
from app import App
from event_grid import event
from fakes import FakeAzure
from reliability.host import apply, at_a_desk, calm, deliver, undo, work_off
from reliability.on_record import given, open_intents, unrecorded
from troubles import Troubles
from unit.build import REGISTRY, ROLES, WORKSPACE, assigned, sai, terms

from shared.access.actions import Grant
from shared.access.intents import OPEN_AFTER
from shared.audit_rows import Run
from shared.ports import AuditFailedError
from shared.state.open_runs import OpenRuns

C1 = sai("cpu1")
SOON = timedelta(minutes=5)


@dataclass
class _DownAfterWrites(Troubles):
    """The log fails once a change was asked for. Where it is `too_late`, it takes the rows all the same."""

    healed: bool = False

    def heal(self) -> None:
        self.healed = True
        super().heal()

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        if kind == "audit" and "log" in self.down:
            if self.too_late:
                effect()
            raise AuditFailedError("record", "ServiceUnavailable", "Azure answered 503")
        try:
            return await super().around(kind, effect)
        finally:
            if kind == "write" and not self.healed:
                self.down.add("log")


@dataclass(repr=False)
class _Raced(FakeAzure):
    """Somebody else makes each grant a moment before amlguard."""

    async def grant(self, grant: Grant, description: str) -> bool:
        self.assignments.append(assigned(grant.principal, grant.need.role_name, grant.scope))
        return await super().grant(grant, description)


def _app(azure: FakeAzure | None = None, *, too_late: bool = False) -> App:
    azure = azure or FakeAzure()
    azure.troubles, azure.logged = _DownAfterWrites(too_late=too_late), True
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault(), raw.compute("cpu1", C1))
    return App(terms(), azure)


def _outcomes(one: App) -> list[tuple[str, bool, str]]:
    rows = [row for row in one.audit.rows() if row["Action"] == "Grant" and row["Outcome"] != "Planned"]
    return [(row["Outcome"], row["Found"], row["Code"]) for row in rows]


async def _soon(one: App) -> None:
    """No sweep comes."""
    one.troubles.heal()
    await work_off(one, hours=SOON / timedelta(hours=1))


async def test_what_was_made_is_on_record_as_soon_as_the_log_works() -> None:
    one = _app()
    assert await deliver(event(str(WORKSPACE)), one) is None
    given(_outcomes(one) == [] and one.azure.holders("AcrPull", REGISTRY), "it is made, and no row says so")
    await _soon(one)
    assert _outcomes(one) == [("Applied", False, "")]
    assert unrecorded(one.azure) == []
    assert await OpenRuns(one.store).all() == []


async def test_what_azure_refused_is_on_record_with_its_code() -> None:
    """The state could only tell that nothing of it is there."""
    one = _app()
    one.azure.forbidden = {ROLES["AcrPull"].role_id}
    assert await deliver(event(str(WORKSPACE)), one) is None
    given(_outcomes(one) == [], "no row says so")
    await _soon(one)
    assert set(_outcomes(one)) == {("Failed", False, "AuthorizationFailed")}
    assert open_intents(one.audit.rows()) == set()


async def test_what_was_there_already_is_on_record_as_found() -> None:
    one = _app(_Raced())
    assert await deliver(event(str(WORKSPACE)), one) is None
    await _soon(one)
    assert _outcomes(one) == [("Applied", True, "")]


async def test_what_the_log_took_after_all_is_there_once() -> None:
    one = _app(too_late=True)
    assert await deliver(event(str(WORKSPACE)), one) is None
    given(_outcomes(one) == [("Applied", False, "")], "the log took it, and said that it had not")
    await _soon(one)
    assert _outcomes(one) == [("Applied", False, "")]
    assert await OpenRuns(one.store).all() == []


@pytest.mark.parametrize("with_a_store", [True, False])
async def test_a_person_is_told_that_an_outcome_is_not_on_record(with_a_store: bool) -> None:
    one = _app()
    desk = replace(at_a_desk(one), store=one.store if with_a_store else None)
    with pytest.raises(AuditFailedError):
        await desk.run(WORKSPACE, Run(one.terms.mode))
    given(one.azure.holders("AcrPull", REGISTRY), "it is made all the same")
    await calm(one)
    assert (unrecorded(one.azure), open_intents(one.audit.rows())) == ([], set())


async def test_what_an_undo_did_is_on_record_as_it_was() -> None:
    one = _app()
    one.troubles.heal()
    run = (await one.run()).run.id
    given(_outcomes(one) == [("Applied", False, "")], "there is something to undo")
    one.troubles.healed = False  # type: ignore[attr-defined]  # see _DownAfterWrites
    since = len(one.audit.rows())
    await undo(one, run)
    given(one.azure.holders("AcrPull", REGISTRY) == set(), "it is taken back")
    one.troubles.heal()
    one.azure.advance(timedelta(minutes=1))
    given(timedelta(minutes=1) < OPEN_AFTER, "its intent is not open yet")
    assert await apply(one, WORKSPACE) is None
    told = [row for row in one.audit.rows()[since:] if row["Action"] == "Removal" and row["Outcome"] != "Planned"]
    assert [(row["Outcome"], row["Found"], row["Code"]) for row in told] == [("Undone", False, "")]
