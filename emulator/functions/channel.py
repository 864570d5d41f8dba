"""The host's end of the connection to one worker process."""

import asyncio
import contextlib
import socket
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from emulator.functions import frames

_ROOT = Path(__file__).parents[2]
_LOAD_SECONDS = 60
_CLOSE_SECONDS = 5
_STDERR = 2

Datum = tuple[str, str]
"""A kind (`json` or `string`) and text, in which form the worker gets a value."""


class Process(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None:
        """Raises ProcessLookupError if it is gone."""

    async def wait(self) -> int:
        """Its exit code; that of a process that a signal ended is negative."""


type Starting = Callable[[socket.socket, Path, Mapping[str, str]], Awaitable[Process]]
"""Starts a process that serves the socket for the app of the directory, with just this environment."""


class WorkerError(RuntimeError):
    """The app cannot be loaded or indexed. The text is the worker's."""


class InvocationError(Exception):
    """A function invocation that failed. `message` is `Type: text`, as the worker gives it."""

    def __init__(self, message: str, stack: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.stack = stack

    @property
    def kind(self) -> str:
        return self.message.partition(":")[0]


@dataclass(frozen=True)
class Function:
    """A function as the worker indexed it.

    `bindings` are function.json bindings. `retry` has `max_retry_count` (-1: without limit) and `intervals` in seconds:
    one for a fixed delay, the least and the greatest for an exponential one.
    """

    id: str
    name: str
    bindings: list[dict[str, Any]]
    retry: dict[str, Any] | None

    @property
    def trigger(self) -> dict[str, Any]:
        return next(binding for binding in self.bindings if binding["type"].lower().endswith("trigger"))


@dataclass(frozen=True)
class Invocation:
    """One call of `function` with the trigger's value and metadata, and the retry context if it is a retry."""

    function: Function
    value: Datum
    metadata: dict[str, Datum] = field(default_factory=dict)
    retry: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def message(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "function": self.function.id,
            "parameter": self.function.trigger["name"],
            "value": self.value,
            "metadata": self.metadata,
            "retry": self.retry,
        }


async def new_interpreter(theirs: socket.socket, app_dir: Path, environment: Mapping[str, str]) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "emulator.functions.worker", str(theirs.fileno()), str(app_dir)),
        cwd=_ROOT,
        env=environment,
        pass_fds=(theirs.fileno(),),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=_STDERR,  # what the app prints must not mix with what the emulator says on stdout
    )


class Worker:
    """A running worker process. `functions` is what it indexed. `ended` is set when the process is gone."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.functions: list[Function] = []
        self.ended = asyncio.Event()
        self._process = process
        self._reader = reader
        self._writer = writer
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, app_dir: Path, environment: Mapping[str, str], starting: Starting) -> Self:
        """Raises WorkerError if the app cannot be indexed."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await starting(theirs, app_dir, environment)
        worker = cls(process, *await asyncio.open_unix_connection(sock=ours))
        try:
            await worker._load()
        except BaseException:
            await worker.close()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def in_flight(self) -> int:
        return len(self._waiting)

    async def invoke(self, invocation: Invocation) -> None:
        """Returns when the function has succeeded. Raises InvocationError if it, or its worker, has failed."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting[invocation.id] = answer
        try:
            self._writer.write(frames.pack(invocation.message()))
            await answer
        finally:
            self._waiting.pop(invocation.id, None)

    def kill(self) -> None:
        self.ended.set()  # from now on, not only once the process is gone: nobody should use it any more
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """Ends the process: first by closing its socket, and by force if it does not end."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        if self._task:
            await self._task

    async def _load(self) -> None:
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                loaded = await frames.receive(self._reader)
        except EOFError:
            code = await self._process.wait()
            raise WorkerError(f"python exited with code {code} while it loaded the app") from None
        except TimeoutError:
            self.kill()
            raise WorkerError(f"the app was not loaded within {_LOAD_SECONDS} s") from None
        if failed := loaded.get("failed"):
            raise WorkerError(f"{failed['message']}\n{failed['stack']}".rstrip())
        self.functions = [Function(**function) for function in loaded["functions"]]
        if not self.functions:
            raise WorkerError("0 functions found")
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                answer = await frames.receive(self._reader)
                if waiting := self._waiting.get(answer["id"]):
                    _settle(waiting, answer["error"] and InvocationError(**answer["error"]))
        code = await self._process.wait()
        self._writer.close()
        self.ended.set()
        for waiting in self._waiting.values():
            _settle(waiting, InvocationError(f"WorkerProcessExitException: python exited with code {code}"))


def _settle(waiting: asyncio.Future[None], error: InvocationError | None) -> None:
    if waiting.done():
        return
    if error:
        waiting.set_exception(error)
    else:
        waiting.set_result(None)
