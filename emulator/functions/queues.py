"""Queue triggers, as the host's Storage extension polls them.

Follows QueueListener and QueueProcessor of Microsoft.Azure.WebJobs.Extensions.Storage.Queues (Azure/azure-sdk-for-net,
sdk/storage): ten minutes of invisibility that are renewed at half-time, release after a failure, and the poison queue.
"""

import asyncio
import base64
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from emulator.alarm import Alarm
from emulator.functions.channel import Datum, Function, Invocation, InvocationError
from emulator.functions.settings import QueueSettings

_LOG = logging.getLogger(__name__)
_INVISIBLE = timedelta(minutes=10)
_LEAST_INTERVAL = timedelta(milliseconds=100)

Queue = Callable[[str], QueueClient]
Invoke = Callable[[Invocation], Awaitable[None]]


@dataclass
class _Processing:
    """A message whose function is running. Its receipt changes whenever it is renewed or received again."""

    receipt: str
    renew_at: datetime


class QueueListener:
    """Polls one queue on the local Azure's clock and invokes a function with each message."""

    def __init__(
        self, function: Function, queue: Queue, name: str, invoke: Invoke, settings: QueueSettings, alarm: Alarm
    ) -> None:
        """`queue` returns the client of a queue by its name."""
        self._function = function
        # messages are read raw, so that one that cannot be decoded can go to the poison queue unchanged
        self._queue = queue(name)
        self._poison = queue(f"{name}-poison")
        self._invoke = invoke
        self._settings = settings
        self._alarm = alarm
        self._processing: dict[str, _Processing] = {}
        # No receipt changes between the end of a function and what follows for its message.
        self._receipts = asyncio.Lock()
        self._done = asyncio.Event()
        self._tried = asyncio.Event()

    async def begun(self) -> None:
        """Returns once the queue exists or could not be made at the first attempt."""
        await self._tried.wait()

    async def run(self) -> None:
        async with self._queue, self._poison, asyncio.TaskGroup() as tasks:
            await self._begin()
            interval = _LEAST_INTERVAL
            while True:
                self._done.clear()
                found = await self._poll(tasks)
                interval = _LEAST_INTERVAL if found else min(2 * interval, self._settings.max_polling_interval)
                if not found or self._busy:
                    await self._pause(interval)

    async def _begin(self) -> None:
        """Makes the queue. The real host leaves that to whoever deploys the storage account."""
        while True:
            try:
                return await _create(self._queue)
            except AzureError as error:
                _LOG.warning("Queue '%s' cannot be made: %s", self._queue.queue_name, error)
            finally:
                self._tried.set()
            await self._alarm.after(self._settings.max_polling_interval.total_seconds())

    @property
    def _busy(self) -> bool:
        return len(self._processing) > self._settings.new_batch_threshold

    async def _poll(self, tasks: asyncio.TaskGroup) -> bool:
        """Whether messages were found.

        Renews first, so that running messages do not become visible when the clock jumps.
        """
        async with self._receipts:
            try:
                await self._renew()
                batch = [] if self._busy else await self._receive()
            except AzureError as error:
                _LOG.warning("Queue '%s' cannot be read: %s", self._queue.queue_name, error)
                return False
            for message in batch:
                processing = _Processing(str(message.pop_receipt), self._half_time())
                # The clock may jump between renewing and receiving, which no real clock does. What runs continues.
                known = message.id in self._processing
                self._processing[message.id] = processing
                if not known:
                    tasks.create_task(self._process(message))
        return bool(batch)

    async def _pause(self, interval: timedelta) -> None:
        """Waits for the interval or the end of an invocation."""
        waits = [
            asyncio.create_task(self._alarm.after(interval.total_seconds())),
            asyncio.create_task(self._done.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _receive(self) -> list[QueueMessage]:
        size = self._settings.batch_size
        pages = self._queue.receive_messages(
            messages_per_page=size, visibility_timeout=int(_INVISIBLE.total_seconds())
        ).by_page()
        async for page in pages:
            return [message async for message in page]
        return []

    async def _renew(self) -> None:
        for id_, processing in self._processing.items():
            if processing.renew_at <= self._alarm.now():
                processing.renew_at = self._half_time()
                renewed = await self._queue.update_message(
                    id_, processing.receipt, visibility_timeout=int(_INVISIBLE.total_seconds())
                )
                processing.receipt = str(renewed.pop_receipt)

    def _half_time(self) -> datetime:
        return self._alarm.now() + _INVISIBLE / 2

    async def _process(self, message: QueueMessage) -> None:
        succeeded = await self._execute(message)
        async with self._receipts:
            processing = self._processing.pop(message.id)
            try:
                await self._complete(message, processing.receipt, succeeded=succeeded)
            except AzureError as error:
                _LOG.warning("Queue '%s', message %s: %s", self._queue.queue_name, message.id, error)
        self._done.set()

    async def _complete(self, message: QueueMessage, receipt: str, *, succeeded: bool) -> None:
        if succeeded:
            await self._queue.delete_message(message.id, receipt)
        elif (message.dequeue_count or 0) >= self._settings.max_dequeue_count:
            await self._to_poison(message, receipt)
        else:
            hidden = int(self._settings.visibility_timeout.total_seconds())
            await self._queue.update_message(message.id, receipt, visibility_timeout=hidden)

    async def _execute(self, message: QueueMessage) -> bool:
        if (message.dequeue_count or 0) > self._settings.max_dequeue_count:
            return False
        try:
            text = decode(message.content, base64_encoded=self._settings.base64)
        except ValueError:
            _LOG.warning("Queue '%s', message %s cannot be decoded", self._queue.queue_name, message.id)
            message.dequeue_count = self._settings.max_dequeue_count  # no attempt could do better
            return False
        try:
            await self._invoke(Invocation(self._function, ("string", text), metadata(message, text)))
        except InvocationError:
            return False
        return True

    async def _to_poison(self, message: QueueMessage, receipt: str) -> None:
        _LOG.warning(
            "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
            self._settings.max_dequeue_count,
            self._poison.queue_name,
        )
        await _create(self._poison)
        await self._poison.send_message(message.content)
        await self._queue.delete_message(message.id, receipt)


def decode(content: str, *, base64_encoded: bool) -> str:
    """Raises ValueError for what is not base64 if base64 is expected."""
    if not base64_encoded:
        return content
    return base64.b64decode(content, validate=True).decode(errors="replace")


def metadata(message: QueueMessage, text: str) -> dict[str, Datum]:
    """The trigger metadata that the host gives to a worker: strings unchanged, the rest as JSON."""
    return {
        "QueueTrigger": ("string", text),
        "Id": ("string", message.id),
        "PopReceipt": ("string", str(message.pop_receipt)),
        "DequeueCount": ("json", json.dumps(message.dequeue_count)),
        "InsertionTime": ("json", _json(message.inserted_on)),
        "ExpirationTime": ("json", _json(message.expires_on)),
        "NextVisibleTime": ("json", _json(message.next_visible_on)),
    }


def _json(moment: datetime | None) -> str:
    return json.dumps(moment and moment.isoformat())


async def _create(queue: QueueClient) -> None:
    try:
        await queue.create_queue(retry_total=0)  # the caller tries again
    except ResourceExistsError:
        return
