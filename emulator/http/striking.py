"""Plays faults on the requests that they strike."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

from aiohttp import web

from emulator.clock import Clock
from emulator.faults.act import PAGES, Act
from emulator.faults.faults import Faults
from emulator.faults.spoil import EndlessPages, spoilt
from emulator.http.bodies import handled, json_body, json_response, xml_response

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPERATION_ENDS = web.RequestKey("operation_ends", str)
TOKEN_SECONDS = web.RequestKey("token_seconds", int)
SKEW = web.RequestKey("skew", timedelta)
SENT = web.RequestKey("sent", bool)
_ENDPOINTS = (
    ("/providers/microsoft.resourcegraph/", "graph"),
    ("/v1/workspaces/", "query"),
    ("/ingestion/", "ingestion"),
    ("/msi/", "token"),
    ("/metadata/", "metadata"),
    ("/topics/", "topic"),
    ("/queue/", "queue"),
    ("/blob/", "blob"),
    ("/v2", "telemetry"),
    ("/quickpulse", "telemetry"),
)
_STORAGE = ("queue", "blob")
# recorded for a poll of an Azure Machine Learning operation
_HTML = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n<hr></body>\r\n</html>\r\n"
)
# What the caller does with an answer before it dies takes a moment.
_ARRIVES_SECONDS = 0.05


class Strikes:
    """`change` changes the tenant. `kill` ends a worker process or the whole Functions host."""

    def __init__(
        self,
        faults: Faults,
        clock: Clock,
        change: Callable[[Mapping[str, Any]], None],
        kill: Callable[[str], Awaitable[None]],
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._change = change
        self._kill = kill
        self._pages = EndlessPages()

    async def struck(self, request: web.Request, handler: Handler, who: str) -> web.StreamResponse:
        """The answer to the request, by the handler or by the fault that struck it."""
        endpoint = _endpoint(request.path)
        if endpoint == "graph" and (page := self._pages.known(await json_body(request))):
            return web.Response(body=page, content_type="application/json")
        response: web.StreamResponse | None = None
        pending = list[Act]()
        for act in self._faults.strike(endpoint, request.method, request.path_qs, who):
            _note(act, request)
            if not act.after:
                await self._happens(act)
                if act.kill or act.drop:
                    return _gone(request)
                response = self._own(act, endpoint)
            if act.after or act.answer or act.connection:
                pending.append(act)
        if response is None:
            response = await (handled(request, handler) if pending else handler(request))
        for act in pending:
            response = await self._ends(act, request, response, endpoint)
            if response.prepared or request.transport is None or request.transport.is_closing():
                break
        return response

    async def _happens(self, act: Act) -> None:
        await asyncio.sleep(act.delay_ms / 1000)
        if act.change is not None:
            self._change(act.change)
        if act.kill:
            await self._kill(act.kill)

    async def _ends(
        self, act: Act, request: web.Request, response: web.StreamResponse, endpoint: str
    ) -> web.StreamResponse:
        """What becomes of an answer that exists already."""
        if act.when == "answer":
            request[SENT] = True
            await response.prepare(request)
            await response.write_eof()
            await asyncio.sleep(_ARRIVES_SECONDS)
            await self._happens(act)
            return response
        if act.when == "effect":
            await self._happens(act)
            if act.kill or act.drop:
                return _gone(request)
            response = self._own(act, endpoint) or response
        if act.answer and isinstance(response, web.Response):
            response = self._spoilt(act, request, response)
        if act.connection and isinstance(response, web.Response):
            return await self._cut(act, request, response)
        return response

    def _own(self, act: Act, endpoint: str) -> web.Response | None:
        """The fault's own answer. None if it has none."""
        status = act.status
        if status is None:
            return None
        if act.body is not None:
            headers = act.sent({"Content-Type": "application/json"}, self._clock.now)
            return web.Response(status=status, body=act.body, headers=headers)
        if act.html:
            text = _HTML.format(f"{status} {HTTPStatus(status).phrase}")
            headers = act.sent({}, self._clock.now)
            return web.Response(status=status, text=text, content_type="text/html", headers=headers)
        error = act.error(self._clock.now)
        assert error is not None
        return xml_response(error) if endpoint in _STORAGE else json_response(status, error.body(), error.headers)

    def _spoilt(self, act: Act, request: web.Request, response: web.Response) -> web.Response:
        body, kind = _bytes(response), response.content_type
        if act.answer in PAGES:
            body = self._pages.spoilt(act.answer, body, f"https://{request.host}{request.path_qs}")
        else:
            made = spoilt(act.answer, body, kind)
            body, kind = made.body, made.content_type
        kept = {name: value for name, value in response.headers.items() if not name.lower().startswith("content-")}
        return web.Response(status=response.status, body=body, headers=kept, content_type=kind)

    async def _cut(self, act: Act, request: web.Request, response: web.Response) -> web.StreamResponse:
        """Sends the part of the answer that arrives. The client is told how long the whole answer would be."""
        body = _bytes(response)
        cut = web.StreamResponse(status=response.status, headers=response.headers)
        cut.headers["Date"] = format_datetime(self._clock.now() + request.get(SKEW, timedelta()), usegmt=True)
        cut.content_length = len(body)
        transport = request.transport
        await cut.prepare(request)
        if act.connection == "slow":
            request[SENT] = True
            await asyncio.sleep(act.stall_ms / 1000)
            await cut.write(body)
            await cut.write_eof()
            return cut
        await cut.write(body[: len(body) // 2])
        if act.connection == "stall":
            await asyncio.sleep(act.stall_ms / 1000)
        if transport is not None:
            await asyncio.sleep(0)  # what was written goes out before the connection is reset
            transport.abort()
        return cut


def _note(act: Act, request: web.Request) -> None:
    """What the handler itself must do differently."""
    if act.operation is not None:
        request[OPERATION_ENDS] = act.operation
    if act.token_seconds is not None:
        request[TOKEN_SECONDS] = act.token_seconds
    if act.skew:
        request[SKEW] = act.skew


def _gone(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _bytes(response: web.Response) -> bytes:
    body = response.body
    assert body is None or isinstance(body, bytes | bytearray)
    return bytes(body or b"")


def _endpoint(path: str) -> str:
    lower = path.lower()
    return next((name for start, name in _ENDPOINTS if lower.startswith(start)), "arm")
