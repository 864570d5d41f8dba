"""Event Grid topics that take CloudEvents: what is sent to them stays there, for whoever wants to see it.

https://learn.microsoft.com/azure/event-grid/post-to-custom-topic has the address, the api-version and the statuses: 400
for what has the wrong form, 401 for credentials, 404 for a wrong address, 413 above 1 MB. Only the words of the refusal
of a caller without the role are known (https://github.com/Azure/azure-sdk-for-net/issues/22831: 401 Unauthorized).
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md says what a CloudEvent must have.
"""

import hmac
import json
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from emulator.errors import AzureError
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Audience, Tokens

API_VERSION = "2018-01-01"
MOST_BYTES = 1024 * 1024
_SEND = "Microsoft.EventGrid/events/send/action"
_ONE, _BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_REQUIRED = ("id", "source", "specversion", "type")
_OPTIONAL = ("datacontenttype", "dataschema", "subject", "time")
_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_DATA = ("data", "data_base64")
_KEPT = 100_000

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Topic:
    """`resource` is its ARM id. Without a key it takes only tokens (disableLocalAuth)."""

    resource: str
    key: str = ""
    events: deque[Json] = field(default_factory=lambda: deque(maxlen=_KEPT))


class TopicFront:
    """`topics` by name. The endpoint of each is /topics/{name}/api/events."""

    def __init__(self, topics: dict[str, Topic], tokens: Tokens, rbac: Rbac) -> None:
        self.topics, self._tokens, self._rbac = topics, tokens, rbac

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.post("/topics/{topic}/api/events", self._take)]

    async def _take(self, request: web.Request) -> web.Response:
        topic = self.topics.get(request.match_info["topic"])
        if topic is None:
            raise AzureError(404, "NotFound", "The topic does not exist.")
        self._require(request, topic)
        if request.query.get("api-version") != API_VERSION:
            raise AzureError(400, "BadRequest", f"The api-version is not {API_VERSION}.")
        topic.events.extend(await _events(request))
        return web.Response(status=200)

    def _require(self, request: web.Request, topic: Topic) -> None:
        if "aeg-sas-key" in request.headers:
            if not topic.key or not hmac.compare_digest(request.headers["aeg-sas-key"], topic.key):
                raise AzureError(401, "Unauthorized", "The request authorization key is not authorized.")
            return
        caller = self._tokens.verify(request.headers.get("Authorization"), Audience.EVENT_GRID)
        if not caller.operator and not self._rbac.allowed(caller.object_id, _SEND, topic.resource, data=True):
            message = (
                "The principal associated with access token presented with the incoming request does not have "
                f"permission to send data to {topic.resource}."
            )
            raise AzureError(401, "Unauthorized", message)


async def _events(request: web.Request) -> list[Json]:
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = b" " * (MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise AzureError(413, "RequestEntityTooLarge", f"The request is larger than {MOST_BYTES} bytes.")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _malformed("it is not JSON") from None
    kind = request.content_type
    if kind not in (_ONE, _BATCH) or isinstance(document, list) != (kind == _BATCH):
        raise _malformed(f"it is not what the content type {kind} says")
    found = document if isinstance(document, list) else [document]
    for one in found:
        _check(one)
    return found


def _check(one: Any) -> None:
    if not isinstance(one, dict):
        raise _malformed("an event is no object")
    for name in _REQUIRED:
        if not isinstance(one.get(name), str) or not one[name]:
            raise _malformed(f"{name} is missing, or no text")
    if one["specversion"] != "1.0":
        raise _malformed("specversion is not 1.0")
    if all(one.get(name) is not None for name in _DATA):
        raise _malformed("it has both data and data_base64")
    for name in one.keys() - set(_DATA):
        if not _ATTRIBUTE.fullmatch(name):
            raise _malformed(f"an attribute has the name {name}")
        if name in _OPTIONAL and one[name] is not None and not isinstance(one[name], str):
            raise _malformed(f"{name} is no text")
    _check_time(one.get("time"))


def _check_time(said: str | None) -> None:
    try:
        datetime.fromisoformat(said or "2026-01-01")
    except ValueError:
        raise _malformed("time is no moment") from None


def _malformed(what: str) -> AzureError:
    return AzureError(400, "BadRequest", f"This resource is configured for CloudEvents of schema 1.0: {what}.")
