"""`/runtime/webhooks/EventGrid`, as the host's Event Grid extension answers it.

Follows EventGridExtensionConfigProvider and HttpRequestProcessor of Microsoft.Azure.WebJobs.Extensions.EventGrid
(Azure/azure-sdk-for-net, sdk/eventgrid): one invocation for each element, all at once, and 500 if any of them fails. It
differs in one thing. If a body cannot be parsed, the extension lets the exception through, which the host turns into a
500. Here it is a 400, so that Event Grid does not send again what cannot get better.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from emulator.functions.channel import Function, Invocation, InvocationError

# An event is at most 1 MB, and so is a batch if possible (learn.microsoft.com/azure/event-grid/delivery-and-retry,
# output batching). The rest is room for what the envelope adds.
MAX_BODY = 1536 * 1024

Invoke = Callable[[Invocation], Awaitable[None]]


class EventGridWebhook:
    """The endpoint of all functions with an Event Grid trigger, by name."""

    def __init__(self, functions: Mapping[str, Function], invoke: Invoke) -> None:
        self._functions = functions
        self._invoke = invoke

    async def post(self, request: web.Request) -> web.Response:
        name = request.query.get("functionName", "")
        if name not in self._functions:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        match request.headers.get("aeg-event-type", "").lower():
            case "subscriptionvalidation":
                return await self._validate(request)
            case "notification":
                return await self._notify(self._functions[name], request)
            case "unsubscribe":
                return web.Response(status=202)
            case _:
                return web.Response(status=400)

    async def options(self, request: web.Request) -> web.Response:
        """The handshake of CloudEvents: github.com/cloudevents/spec/blob/v1.0/http-webhook.md#4-abuse-protection."""
        name = request.query.get("functionName", "")
        origin = request.headers.get("WebHook-Request-Origin")
        if name not in self._functions:
            return web.Response(status=404, text=f"cannot find function: '{name}'")
        if not origin:
            return web.Response(status=400)
        rate = request.headers.get("WebHook-Request-Rate", "*")
        return web.Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": rate})

    async def _validate(self, request: web.Request) -> web.Response:
        try:
            code = _validation_code(await _events(request))
        except (ValueError, LookupError, TypeError) as error:
            return web.Response(status=400, text=str(error))
        return web.json_response({"validationResponse": code})

    async def _notify(self, function: Function, request: web.Request) -> web.Response:
        try:
            events = await _events(request)
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        results = await asyncio.gather(
            *(self._invoke(Invocation(function, ("json", json.dumps(event)))) for event in events),
            return_exceptions=True,
        )
        for failure in filter(None, results):
            if not isinstance(failure, InvocationError):
                raise failure
            return web.Response(status=500, text=failure.message)
        return web.Response(status=202)


async def _events(request: web.Request) -> list[dict[str, Any]]:
    """The elements of a delivery, or its one event.

    Raises ValueError if it contains anything other than JSON objects.
    """
    try:
        body = json.loads(await request.read())
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    events = body if isinstance(body, list) else [body]
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("the body is neither a JSON object nor an array of JSON objects")
    return events


def _validation_code(events: list[dict[str, Any]]) -> str:
    data = events[0]["data"]
    if isinstance(data, str):  # a CloudEvent's value comes encoded twice
        data = json.loads(data)
    return str(data["validationCode"])
