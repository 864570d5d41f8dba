"""What every request passes before its handler: the log, faults, latency."""

import asyncio
import time
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from emulator.clock import Clock
from emulator.http.bodies import handled
from emulator.http.request_log import LoggedRequest, RequestLog
from emulator.http.seen import Seen
from emulator.http.striking import SENT, SKEW, Handler, Strikes
from emulator.identity.tokens import Tokens
from emulator.seeded_values import SeededValues

CORRELATION_ID = web.RequestKey("correlation_id", str)
QUERIED = web.RequestKey("queried", dict[str, Any])
CONTROL = "/_local/"


class Middlewares:
    def __init__(
        self,
        clock: Clock,
        made_up: SeededValues,
        tokens: Tokens,
        requests: RequestLog,
        strikes: Strikes,
        latency_ms: float,
        seen: Seen | None = None,
    ) -> None:
        self._clock = clock
        self._made_up = made_up
        self._tokens = tokens
        self._requests = requests
        self._strikes = strikes
        self._latency = latency_ms / 1000
        self._seen = seen

    def all(self) -> tuple[Any, ...]:
        """In the order in which a request meets them."""
        return *self.without_latency(), self.delay

    def without_latency(self) -> tuple[Any, ...]:
        return self.answer, self.strike

    def unlogged(self) -> tuple[Any, ...]:
        """For what the Functions host asks again and again."""
        return (self.strike,)

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Logs the call and gives every answer, including refusals and failures, the headers that Azure gives."""
        started, moment = time.perf_counter(), self._clock.now()
        correlation = request.headers.get("x-ms-correlation-request-id") or self._made_up.another("request")
        request[CORRELATION_ID] = correlation
        response = await handled(request, handler)
        if not response.prepared:
            response.headers["x-ms-request-id"] = self._made_up.another("request")
            response.headers["x-ms-correlation-request-id"] = correlation
            response.headers["Date"] = format_datetime(self._clock.now() + request.get(SKEW, timedelta()), usegmt=True)
        if (
            self._seen
            and isinstance(response, web.Response)
            and isinstance(response.body, bytes)
            and response.status < 300
        ):
            self._seen.note(response.body, request.query.get("api-version", ""))
        if not request.path.startswith(CONTROL):
            cut = request.transport is None or request.transport.is_closing()
            status = 0 if cut and not request.get(SENT) else response.status
            duration = round((time.perf_counter() - started) * 1000, 3)
            who, queried = self._who(request), request.get(QUERIED)
            self._requests.add(
                LoggedRequest(request.method, request.path_qs, who, status, moment.isoformat(), duration, queried)
            )
        return response

    @web.middleware
    async def strike(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith(CONTROL):
            return await handler(request)
        return await self._strikes.struck(request, handler, self._who(request))

    @web.middleware
    async def delay(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The handler's own time is a part of the latency, so a slow local Azure does not look like a slow Azure."""
        if not self._latency or request.path.startswith(CONTROL):
            return await handler(request)
        until = time.perf_counter() + self._latency
        try:
            return await handler(request)
        finally:
            await asyncio.sleep(until - time.perf_counter())

    def _who(self, request: web.Request) -> str:
        caller = self._tokens.claimed(request.headers.get("Authorization"))
        if caller is None:
            return ""
        return "operator" if caller.operator else caller.object_id
