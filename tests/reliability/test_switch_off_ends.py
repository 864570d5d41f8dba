"""A switch-off ends with the resync of the cached keys, whatever interrupts it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import raw
from app import App, app
from reliability.host import apply, at_a_desk, calm
from reliability.on_record import given, open_intents
from troubles import Crashed, Troubles
from unit.build import REGISTRY, WORKSPACE, assigned, sai

from shared.access.asks import Property
from shared.access.scope import Scope
from shared.audit_rows import Run
from shared.ports import NotYetError


@dataclass
class _AtTheSwitchOff(Troubles):
    """`strike` befalls the first write; the rest goes well. The admin user's is the first write of the app below."""

    strike: Callable[["_AtTheSwitchOff"], None] | None = None

    async def around[T](self, kind: str, effect: Callable[[], T]) -> T:
        result = await super().around(kind, effect)
        if kind == "write" and self.strike:
            strike, self.strike = self.strike, None
            strike(self)
        return result


def _times_out(_: Troubles) -> None:
    raise NotYetError("write", "ServiceResponseTimeoutError", "Azure did not answer")


def _dies_before_the_answer(troubles: Troubles) -> None:
    troubles.dead = True
    raise Crashed


def _dies_before_the_resync(troubles: Troubles) -> None:
    troubles.crash_in = 0


def _cannot_resync(troubles: Troubles) -> None:
    troubles.down.add("write")


def _app(strike: Callable[[_AtTheSwitchOff], None] | None) -> App:
    """Who pulls is covered, so that the one thing left to do is the switch-off."""
    one = app(raw.compute("cpu1", sai("cpu1")), settle=timedelta())
    one.azure.assignments.append(assigned(sai("cpu1"), "AcrPull", REGISTRY))
    one.azure.logged, one.azure.troubles = True, _AtTheSwitchOff(strike=strike)
    return App(one.terms, one.azure)


async def _interrupted(strike: Callable[[_AtTheSwitchOff], None]) -> App:
    one = _app(strike)
    await apply(one, WORKSPACE)
    given(not one.azure.admin_user(REGISTRY), "the admin user went off")
    return one


@pytest.mark.parametrize("with_a_store", [True, False])
async def test_a_resync_that_azure_refuses_is_done_when_azure_allows_it(with_a_store: bool) -> None:
    """Nobody has the right at first. No queue remembers it, and without a store only the log does."""
    one = _app(None)
    one.azure.forbidden = {Property.CACHED_KEYS}
    await replace(at_a_desk(one), store=one.store if with_a_store else None).run(WORKSPACE, Run(one.terms.mode))
    given(
        not one.azure.admin_user(REGISTRY) and one.azure.stale_keys, "the admin user went off, and the keys are stale"
    )
    one.azure.forbidden = set()
    await calm(one)
    assert _with_a_stale_password(one) == set()
    assert open_intents(one.audit.rows()) == set()


def _with_a_stale_password(one: App) -> set[Scope]:
    """While the admin user is on again, what is cached is as good as before."""
    return set() if one.azure.admin_user(REGISTRY) else one.azure.stale_keys


async def test_without_trouble_apply_resyncs() -> None:
    one = _app(None)
    given(await apply(one, WORKSPACE) is None, "the command ends well")
    assert not one.azure.admin_user(REGISTRY)
    assert one.azure.stale_keys == set()


@pytest.mark.parametrize("strike", [_times_out, _dies_before_the_answer, _dies_before_the_resync, _cannot_resync])
async def test_a_sweep_finishes_what_apply_left(strike: Callable[[_AtTheSwitchOff], None]) -> None:
    one = await _interrupted(strike)
    await calm(one)
    assert _with_a_stale_password(one) == set()


@pytest.mark.parametrize("strike", [_times_out, _dies_before_the_resync])
async def test_the_next_apply_finishes_what_apply_left(strike: Callable[[_AtTheSwitchOff], None]) -> None:
    one = await _interrupted(strike)
    one.restart()
    one.troubles.heal()
    one.azure.advance(timedelta(hours=6))
    given(await apply(one, WORKSPACE) is None, "nothing goes wrong any more")
    assert _with_a_stale_password(one) == set()
