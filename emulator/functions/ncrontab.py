"""Schedules of timer triggers: NCRONTAB expressions of five or six fields, in UTC.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

_MONTHS = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SEARCHED = timedelta(days=366 * 8 + 1)  # 29 February comes back within eight years


class ScheduleError(ValueError):
    """An expression that the host refuses."""


@dataclass(frozen=True)
class Schedule:
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def next(self, after: datetime) -> datetime:
        """The first moment later than `after`; a day must match day, month and day of week."""
        first = (after + timedelta(seconds=1)).replace(microsecond=0)
        day = first.date()
        while day <= first.date() + _SEARCHED:
            if day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays:
                since = first.time() if day == first.date() else time.min
                if moment := self._time(since):
                    return datetime.combine(day, moment, UTC)
            day += timedelta(days=1)
        raise ScheduleError("the schedule never occurs")

    def _time(self, since: time) -> time | None:
        times = (
            time(hour, minute, second)
            for hour in self.hours
            if hour >= since.hour
            for minute in self.minutes
            for second in self.seconds
        )
        return next((moment for moment in times if moment >= since), None)


def parse(expression: str) -> Schedule:
    """ScheduleError for what is no NCRONTAB expression.

    A TimeSpan is none: it is for App Service plans only, and this app runs on a consumption plan.
    """
    fields = expression.split()
    if len(fields) == 5:
        fields.insert(0, "0")
    try:
        second, minute, hour, day, month, weekday = fields
        return Schedule(
            _values(second, 0, 59),
            _values(minute, 0, 59),
            _values(hour, 0, 23),
            _values(day, 1, 31),
            _values(month, 1, 12, _MONTHS),
            _values(weekday, 0, 6, _DAYS),
        )
    except ValueError:
        raise ScheduleError(
            f"The schedule expression '{expression}' was not recognized as a valid cron expression or timespan string."
        ) from None


def _values(text: str, low: int, high: int, names: Sequence[str] = ()) -> tuple[int, ...]:
    """The values of a field such as `*/5`, `1,15`, `mon-fri` or `10-50/20`."""
    values: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            start, end = low, high
        else:
            start = _value(first, names)
            end = _value(last, names) if last else high if step else start
        if not low <= start <= end <= high:
            raise ValueError(part)
        values.update(range(start, end + 1, int(step or 1)))
    return tuple(sorted(values))


def _value(text: str, names: Sequence[str]) -> int:
    return names.index(text[:3].lower()) if text.isalpha() else int(text)
