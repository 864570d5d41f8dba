"""Application Insights' ingestion: what the app's host sends becomes rows of the workspace behind the component."""

from typing import Any

from aiohttp import web

from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.http.bodies import json_body, json_response
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Audience, Tokens
from emulator.logs.tables import timestamp

type Json = dict[str, Any]


class TelemetryFront:
    def __init__(self, tables: dict[str, list[Json]], clock: Clock, tokens: Tokens, rbac: Rbac, component: str) -> None:
        """`tables` are the workspace's rows. `component` is the ARM id of Application Insights."""
        self._tables = tables
        self._clock = clock
        self._tokens = tokens
        self._rbac = rbac
        self._component = component

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.post("/v2.1/track", self._track)]

    async def _track(self, request: web.Request) -> web.Response:
        try:
            caller = self._tokens.verify(request.headers.get("Authorization"), Audience.INGESTION)
            items = await json_body(request)
        except AzureError as error:
            return json_response(error.status, _answer(1, error.status, error.message))
        if not self._rbac.allowed(caller.object_id, "Microsoft.Insights/Telemetry/Write", self._component, data=True):
            return json_response(403, _answer(len(items), 403, "The identity may not write telemetry here."))
        for item in items:
            table, row = stored(item["data"]["baseType"], item["data"]["baseData"])
            common = {
                "TimeGenerated": timestamp(self._clock.now()),
                "OperationName": item["tags"]["ai.operation.name"],
                "_ResourceId": self._component.lower(),
            }
            self._tables.setdefault(table, []).append(common | row)
        return json_response(200, _answer(len(items), 200, ""))


def stored(kind: str, told: Json) -> tuple[str, Json]:
    """The table to which an item of this kind goes, and its row there."""
    if kind == "RequestData":
        return "AppRequests", {"Name": told["name"], "Success": told["success"], "DurationMs": told["duration"] * 1000}
    outer, inner = told["exceptions"][0], told["exceptions"][-1]
    messages = {"OuterMessage": outer["message"], "InnermostMessage": inner["message"]}
    return "AppExceptions", {"ExceptionType": inner["typeName"], **messages}


def _answer(received: int, status: int, message: str) -> Json:
    refused = [{"index": 0, "statusCode": status, "message": message}] if status >= 400 else []
    return {"itemsReceived": received, "itemsAccepted": 0 if refused else received, "errors": refused}
