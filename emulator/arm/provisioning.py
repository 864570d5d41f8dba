"""Operations that take a while: their status, and what happens when they are done."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from emulator.arm.call import Answer, Call
from emulator.clock import Clock
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.made_up import MadeUp


@dataclass(slots=True)
class _Operation:
    name: str
    started: datetime
    resource: ResourcePath
    ended: datetime | None = None
    failed: bool = False


class Provisioning:
    """Takes real time, so that pollers behave; `seconds` each."""

    def __init__(self, clock: Clock, made_up: MadeUp, seconds: float) -> None:
        self._clock = clock
        self._made_up = made_up
        self._seconds = seconds
        self._operations: dict[str, _Operation] = {}

    def begin(self, call: Call, finish: Callable[[], None]) -> dict[str, str]:
        """The headers that tell the caller where to look; `finish` runs when it is done."""
        operation = _Operation(self._made_up.another("operation"), self._clock.now(), call.path)
        self._operations[operation.name] = operation
        asyncio.get_running_loop().call_later(self._seconds, self._end, operation, finish)
        place = f"{call.base}/subscriptions/{call.path.subscription}/providers/{call.path.namespace}/locations/local"
        version = f"?api-version={call.api_version}"
        return {
            "Azure-AsyncOperation": f"{place}/operationStatuses/{operation.name}{version}",
            "Location": f"{place}/operationResults/{operation.name}{version}",
            "Retry-After": "1",
        }

    def status(self, call: Call) -> Answer:
        operation = self._operation(call)
        state = "InProgress" if operation.ended is None else "Failed" if operation.failed else "Succeeded"
        body = {
            "id": call.path.text,
            "name": operation.name,
            "status": state,
            "startTime": operation.started.isoformat(),
        }
        if operation.ended is None:
            return Answer(200, body, {"Retry-After": "1"})
        return Answer(200, body | {"endTime": operation.ended.isoformat()})

    def result(self, call: Call) -> tuple[ResourcePath, bool]:
        """The resource that the operation is about, and whether it is done."""
        operation = self._operation(call)
        return operation.resource, operation.ended is not None

    def _operation(self, call: Call) -> _Operation:
        found = self._operations.get(call.path.name)
        if found is None:
            raise AzureError(404, "NotFound", f"The operation '{call.path.name}' was not found.")
        return found

    def _end(self, operation: _Operation, finish: Callable[[], None]) -> None:
        try:
            finish()
        except AzureError:
            operation.failed = True
        operation.ended = self._clock.now()
