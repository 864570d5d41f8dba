"""The local Azure's clock: real time plus what `POST /_local/clock` added to it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """It only moves forward. Listeners hear of every advance (Azurite and the timers follow it)."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._listeners: list[Callable[[timedelta], None]] = []

    @property
    def offset(self) -> timedelta:
        return self._offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("the clock moves forward only")
        self._offset += timedelta(seconds=seconds)
        for listener in self._listeners:
            listener(self._offset)

    def on_advance(self, listener: Callable[[timedelta], None]) -> None:
        """`listener` gets the whole offset after each advance."""
        self._listeners.append(listener)
