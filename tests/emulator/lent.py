"""An Azurite that many local Azures use, one after the other."""

import asyncio
import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from emulator.clock import Clock
from emulator.functions.azurite import Azurite


@dataclass(frozen=True, slots=True)
class Lent:
    """`endpoints` are its URLs by service, `clock` is the file by which it knows the time."""

    endpoints: Mapping[str, str]
    clock: Path

    def to(self, clock: Clock, folder: Path) -> Azurite:
        return _Borrowed(self, clock, folder)

    def empty(self) -> None:
        """AzureError: it cannot be used again."""
        self.clock.write_bytes(bytes(8))
        connection = _Borrowed(self, Clock(), self.clock.parent).connection_string
        with BlobServiceClient.from_connection_string(connection, retry_total=0) as blobs:
            for container in blobs.list_containers():
                blobs.delete_container(container.name)
        with QueueServiceClient.from_connection_string(connection, retry_total=0) as queues:
            for queue in queues.list_queues():
                queues.delete_queue(queue.name)


class _Borrowed(Azurite):
    """It is already running, and `stop` leaves it running."""

    def __init__(self, lent: Lent, clock: Clock, folder: Path) -> None:
        super().__init__(clock, folder)
        self._lent = lent
        self._endpoints = {service.capitalize(): url for service, url in lent.endpoints.items()}

    async def start(self) -> None:
        self._follow_clock(self._lent.clock)


def lend(arguments: list[str]) -> int:
    """A program: runs one, says its endpoints, and ends with SIGTERM."""
    asyncio.run(_lend(Path(*arguments)))
    return 0


async def _lend(folder: Path) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    azurite = Azurite(Clock(), folder)
    await azurite.start()
    print(json.dumps({"endpoints": azurite.endpoints, "clock": str(folder / "azurite-clock")}), flush=True)  # noqa: T201 - what a program says
    await stopped.wait()
    await azurite.stop()
