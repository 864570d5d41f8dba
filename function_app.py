"""The Functions app: three triggers over one set of services. Everything else loads when the first trigger fires.

Importing this module costs no more than azure.functions itself, so that the host can index a cold instance at once.
"""

import os
from functools import partial
from typing import TYPE_CHECKING

import azure.functions as func

if TYPE_CHECKING:
    from handlers.runtime import Kept, Runtime

app = func.FunctionApp()


class _Once:
    """The services of the process. They are connected when they are first needed."""

    def __init__(self) -> None:
        self._kept: Kept | None = None

    async def get(self) -> "Runtime":
        from handlers.runtime import Kept, connect  # noqa: PLC0415 - the Azure SDKs must not slow indexing down

        if self._kept is None:
            self._kept = Kept(partial(connect, os.environ))
        return await self._kept.get()


_services = _Once()


@app.function_name("resource_changed")
@app.event_grid_trigger(arg_name="event")
async def resource_changed(event: func.EventGridEvent) -> None:
    from handlers import resource_changed as handler  # noqa: PLC0415 - see the module's docstring
    from handlers.delivery import raw_event  # noqa: PLC0415 - see the module's docstring

    await handler.handle(raw_event(event), await _services.get())


@app.function_name("sweep")
@app.timer_trigger(arg_name="timer", schedule="0 17 */6 * * *", run_on_startup=False, use_monitor=True)
async def sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the host passes it by name
    from handlers import sweep as handler  # noqa: PLC0415 - see the module's docstring

    await handler.handle(await _services.get())


@app.function_name("work_queue")
@app.queue_trigger(arg_name="message", queue_name="amlguard-work", connection="AzureWebJobsStorage")
async def work_queue(message: func.QueueMessage) -> None:
    from handlers import work_queue as handler  # noqa: PLC0415 - see the module's docstring

    await handler.handle(message.get_body(), await _services.get(), message.dequeue_count or 1)
