"""Every write has its outcome, come what may."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import raw
from app import App, app
from reliability.host import apply, calm, undo, work_off
from reliability.on_record import given, open_intents, unrecorded
from troubles import Troubles
from unit.build import GROUP, REGISTRY, WORKSPACE, assigned, sai

type Enter = Callable[[App], Awaitable[object]]


@dataclass
class _Heard(Troubles):
    """Nothing goes wrong by itself; `calls` are the kinds of what was asked, in order."""

    calls: list[str] = field(default_factory=list)

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        self.calls.append(kind)
        return await super().around(kind, effect)


@dataclass
class _LogFails(Troubles):
    """The audit log is down from the first write on, until it is healed."""

    healed: bool = False

    def heal(self) -> None:
        super().heal()
        self.healed = True

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        result = await super().around(kind, effect)
        if kind == "write" and not self.healed:
            self.down.add("audit")
        return result


def _app(troubles: Troubles | None = None) -> App:
    """A grant is made and, as nothing has to settle, the admin user goes off and the cached keys are resynced."""
    one = app(raw.compute("cpu1", sai("cpu1")), settle=timedelta())
    one.azure.logged, one.azure.troubles = True, troubles or _Heard()
    return App(one.terms, one.azure)


async def _by_an_event(one: App) -> None:
    await one.event(WORKSPACE)


async def _by_a_sweep(one: App) -> None:
    await one.sweep()
    while await one.work():
        pass


async def _at_a_desk(one: App) -> None:
    await apply(one, WORKSPACE)


async def _writes(enter: Enter) -> list[int]:
    """Which calls of the run are writes."""
    one = _app()
    await enter(one)
    given(not one.azure.admin_user(REGISTRY) and not one.azure.stale_keys, "without a fault all is done")
    heard = one.troubles
    assert isinstance(heard, _Heard)
    return [at for at, kind in enumerate(heard.calls) if kind == "write"]


async def _killed(enter: Enter, at: int, *, after: bool = False) -> App:
    """The process dies at a call, before it has its effect or `after` it; then all is calm."""
    one = _app()
    one.troubles.crash_in, one.troubles.too_late = at, after
    await enter(one)
    await calm(one)
    return one


@pytest.mark.parametrize("enter", [_by_an_event, _by_a_sweep, _at_a_desk])
async def test_what_a_killed_run_did_is_on_record_later(enter: Enter) -> None:
    found = {}
    for at in await _writes(enter):
        for when, killed in {
            "before it": _killed(enter, at),
            "after its effect": _killed(enter, at, after=True),
            "after its answer": _killed(enter, at + 1),
        }.items():
            one = await killed
            found[f"call {at}, {when}"] = (unrecorded(one.azure), open_intents(one.audit.rows()))
    assert {when: left for when, left in found.items() if any(left)} == {}


async def test_what_a_killed_run_did_not_do_is_not_told_as_done() -> None:
    """People turn amlguard off there, so that nobody does it later."""
    grant, *_ = await _writes(_by_an_event)
    one = _app()
    one.troubles.crash_in = grant
    await _by_an_event(one)
    given(open_intents(one.audit.rows()) and not one.azure.assignments, "it died before its first write")
    one.azure.group_tags[GROUP] = {"amlguard": "off"}
    await calm(one)
    assert open_intents(one.audit.rows()) == set()
    assert one.audit.rows("Applied") == []


async def test_what_a_killed_run_switched_off_can_be_undone() -> None:
    _, switch_off, _ = await _writes(_by_an_event)
    one = await _killed(_by_an_event, switch_off + 1)
    (run,) = {row["RunId"] for row in one.audit.rows("Planned") if row.get("Property") == "adminUserEnabled"}
    given(not one.azure.admin_user(REGISTRY), "the admin user went off")
    await undo(one, run)
    assert one.azure.admin_user(REGISTRY)


async def _three_minutes(one: App) -> None:
    """The log stays down for as long as the queue tries a message."""
    await work_off(one, hours=0.06)
    given(unrecorded(one.azure) and not one.audit.rows("Applied"), "something was written, and the log took no outcome")


@pytest.mark.parametrize("enter", [_by_an_event, _by_a_sweep, _at_a_desk])
async def test_outcomes_outlive_a_log_that_is_down(enter: Enter) -> None:
    one = _app(_LogFails())
    await enter(one)
    await _three_minutes(one)
    await calm(one)
    assert (unrecorded(one.azure), open_intents(one.audit.rows())) == ([], set())


async def test_the_outcome_of_a_switch_off_outlives_a_log_that_is_down() -> None:
    one = _app(_LogFails())
    one.azure.assignments.append(assigned(sai("cpu1"), "AcrPull", REGISTRY))
    await _by_an_event(one)
    given(not one.azure.admin_user(REGISTRY), "the admin user went off")
    await _three_minutes(one)
    await calm(one)
    assert (unrecorded(one.azure), open_intents(one.audit.rows())) == ([], set())
