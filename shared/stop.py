"""A person wants to stop a command. What has begun is finished and recorded, and nothing more begins."""

import asyncio
from collections.abc import Coroutine
from typing import Any

STOPPED = "it was not begun: the command was stopped"


class StoppedError(Exception):
    """The command was stopped before it began to change anything here."""


class Stop:
    def __init__(self) -> None:
        self._asked = asyncio.Event()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        """On the event loop's own thread."""
        self._asked.set()

    async def unless[T](self, reading: Coroutine[Any, Any, T]) -> T:
        """The result of `reading`, which changes nothing and so can be given up at once. Raises `StoppedError`."""
        work, asked = asyncio.create_task(reading), asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
            if self.asked:
                raise StoppedError("the command was stopped before the look at it was complete")
            return await work
        finally:
            for one in (work, asked):
                one.cancel()
            await asyncio.gather(work, asked, return_exceptions=True)
