"""Scalar functions over text, and the conversions."""

import base64
import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from emulator.kql import values as v
from emulator.kql.function import Function, Kind
from emulator.kql.values import Type

_ANY, _ANY_TEXT, _TEXT = Kind.ANY, Kind.ANY_TEXT, Kind.TEXT
_NUMBER, _WHOLE = Kind.NUMBER, Kind.WHOLE
_BOOL, _LONG, _REAL, _STRING = Type.BOOL, Type.LONG, Type.REAL, Type.STRING


def _substring(text: str, start: int, length: int | None = None) -> str:
    start = max(start, 0)
    return text[start:] if length is None else text[start : start + max(length, 0)]


def _extract(pattern: str, group: int, text: str) -> str:
    match = re.search(pattern, text)
    return (match[group] or "") if match and group <= match.re.groups else ""


def _extract_all(pattern: str, text: str) -> list[Any] | None:
    found = re.findall(pattern, text)
    return [list(item) if isinstance(item, tuple) else item for item in found] or None


def _split(text: str, separator: str, index: int | None = None) -> list[str]:
    parts = text.split(separator) if separator else [text]
    if index is None:
        return parts
    return [parts[index]] if -len(parts) <= index < len(parts) else []


def _replace_regex(text: str, pattern: str, replacement: str) -> str:
    return re.sub(pattern, re.sub(r"\\(\d)", r"\\g<\1>", replacement), text)


def _trim(pattern: str, text: str) -> str:
    return _trim_end(pattern, _trim_start(pattern, text))


def _trim_start(pattern: str, text: str) -> str:
    return re.sub(rf"\A(?:{pattern})", "", text)


def _trim_end(pattern: str, text: str) -> str:
    return re.sub(rf"(?:{pattern})\Z", "", text)


def _index_of(text: str, sought: str, start: int = 0) -> int:
    return text.find(sought, start)


def _join(separator: str, *parts: str) -> str:
    return separator.join(parts)


def _is_empty(value: Any) -> bool:
    return value is None or value == ""


def _compare(a: str, b: str) -> int:
    return (a > b) - (a < b)


def _round(value: float, digits: int = 0) -> float:
    return float(round(value, digits))


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def _count_of(text: str, sought: str) -> int:
    return sum(text.startswith(sought, at) for at in range(len(text))) if sought else 0


TEXT_FUNCTIONS: Mapping[str, Function] = {
    "tolower": Function(_STRING, (_TEXT,), str.lower),
    "toupper": Function(_STRING, (_TEXT,), str.upper),
    "strlen": Function(_LONG, (_TEXT,), len),
    "strcat": Function(_STRING, (_ANY_TEXT,), lambda *parts: "".join(parts), repeats=True),
    "strcat_delim": Function(_STRING, (_TEXT, _ANY_TEXT), _join, repeats=True),
    "strcmp": Function(_LONG, (_TEXT, _TEXT), _compare),
    "strrep": Function(_STRING, (_ANY_TEXT, _WHOLE, _TEXT), lambda text, n, by="": by.join([text] * n), optional=1),
    "substring": Function(_STRING, (_TEXT, _WHOLE, _WHOLE), _substring, optional=1),
    "split": Function(Type.DYNAMIC, (_TEXT, _TEXT, _WHOLE), _split, optional=1),
    "extract": Function(_STRING, (_TEXT, _WHOLE, _TEXT), _extract),
    "extract_all": Function(Type.DYNAMIC, (_TEXT, _TEXT), _extract_all),
    "replace_string": Function(_STRING, (_TEXT, _TEXT, _TEXT), str.replace),
    "replace_regex": Function(_STRING, (_TEXT, _TEXT, _TEXT), _replace_regex),
    "replace": Function(_STRING, (_TEXT, _TEXT, _TEXT), lambda p, by, text: _replace_regex(text, p, by)),
    "trim": Function(_STRING, (_TEXT, _TEXT), _trim),
    "trim_start": Function(_STRING, (_TEXT, _TEXT), _trim_start),
    "trim_end": Function(_STRING, (_TEXT, _TEXT), _trim_end),
    "indexof": Function(_LONG, (_TEXT, _TEXT, _WHOLE), _index_of, optional=1),
    "countof": Function(_LONG, (_TEXT, _TEXT), _count_of),
    "reverse": Function(_STRING, (_TEXT,), lambda text: text[::-1]),
    "hash_sha256": Function(_STRING, (_ANY_TEXT,), lambda text: hashlib.sha256(text.encode()).hexdigest()),
    "base64_encode_tostring": Function(_STRING, (_TEXT,), lambda text: base64.b64encode(text.encode()).decode()),
    "base64_decode_tostring": Function(_STRING, (_TEXT,), _decode),
    "url_encode": Function(_STRING, (_TEXT,), lambda text: quote(text, safe="")),
    "url_decode": Function(_STRING, (_TEXT,), unquote),
    "tostring": Function(_STRING, (_ANY_TEXT,), lambda text: text),
    "toint": Function(Type.INT, (_ANY,), v.to_long),
    "tolong": Function(_LONG, (_ANY,), v.to_long),
    "todouble": Function(_REAL, (_ANY,), v.to_real),
    "toreal": Function(_REAL, (_ANY,), v.to_real),
    "tobool": Function(_BOOL, (_ANY,), v.to_bool),
    "toboolean": Function(_BOOL, (_ANY,), v.to_bool),
    "toguid": Function(Type.GUID, (_ANY,), v.to_guid),
    "isempty": Function(_BOOL, (_ANY,), _is_empty, takes_null=True),
    "isnotempty": Function(_BOOL, (_ANY,), lambda value: not _is_empty(value), takes_null=True),
    "isnull": Function(_BOOL, (_ANY,), lambda value: value is None, takes_null=True),
    "isnotnull": Function(_BOOL, (_ANY,), lambda value: value is not None, takes_null=True),
    "not": Function(_BOOL, (Kind.BOOL,), lambda value: not value),
    "round": Function(_REAL, (_NUMBER, _WHOLE), _round, optional=1),
    "ceiling": Function(_LONG, (_NUMBER,), math.ceil),
    "sqrt": Function(_REAL, (_NUMBER,), lambda value: math.sqrt(value) if value >= 0 else math.nan),
    "pow": Function(_REAL, (_NUMBER, _NUMBER), math.pow),
}
