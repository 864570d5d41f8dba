"""Timer triggers."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from emulator.alarm import Alarm
from emulator.functions import ncrontab
from emulator.functions.channel import Datum, Function, Invocation, InvocationError

Invoke = Callable[[Invocation], Awaitable[None]]


class TimerListener:
    """Fires a function when its schedule is due by the local Azure's clock.

    If the clock is advanced over several due times, it fires once. As in the service, the next time counts from the end
    of an invocation, and two invocations never overlap. The worker's retry policy applies, on the same clock.
    """

    def __init__(self, function: Function, schedule: str, invoke: Invoke, alarm: Alarm) -> None:
        self._function = function
        self._schedule = ncrontab.parse(schedule)
        self._invoke = invoke
        self._alarm = alarm
        self._last = datetime.min.replace(tzinfo=UTC)
        self._updated = alarm.now()

    async def run(self) -> None:
        if self._function.trigger.get("runOnStartup"):
            await self._fire()
        while True:
            await self._alarm.until(self._schedule.next(self._alarm.now()))
            await self._fire()
            self._last = self._updated = self._alarm.now()

    def payload(self) -> Datum:
        """TimerInfo, as the host gives it to a worker."""
        status = {
            "Last": self._last.isoformat(),
            "Next": self._schedule.next(self._alarm.now()).isoformat(),
            "LastUpdated": self._updated.isoformat(),
        }
        monitored = self._function.trigger.get("useMonitor") is not False
        return "json", json.dumps(
            {
                "Schedule": {"AdjustForDST": True},
                "ScheduleStatus": status if monitored else None,
                "IsPastDue": False,
            }
        )

    async def _fire(self) -> None:
        retry = self._function.retry
        attempts, most = 0, retry["max_retry_count"] if retry else 0
        context: dict[str, Any] | None = None
        while True:
            try:
                await self._invoke(Invocation(self._function, self.payload(), retry=context))
            except InvocationError as error:
                if not retry or attempts == most:
                    return
                await self._alarm.after(_delay(retry["intervals"], attempts))
                attempts += 1
                context = {
                    "retry_count": attempts,
                    "max_retry_count": most,
                    "message": error.message,
                    "stack": error.stack,
                }
            else:
                return


def _delay(intervals: list[float], attempts: int) -> float:
    """The seconds before the next attempt: the fixed delay, or one that doubles from the least to the greatest."""
    if len(intervals) == 1:
        return intervals[0]
    least, greatest = intervals
    return min(greatest, max(least, 1.0) * 2.0**attempts)
