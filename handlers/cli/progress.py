"""How far a command is, on standard error: a line before the first request, then one every ten seconds.

On a terminal the line is written over; in a log each has its place.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from handlers.cli.console import counted

EVERY_SECONDS = 10.0
_MINUTE = 60


def begin(command: str) -> None:
    """Before anything is asked."""
    print(f"amlguard: {command}: signing in and looking for workspaces …", file=sys.stderr, flush=True)


@dataclass(slots=True)
class Progress:
    """`requests` says how many Azure has answered so far, `now` the time in seconds."""

    of: int
    requests: Callable[[], int]
    now: Callable[[], float] = time.monotonic
    every: float = EVERY_SECONDS
    done: int = 0
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.now()

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        """Tells how far it is while something is under way."""
        telling = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            telling.cancel()
            if sys.stderr.isatty() and self.of > 1:
                print(f"\r{self.line()}\x1b[K", file=sys.stderr, flush=True)

    async def _tell(self) -> None:
        terminal = sys.stderr.isatty()
        while True:
            await asyncio.sleep(min(self.every, 1.0) if terminal else self.every)
            if terminal:
                print(f"\r{self.line()}\x1b[K", end="", file=sys.stderr, flush=True)
            else:
                print(f"amlguard: {self.line()}", file=sys.stderr, flush=True)

    def line(self) -> str:
        said = f"{self.done} of {counted(self.of, 'workspace')}, {counted(self.requests(), 'request')}"
        if not self.done or self.done >= self.of:
            return said
        left = (self.now() - self.began) / self.done * (self.of - self.done)
        return f"{said}, about {_duration(left)} left"


def _duration(seconds: float) -> str:
    return counted(round(seconds), "second") if seconds < _MINUTE else counted(round(seconds / _MINUTE), "minute")
