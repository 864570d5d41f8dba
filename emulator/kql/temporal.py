"""Scalar functions over datetimes and timespans."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator.kql import values as v
from emulator.kql.errors import KqlSemanticError
from emulator.kql.function import Function, Kind
from emulator.kql.values import Type

_WHEN, _TEXT, _WHOLE, _ANY = Kind.WHEN, Kind.TEXT, Kind.WHOLE, Kind.ANY
_DATETIME, _TIMESPAN = Type.DATETIME, Type.TIMESPAN
_TICK = re.compile(r"yyyy|yy|MM|M|dd|d|HH|H|hh|h|mm|m|ss|s|f{1,7}|F{1,7}|tt|.")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _start_of_day(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _start_of_week(at: datetime) -> datetime:
    return _start_of_day(at) - timedelta(days=(at.weekday() + 1) % 7)


def _add_months(at: datetime, months: int) -> datetime:
    years, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    return at.replace(year=years, month=month + 1, day=min(at.day, monthrange(years, month + 1)[1]))


_PERIODS: Mapping[str, Callable[[datetime], int]] = {
    "year": lambda at: at.year,
    "quarter": lambda at: at.year * 4 + (at.month - 1) // 3,
    "month": lambda at: at.year * 12 + at.month,
    "week": lambda at: (_start_of_week(at) - _start_of_week(_EPOCH)).days // 7,
}
_SECONDS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_MICROSECONDS = {"millisecond": 1000, "microsecond": 1}


def _period(part: str) -> Callable[[datetime], int]:
    part = part.lower()
    if part in _PERIODS:
        return _PERIODS[part]
    if part in _SECONDS or part in _MICROSECONDS:
        size = timedelta(seconds=_SECONDS.get(part, 0), microseconds=_MICROSECONDS.get(part, 0))
        return lambda at: (at - _EPOCH) // size
    raise KqlSemanticError(f"datetime_diff(): '{part}' is not a known period", "SEM0219")


def _diff(part: str, later: datetime, earlier: datetime) -> int:
    """The number of boundaries crossed: 23:59 and 00:01 are one day apart."""
    period = _period(part)
    return period(later) - period(earlier)


def _add(part: str, amount: int, at: datetime) -> datetime:
    months = {"year": 12, "quarter": 3, "month": 1}.get(part.lower())
    if months is not None:
        return _add_months(at, months * amount)
    if part.lower() == "week":
        return at + timedelta(weeks=amount)
    _period(part)
    size = timedelta(seconds=_SECONDS.get(part.lower(), 0), microseconds=_MICROSECONDS.get(part.lower(), 0))
    return at + size * amount


def _part(part: str, at: datetime) -> int:
    known: dict[str, int] = {
        "year": at.year,
        "quarter": (at.month - 1) // 3 + 1,
        "month": at.month,
        "day": at.day,
        "dayofyear": at.timetuple().tm_yday,
        "hour": at.hour,
        "minute": at.minute,
        "second": at.second,
        "millisecond": at.microsecond // 1000,
        "microsecond": at.microsecond,
    }
    if part.lower() not in known:
        raise KqlSemanticError(f"datetime_part(): '{part}' is not a known part", "SEM0219")
    return known[part.lower()]


def _format(at: datetime, pattern: str) -> str:
    fraction = f"{at.microsecond:06d}0"
    twelve = at.hour % 12 or 12
    parts = {
        "yyyy": f"{at.year:04d}", "yy": f"{at.year % 100:02d}", "MM": f"{at.month:02d}", "M": str(at.month),
        "dd": f"{at.day:02d}", "d": str(at.day), "HH": f"{at.hour:02d}", "H": str(at.hour),
        "hh": f"{twelve:02d}", "h": str(twelve), "mm": f"{at.minute:02d}", "m": str(at.minute),
        "ss": f"{at.second:02d}", "s": str(at.second), "tt": "AM" if at.hour < 12 else "PM",
    }  # fmt: skip

    def piece(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] == "f":
            return fraction[: len(token)]
        if token[0] == "F":
            return fraction[: len(token)].rstrip("0")
        return parts.get(token, token)

    return _TICK.sub(piece, pattern)


def _make(*parts: float) -> datetime | None:
    *whole, second = [*parts, *(1.0, 1.0, 1.0, 0.0, 0.0, 0.0)[len(parts) :]]
    year, month, day, hour, minute = map(int, whole)
    try:
        start = datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        return None
    return start + timedelta(seconds=second)


def _unix(at: Any) -> datetime:
    return _EPOCH + timedelta(seconds=at)


TEMPORAL_FUNCTIONS: Mapping[str, Function] = {
    "todatetime": Function(_DATETIME, (_ANY,), v.to_datetime),
    "totimespan": Function(_TIMESPAN, (_ANY,), v.to_timespan),
    "datetime_diff": Function(Type.LONG, (_TEXT, _WHEN, _WHEN), _diff),
    "datetime_add": Function(_DATETIME, (_TEXT, _WHOLE, _WHEN), _add),
    "datetime_part": Function(Type.INT, (_TEXT, _WHEN), _part),
    "format_datetime": Function(Type.STRING, (_WHEN, _TEXT), _format),
    "startofday": Function(_DATETIME, (_WHEN,), _start_of_day),
    "startofweek": Function(_DATETIME, (_WHEN,), _start_of_week),
    "startofmonth": Function(_DATETIME, (_WHEN,), lambda at: _start_of_day(at.replace(day=1))),
    "endofday": Function(_DATETIME, (_WHEN,), lambda at: _start_of_day(at) + timedelta(days=1, microseconds=-1)),
    "dayofweek": Function(_TIMESPAN, (_WHEN,), lambda at: timedelta(days=(at.weekday() + 1) % 7)),
    "hourofday": Function(Type.INT, (_WHEN,), lambda at: at.hour),
    "getyear": Function(Type.INT, (_WHEN,), lambda at: at.year),
    "monthofyear": Function(Type.INT, (_WHEN,), lambda at: at.month),
    "make_datetime": Function(_DATETIME, (Kind.NUMBER,) * 6, _make, optional=5),
    "unixtime_seconds_todatetime": Function(_DATETIME, (Kind.NUMBER,), _unix),
}
