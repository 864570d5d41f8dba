"""Many events about one workspace at once: as few runs as see all that the events told of."""

import asyncio

import raw
from app import C1, C2, WITHOUT_SETTLING, App, app
from unit.build import REGISTRY, WORKSPACE, guid

from shared.access.scope import Scope
from shared.audit_rows import Run
from shared.messages import Trigger
from shared.progress import Result


async def test_what_comes_before_a_run_begins_is_that_run() -> None:
    one = app(raw.compute("cpu1", C1))
    assert len({result.run.id for result in await asyncio.gather(*(one.run() for _ in range(6)))}) == 1
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
    assert len(one.audit.rows("Applied")) == len({row["ActionId"] for row in one.audit.rows("Applied")})


async def test_what_comes_while_a_run_is_under_way_is_one_more_that_sees_it_all() -> None:
    one = app(raw.compute("cpu1", C1), **WITHOUT_SETTLING)
    later: list[asyncio.Task[Result]] = []

    def burst(_: Scope) -> None:
        one.azure.have(raw.compute("cpu2", C2))
        later.extend(asyncio.ensure_future(one.run()) for _ in range(4))

    one.azure.before_switch_off = burst
    first = await one.run()
    after = {result.run.id for result in await asyncio.gather(*later)}
    assert len(after) == 1
    assert after != {first.run.id}
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id, C2.id}


async def _by(one: App, caller: str) -> Result:
    run = Run(one.terms.mode, Trigger(caller_object_id=guid(caller)))
    return await one.services.reconciler.run(WORKSPACE, run)


async def test_nobody_vouches_for_what_somebody_else_did() -> None:
    one = app(raw.compute("cpu1", C1))
    results = await asyncio.gather(_by(one, "ann"), _by(one, "bob"), _by(one, "ann"))
    assert [result.run.trigger.caller_object_id for result in results] == [guid("ann"), guid("bob"), guid("ann")]
    assert len({result.run.id for result in results}) == 2


async def test_a_failure_is_everybodys_and_the_next_run_is_a_new_one() -> None:
    one = app(raw.compute("cpu1", C1))
    one.troubles.down = {"read"}
    failed = await asyncio.gather(*(one.run() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, Exception) for result in failed)
    one.troubles.heal()
    await one.run()
    assert one.azure.holders("AcrPull", REGISTRY) == {C1.id}
