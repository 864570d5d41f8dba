"""Ctrl-C and SIGTERM: the first ends a command in order, the second at once."""

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
    """`number` is the signal that came; 0: none."""

    number: int = 0

    @property
    def exit_code(self) -> int:
        """As shells have it: 130 for Ctrl-C."""
        return 128 + self.number


@contextmanager
def heeding(stop: Stop, last_words: Callable[[], str]) -> Iterator[Heard]:
    """Within it a signal asks `stop`; the next one says `last_words` and ends the process."""
    loop, heard = asyncio.get_running_loop(), Heard()

    def hear(number: int, _: FrameType | None) -> None:
        if heard.number:
            _say(last_words())
            os._exit(128 + number)
        heard.number = number
        _say("stopping: what was begun is finished and put on record; once more stops at once")
        loop.call_soon_threadsafe(stop.ask)

    before = {number: signal.signal(number, hear) for number in _SIGNALS}
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(words: str) -> None:
    """Not through `sys.stderr`, in whose midst the signal may have come."""
    os.write(_STDERR, f"\namlguard: {words}\n".encode())
