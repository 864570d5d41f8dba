"""What every request passes before its handler: the log, faults, latency."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.http.bodies import json_response
from emulator.http.faults import Fault, Faults
from emulator.http.request_log import LoggedRequest, RequestLog
from emulator.identity.tokens import Tokens
from emulator.seeded_values import SeededValues

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CORRELATION_ID = web.RequestKey("correlation_id", str)
QUERIED = web.RequestKey("queried", dict[str, Any])
OPERATION_ENDS = web.RequestKey("operation_ends", str)
CONTROL = "/_local/"
# recorded of a poll of an Azure Machine Learning operation
_HTML = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n<hr></body>\r\n</html>\r\n"
)

_LOG = logging.getLogger(__name__)


class Middlewares:
    def __init__(
        self,
        clock: Clock,
        made_up: SeededValues,
        tokens: Tokens,
        requests: RequestLog,
        faults: Faults,
        latency_ms: float,
    ) -> None:
        self._clock = clock
        self._made_up = made_up
        self._tokens = tokens
        self._requests = requests
        self._faults = faults
        self._latency = latency_ms / 1000

    def all(self) -> tuple[Any, ...]:
        """In the order in which a request meets them."""
        return *self.without_latency(), self.delay

    def without_latency(self) -> tuple[Any, ...]:
        return self.answer, self.strike

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Logs the call and gives every answer, refusals and failures too, the headers that Azure gives."""
        started, moment = time.perf_counter(), self._clock.now()
        correlation = request.headers.get("x-ms-correlation-request-id") or self._made_up.another("request")
        request[CORRELATION_ID] = correlation
        response = await self._handled(request, handler)
        response.headers["x-ms-request-id"] = self._made_up.another("request")
        response.headers["x-ms-correlation-request-id"] = correlation
        response.headers["Date"] = format_datetime(self._clock.now(), usegmt=True)
        if not request.path.startswith(CONTROL):
            dropped = request.transport is None or request.transport.is_closing()
            status = 0 if dropped else response.status
            duration = round((time.perf_counter() - started) * 1000, 3)
            who, queried = self._who(request), request.get(QUERIED)
            self._requests.add(
                LoggedRequest(request.method, request.path_qs, who, status, moment.isoformat(), duration, queried)
            )
        return response

    @web.middleware
    async def strike(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(CONTROL):
            for fault in self._faults.strike(request.method, request.path_qs, self._who(request)):
                await asyncio.sleep(fault.delay_ms / 1000)
                if fault.operation is not None:
                    request[OPERATION_ENDS] = fault.operation
                if fault.after:
                    await self._handled(request, handler)
                if fault.drop and request.transport is not None:
                    request.transport.abort()
                    return web.Response(status=503)
                if fault.status is not None:
                    return _spoiled(fault, fault.status)
        return await handler(request)

    @web.middleware
    async def delay(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What the handler takes is a part of the latency, so that a slow local Azure is no slow Azure."""
        if not self._latency or request.path.startswith(CONTROL):
            return await handler(request)
        until = time.perf_counter() + self._latency
        try:
            return await handler(request)
        finally:
            await asyncio.sleep(until - time.perf_counter())

    async def _handled(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except AzureError as error:
            return json_response(error.status, error.body(), error.headers)
        except web.HTTPException as error:
            body = {"error": {"code": error.reason.replace(" ", ""), "message": error.text or error.reason}}
            return json_response(error.status, body)
        except Exception:  # noqa: BLE001 - whatever went wrong, the caller gets an answer and the log the reason
            _LOG.exception("%s %s failed", request.method, request.path)
            message = "The local Azure failed; its log says why."
            return json_response(500, {"error": {"code": "InternalServerError", "message": message}})

    def _who(self, request: web.Request) -> str:
        caller = self._tokens.claimed(request.headers.get("Authorization"))
        if caller is None:
            return ""
        return "operator" if caller.operator else caller.object_id


def _spoiled(fault: Fault, status: int) -> web.Response:
    if fault.body is not None:
        headers = {"Content-Type": "application/json", **fault.headers}
        return web.Response(status=status, body=fault.body, headers=headers)
    if fault.html:
        text = _HTML.format(f"{status} {HTTPStatus(status).phrase}")
        return web.Response(status=status, text=text, content_type="text/html", headers=fault.headers)
    error = fault.error()
    assert error is not None
    raise error
