"""Waits for a moment on the local Azure's clock."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

from emulator.clock import Clock


class Alarm:
    """Sleeps until the clock reaches a moment, whether real time passes or somebody advances the clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._advanced = asyncio.Event()
        clock.on_advance(self._wake)

    def now(self) -> datetime:
        return self._clock.now()

    async def until(self, moment: datetime) -> None:
        while (remaining := (moment - self.now()).total_seconds()) > 0:
            advanced = self._advanced
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await advanced.wait()

    async def after(self, seconds: float) -> None:
        await self.until(self.now() + timedelta(seconds=seconds))

    def _wake(self, _offset: timedelta) -> None:
        # a fresh event each time: whoever starts to wait now has already read the new time
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()
