"""The app's worker processes: which one takes an invocation, how long it may run, and what follows a death."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from emulator.functions.channel import (
    Function,
    Invocation,
    InvocationError,
    Starting,
    Worker,
    WorkerError,
    new_interpreter,
)

_LOG = logging.getLogger(__name__)
_RESTART_SECONDS = 1
_DRAIN_SECONDS = 5

Ended = Callable[[str, float, InvocationError | None], None]
"""Told of each invocation: the function's name, the seconds that it took, and why it failed."""


class WorkerPool:
    """`count` worker processes of one app; a worker that dies is replaced and its invocations have failed.

    `timeout` is host.json's functionTimeout. As in the service, a function that exceeds it takes its worker with it:
    there is no other way to stop it.
    """

    def __init__(
        self,
        app_dir: Path,
        environment: dict[str, str],
        count: int,
        timeout: timedelta | None,
        ended: Ended = lambda *_: None,
        starting: Starting = new_interpreter,
    ) -> None:
        self._app_dir = app_dir
        self._environment = environment
        self._count = count
        self._timeout = timeout
        self._ended = ended
        self._starting = starting
        self._workers: list[Worker] = []
        self._replaced = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
        self._invocations: set[asyncio.Task[None]] = set()

    @property
    def workers(self) -> list[Worker]:
        """The oldest first."""
        return list(self._workers)

    @property
    def running(self) -> int:
        """How many invocations have not ended, those that wait for a worker among them."""
        return len(self._invocations)

    async def start(self) -> list[Function]:
        """The functions of the app; WorkerError when it cannot be indexed."""
        try:
            async with asyncio.TaskGroup() as starts:
                tasks = [starts.create_task(self._add()) for _ in range(self._count)]
        except* WorkerError as group:
            await self.stop()
            raise group.exceptions[0] from None
        workers = [task.result() for task in tasks]
        self._keepers = [asyncio.create_task(self._keep(worker)) for worker in workers]
        return workers[0].functions

    async def stop(self) -> None:
        """Ends the workers, after a while in which running functions may end by themselves."""
        if self._invocations:
            await asyncio.wait(self._invocations, timeout=_DRAIN_SECONDS)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in self._workers))
        for invocation in self._invocations:  # those that still wait for a worker
            invocation.cancel()

    def kill(self, *, everybody: bool = False) -> None:
        """By SIGKILL: the workers that run a function, or all if none does or `everybody` is meant."""
        running = [worker for worker in self._workers if worker.in_flight]
        for worker in self.workers if everybody or not running else running:
            worker.kill()

    async def invoke(self, invocation: Invocation) -> None:
        """Returns when the function has succeeded; raises InvocationError otherwise.

        A caller that gives up does not stop the function, as no client of the real host does.
        """
        task = asyncio.create_task(self._execute(invocation))
        self._invocations.add(task)
        task.add_done_callback(self._invocations.discard)
        await asyncio.shield(task)

    async def _execute(self, invocation: Invocation) -> None:
        name = f"Functions.{invocation.function.name}"
        started = time.monotonic()
        try:
            await self._run(invocation, name)
        except InvocationError as error:
            _LOG.error("Executed '%s' (Failed, Id=%s): %s", name, invocation.id, error.stack or error.message)
            self._ended(invocation.function.name, time.monotonic() - started, error)
            raise
        seconds = time.monotonic() - started
        _LOG.info("Executed '%s' (Succeeded, Id=%s, Duration=%dms)", name, invocation.id, round(seconds * 1000))
        self._ended(invocation.function.name, seconds, None)

    async def _run(self, invocation: Invocation, name: str) -> None:
        worker = await self._least_busy()
        try:
            async with asyncio.timeout(self._timeout.total_seconds() if self._timeout else None):
                await worker.invoke(invocation)
        except TimeoutError:
            worker.kill()
            timeout = str(self._timeout)
            raise InvocationError(
                f"FunctionTimeoutException: Timeout value of {timeout:0>8} was exceeded by function: {name}"
            ) from None

    async def _least_busy(self) -> Worker:
        while True:
            replaced = self._replaced
            running = [worker for worker in self._workers if not worker.ended.is_set()]
            if running:
                return min(running, key=lambda worker: worker.in_flight)
            await replaced.wait()

    async def _add(self) -> Worker:
        worker = await Worker.start(self._app_dir, self._environment, self._starting)
        self._workers.append(worker)
        replaced, self._replaced = self._replaced, asyncio.Event()
        replaced.set()
        return worker

    async def _keep(self, worker: Worker) -> None:
        """Replaces one worker after the other, for ever."""
        while True:
            await worker.ended.wait()
            self._workers.remove(worker)
            await worker.close()
            worker = await self._replacement()

    async def _replacement(self) -> Worker:
        while True:
            with contextlib.suppress(WorkerError):
                return await self._add()
            _LOG.error("The worker process could not be started again")
            await asyncio.sleep(_RESTART_SECONDS)
