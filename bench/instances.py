"""`python -m bench.instances N`: runs the app on N instances, against whatever Azure the environment names.

It is the Functions host of the local Azure with Azurite, in a process of its own, so that its cost is not counted as
Azure's. It prints one JSON line when it is ready, then runs until SIGTERM.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

from emulator.clock import Clock
from emulator.functions.host import FunctionsHost

_ROOT = Path(__file__).parent.parent
_SETTINGS = ("AMLGUARD_", "IDENTITY_", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


async def run(workers: int, folder: Path) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    settings = {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
    host = FunctionsHost(_ROOT, settings, 0, Clock(), folder, workers)
    await host.start()
    try:
        print(json.dumps({"functions": host.url, "storage": host.storage_connection}), flush=True)
        await stopped.wait()
    finally:
        await host.stop()


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="amlguard-instances-", ignore_cleanup_errors=True) as folder:
        asyncio.run(run(int(sys.argv[1]), Path(folder)))


if __name__ == "__main__":
    main()
