"""Ctrl-C and SIGTERM: the first signal ends a command in order, the second at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from shared.stop import Stop

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDERR = 2


@dataclass(slots=True)
class Heard:
    """`number` is the signal that came, or 0."""

    number: int = 0

    @property
    def exit_code(self) -> int:
        """As in a shell: 130 for Ctrl-C."""
        return 128 + self.number


@contextmanager
def heeding(stop: Stop, last_words: Callable[[], str]) -> Iterator[Heard]:
    """Inside this context the first signal asks `stop`. The next one prints `last_words` and ends the process."""
    loop, heard = asyncio.get_running_loop(), Heard()

    def hear(number: int, _: FrameType | None) -> None:
        if heard.number:
            _say(last_words())
            os._exit(128 + number)
        heard.number = number
        _say("stopping: changes that have begun are finished and recorded; press Ctrl-C again to stop at once")
        loop.call_soon_threadsafe(stop.ask)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(words: str) -> None:
    """Does not use `sys.stderr`, because the signal may have come while something was writing to it."""
    os.write(_STDERR, f"\namlguard: {words}\n".encode())
