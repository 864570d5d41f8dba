"""The functions side of the local Azure: a Functions host around Microsoft's own Python worker library."""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

from aiohttp import web

from emulator.alarm import Alarm
from emulator.clock import Clock
from emulator.functions import indexing, settings
from emulator.functions.azurite import Azurite
from emulator.functions.channel import Function, Invocation, InvocationError, Starting, new_interpreter
from emulator.functions.errors import FunctionConfigurationError
from emulator.functions.event_grid_webhook import MAX_BODY, EventGridWebhook
from emulator.functions.identity import HostIdentity
from emulator.functions.ncrontab import ScheduleError
from emulator.functions.pool import WorkerPool
from emulator.functions.queues import QueueListener
from emulator.functions.settings import QUEUE_URL, HostSettings
from emulator.functions.telemetry import Telemetry
from emulator.functions.timers import TimerListener

_LOG = logging.getLogger(__name__)
_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")
_STOP_SECONDS = 5

Listener = Callable[[], Coroutine[None, None, None]]


class FunctionsHost:
    """Runs the app of `app_dir` with the settings `env`, and serves the Functions host's routes.

    If the settings name no storage account by its URL, the host has an Azurite of its own, as on a developer's machine.
    `port` 0 picks a free port. Each of the `workers` has a queue listener of its own beside it, as each instance of a
    scaled-out service has. `start` raises channel.WorkerError if the worker cannot load or index the app, and
    errors.HostSettingsError if the host would not start. As in the service, a function with a mistake does not keep the
    others from running: `function_errors` says what is wrong with it.
    """

    def __init__(
        self,
        app_dir: Path,
        env: dict[str, str],
        port: int,
        clock: Clock,
        run_dir: Path,
        workers: int = 1,
        starting: Starting = new_interpreter,
    ) -> None:
        self._app_dir = app_dir.resolve()
        self._env = env
        self._port = port
        self._alarm = Alarm(clock)
        self._run_dir = run_dir.resolve()
        self._workers = workers
        self._starting = starting
        self._azurite = None if QUEUE_URL in env else Azurite(clock, self._run_dir)
        self._identity = HostIdentity(env)
        self._pool: WorkerPool | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.function_errors: dict[str, str] = {}
        self._functions: dict[str, Function] = {}
        self._timers: dict[str, TimerListener] = {}
        self._queues: list[QueueListener] = []
        self._running, self._beside = AsyncExitStack(), AsyncExitStack()
        self._background: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def storage_connection(self) -> str:
        """The connection string of its own Azurite. Empty if the settings name a storage account."""
        return self._azurite.connection_string if self._azurite else ""

    @property
    def running(self) -> int:
        """How many invocations have not ended."""
        return self._pool.running if self._pool else 0

    @property
    def worker_ids(self) -> list[int]:
        """The process ids of the workers that have started, the oldest first."""
        return [worker.pid for worker in self._pool.workers] if self._pool else []

    async def start(self) -> None:
        async with AsyncExitStack() as stack:
            if self._azurite:
                await self._azurite.start()
                stack.push_async_callback(self._azurite.stop)
            await self._begin()
            self._beside = stack.pop_all()

    async def _begin(self) -> None:
        host_settings = settings.read(self._app_dir / "host.json", self._env.get("WEBSITE_SKU", settings.FLEX))
        async with AsyncExitStack() as stack:
            telemetry = Telemetry(self._env, self._identity)
            stack.push_async_callback(telemetry.close)
            stack.push_async_callback(self._finish_background)
            environment = self._environment()
            timeout = host_settings.function_timeout
            self._pool = pool = WorkerPool(
                self._app_dir, environment, self._workers, timeout, telemetry.ended, self._starting
            )
            functions = await pool.start()
            stack.push_async_callback(pool.stop)
            listeners = self._index(functions, pool, host_settings, environment)
            self._port = await self._serve(pool, environment, stack)
            self._tasks = [asyncio.create_task(_watch(listen)) for listen in listeners]
            stack.push_async_callback(_cancel, self._tasks)
            for queue in self._queues:  # whoever learns that the host is ready may send a message at once
                await queue.begun()
            self._running = stack.pop_all()

    async def stop(self) -> None:
        await self._running.aclose()
        await self._beside.aclose()

    def kill_workers(self) -> None:
        """Sends SIGKILL to those that run a function, or to all of them if none does."""
        if self._pool:
            self._pool.kill()

    async def restart(self) -> None:
        """The host dies with its workers, and another one starts on the same port. Nothing is finished or handed back.

        What its queue listeners had taken stays invisible until that time is over.
        """
        dying, self._running = self._running, AsyncExitStack()
        for task in self._tasks:
            task.cancel()
        if self._pool:
            self._pool.kill(everybody=True)
        await dying.aclose()
        self._functions, self._timers, self._queues = {}, {}, []
        await self._begin()

    def _environment(self) -> dict[str, str]:
        """What the app finds in its environment: little of this machine's, so that nothing leaks into it."""
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        host = {
            "HOME": str(self._run_dir),  # a folder without an Azure CLI login and without a cache
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            "AzureWebJobsScriptRoot": str(self._app_dir),
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "FUNCTIONS_WORKER_RUNTIME": "python",
        }
        storage = {"AzureWebJobsStorage": self._azurite.connection_string} if self._azurite else {}
        return inherited | host | storage | self._env

    def _index(
        self, functions: list[Function], pool: WorkerPool, host_settings: HostSettings, environment: dict[str, str]
    ) -> list[Listener]:
        """What waits for the triggers of the functions with which nothing is wrong and that nobody disabled."""
        listeners: list[Listener] = []
        for function in functions:
            try:
                indexing.check(function, host_settings.extensions)
                waiting = self._listen(function, pool, host_settings, environment)
            except (FunctionConfigurationError, ScheduleError) as error:
                self.function_errors[function.name] = str(error)
            else:
                listeners += [] if indexing.is_disabled(function, environment) else waiting
                self._functions[function.name.lower()] = function
        return listeners

    def _listen(
        self, function: Function, pool: WorkerPool, host_settings: HostSettings, environment: dict[str, str]
    ) -> list[Listener]:
        """What waits for the function's trigger, unless the web server does."""
        trigger = function.trigger
        match trigger["type"].lower():
            case indexing.TIMER:
                schedule = settings.resolve(trigger["schedule"], environment)
                timer = TimerListener(function, schedule, pool.invoke, self._alarm)
                self._timers[function.name] = timer
                return [timer.run]
            case indexing.QUEUE:
                queue = settings.resolve(trigger["queueName"], environment)
                connection = settings.connection(trigger.get("connection"), environment)
                client = partial(connection.queue, identity=self._identity, ca=environment.get("SSL_CERT_FILE"))
                options = (pool.invoke, host_settings.queues, self._alarm)
                listeners = [QueueListener(function, client, queue, *options) for _ in range(self._workers)]
                if not indexing.is_disabled(function, environment):
                    self._queues += listeners
                return [listener.run for listener in listeners]
            case _:
                return []

    async def _serve(self, pool: WorkerPool, environment: dict[str, str], stack: AsyncExitStack) -> int:
        """The port on which the routes are served."""
        application = web.Application(client_max_size=MAX_BODY)
        event_grid = {
            function.name: function
            for function in self._functions.values()
            if function.trigger["type"].lower() == indexing.EVENT_GRID
            and not indexing.is_disabled(function, environment)
        }
        if event_grid:  # without a function that needs it, the extension is not loaded, and the path leads nowhere
            webhook = EventGridWebhook(event_grid, pool.invoke)
            path = "/runtime/webhooks/{extension:(?i:eventgrid)}"
            application.router.add_post(path, webhook.post)
            application.router.add_route("OPTIONS", path, webhook.options)
        application.router.add_get("/admin/host/status", _status)
        application.router.add_post("/admin/functions/{name}", partial(self._fire, pool))
        application.router.add_get("/admin/functions/{name}/status", self._function_status)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=_STOP_SECONDS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        return int(runner.addresses[0][1])

    async def _fire(self, pool: WorkerPool, request: web.Request) -> web.Response:
        """Invokes a function by hand, in the background."""
        function = self._functions.get(request.match_info["name"].lower())
        if not function:
            return web.Response(status=404)
        try:
            body = json.loads(await request.read() or "{}")
            text = str(body.get("input") or "")
        except (ValueError, AttributeError, RecursionError):
            return web.Response(status=400)
        task = asyncio.create_task(_invoke(pool, self._by_hand(function, text)))
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return web.Response(status=202)

    async def _function_status(self, request: web.Request) -> web.Response:
        name = request.match_info["name"].lower()
        if name in self._functions:
            return web.json_response({})
        errors = [error for function, error in self.function_errors.items() if function.lower() == name]
        return web.json_response({"errors": errors}) if errors else web.Response(status=404)

    def _by_hand(self, function: Function, text: str) -> Invocation:
        if timer := self._timers.get(function.name):
            return Invocation(function, timer.payload())
        kind = "string" if function.trigger["type"].lower() == indexing.QUEUE else "json"
        return Invocation(function, (kind, text))

    async def _finish_background(self) -> None:
        await asyncio.gather(*self._background, return_exceptions=True)


async def _status(_request: web.Request) -> web.Response:
    return web.json_response({"state": "Running"})


async def _invoke(pool: WorkerPool, invocation: Invocation) -> None:
    with suppress(InvocationError):  # the pool has logged it, and nobody waits for it
        await pool.invoke(invocation)


async def _watch(listen: Listener) -> None:
    try:
        await listen()
    except Exception:
        _LOG.exception("A trigger no longer fires")
        raise


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
