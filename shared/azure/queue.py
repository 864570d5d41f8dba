"""The work queue: Azure Queue Storage, in the encoding that the Functions host expects (base64).

The SDK loads with the first message, because most events leave nothing for later.
"""

import base64
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.azure.settings import QUEUE, Settings, SettingsError
from shared.azure.storage import PATIENCE, Patience, operating, options
from shared.ports import GivenUp, Receipt

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient

_MOST_PEEKED = 32  # what the service gives at once
_LONGEST_DELAY = timedelta(days=7) - timedelta(minutes=1)


class LiveWorkQueue:
    def __init__(
        self,
        settings: Settings,
        credential: AsyncTokenCredential,
        transport: AsyncHttpTransport[Any, Any],
        patience: Patience = PATIENCE,
    ) -> None:
        """Raises `SettingsError` if no queue is configured."""
        if not settings.has_queue:
            raise SettingsError("no work queue: set AzureWebJobsStorage or AzureWebJobsStorage__queueServiceUri")
        self._settings, self._credential, self._transport = settings, credential, transport
        self._patience = patience
        self._operating = partial(operating, role="Storage Queue Data Contributor", patience=patience)

    @cached_property
    def _client(self) -> "QueueClient":
        return self._connect(QUEUE)

    @cached_property
    def _poison(self) -> "QueueClient":
        """What cannot be decoded goes there at once, and keeps nothing else from being shown."""
        return self._connect(f"{QUEUE}-poison", decode=False)

    def _connect(self, name: str, *, decode: bool = True) -> "QueueClient":
        from azure.storage.queue import (  # noqa: PLC0415 - see the module's docstring
            BinaryBase64DecodePolicy,
            BinaryBase64EncodePolicy,
        )
        from azure.storage.queue.aio import QueueClient  # noqa: PLC0415 - see the module's docstring

        given = {
            **options(self._transport, self._patience),
            "message_encode_policy": BinaryBase64EncodePolicy(),
            "message_decode_policy": BinaryBase64DecodePolicy() if decode else None,
        }
        if self._settings.storage_connection:
            return QueueClient.from_connection_string(self._settings.storage_connection, name, **given)
        return QueueClient(str(self._settings.queue_url), name, credential=self._credential, **given)

    async def put(self, message: bytes, delay: timedelta) -> Receipt:
        """The delay is in whole seconds, rounded up. The storage service allows at most seven days."""
        seconds = min(delay, _LONGEST_DELAY).total_seconds()
        hidden = max(0, int(-(-seconds // 1)))
        async with self._operating("put work on the queue"):
            try:
                sent = await self._client.send_message(message, visibility_timeout=hidden, time_to_live=-1)
            except ResourceNotFoundError:
                await self._client.create_queue()
                sent = await self._client.send_message(message, visibility_timeout=hidden, time_to_live=-1)
        return str(sent.id), str(sent.pop_receipt)

    async def length(self) -> int:
        async with self._operating("count the work on the queue"):
            try:
                found = await self._client.get_queue_properties()
            except ResourceNotFoundError:
                return 0
        return int(found.approximate_message_count or 0)

    async def given_up(self) -> Sequence[GivenUp]:
        async with self._operating("look at the work that was given up"):
            try:
                found = await self._poison.peek_messages(max_messages=_MOST_PEEKED)
            except ResourceNotFoundError:
                return []
        return [GivenUp(_plain(str(one.content)), one.inserted_on) for one in found if one.inserted_on]

    async def withdraw(self, receipt: Receipt) -> None:
        async with self._operating("take work off the queue"):
            try:
                await self._client.delete_message(*receipt)
            except ResourceNotFoundError:
                return


def _plain(content: str) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except ValueError:
        return content.encode()
