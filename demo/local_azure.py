"""Runs `amlguard emulate` as a child process: starts it, waits for it, and ends it."""

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from demo.tenant import POLICY, tenant

AMLGUARD = Path(sys.executable).with_name("amlguard")
_READY_SECONDS = 60
_STOP_SECONDS = 10
_LAST_WORDS = 3000
_LOG = "emulate.log"


class NotStartedError(Exception):
    """The local Azure did not start. The message has what it said."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The line that `amlguard emulate` prints when it is ready."""

    arm: str
    functions: str
    ca: str
    operator_token: str
    env: dict[str, str]


@asynccontextmanager
async def local_azure(directory: Path) -> AsyncIterator[Ready]:
    """Writes the tenant, the policy and the output of the process into `directory`. Raises `NotStartedError`."""
    tenant_file, policy_file, said = directory / "tenant.json", directory / "policy.yaml", directory / _LOG
    tenant_file.write_text(json.dumps(tenant(), indent=2), encoding="utf-8")
    policy_file.write_text(POLICY, encoding="utf-8")
    if not AMLGUARD.exists():
        raise NotStartedError(f"there is no {AMLGUARD}: run `make setup`")
    with said.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(AMLGUARD, "emulate", "--tenant", tenant_file, "--policy", policy_file),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C goes to the demo, which then ends the local Azure in order.
        )
    try:
        yield await _ready(process, directory)
    finally:
        await _end(process)


async def _ready(process: Process, directory: Path) -> Ready:
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_READY_SECONDS):
            line = await process.stdout.readline() if process.stdout else b""
    if not line:
        words = last_words(directory)
        raise NotStartedError(f"`amlguard emulate` did not get ready: {words or f'no word in {_READY_SECONDS} s'}")
    told = json.loads(line)
    return Ready(told["arm"], told["functions"], told["ca"], told["operatorToken"], told["env"])


def last_words(directory: Path) -> str:
    """The end of what the local Azure, and the app on it, have complained about."""
    log = directory / _LOG
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(line for line in lines if " INFO " not in line)[-_LAST_WORDS:].strip()


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
