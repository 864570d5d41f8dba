"""Reads raw ARM JSON without trusting its shape: a missing key, a null and a wrong type are all `None`."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.access.names import GROUP, LONGEST, complaint
from shared.access.scope import InvalidScopeError, Scope

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DIGITS = re.compile(r"([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")
# What can stand for a principal in a filter and in a command. ARM writes GUIDs, sometimes without their dashes.
_OBJECT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def get(raw: object, *path: str) -> Any:
    for key in path:
        if not isinstance(raw, dict):  # JSON gives a dict; checking for the abstract Mapping takes ten times as long
            return None
        raw = raw.get(key)
    return raw


def text(raw: object, *path: str) -> str | None:
    value = get(raw, *path)
    return value if isinstance(value, str) and value else None


def principal_id(raw: object, *path: str) -> str | None:
    """An `object_id`. None also for a value that cannot be one."""
    value = get(raw, *path)
    return object_id(value) if is_object_id(value) else None


def is_object_id(value: object) -> bool:
    return isinstance(value, str) and _OBJECT_ID.fullmatch(value) is not None


def object_id(value: object) -> str:
    """The one form in which principals are compared: lower case, with dashes.

    ARM was recorded to write 32 hex digits without dashes, some in upper case (deny assignments, version
    2018-07-01-preview; the evidence of events). Microsoft's documents have dashes.
    """
    written = str(value).casefold()
    if len(written) != 32:
        return written
    digits = _DIGITS.fullmatch(written)
    return "-".join(digits.groups()) if digits else written


def flag(raw: object, *path: str) -> bool | None:
    """JSON booleans. Azure Resource Notifications and Resource Graph also write 0 and 1."""
    value = get(raw, *path)
    return bool(value) if isinstance(value, bool | int) else None


def rows(raw: object, *path: str) -> Sequence[Any]:
    value = get(raw, *path)
    return value if isinstance(value, list) else ()


def scope(value: object) -> Scope:
    """An id that ARM would look up. Raises `InvalidScopeError`, also for a text that only looks like an id.

    ARM refuses to read in a subscription whose id is not a GUID.
    """
    found = Scope.parse(value)
    if found.subscription and not is_guid(found.subscription.name):
        raise InvalidScopeError("its subscription is not a GUID")
    if max(map(len, found.segments), default=0) > LONGEST:
        raise InvalidScopeError(f"a name in it is longer than {LONGEST} characters")
    return found


def is_guid(value: object) -> bool:
    return isinstance(value, str) and _GUID.fullmatch(value) is not None


def is_group_name(value: object) -> bool:
    return isinstance(value, str) and complaint(GROUP, value) is None


def scope_or_none(value: object) -> Scope | None:
    """For ids that a user of the workspace may write freely. None for what is not an ARM id."""
    try:
        return scope(value)
    except InvalidScopeError:
        return None


def time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def parsed(told: str) -> Any:
    """JSON that somebody wrote into a text. Raises `ValueError`, also where it is nested without end."""
    try:
        return json.loads(told)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_storable(value: object) -> None:
    """Raises `ValueError` for half of a UTF-16 pair, wherever it stands: no document, queue or log takes it."""
    json.dumps(value, ensure_ascii=False, default=str).encode()


def misshapen(raw: object) -> bool:
    """Whether a resource says nothing of itself, because its properties are no object."""
    return get(raw, "properties") is not None and not isinstance(get(raw, "properties"), Mapping)


def tags(raw: object) -> dict[str, str]:
    """Names are in lower case, as Azure compares them. Values are unchanged."""
    found = get(raw, "tags")
    return {str(name).casefold(): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}
