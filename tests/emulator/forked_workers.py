"""The app's worker processes, forked from one that has already loaded their modules, as `forked` does for programs.

That one is itself forked before the local Azure starts anything, so that it has no threads, sockets or event loop.
"""

import asyncio
import json
import os
import selectors
import socket
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any, Never

from aiohttp import connector

from emulator.functions import worker
from emulator.functions.channel import Process, Starting

_MOST_BYTES = 1 << 16
_GONE = -SIGKILL  # what is said of a process whose parent is gone, too


@dataclass(frozen=True, slots=True)
class _Forked:
    pid: int
    code: asyncio.Task[int]

    def kill(self) -> None:
        if self.code.done():
            raise ProcessLookupError
        os.kill(self.pid, SIGKILL)

    async def wait(self) -> int:
        return await asyncio.shield(self.code)


@contextmanager
def forked_workers() -> Iterator[Starting]:
    """To be entered where nothing runs yet but this thread. It ends when this process does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.fork()
    if not parent:
        ours.close()
        _fork_on_demand(theirs)
    theirs.close()

    async def starting(connection: socket.socket, app_dir: Path, environment: Mapping[str, str]) -> Process:
        asked, told = socket.socketpair()
        with told:
            what = json.dumps([str(app_dir), dict(environment)]).encode()
            socket.send_fds(ours, [what], [connection.fileno(), told.fileno()])
        reader, writer = await asyncio.open_unix_connection(sock=asked)
        return _Forked(int(await reader.readline()), asyncio.create_task(_code(reader, writer)))

    with ours:
        yield starting
    os.waitpid(parent, 0)


def take_on(environment: Mapping[str, str]) -> None:
    """As if the process had started with it. What an interpreter reads at its own start cannot be made good."""
    os.environ.clear()
    os.environ.update(environment)
    aiohttp: Any = connector  # read SSL_CERT_FILE when it was loaded
    aiohttp._SSL_CONTEXT_VERIFIED = aiohttp._make_ssl_context(verified=True)


async def _code(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    said = await reader.readline()
    writer.close()
    return int(said or _GONE)


def _fork_on_demand(demands: socket.socket) -> Never:
    """Says on the second descriptor of each demand which process there is, and in the end its exit code."""
    children: dict[int, tuple[int, socket.socket]] = {}
    waiting = selectors.EpollSelector()
    waiting.register(demands, selectors.EVENT_READ)
    while True:
        for ready in [key.fd for key, _ in waiting.select()]:
            if ready in children:
                waiting.unregister(ready)
                os.close(ready)
                pid, telling = children.pop(ready)
                _tell(telling, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                telling.close()
                continue
            demand, descriptors, _, _ = socket.recv_fds(demands, _MOST_BYTES, 2)
            if not demand:
                os._exit(0)
            connection, told = descriptors
            telling = socket.socket(fileno=told)
            if not (pid := os.fork()):
                waiting.close()
                for one in (demands, telling, *(other for _, other in children.values())):
                    one.close()
                _become_worker(connection, *json.loads(demand))
            os.close(connection)
            _tell(telling, pid)
            children[ended := os.pidfd_open(pid)] = pid, telling
            waiting.register(ended, selectors.EVENT_READ)


def _tell(telling: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # whoever asked is gone
        telling.send(b"%d\n" % number)


def _become_worker(connection: int, app_dir: str, environment: Mapping[str, str]) -> Never:
    code = 1
    try:
        take_on(environment)
        with Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), sys.stdin.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        code = worker.main([str(connection), app_dir])
    except BaseException:  # noqa: BLE001 - the interpreter would do the same with it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
