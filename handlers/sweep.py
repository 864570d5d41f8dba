"""The timer: every workspace is looked at, whether or not its events arrived (law 1)."""

import logging
from datetime import timedelta

from handlers.look import PER_MESSAGE, look_later
from handlers.services import Services
from shared.access.scope import Scope
from shared.discover import all_workspaces
from shared.work import Sweep, Trigger, encode

_log = logging.getLogger("amlguard")


async def handle(services: Services) -> None:
    """Leaves the sweep to the queue, which tries again when it fails; the timer would not for six hours."""
    if services.queue:
        await services.queue.put(encode(Sweep()), timedelta())
    else:
        await find(services)


async def find(services: Services) -> None:
    """Finds the workspaces and leaves them to the queue, page by page. Raises `AzureFailureError`."""
    found = 0
    batch: list[Scope] = []
    async for workspace in all_workspaces(services.azure, services.terms):
        found += 1
        batch.append(workspace)
        if len(batch) == PER_MESSAGE:
            await look_later(batch, services, Trigger())
            batch = []
    await look_later(batch, services, Trigger())
    _log.info("sweep: %d workspaces put on the queue", found)
