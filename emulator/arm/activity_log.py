"""The activity log: the successful writes, deletions and actions that Event Grid hears about, for 90 days.

https://learn.microsoft.com/rest/api/monitor/activity-logs/list
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from emulator.arm.call import Answer, Call, page
from emulator.errors import AzureError
from emulator.ids import ResourcePath, key_of

type Json = dict[str, Any]

_TERM = re.compile(
    r"(?P<name>eventTimestamp|resourceGroupName|resourceUri|resourceProvider|correlationId|resourceId)"
    r"\s+(?P<sign>ge|le|eq)\s+'?(?P<value>[^' ]*)'?",
    re.IGNORECASE,
)
_CLAIM = "http://schemas.microsoft.com/identity/claims/objectidentifier"


class ActivityLog:
    def __init__(self) -> None:
        self._events: list[Json] = []

    def add(self, event: Json) -> None:
        self._events.append(event)

    def get(self, call: Call) -> Answer:
        """The newest first."""
        text = call.query.get("$filter", "")
        terms = list(_terms(text))
        if not any(name == "eventtimestamp" and sign == "ge" for name, sign, _ in terms):
            raise AzureError(400, "BadRequest", "The $filter needs an eventTimestamp to start from.")
        within = f"/subscriptions/{call.path.subscription}/".lower()
        shown = (_shown(event) for event in reversed(self._events) if key_of(event["subject"]).startswith(within))
        return page(call, [one for one in shown if all(_holds(one, *term) for term in terms)])


def _terms(text: str) -> Iterator[tuple[str, str, str]]:
    for term in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE):
        found = _TERM.fullmatch(term.strip())
        if found is None:
            raise AzureError(400, "BadRequest", f"The $filter '{text}' is not supported.")
        yield found["name"].lower(), found["sign"].lower(), found["value"]


def _holds(shown: Json, name: str, sign: str, value: str) -> bool:
    if name == "eventtimestamp":
        here, there = datetime.fromisoformat(shown["eventTimestamp"]), datetime.fromisoformat(value)
        there = there if there.tzinfo else there.replace(tzinfo=UTC)
        return here >= there if sign == "ge" else here <= there
    held = {
        "resourcegroupname": shown["resourceGroupName"],
        "resourceuri": shown["resourceId"],
        "resourceid": shown["resourceId"],
        "resourceprovider": shown["resourceProviderName"]["value"],
        "correlationid": shown["correlationId"],
    }
    return bool(sign == "eq" and held[name].lower() == value.lower())


def _shown(event: Json) -> Json:
    data, time = event["data"], event["eventTime"]
    path = ResourcePath.parse(event["subject"])
    words = {
        "operationName": data["operationName"],
        "resourceProviderName": data["resourceProvider"],
        "resourceType": path.type,
        "status": "Succeeded",
        "category": "Administrative",
    }
    return {
        **{name: {"value": word, "localizedValue": word} for name, word in words.items()},
        "id": f"{event['subject']}/events/{event['id']}",
        "eventDataId": event["id"],
        "authorization": {"action": data["operationName"], "scope": event["subject"]},
        "caller": data["claims"][_CLAIM],
        "correlationId": data["correlationId"],
        "eventTimestamp": time,
        "submissionTimestamp": time,
        "level": "Informational",
        "resourceGroupName": path.resource_group or "",
        "resourceId": event["subject"],
        "subscriptionId": data["subscriptionId"],
        "tenantId": data["tenantId"],
    }
