"""`python -m emulator`: prints one JSON line when ready, then runs until SIGTERM or SIGINT."""

import asyncio
import json
import logging
import signal
import sys
import tempfile
from pathlib import Path

from emulator.app_settings import AppSettingsError
from emulator.deployment import AccessFileError
from emulator.faults.errors import FaultsError
from emulator.functions.errors import HostSettingsError
from emulator.kept import KeptError
from emulator.options import Options, parse
from emulator.processes import PROCESSES, Processes
from emulator.server import LocalAzure
from emulator.tenant import TenantFileError

# RuntimeError: an app that does not load, or a webhook that Event Grid cannot validate
_REFUSALS = (
    *(TenantFileError, FaultsError, AccessFileError, AppSettingsError, HostSettingsError),
    *(KeptError, OSError, RuntimeError),
)
_PAGE = Path(__file__).parents[1] / "docs" / "emulator.md"
_HOW_TO = f"amlguard: {_PAGE} says how to use it with az, azure-ai-ml, curl and the SDKs"


async def run(options: Options, run_dir: Path, processes: Processes) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    azure = LocalAzure(options, run_dir, processes)
    starting = asyncio.create_task(azure.start())
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait((starting,))
        return
    await starting
    try:
        for odd in azure.tenant.odd_names:
            print(f"amlguard emulate: Azure allows no such name: {odd}", file=sys.stderr)  # noqa: T201 - what a command says
        print(json.dumps(azure.ready()), flush=True)  # noqa: T201 - the one line for which callers wait
        print(_HOW_TO, file=sys.stderr, flush=True)  # noqa: T201 - what a command says
        await stopping
    finally:
        await azure.stop()


def main(arguments: list[str] | None = None, processes: Processes = PROCESSES) -> int:
    options = parse(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if options.verbose else logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="amlguard-", ignore_cleanup_errors=True) as run_dir:
        try:
            asyncio.run(run(options, Path(run_dir), processes))
        except _REFUSALS as error:
            print(f"amlguard emulate: {error}", file=sys.stderr)  # noqa: T201 - what a command says
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
