"""Runs in .venv-clients. The first argument is the place as JSON, the others are SDKs.

Each answer is one line: the SDK, the operation and its error.
"""

import asyncio
import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable

warnings.simplefilter("ignore")

from clients.sdks import (  # noqa: E402 - some of the SDKs warn of their own text when they are loaded
    authorization,
    containers,
    data,
    identity,
    machine_learning,
    monitor,
    registry,
    resource,
    storage,
    vault,
)
from clients.sdks.place import WAIT_SECONDS, Operation, Place  # noqa: E402 - as above

SDKS: dict[str, Callable[[Place], list[Operation]]] = {
    "authorization": authorization.operations,
    "containerregistry": registry.operations,
    "storage": storage.operations,
    "keyvault": vault.operations,
    "msi": identity.operations,
    "containerinstance": containers.operations,
    "machinelearningservices": machine_learning.operations,
    "resource": resource.operations,
    "monitor": monitor.operations,
    "monitor-query": data.query,
    "monitor-ingestion": data.ingestion,
    "eventgrid": data.event_grid,
    "storage-blob": data.blob,
    "storage-queue": data.queue,
}


async def main(place: Place, wanted: list[str]) -> None:
    logging.disable(logging.CRITICAL)
    answers = sys.stdout
    for sdk in wanted:
        for name, operation in SDKS[sdk](place):
            error = None
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                try:
                    async with asyncio.timeout(WAIT_SECONDS):
                        await operation()
                except Exception as found:  # noqa: BLE001 - whatever a client says is what is asked
                    error = f"{type(found).__name__}: {found}"
            answers.write(json.dumps([sdk, name, error]) + "\n")
            answers.flush()


if __name__ == "__main__":
    asyncio.run(main(Place(**json.loads(sys.argv[1])), sys.argv[2:]))
