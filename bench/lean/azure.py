"""A stand-in for Azure that is cheap enough to run beside the app on the same machine while the app is measured.

It looks up what a sweep or an event asks, where the local Azure works it out. It logs every request and refuses (501)
what it does not know, so that nobody takes the cost of errors for that of a sweep.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bench.lean.arm import RememberedArm
from bench.lean.graph import SweptGraph
from bench.lean.http import Answer, Request
from emulator.clock import Clock
from emulator.deployment import deploy
from emulator.errors import AzureError
from emulator.http.throttle import Throttle
from emulator.identity.tokens import Audience, Caller, Tokens
from emulator.logs.logs import Logs
from emulator.metadata import cloud
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

_ROOT = Path(__file__).parents[2]
_CONTROL = "/_local/"
_ARM = "/subscriptions/"
_GRAPH = "/providers/Microsoft.ResourceGraph/resources?api-version=2024-04-01"
_METADATA = "/metadata/endpoints?api-version=2022-09-01"
_PLENTY = {"x-ms-user-quota-remaining": "1000", "x-ms-user-quota-resets-after": "00:00:05"}
"""A quota to report when there are no limits: a client that hears of no quota slows down, and that would be measured.
"""
_STREAMS = "/ingestion/dataCollectionRules/{rule}/streams/Custom-"


@dataclass(frozen=True, slots=True)
class _Asked:
    """`caller` is an object id, empty if no token is needed. `started` is in seconds since 1970."""

    method: str
    target: str
    caller: str
    status: int
    started: float
    seconds: float

    @property
    def failed(self) -> bool:
        """Being told to slow down is not a failure. It is counted separately."""
        return self.status >= 300 and self.status != 429

    def as_json(self) -> dict[str, Any]:
        """In the form of the local Azure's log."""
        return {
            "method": self.method,
            "path": self.target,
            "caller": self.caller,
            "status": self.status,
            "time": datetime.fromtimestamp(self.started, UTC).isoformat(),
            "durationMs": round(self.seconds * 1000, 3),
        }


class LeanAzure:
    """If `throttles`, it answers 429 where Azure would.

    `latency` is in seconds, for all answers except the control routes'.

    If `live`, it also answers events and what they lead to.
    """

    def __init__(self, tenant: Tenant, *, latency: float, throttles: bool, live: bool = False) -> None:
        clock, made_up = Clock(), SeededValues(0)
        deployment = deploy(tenant, made_up, _ROOT / "infra" / "app_access.json", None)
        operator = Caller(made_up.guid("operator"), made_up.guid("operator client"), "Operator", "User", operator=True)
        self._app, self._latency = deployment.app, latency
        self.tokens = Tokens(tenant.tenant_id, app=self._app, operator=operator)
        self.rule_id, self.workspace_id = deployment.rule_id, deployment.workspace_id
        self._arm = RememberedArm(tenant, self._app, clock, made_up, live=live)
        self._query = f"/v1/workspaces/{self.workspace_id}/query"
        self._throttle = Throttle(time.monotonic) if throttles else None
        self._graph = SweptGraph(tenant, clock, throttles=throttles)
        self._streams = _STREAMS.format(rule=self.rule_id)
        self._logs, self._stored = Logs(tenant.logs, clock, _ROOT / "infra" / "tables.json"), tenant.logs
        self._sent: dict[str, list[Request]] = {}
        self._callers: dict[tuple[str, Audience], Caller] = {}
        self._asked: list[_Asked] = []
        self._refused: list[_Asked] = []
        self._numbers = count()

    def answer(self, request: Request) -> Answer:
        started = time.time()
        controls = request.target.startswith(_CONTROL)
        try:
            answer = self._control(request) if controls else self._azure(request)
        except AzureError as error:
            answer = Answer.of(error.status, error.body(), error.headers)
        if not controls:
            caller = self._app.object_id if request.header("Authorization") else ""
            took = max(time.time() - started, self._latency)
            one = _Asked(request.method, request.target, caller, answer.status, started, took)
            self._asked.append(one)
            if one.failed:
                self._refused.append(one)
        return answer

    def delay(self, request: Request) -> float:
        """The seconds from the request to the answer."""
        return 0 if request.target.startswith(_CONTROL) else self._latency

    def identity(self, request: Request) -> Answer:
        """The managed identity endpoint, on a port of its own."""
        query = dict(parse_qsl(urlsplit(request.target).query))
        try:
            return Answer.of(200, self.tokens.managed_identity(request.header("X-IDENTITY-HEADER"), query))
        except AzureError as error:
            return Answer.of(error.status, error.body())

    def _azure(self, request: Request) -> Answer:
        target = request.target
        if target.startswith(_ARM):
            return self._resources(request)
        if request.method == "POST" and target == _GRAPH:
            caller = self._caller(request, Audience.ARM)
            found, headers = self._graph.query(caller.object_id, request.json())
            return Answer.of(200, found, {**(headers or _PLENTY), **self._ids()})
        if request.method == "POST" and target.startswith(self._streams):
            self._caller(request, Audience.INGESTION)
            self._sent.setdefault(target.removeprefix(self._streams).partition("?")[0], []).append(request)
            return Answer(204, headers=self._ids())
        if request.method == "POST" and target == self._query:
            self._caller(request, Audience.LOGS_QUERY)
            return Answer.of(200, self._logs.query(self.workspace_id, request.json()), self._ids())
        if request.method == "GET" and target == _METADATA:
            return Answer.of(200, cloud(f"https://{request.header('Host')}"), self._ids())
        raise _unknown(request)

    def _resources(self, request: Request) -> Answer:
        caller = self._caller(request, Audience.ARM)
        subscription = request.target.split("/", 3)[2]
        headers = self._throttle.take(request.method, subscription, caller.object_id) if self._throttle else {}
        status, body = self._arm.answer(request.method, request.target, request.json() if request.body else None)
        return Answer(status, body, {**headers, **self._ids()})

    def _control(self, request: Request) -> Answer:
        """Some of the local Azure's control routes, `refused` (what failed), and one that forgets a table's rows."""
        if not self._caller(request, Audience.ARM).operator:
            raise AzureError(403, "AuthorizationFailed", "The control routes are for the operator's token only.")
        route, _, name = request.target.removeprefix(_CONTROL).partition("/")
        match request.method, route:
            case "GET", "requests":
                return Answer.of(200, [one.as_json() for one in self._asked])
            case "GET", "refused":
                return Answer.of(200, [one.as_json() for one in self._refused])
            case "GET", "logs":
                return Answer.of(200, self._rows(name))
            case "DELETE", "requests":
                self._asked.clear()
                return Answer(204)
            case "DELETE", "logs":
                self._rows(name).clear()
                return Answer(204)
        raise AzureError(404, "NotFound", f"{request.method} {request.target} is no control route.")

    def _rows(self, table: str) -> list[Any]:
        """Rows are stored only when the bench reads them. In Azure, too, queries see rows minutes later."""
        for request in self._sent.pop(table, ()):
            self._logs.ingest(f"Custom-{table}", request.body, request.header("Content-Encoding") or None)
        return self._stored.get(table, [])

    def _caller(self, request: Request, audience: Audience) -> Caller:
        """Tokens outlive any sweep, so one that was verified once stays valid."""
        key = request.header("Authorization"), audience
        if key not in self._callers:
            self._callers[key] = self.tokens.verify(*key)
        return self._callers[key]

    def _ids(self) -> dict[str, str]:
        number = f"{next(self._numbers):032x}"
        return {"x-ms-request-id": number, "x-ms-correlation-request-id": number}


def _unknown(request: Request) -> AzureError:
    return AzureError(501, "NotImplemented", f"No sweep is known to ask {request.method} {request.target}")
