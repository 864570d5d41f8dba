"""Event Grid events, in both schemas, as Azure publishes them about changes to resources."""

import itertools
import uuid
from typing import Any

from tenants import TENANT_ID, oid

type Json = dict[str, Any]

_numbers = itertools.count(1)
_CLAIM = "http://schemas.microsoft.com/identity/claims/"
_PERSON = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
TIME = "2026-11-20T09:30:00.1234567Z"
CANARY = "canary-jane.doe"
"""In everything that an event tells about the person who caused it."""


def event(resource: str, verb: str = "write", *, caller: str | None = None, correlation: str = "") -> Json:
    """Of the Event Grid schema: a resource was written, deleted or acted upon."""
    subscription = resource.split("/")[2] if resource.lower().startswith("/subscriptions/") else ""
    return {
        "subject": resource,
        "eventType": f"Microsoft.Resources.Resource{verb.capitalize()}Success",
        "eventTime": TIME,
        "id": _new_id(),
        "data": _data(resource, verb, caller or oid("someone"), correlation or _new_id(), subscription),
        "dataVersion": "2",
        "metadataVersion": "1",
        "topic": f"/subscriptions/{subscription}",
    }


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
    subscription = resource["id"].split("/")[2]
    return {
        "id": _new_id(),
        "topic": f"/subscriptions/{subscription}",
        "subject": resource["id"],
        "data": {
            "resourceInfo": {
                "tags": {},
                **{key: resource[key] for key in ("id", "name", "type", "location")},
                "properties": {
                    key: int(value) if isinstance(value, bool) else value
                    for key, value in resource["properties"].items()
                },
            },
            "apiVersion": "2025-12-01",
            "operationalInfo": {"resourceEventTime": TIME},
        },
        "eventType": "Microsoft.ResourceNotifications.Resources.CreatedOrUpdated",
        "dataVersion": "1",
        "metadataVersion": "1",
        "eventTime": TIME,
    }


def cloud_notification(resource: Json) -> Json:
    one = notification(resource)
    kept = {key: one[key] for key in ("id", "subject", "data")}
    return {**kept, "specversion": "1.0", "source": one["topic"], "type": one["eventType"], "time": one["eventTime"]}


def _data(resource: str, verb: str, caller: str, correlation: str, subscription: str) -> Json:
    namespace, *words = resource.rpartition("/providers/")[2].split("/")
    operation = "/".join((namespace, *words[::2], verb))
    return {
        "authorization": {
            "scope": resource,
            "action": operation,
            "evidence": {"role": "Owner", "principalId": caller.replace("-", ""), "principalType": "User"},
        },
        "claims": {
            "aud": "https://management.core.windows.net/",
            "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            "ipaddr": f"203.0.113.7 {CANARY}",
            "name": f"{CANARY} Doe",
            f"{_CLAIM}objectidentifier": caller,
            f"{_PERSON}givenname": CANARY,
            f"{_PERSON}surname": CANARY,
            f"{_PERSON}upn": f"{CANARY}@contoso.example",
            f"{_PERSON}name": f"{CANARY}@contoso.example",
            "puid": CANARY,
        },
        "correlationId": correlation,
        "httpRequest": {
            "clientRequestId": _new_id(),
            "clientIpAddress": f"203.0.113.7 {CANARY}",
            "method": "PUT",
            "url": f"https://management.azure.com{resource}?api-version=2025-12-01",
        },
        "resourceProvider": namespace,
        "resourceUri": resource,
        "operationName": operation,
        "status": "Succeeded",
        "subscriptionId": subscription,
        "tenantId": TENANT_ID,
    }


def _new_id() -> str:
    return str(uuid.UUID(int=next(_numbers)))
