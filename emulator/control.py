"""The control routes, which only the operator may use."""

from collections.abc import Callable, Mapping

from aiohttp import web

from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.events import EventGrid
from emulator.faults.errors import FaultsError
from emulator.faults.faults import Faults
from emulator.functions.host import FunctionsHost
from emulator.http.bodies import json_body, json_response
from emulator.http.request_log import RequestLog
from emulator.http.striking import Handler
from emulator.identity.tokens import Audience, Tokens
from emulator.tenant import Tenant
from emulator.topics import Topic


class Control:
    def __init__(
        self,
        tenant: Tenant,
        clock: Clock,
        tokens: Tokens,
        requests: RequestLog,
        faults: Faults,
        events: EventGrid,
        topics: Mapping[str, Topic],
        host: Callable[[], FunctionsHost | None],
    ) -> None:
        """`host` is what runs the app now, if anything does."""
        self._tenant = tenant
        self._clock = clock
        self._tokens = tokens
        self._requests = requests
        self._faults = faults
        self._events = events
        self._topics = topics
        self._host = host

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_local/requests", self._guarded(self._list_requests)),
            web.delete("/_local/requests", self._guarded(self._clear_requests)),
            web.get("/_local/events", self._guarded(self._deliveries)),
            web.get("/_local/running", self._guarded(self._under_way)),
            web.get("/_local/topics/{topic}", self._guarded(self._sent)),
            web.get("/_local/logs/{table}", self._guarded(self._rows)),
            web.post("/_local/faults", self._guarded(self._replace_faults)),
            web.post("/_local/clock", self._guarded(self._advance)),
            web.route("*", "/_local/{rest:.*}", self._guarded(self._unknown)),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            caller = self._tokens.verify(request.headers.get("Authorization"), Audience.ARM)
            if not caller.operator:
                raise AzureError(403, "AuthorizationFailed", "The control routes are for the operator's token only.")
            return await handler(request)

        return guarded

    async def _list_requests(self, _: web.Request) -> web.Response:
        return json_response(200, self._requests.as_json())

    async def _clear_requests(self, _: web.Request) -> web.Response:
        self._requests.clear()
        return web.Response(status=204)

    async def _deliveries(self, _: web.Request) -> web.Response:
        """Event Grid's attempts to deliver, oldest first, with the events as they were sent."""
        return json_response(200, [attempt.as_json() for attempt in self._events.attempts])

    async def _under_way(self, _: web.Request) -> web.Response:
        """What goes on, in which processes, and the number of requests that came since they were last cleared."""
        host = self._host()
        told = {
            "invocations": host.running if host else 0,
            "events": self._events.under_way,
            "requests": len(self._requests),
            "workers": host.worker_ids if host else [],
        }
        return json_response(200, told)

    async def _rows(self, request: web.Request) -> web.Response:
        return json_response(200, self._tenant.logs.get(request.match_info["table"], []))

    async def _sent(self, request: web.Request) -> web.Response:
        """The CloudEvents that were sent to a topic, oldest first."""
        topic = self._topics.get(request.match_info["topic"])
        return json_response(200, list(topic.events) if topic else [])

    async def _replace_faults(self, request: web.Request) -> web.Response:
        try:
            self._faults.replace(await json_body(request))
        except FaultsError as error:
            raise AzureError(400, "BadRequest", str(error)) from error
        return web.Response(status=204)

    async def _advance(self, request: web.Request) -> web.Response:
        body = await json_body(request)
        seconds = body.get("advanceSeconds") if isinstance(body, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 10**9:
            raise AzureError(400, "BadRequest", "advanceSeconds is a number of seconds that is not negative.")
        self._clock.advance(seconds)
        return json_response(200, {"now": self._clock.now().isoformat()})

    async def _unknown(self, request: web.Request) -> web.Response:
        raise AzureError(404, "NotFound", f"{request.method} {request.path} is no control route.")
