"""Turns event objects of the Functions library back into the delivered event: one handler reads either schema."""

from typing import Any

import azure.functions as func


def raw_event(event: func.EventGridEvent | func.CloudEvent) -> dict[str, Any]:
    """The keys that `shared.azure.events.read` looks at, as Event Grid sent them."""
    if isinstance(event, func.CloudEvent):
        return {
            "specversion": event.specversion,
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time": event.time.isoformat() if event.time else None,
            "data": event.get_json(),
        }
    return {
        "id": event.id,
        "topic": event.topic,
        "subject": event.subject,
        "eventType": event.event_type,
        "eventTime": event.event_time.isoformat() if event.event_time else None,
        "data": event.get_json(),
        "dataVersion": event.data_version,
    }
