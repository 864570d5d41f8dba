"""Operations that take a while: where to look for them, what they answer, and what happens when they are done.

Each provider does it in its own way, as recorded. Container Registry gives an Azure-AsyncOperation below the registry,
Azure Machine Learning both headers with one path and a type. The others give both headers, and say when to ask again.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from emulator.arm.call import Answer, Call, Finish
from emulator.arm.store import SUCCEEDED
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.names import encoded
from emulator.seeded_values import SeededValues

type Json = dict[str, Any]

OPERATIONS = ("/operationstatuses", "/operationresults", "/workspaceoperationsstatus")
_REGISTRIES = "microsoft.containerregistry/registries"
_WORKSPACES = "microsoft.machinelearningservices/workspaces"
_UNDERWAY = {"PUT": "Creating", "PATCH": "Updating"}


def asks_for_result(call: Call) -> bool:
    """Asks for the resource, as a Location does, and not for the status of the operation."""
    return call.path.type.lower().endswith("/operationresults") or call.query.get("type") == "location"


@dataclass(slots=True)
class _Operation:
    name: str
    kind: str
    method: str
    started: datetime
    resource: ResourcePath
    end: str
    """The end to which the operation will come."""
    ended: datetime | None = None


class Provisioning:
    """Takes real time, so that pollers behave: `seconds` for each operation."""

    def __init__(self, clock: Clock, made_up: SeededValues, seconds: float) -> None:
        self._clock = clock
        self._made_up = made_up
        self._seconds = seconds
        self._operations: dict[str, _Operation] = {}

    def begin(self, call: Call, finish: Finish) -> dict[str, str]:
        """The headers that tell the caller where to look. `finish` runs when the operation is done."""
        about = ResourcePath.parse(call.path.parent) if call.method == "POST" else call.path
        name, kind = self._made_up.another("operation"), about.type.lower()
        name = f"registries-{name}" if kind == _REGISTRIES else name
        now = self._clock.now()
        operation = _Operation(name, kind, call.method, now, about, call.ends or SUCCEEDED)
        self._operations[name] = operation
        asyncio.get_running_loop().call_later(self._seconds, self._end, operation, finish)
        return _headers(call, operation)

    def status(self, call: Call) -> Answer:
        operation = self._operation(call)
        state = _underway(operation) if operation.ended is None else operation.end
        body: Json = {"status": state}
        if state not in (SUCCEEDED, _underway(operation)):
            body["error"] = {"code": f"Operation{state}", "message": "The operation did not succeed."}
        match operation.kind:
            case k if k == _REGISTRIES:
                return Answer(200, body, {"Azure-AsyncOperation": call.url})
            case k if k == _WORKSPACES:
                return Answer(200, body | ({"percentComplete": 100.0} if state == SUCCEEDED else {}))
        body = {"id": call.path.text, "name": operation.name, "startTime": operation.started.isoformat(), **body}
        if operation.ended is None:
            return Answer(200, body, {"Retry-After": "1"})
        return Answer(200, body | {"endTime": operation.ended.isoformat()})

    def result(self, call: Call) -> tuple[ResourcePath, bool]:
        """The resource that the operation is about, and whether the operation is done."""
        operation = self._operation(call)
        return operation.resource, operation.ended is not None

    def _operation(self, call: Call) -> _Operation:
        found = self._operations.get(call.path.name)
        if found is None:
            raise AzureError(404, "NotFound", f"The operation '{call.path.name}' was not found.")
        return found

    def _end(self, operation: _Operation, finish: Finish) -> None:
        try:
            finish(operation.end)
        except AzureError:
            operation.end = "Failed"
        operation.ended = self._clock.now()


def _underway(operation: _Operation) -> str:
    return _UNDERWAY.get(operation.method, "InProgress") if operation.kind == _REGISTRIES else "InProgress"


def _headers(call: Call, operation: _Operation) -> dict[str, str]:
    version = f"?api-version={call.api_version}"
    place = f"{call.base}/subscriptions/{call.path.subscription}/providers/{call.path.namespace}/locations/local"
    match operation.kind:
        case k if k == _REGISTRIES:
            own = f"{call.base}{encoded(operation.resource.text)}/operationStatuses/{operation.name}{version}"
            return {"Azure-AsyncOperation": own}
        case k if k == _WORKSPACES:
            own = f"{place}/workspaceOperationsStatus/{operation.name}{version}"
            return {"Location": f"{own}&type=location", "Azure-AsyncOperation": f"{own}&type=async"}
    return {
        "Azure-AsyncOperation": f"{place}/operationStatuses/{operation.name}{version}",
        "Location": f"{place}/operationResults/{operation.name}{version}",
        "Retry-After": "1",
    }
