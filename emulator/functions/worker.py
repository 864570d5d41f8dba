"""The process that runs the app: `python -m emulator.functions.worker SOCKET_FD APP_DIRECTORY`.

Loads, indexes and invokes `function_app.py` with Microsoft's own worker library, as the service does. It says first
`{"functions": [{"id", "name", "bindings", "retry"}]}` or `{"failed": {"message", "stack"}}`; then it answers each
`{"id", "function", "parameter", "value", "metadata", "retry"}` with `{"id", "error": null | {"message", "stack"}}`,
in the order in which the invocations end. A value is `[kind, text]` with kind `json` or `string`; a retry is
`{"retry_count", "max_retry_count", "message", "stack"}`, the last two those of the attempt before.
It ends when the socket does, so that no host leaves it behind.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import threading
import uuid
from types import SimpleNamespace
from typing import Any

from azure_functions_runtime.handle_event import (
    functions_metadata_request,
    invocation_request,
    worker_init_request,
)
from azure_functions_runtime.utils.threadpool import start_threadpool_executor

from emulator.functions import frames, protos


class Worker:
    def __init__(self, connection: socket.socket, app_directory: str) -> None:
        self._connection = connection
        self._app_directory = app_directory

    async def run(self) -> int:
        start_threadpool_executor()
        loaded = await self._load()
        self._send(loaded)
        if "failed" in loaded:
            return 1
        requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop, requests), daemon=True).start()
        async with asyncio.TaskGroup() as invocations:
            while True:
                invocations.create_task(self._invoke(await requests.get()))

    async def _load(self) -> dict[str, Any]:
        init = SimpleNamespace(capabilities={}, function_app_directory=self._app_directory)
        response = await worker_init_request(
            SimpleNamespace(
                request=SimpleNamespace(worker_init_request=init),
                properties={"host": "127.0.0.1", "protos": protos},
            )
        )
        if error := _error(response.result):
            return {"failed": error}
        metadata = await functions_metadata_request(None)
        return {"functions": [_function(each) for each in metadata.function_metadata_results or []]}

    def _listen(self, loop: asyncio.AbstractEventLoop, requests: asyncio.Queue[dict[str, Any]]) -> None:
        """In a thread of its own, because the host's end must also end a worker whose event loop is busy."""
        with self._connection.makefile("rb") as stream:
            try:
                while True:
                    loop.call_soon_threadsafe(requests.put_nowait, frames.read(stream))
            except (OSError, EOFError):
                sys.stdout.flush()
                os._exit(0)

    async def _invoke(self, request: dict[str, Any]) -> None:
        response = await invocation_request(
            SimpleNamespace(request=SimpleNamespace(invocation_request=_invocation(request)))
        )
        self._send({"id": request["id"], "error": _error(response.result)})

    def _send(self, message: dict[str, Any]) -> None:
        self._connection.sendall(frames.pack(message))


def _function(metadata: Any) -> dict[str, Any]:
    retry = metadata.retry_options
    return {
        "id": metadata.function_id,
        "name": metadata.name,
        "bindings": [json.loads(binding) for binding in metadata.raw_bindings],
        "retry": retry
        and {
            "max_retry_count": retry.max_retry_count,
            "intervals": [
                interval.total_seconds()
                for name in ("delay_interval", "minimum_interval", "maximum_interval")
                if (interval := getattr(retry, name, None)) is not None
            ],
        },
    }


def _invocation(request: dict[str, Any]) -> SimpleNamespace:
    retry = request["retry"] or {"retry_count": 0, "max_retry_count": 0, "message": "", "stack": ""}
    return SimpleNamespace(
        invocation_id=request["id"],
        function_id=request["function"],
        input_data=[protos.ParameterBinding(name=request["parameter"], data=_datum(request["value"]))],
        trigger_metadata={name: _datum(value) for name, value in request["metadata"].items()},
        trace_context=SimpleNamespace(
            trace_parent=f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00", trace_state="", attributes={}
        ),
        retry_context=SimpleNamespace(
            retry_count=retry["retry_count"],
            max_retry_count=retry["max_retry_count"],
            exception=protos.RpcException(source="", message=retry["message"], stack_trace=retry["stack"]),
        ),
    )


def _datum(value: list[str]) -> protos.TypedData:
    kind, text = value
    return protos.TypedData(**{kind: text})


def _error(result: protos.StatusResult) -> dict[str, str] | None:
    if result.status == protos.StatusResult.Success:
        return None
    return {"message": result.exception.message, "stack": result.exception.stack_trace}


def main(arguments: list[str]) -> int:
    descriptor, app_directory = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the local Azure ends this one in order
    os.chdir(app_directory)
    sys.path[0] = app_directory  # replaces the directory in which -m found this module
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # the worker library and the SDKs report every call; here people look for the app's own words
    logging.getLogger("azure").setLevel(logging.WARNING)
    with socket.socket(fileno=int(descriptor)) as connection:
        return asyncio.run(Worker(connection, app_directory).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
