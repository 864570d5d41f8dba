"""Reading raw ARM JSON without trusting its shape: a missing key, a null and a wrong type are all `None`."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.access.scope import InvalidScopeError, Scope

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DIGITS = re.compile(r"([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")


def get(raw: object, *path: str) -> Any:
    for key in path:
        if not isinstance(raw, dict):  # as JSON is read; the abstract Mapping takes ten times as long to tell
            return None
        raw = raw.get(key)
    return raw


def text(raw: object, *path: str) -> str | None:
    value = get(raw, *path)
    return value if isinstance(value, str) and value else None


def scope(raw: object, *path: str) -> Scope | None:
    """Absent, null and empty mean that there is none; anything else must be an ARM id."""
    value = get(raw, *path)
    return Scope.parse(value) if value not in (None, "") else None


def object_id(value: object) -> str:
    """The one form in which principals are compared: lower case, with dashes.

    ARM was recorded to write 32 hex digits without dashes, some in upper case (deny assignments, version
    2018-07-01-preview; the evidence of events); Microsoft's documents write dashes.
    """
    written = str(value).casefold()
    if len(written) != 32:
        return written
    digits = _DIGITS.fullmatch(written)
    return "-".join(digits.groups()) if digits else written


def is_guid(value: str) -> bool:
    return _GUID.fullmatch(value) is not None


def flag(raw: object, *path: str) -> bool | None:
    """JSON booleans; Azure Resource Notifications and Resource Graph also write 0 and 1."""
    value = get(raw, *path)
    return bool(value) if isinstance(value, bool | int) else None


def rows(raw: object, *path: str) -> Sequence[Any]:
    value = get(raw, *path)
    return value if isinstance(value, list) else ()


def scope_or_none(value: object) -> Scope | None:
    """For ids that a user of the workspace may write freely: what is not an ARM id leads nowhere.

    Nor does what only looks like one: ARM refuses to read in a subscription whose id is no GUID.
    """
    try:
        found = Scope.parse(value)
    except InvalidScopeError:
        return None
    subscription = found.subscription
    return found if subscription is None or is_guid(subscription.name) else None


def time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def tags(raw: object) -> dict[str, str]:
    """Names in lower case, as Azure compares them; values as they are."""
    found = get(raw, "tags")
    return {str(name).casefold(): str(value) for name, value in found.items()} if isinstance(found, Mapping) else {}
