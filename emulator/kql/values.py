"""Kusto's scalar types over Python values, and the conversions between them.

bool, datetime (aware, UTC), dynamic (JSON), guid (lower-case text), int, long, real, string, timespan.
Null is None, except that a string is never null: it is empty.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID


class Type(StrEnum):
    BOOL = "bool"
    DATETIME = "datetime"
    DYNAMIC = "dynamic"
    GUID = "guid"
    INT = "int"
    LONG = "long"
    REAL = "real"
    STRING = "string"
    TIMESPAN = "timespan"


NUMBERS = frozenset({Type.INT, Type.LONG, Type.REAL})
WHOLE_NUMBERS = frozenset({Type.INT, Type.LONG})
ORDERED = NUMBERS | {Type.DATETIME, Type.TIMESPAN, Type.STRING, Type.BOOL}

_DATETIME = re.compile(
    r"(\d{4})-(\d{1,2})(?:-(\d{1,2}))?"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:?\d{2})?",
    re.IGNORECASE,
)
_TIMESPAN = re.compile(r"(-)?(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?")
_UNIT = re.compile(r"(-?\d+(?:\.\d+)?)([a-z]+)")
_SECONDS = {
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("tick", "ticks"), 1e-7),
}


def null_of(type_: Type) -> Any:
    return "" if type_ is Type.STRING else None


def type_named(name: str) -> Type | None:
    synonyms = {"boolean": "bool", "date": "datetime", "time": "timespan", "double": "real", "uuid": "guid"}
    name = synonyms.get(name, name)
    return Type(name) if name in Type else None


def parse_datetime(text: str) -> datetime | None:
    match = _DATETIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    micro = int(f"{fraction or '':0<6}"[:6])
    try:
        local = datetime(
            int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), micro, UTC
        )
    except ValueError:
        return None
    if zone is None or zone in "Zz":
        return local
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return local - offset if zone[0] == "+" else local + offset


def parse_timespan(text: str) -> timedelta | None:
    """`1.02:03:04.5`, `02:03`, and the literals `5m`, `1.5h`, `30d`, `10ms`."""
    text = text.strip()
    if unit := _UNIT.fullmatch(text):
        seconds = _SECONDS.get(unit[2])
        return None if seconds is None else timedelta(seconds=float(unit[1]) * seconds)
    match = _TIMESPAN.fullmatch(text)
    if match is None:
        return None
    minus, days, hours, minutes, seconds_, fraction = match.groups()
    span = timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds_ or 0),
        microseconds=int(f"{fraction or '':0<6}"[:6]),
    )
    return -span if minus else span


def datetime_text(value: datetime) -> str:
    """As `tostring` writes it: a second always has seven digits."""
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond:06d}0Z"


def timespan_text(value: timedelta) -> str:
    sign = "-" if value < timedelta() else ""
    value = abs(value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    days = f"{value.days}." if value.days else ""
    fraction = f".{value.microseconds:06d}0" if value.microseconds else ""
    return f"{sign}{days}{hours:02d}:{minutes:02d}:{seconds:02d}{fraction}"


def to_string(value: Any) -> str:  # noqa: PLR0911 - one line a type
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return datetime_text(value)
        case timedelta():
            return timespan_text(value)
        case float():
            return _real_text(value)
        case dict() | list():
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        case _:
            return str(value)


def _real_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def to_long(value: Any) -> int | None:
    number = to_real(value)
    if number is None or math.isnan(number) or math.isinf(number):
        return None
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?(\d+|0[xX][0-9a-fA-F]+)\s*", value):
        return None
    return value if type(value) is int else int(number)


def to_real(value: Any) -> float | None:
    match value:
        case bool() | int() | float():
            return float(value)
        case timedelta():
            return value / timedelta(microseconds=1) * 10
        case str():
            try:
                return float(int(value, 16)) if value.strip().lower().startswith("0x") else float(value)
            except ValueError:
                return None
        case _:
            return None


def to_bool(value: Any) -> bool | None:
    match value:
        case bool() | int() | float():
            return bool(value)
        case str():
            return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
        case _:
            return None


def to_datetime(value: Any) -> datetime | None:
    match value:
        case datetime():
            return value
        case str():
            return parse_datetime(value)
        case _:
            return None


def to_timespan(value: Any) -> timedelta | None:
    match value:
        case timedelta():
            return value
        case str():
            return parse_timespan(value)
        case _:
            return None


def to_guid(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return str(UUID(value))
    except ValueError:
        return None


def to_dynamic(value: Any) -> Any:
    """A value as JSON has it: datetimes and timespans become text."""
    return to_string(value) if isinstance(value, datetime | timedelta) else value


def parse_json(text: Any) -> Any:
    """`parse_json`: text that is not JSON stays a string."""
    if not isinstance(text, str):
        return to_dynamic(text)
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def converter(target: Type) -> Callable[[Any], Any]:
    return {
        Type.BOOL: to_bool,
        Type.DATETIME: to_datetime,
        Type.DYNAMIC: to_dynamic,
        Type.GUID: to_guid,
        Type.INT: to_long,
        Type.LONG: to_long,
        Type.REAL: to_real,
        Type.STRING: to_string,
        Type.TIMESPAN: to_timespan,
    }[target]


def hashable(value: Any) -> Any:
    """A key that is equal exactly if two values are equal: JSON containers by their sorted text."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else (type(value), value)
