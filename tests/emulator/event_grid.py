"""Event Grid events about changes to resources, in both schemas: `tests/deliveries`, filled in."""

import itertools
import json
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenants import TENANT_ID, oid

type Json = dict[str, Any]

_DELIVERIES = Path(__file__).parents[1] / "deliveries"
_numbers = itertools.count(1)
TIME = "2026-11-20T09:30:00.1234567Z"
CANARY = "canary-jane.doe"
"""In everything that an event tells about the person who caused it."""


def event(resource: str, verb: str = "write", *, caller: str | None = None, correlation: str = "") -> Json:
    """Of the Event Grid schema: a resource was written, deleted or acted upon."""
    namespace, *words = resource.rpartition("/providers/")[2].split("/")
    who = caller or oid("someone")
    return _delivery(
        "resource-event",
        resource=resource,
        Verb=verb.capitalize(),
        time=TIME,
        id=_new_id(),
        operation="/".join((namespace, *words[::2], verb)),
        provider=namespace,
        caller=who,
        callerWithoutDashes=who.replace("-", ""),
        correlation=correlation or _new_id(),
        request=_new_id(),
        subscription=_subscription(resource),
        tenant=TENANT_ID,
        canary=CANARY,
    )


def cloud_event(resource: str, verb: str = "write", **options: Any) -> Json:
    """The same of the CloudEvents 1.0 schema."""
    one = event(resource, verb, **options)
    return {
        "specversion": "1.0",
        "id": one["id"],
        "source": one["topic"],
        "subject": one["subject"],
        "type": one["eventType"],
        "time": one["eventTime"],
        "data": one["data"],
    }


def notification(resource: Json) -> Json:
    """Of Azure Resource Notifications, which tell no caller and write booleans as 0 and 1."""
    said = resource["properties"].items()
    properties = {key: int(value) if isinstance(value, bool) else value for key, value in said}
    known = {key: resource[key] for key in ("name", "type", "location")}
    where = {"resource": resource["id"], "subscription": _subscription(resource["id"])}
    return _delivery("notification", **where, **known, properties=properties, id=_new_id(), time=TIME)


def cloud_notification(resource: Json) -> Json:
    one = notification(resource)
    kept = {key: one[key] for key in ("id", "subject", "data")}
    return {**kept, "specversion": "1.0", "source": one["topic"], "type": one["eventType"], "time": one["eventTime"]}


def _delivery(name: str, /, **values: Any) -> Json:
    filled: Json = _filled(json.loads((_DELIVERIES / f"{name}.json").read_text(encoding="utf-8")), values)
    return filled


def _filled(raw: Any, values: Mapping[str, Any]) -> Any:
    """A text that is nothing but a name in braces becomes the value itself."""
    match raw:
        case dict():
            return {key: _filled(one, values) for key, one in raw.items()}
        case str() if raw.strip("{}") in values and raw == f"{{{raw.strip('{}')}}}":
            return values[raw[1:-1]]
        case str():
            return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), raw)
    return raw


def _subscription(resource: str) -> str:
    return resource.split("/")[2] if resource.lower().startswith("/subscriptions/") else ""


def _new_id() -> str:
    return str(uuid.UUID(int=next(_numbers)))
