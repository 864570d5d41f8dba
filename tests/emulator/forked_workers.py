"""The app's worker processes, forked from one that has already loaded their modules, as `forked` does for programs.

That one is itself forked before the local Azure starts anything, so that it has no threads, sockets or event loop.
"""

import asyncio
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Never

from aiohttp import connector

from emulator.functions import worker
from emulator.functions.channel import Process, Starting

_ROOT = Path(__file__).parents[2]
_LIBRARIES = tuple(f"{prefix}/lib" for prefix in (sys.prefix, sys.base_prefix))  # beside them stands what tests add
_MOST_BYTES = 1 << 16
_GONE = -signal.SIGKILL  # what is said of a process whose parent is gone, too


@dataclass(frozen=True, slots=True)
class _Forked:
    pid: int
    code: asyncio.Task[int]

    def kill(self) -> None:
        if self.code.done():
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        return await asyncio.shield(self.code)


@contextmanager
def forked_workers() -> Iterator[Starting]:
    """To be entered before anything but this thread runs. The process that forks ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.fork()
    if not parent:
        ours.close()
        end_with(partial(_fork_on_demand, theirs))
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
    aiohttp: Any = connector  # read these two when it was loaded
    aiohttp._SSL_CONTEXT_VERIFIED = _trusting(environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR"))


@cache
def _trusting(file: str | None, folder: str | None) -> Any:  # noqa: ARG001 - OpenSSL takes them from the environment
    """Kept, for where neither is set it is all that the machine trusts, which takes 30 ms to read."""
    aiohttp: Any = connector
    return aiohttp._make_ssl_context(verified=True)


def end_with(program: Callable[[], int]) -> Never:
    """The process ends as an interpreter would, whatever the one that it was forked from has still to do."""
    code = 1
    try:
        code = program()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else code
    except BaseException:  # noqa: BLE001 - an interpreter says and does the same
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


async def _code(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    said = await reader.readline()
    writer.close()
    return int(said or _GONE)


def _fork_on_demand(demands: socket.socket) -> int:
    """Says on the second descriptor of each demand which process there is, and in the end its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the local Azure ends these in order
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
                return 0
            connection, told = descriptors
            telling = socket.socket(fileno=told)
            if not (pid := os.fork()):
                waiting.close()
                for one in (demands, telling, *(other for _, other in children.values())):
                    one.close()
                end_with(partial(_work, connection, *json.loads(demand)))
            os.close(connection)
            _tell(telling, pid)
            children[ended := os.pidfd_open(pid)] = pid, telling
            waiting.register(ended, selectors.EVENT_READ)


def _tell(telling: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # whoever asked is gone
        telling.send(b"%d\n" % number)


def _work(connection: int, app_dir: str, environment: Mapping[str, str]) -> int:
    take_on(environment)
    os.chdir(_ROOT)
    sys.path[:] = [str(_ROOT), *(one for one in sys.path if one.startswith(_LIBRARIES))]
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return worker.main([str(connection), app_dir])
