import asyncio
import time
from datetime import timedelta

import pytest

from emulator.alarm import Alarm
from emulator.clock import Clock


async def test_a_moment_that_has_passed_does_not_wait() -> None:
    clock = Clock()
    waiting = Alarm(clock).until(clock.now() - timedelta(seconds=1))
    with pytest.raises(StopIteration):  # it ends at its first step
        waiting.send(None)


async def test_real_time_rings() -> None:
    started = time.monotonic()
    await Alarm(Clock()).after(0.1)
    assert time.monotonic() - started >= 0.1


async def test_only_an_advance_that_reaches_the_moment_rings() -> None:
    clock = Clock()
    alarm = Alarm(clock)
    waiting = [asyncio.create_task(alarm.after(100)) for _ in range(2)]
    await asyncio.sleep(0)
    clock.advance(60)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting[0]), 0.1)
    clock.advance(41)
    await asyncio.wait_for(asyncio.gather(*waiting), 60)
