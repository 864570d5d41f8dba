"""Operations that take a while: where to look for them, what they answer, and what happens when they are done."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from emulator.arm.call import Answer, Call, Finish
from emulator.arm.manners import Manner
from emulator.arm.store import SUCCEEDED
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.names import encoded
from emulator.seeded_values import SeededValues

type Json = dict[str, Any]

_ENDINGS = ("operationstatuses", "operationresults", "operationsstatus", "asyncoperations", "/operations")


@dataclass(slots=True)
class _Operation:
    name: str
    manner: Manner
    method: str
    started: datetime
    resource: ResourcePath
    end: str
    """The end to which the operation will come."""
    result: Json | None
    """What it has to say besides what became of the resource."""
    location: str = ""
    """The URL that tells of the resource, and not of the operation."""
    ended: datetime | None = None
    error: AzureError | None = None
    """Why it failed."""

    @property
    def state(self) -> str:
        return self.manner.poll.underway(self.method) if self.ended is None else self.end


class Provisioning:
    """Takes real time, so that pollers behave: `seconds` for each operation."""

    def __init__(self, clock: Clock, made_up: SeededValues, seconds: float) -> None:
        self._clock = clock
        self._made_up = made_up
        self._seconds = seconds
        self._operations: dict[str, _Operation] = {}
        self._open: dict[str, Finish] = {}

    def begin(self, call: Call, manner: Manner, finish: Finish, result: Json | None = None) -> dict[str, str]:
        """The headers that tell the caller where to look. `finish` runs when the operation is done.

        `result` is what an action has to say then.
        """
        about = ResourcePath.parse(call.path.parent) if call.method == "POST" else call.path
        name = manner.poll.prefix + self._made_up.another("operation")
        operation = _Operation(name, manner, call.method, self._clock.now(), about, call.ends or SUCCEEDED, result)
        headers = rendered(manner.headers, call, about, name)
        operation.location = headers.get("Location", "")
        self._operations[name], self._open[name] = operation, finish
        asyncio.get_running_loop().call_later(self._seconds, self._end, operation, finish)
        return headers

    def knows(self, path: ResourcePath) -> bool:
        """Whether the path can only be that of an operation."""
        return path.name in self._operations or (path.type.lower().endswith(_ENDINGS) and not path.is_collection)

    def asks_for_result(self, call: Call) -> bool:
        """Asks for the resource, as a Location does, and not for the status of the operation."""
        location = urlsplit(self._operation(call).location)
        kind = dict(parse_qsl(location.query)).get("type")
        return location.path.lower() == encoded(call.path.text).lower() and call.query.get("type") == kind

    def status(self, call: Call) -> Answer:
        operation = self._operation(call)
        body = {name: value for name, value in self._fields(call, operation).items() if value is not None}
        if operation.ended is not None and operation.end != SUCCEEDED:
            unknown = {"code": f"Operation{operation.end}", "message": "The operation did not succeed."}
            body["error"] = operation.error.body()["error"] if operation.error else unknown
        # Container Registry repeats where it was asked
        headers = {"Azure-AsyncOperation": call.url} if operation.manner.poll.prefix else {}
        return Answer(200, body, headers | ({} if operation.ended else {"Retry-After": "1"}))

    def _fields(self, call: Call, operation: _Operation) -> Json:
        done = operation.ended
        known: Json = {
            "id": call.path.text,
            "resource": operation.resource.text,
            "name": operation.name,
            "startTime": operation.started.isoformat(),
            "endTime": done.isoformat() if done else None,
            "properties": {"events": []},
            "percentComplete": 100.0 if done and operation.end == SUCCEEDED else None,
        }
        shown = {"id" if name == "resource" else name: known[name] for name in operation.manner.poll.fields}
        return {"status": operation.state, **shown}

    def result(self, call: Call) -> tuple[ResourcePath, Manner, bool, Json | None]:
        """The resource that the operation is about, how its type answers, whether the operation is done, and what it
        has to say.
        """
        operation = self._operation(call)
        return operation.resource, operation.manner, operation.ended is not None, operation.result

    def _operation(self, call: Call) -> _Operation:
        found = self._operations.get(call.path.name)
        if found is None:
            raise AzureError(404, "NotFound", f"The operation '{call.path.name}' was not found.")
        return found

    def end_all(self) -> None:
        """Ends now what is under way."""
        for name in list(self._open):
            self._end(self._operations[name], self._open[name])

    def _end(self, operation: _Operation, finish: Finish) -> None:
        if self._open.pop(operation.name, None) is None:
            return
        try:
            finish(operation.end)
        except AzureError as error:
            operation.end, operation.error = "Failed", error
        operation.ended = self._clock.now()


def rendered(headers: Mapping[str, str], call: Call, about: ResourcePath, operation: str = "") -> dict[str, str]:
    """The headers of an answer about the resource."""
    provider = f"/subscriptions/{call.path.subscription}/providers/{about.namespace}"
    values = {
        "base": call.base,
        "resource": encoded(about.text),
        "provider": provider,
        "namespace": about.namespace,
        "subscription": call.path.subscription,
        "group": encoded("/".join(about.text.split("/")[:5])),
        "region": "local",
        "operation": operation,
        "version": call.api_version,
    }
    return {name: template.format(**values) for name, template in headers.items()}
