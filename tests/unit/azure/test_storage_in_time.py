"""A storage account that does not answer holds nobody up: each operation ends, and says so. Time is the loop's own,
but for one server that really says nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseTimeoutError
from unit.hurried import run, seconds
from unit.scripted import Answer, Credential

from shared.azure.queue import LiveWorkQueue
from shared.azure.session import transport
from shared.azure.settings import Settings
from shared.azure.storage import PATIENCE, Patience
from shared.azure.store import MOST_BYTES, LiveStore
from shared.ports import AzureFailureError, Stored

CREDENTIAL: Any = Credential()
SETTINGS = Settings.read(
    {
        "AzureWebJobsStorage__blobServiceUri": "https://store.blob.core.windows.net",
        "AzureWebJobsStorage__queueServiceUri": "https://store.queue.core.windows.net",
    }
)
MISSING = Answer(404, "<Error/>", {"Content-Type": "application/xml", "x-ms-error-code": "BlobNotFound"})
type Operation = Callable[[Any], Awaitable[object]]


class Silent:
    """Says nothing to the first `times` requests, for as long as each waits for it, as aiohttp waits."""

    def __init__(self, times: int) -> None:
        self.times, self.asked = times, 0

    async def send(self, request: Any, read_timeout: float = 300, **_: Any) -> Answer:
        self.asked += 1
        if self.asked <= self.times:
            await asyncio.sleep(read_timeout)
            raise ServiceResponseTimeoutError("nothing came")
        MISSING.request = request
        return MISSING


class Endless(Silent):
    """Takes its time for each answer, never enough to count as silent, and always says that there is more."""

    async def send(self, request: Any, read_timeout: float = 300, **_: Any) -> Answer:
        await asyncio.sleep(read_timeout - 1)
        self.times += 1
        page = "<EnumerationResults><Blobs/><NextMarker>{}</NextMarker></EnumerationResults>"
        made = Answer(200, page.format(self.times), {"Content-Type": "application/xml"})
        made.request = request
        return made


def _store(wire: Any, patience: Patience = PATIENCE) -> LiveStore:
    return LiveStore(SETTINGS, CREDENTIAL, wire, patience=patience)


OPERATIONS: dict[str, Operation] = {
    "read": lambda wire: _store(wire).read("a"),
    "newer": lambda wire: _store(wire).newer("a", Stored(b"", "1")),
    "write": lambda wire: _store(wire).write("a", b"1", "1"),
    "make": lambda wire: _store(wire).write("a", b"1", None),
    "delete": lambda wire: _store(wire).delete("a"),
    "names": lambda wire: _store(wire).names("a"),
    "put": lambda wire: LiveWorkQueue(SETTINGS, CREDENTIAL, wire).put(b"1", timedelta()),
    "length": lambda wire: LiveWorkQueue(SETTINGS, CREDENTIAL, wire).length(),
    "given up": lambda wire: LiveWorkQueue(SETTINGS, CREDENTIAL, wire).given_up(),
    "withdraw": lambda wire: LiveWorkQueue(SETTINGS, CREDENTIAL, wire).withdraw(("1", "2")),
}


def _outcome(operation: Operation, wire: Any) -> tuple[object, float]:
    """What came of it, and after how many seconds."""
    found = list[tuple[object, float]]()

    async def ask() -> None:
        began = seconds()
        try:
            found.append((await operation(wire), seconds() - began))
        except AzureFailureError as error:
            found.append((error, seconds() - began))

    run(ask())
    return found[0]


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_waits_for_a_silent_account_for_longer_than_event_grid(name: str) -> None:
    error, took = _outcome(OPERATIONS[name], Silent(times=100))
    assert isinstance(error, AzureFailureError)
    assert "the storage account did not answer in time" in str(error)
    assert took < 21


def test_pages_without_end_are_no_way_to_hold_anybody_up() -> None:
    error, took = _outcome(OPERATIONS["names"], Endless(times=0))
    assert isinstance(error, AzureFailureError)
    assert took < 21


@pytest.mark.parametrize(("name", "value"), [("read", None), ("length", 0), ("delete", None)])
def test_one_silence_is_tried_again(name: str, value: object) -> None:
    wire = Silent(times=1)
    found, took = _outcome(OPERATIONS[name], wire)
    assert (found, wire.asked) == (value, 2)
    assert took < 11


@asynccontextmanager
async def _server(said: bytes | None) -> AsyncIterator[Settings]:
    """Says this to whoever asks, or nothing until everybody has gone."""
    released = asyncio.Event()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if said is None:
            await released.wait()
        else:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(said)
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1")
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/devstoreaccount1"
    connection = f"AccountName=devstoreaccount1;AccountKey=QUJD;BlobEndpoint={address};QueueEndpoint={address}"
    async with server:
        yield Settings.read({"AzureWebJobsStorage": connection})
        released.set()


async def test_a_server_that_takes_a_connection_and_says_nothing() -> None:
    hasty = Patience(connection=0.2, silence=0.2, operation=60)
    async with _server(None) as settings, transport() as shared:
        outcomes = await asyncio.wait_for(
            asyncio.gather(
                LiveStore(settings, CREDENTIAL, shared, patience=hasty).read("a"),
                LiveWorkQueue(settings, CREDENTIAL, shared, hasty).length(),
                return_exceptions=True,
            ),
            30,
        )
    for one in outcomes:
        assert isinstance(one, AzureFailureError)
        assert "Azure did not answer" in str(one)


@pytest.mark.parametrize(("more", "read"), [(0, True), (1, False)])
async def test_what_is_far_too_large_is_not_read(more: int, *, read: bool) -> None:
    head = f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{MOST_BYTES + more - 1}/{MOST_BYTES + more}\r\n"
    head += f'ETag: "1"\r\nContent-Type: application/json\r\nContent-Length: {MOST_BYTES + more}\r\n\r\n'
    async with _server(head.encode() + b" " * (MOST_BYTES + more)) as settings, transport() as shared:
        store = LiveStore(settings, CREDENTIAL, shared)
        if read:
            assert await store.read("a") == Stored(b" " * MOST_BYTES, '"1"')
        else:
            with pytest.raises(AzureFailureError, match="it has 16,777,217 bytes, and is not amlguard's"):
                await store.read("a")
