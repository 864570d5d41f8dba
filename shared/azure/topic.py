"""The topic of Event Grid that gets amlguard's CloudEvents, by azure-eventgrid.

The SDK takes most of a second to load. Only the work that sends an event loads it, and beside the other work.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AsyncHttpTransport

from shared.azure.errors import telling
from shared.ports import TellFailedError

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient

# What takes longer comes again from the queue.
PATIENCE_SECONDS = 30
_SENDING = "send an event to the topic"


class LiveTopic:
    """The SDK knows one audience, https://eventgrid.azure.net, for every cloud.

    A topic redirects nobody. So an answer that does is a failure, and no other host gets the event.
    """

    def __init__(
        self, endpoint: str, credential: AsyncTokenCredential, transport: AsyncHttpTransport[Any, Any]
    ) -> None:
        self._endpoint, self._credential, self._transport = endpoint, credential, transport
        self._made: EventGridPublisherClient | None = None

    async def send(self, event: Mapping[str, Any]) -> None:
        client = await self._client()
        from azure.core.messaging import CloudEvent  # noqa: PLC0415 - see the module's docstring

        made: CloudEvent[Any] = CloudEvent(
            source=event["source"],
            type=event["type"],
            data=event["data"],
            id=event["id"],
            subject=event["subject"],
            time=datetime.fromisoformat(event["time"]),
            datacontenttype="application/json",
        )
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                with telling(_SENDING):
                    await client.send(made)
        except TimeoutError:
            raise TellFailedError(_SENDING, "Timeout", "the topic did not answer in time") from None

    async def _client(self) -> "EventGridPublisherClient":
        if self._made is None:
            sdk = await asyncio.to_thread(import_module, "azure.eventgrid.aio")
            self._made = sdk.EventGridPublisherClient(
                self._endpoint,
                self._credential,
                transport=self._transport,
                # The SDK would sleep for however long the topic asks. The queue tries again, and later.
                retry_total=0,
                permit_redirects=False,
            )
        return self._made
