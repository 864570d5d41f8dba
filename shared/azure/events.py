"""Reads from Event Grid deliveries, in either schema, what amlguard needs. azure-eventgrid's own types parse them.

No event contains the resource: it only says where to look (law 1). From the claims amlguard takes only the caller's
object id. It leaves out names, addresses and tokens (law 11).
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, SystemEventNames

from shared.access.raw import is_guid, object_id
from shared.access.scope import InvalidScopeError, Scope

_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
# Unreserved characters (RFC 3986, 2.3). Only somebody with something to hide encodes them.
_NEEDLESS = re.compile(r"%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE)
# https://www.rfc-editor.org/rfc/rfc3339#section-5.6: CloudEvents ask for it, and the Event Grid schema for UTC.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_KINDS: Mapping[str, str] = {
    SystemEventNames.ResourceWriteSuccessEventName: "write",
    SystemEventNames.ResourceDeleteSuccessEventName: "delete",
    "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated": "write",
    "Microsoft.ResourceNotifications.Resources.Deleted": "delete",
}


class MalformedEventError(ValueError):
    """Not an event, or one about something that is not an ARM id. The message quotes nothing of the event."""


@dataclass(frozen=True, slots=True)
class ResourceEvent:
    """`kind` is write or delete. `caller` is an object id in lower case, or empty if the event names none."""

    kind: str
    scope: Scope
    caller: str
    correlation_id: str
    time: datetime | None


def read(raw: object) -> ResourceEvent | None:
    """None for events of other types (actions, failures, cancellations). Raises `MalformedEventError`."""
    if not isinstance(raw, Mapping):
        raise MalformedEventError("an event is an object")
    time = _time(raw.get("time" if "specversion" in raw else "eventTime"))
    kind, subject, data = _cloud_event(raw) if "specversion" in raw else _event_grid_event(raw)
    if not kind:
        raise MalformedEventError("the event names no type")
    if kind not in _KINDS:
        return None
    if not isinstance(data, Mapping):
        raise MalformedEventError("the event's data is not an object")
    try:
        scope = Scope.parse(_decoded(_resource(data) or subject))
    except InvalidScopeError as error:
        raise MalformedEventError(f"the event names no resource: {error}") from None
    return ResourceEvent(_KINDS[kind], scope, _caller(data), _correlation(data.get("correlationId")), time)


def _event_grid_event(raw: Mapping[str, Any]) -> tuple[str, object, object]:
    try:
        event = EventGridEvent.from_dict(dict(raw))
    except Exception:  # noqa: BLE001 - whatever the library fails with
        raise MalformedEventError("not an event of the Event Grid schema") from None
    # Its own event_type would be text, whatever was sent.
    return _text(raw.get("eventType")), event.subject, event.data


def _cloud_event(raw: Mapping[str, Any]) -> tuple[str, object, object]:
    try:  # without its time, which `_time` has read: the library knows no small letters
        event: CloudEvent[Any] = CloudEvent.from_dict({key: part for key, part in raw.items() if key != "time"})
    except Exception:  # noqa: BLE001 - whatever the library fails with
        raise MalformedEventError("not an event of the CloudEvents schema") from None
    return _text(event.type), event.subject, event.data


def _resource(data: Mapping[str, Any]) -> object:
    info = data.get("resourceInfo")
    return info.get("id") if isinstance(info, Mapping) else data.get("resourceUri")


def _decoded(resource: object) -> object:
    """The id as ARM spells it. An event may spell it as the URL that was called.

    Microsoft's pages call it a path, and a URI (learn.microsoft.com/azure/event-grid/event-schema-subscriptions), and
    show none with a blank. No name contains a %, so it can mean nothing else. A character that needs no encoding must
    not be encoded. Raises `InvalidScopeError`.
    """
    if not isinstance(resource, str) or "%" not in resource:
        return resource
    try:
        decoded = unquote(resource, errors="strict")
    except UnicodeDecodeError:
        raise InvalidScopeError("it is encoded, but not as UTF-8") from None
    if decoded.count("/") != resource.count("/") or _NEEDLESS.search(resource):
        raise InvalidScopeError("it encodes a character that needs no encoding, or a separator")
    return decoded


def _caller(data: Mapping[str, Any]) -> str:
    claims = data.get("claims")
    named = _text(claims.get(_OBJECT_ID)) if isinstance(claims, Mapping) else ""
    authorization = data.get("authorization")
    evidence = authorization.get("evidence") if isinstance(authorization, Mapping) else None
    principal = _text(evidence.get("principalId")) if isinstance(evidence, Mapping) else ""
    return next((found for one in (named, principal) if is_guid(found := object_id(one))), "")


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 128 else ""


def _correlation(value: object) -> str:
    """Azure's are GUIDs. A sender made up anything else, so it is not recorded, and another id takes its place."""
    if value is None or value == "":
        return ""
    return str(value) if is_guid(value) else str(uuid.uuid4())


def _time(value: object) -> datetime | None:
    """None if the event leaves it out. Raises `MalformedEventError` if it is not a time (RFC 3339)."""
    if value is None:
        return None
    try:
        if isinstance(value, str) and _TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper())  # RFC 3339 allows small letters
    except ValueError:
        pass
    raise MalformedEventError("the time of the event is not a time")
