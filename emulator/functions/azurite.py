"""Azurite, Microsoft's storage emulator, on the local Azure's clock."""

import asyncio
import contextlib
import os
import re
import struct
from datetime import timedelta
from pathlib import Path

from emulator.clock import Clock
from emulator.functions.node import NODE

_ROOT = Path(__file__).parents[2]
_PROGRAM = _ROOT / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
_PRELOAD = Path(__file__).with_name("azurite_preload.cjs")
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (http://\S+)")
_READY_SECONDS = 60
_STOP_SECONDS = 5
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # public, documented
_OPTIONS = (
    *("--blobPort", "0", "--queuePort", "0", "--tablePort", "0"),
    "--inMemoryPersistence",
    "--skipApiVersionCheck",  # the SDK's api-version may be newer than Azurite's
    "--loose",
    "--silent",
    "--disableTelemetry",
)


class Azurite:
    """Blob, queue and table service on free ports, in memory.

    It is gone when it is stopped or when this process dies.
    """

    def __init__(self, clock: Clock, run_dir: Path, program: Path = _PROGRAM) -> None:
        self._program = program
        self._clock = clock
        self._run_dir = run_dir
        self._clock_file = -1
        self._process: asyncio.subprocess.Process | None = None
        self._output: asyncio.Task[None] | None = None
        self._endpoints: dict[str, str] = {}

    @property
    def endpoints(self) -> dict[str, str]:
        """URLs by service: `blob`, `queue`, `table`, without the account."""
        return {service.lower(): url for service, url in self._endpoints.items()}

    @property
    def connection_string(self) -> str:
        endpoints = "".join(f"{service}Endpoint={url}/{ACCOUNT};" for service, url in sorted(self._endpoints.items()))
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoints}"

    async def start(self) -> None:
        if not self._program.exists():
            raise RuntimeError("Azurite is not installed: run `make setup`")
        self._run_dir.mkdir(parents=True, exist_ok=True)
        clock_path = self._run_dir / "azurite-clock"
        self._follow_clock(clock_path)
        self._process = await asyncio.create_subprocess_exec(
            *(NODE, "--require", _PRELOAD, self._program, *_OPTIONS),
            cwd=self._run_dir,
            # the compile cache makes the start a third faster
            env={
                "AZURITE_CLOCK_FILE": str(clock_path),
                "NODE_COMPILE_CACHE": str(_ROOT / "node_modules" / ".cache" / "azurite"),
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._listening(self._process.stdout)
        except BaseException:
            await self.stop()
            raise
        self._output = asyncio.create_task(_discard(self._process.stdout))

    async def stop(self) -> None:
        if self._process:
            await _end(self._process)
        if self._output:
            await self._output
        if self._clock_file >= 0:
            os.close(self._clock_file)
            self._clock_file = -1

    async def _listening(self, output: asyncio.StreamReader | None) -> None:
        said: list[str] = []
        while output and len(self._endpoints) < 3:
            line = (await output.readline()).decode()
            if not line:
                raise RuntimeError(f"Azurite did not start: {''.join(said)}")
            said.append(line)
            if match := _LISTENING.search(line):
                self._endpoints[match[1]] = match[2]

    def _follow_clock(self, clock_path: Path) -> None:
        """From now on the file, by which Azurite knows the time, says what the clock says."""
        self._clock_file = os.open(clock_path, os.O_RDWR | os.O_CREAT, 0o600)
        self._write_offset(self._clock.offset)
        self._clock.on_advance(self._write_offset)

    def _write_offset(self, offset: timedelta) -> None:
        if self._clock_file >= 0:
            os.pwrite(self._clock_file, struct.pack("<d", offset.total_seconds() * 1000), 0)


async def _discard(output: asyncio.StreamReader | None) -> None:
    while output and await output.read(65536):
        pass


async def _end(process: asyncio.subprocess.Process) -> None:
    """Closes stdin, which the preloaded script takes as the end. Kills what does not end."""
    if process.stdin:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
