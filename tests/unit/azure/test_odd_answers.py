"""Answers as no script writes them: statuses that are about a part, times that are none, bodies that are not what their
encoding says, and one that never ends. Time is the loop's own, but where a server really answers."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.rest import HttpRequest
from unit.build import REGISTRY, WORKSPACE
from unit.hurried import run, seconds
from unit.scripted import RESULT, Answer, Credential, Transport, live

from shared.access.actions import Setting
from shared.access.asks import Property
from shared.azure.audit_log import LiveAuditLog
from shared.azure.session import PUBLIC, discover, transport
from shared.ports import AuditFailedError, NotBegunError, NotYetError, ReadFailedError, WriteRefusedError

LIST = {"value": [], "id": str(REGISTRY)}
METADATA = b'{"authentication": {"audiences": ["https://arm"]}}'
RESYNC = Setting(WORKSPACE, Property.CACHED_KEYS, "cached", "resynced", "rule", (), "why", "source")
DATE = "Sat, 28 Nov 2026 23:00:00 GMT"
AZURES = {"x-ms-request-id": "1"}


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 207, 226, 304, 308])
def test_a_read_is_answered_by_200_or_not_at_all(status: int) -> None:
    async def read() -> None:
        azure = live(Transport(look=[Answer(status, LIST)], write=[Answer(status, {"data": [], "count": 0})]))
        with pytest.raises(ReadFailedError, match=f"Azure answered {status}"):
            await azure.resource(REGISTRY)
        with pytest.raises(ReadFailedError, match=f"Azure answered {status}"):
            await azure.children(WORKSPACE, "computes")
        with pytest.raises(ReadFailedError, match=f"Azure answered {status}"):
            await anext(aiter(azure.query("resources")))

    run(read())


@pytest.mark.parametrize("name", ["Azure-AsyncOperation", "Location", "Operation-Location"])
@pytest.mark.parametrize(
    "link", ["https://elsewhere.example/operations/1", "https://management.azure.com.elsewhere.example/", "http://[::1"]
)
def test_no_token_goes_where_an_operation_is_elsewhere(name: str, link: str) -> None:
    async def change() -> None:
        transport = Transport(write=[Answer(202, None, {name: link})], look=[Answer(200, {"status": "Succeeded"})])
        with pytest.raises(NotYetError):
            await live(transport).change(RESYNC)
        assert transport.asked == ["write"]

    run(change())


def test_a_list_with_an_error_in_it_is_unknown() -> None:
    async def read() -> None:
        page = {"value": [], "data": [], "error": {"code": "Timeout", "message": "some rows are missing"}}
        azure = live(Transport(look=[Answer(200, page)], write=[Answer(200, page)]))
        with pytest.raises(ReadFailedError, match="PartialPage"):
            await azure.children(WORKSPACE, "computes")
        with pytest.raises(ReadFailedError, match="PartialPage"):
            await anext(aiter(azure.query("q")))

    run(read())


@pytest.mark.parametrize("count", [0, 2, "1"])
def test_a_page_of_resource_graph_has_as_many_rows_as_it_says(count: object) -> None:
    async def read() -> None:
        with pytest.raises(ReadFailedError, match="PartialPage"):
            await anext(aiter(live(Transport(write=[Answer(200, {"data": [{"id": "/"}], "count": count})])).query("q")))
        rows = live(Transport(write=[Answer(200, {"data": [{"id": "/"}], "count": 1})])).query("q")
        assert [row async for row in rows] == [{"id": "/"}]

    run(read())


@pytest.mark.parametrize("told", ["0.001", "0", "1", "nonsense"])
def test_nobody_asks_for_the_state_of_a_change_without_a_pause(told: str) -> None:
    async def change() -> None:
        under_way = Answer(202, None, {"Location": RESULT, "Retry-After": told})
        transport = Transport(write=[under_way], result=[*[under_way] * 9, Answer(200, {"id": "mlw"})])
        await live(transport).change(RESYNC)
        assert seconds() >= 9

    run(change())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, NotYetError) for status in (203, 206, 207, 304, 308, 408, 499, 500, 507)),
        *((status, NotBegunError) for status in (409, 423, 425)),
        *((status, WriteRefusedError) for status in (400, 403, 410, 451)),
    ],
)
def test_whether_a_change_was_made_is_told_only_by_who_knows(status: int, kind: type[WriteRefusedError]) -> None:
    """By 499 a gateway says that somebody hung up, which is nothing about the change."""

    async def change() -> None:
        with pytest.raises(WriteRefusedError) as told:
            await live(Transport(write=[Answer(status, {})])).change(RESYNC)
        assert type(told.value) is kind

    run(change())


@pytest.mark.parametrize("status", [200, 302, 304, 308])
def test_the_log_takes_records_only_if_it_says_so(status: int) -> None:
    async def check() -> None:
        wire: Any = Transport(write=[Answer(status, "", {"Location": "https://elsewhere"})])
        credential: Any = Credential()
        log = LiveAuditLog("https://log", "rule", PUBLIC, credential, wire)
        with pytest.raises(AuditFailedError):
            await log.check()

    run(check())


@pytest.mark.parametrize(
    "code", ["\ud800", "two\nlines", "someone@example.org", "x" * 101, {"a": 1}, ["x"], "", " ", "\x1b[31m"]
)
def test_a_code_that_is_no_word_is_left_out(code: Any) -> None:
    async def read() -> None:
        with pytest.raises(ReadFailedError) as told:
            await live(Transport(look=[Answer(400, {"error": {"code": code, "message": ""}})])).resource(REGISTRY)
        assert told.value.code == "HttpResponseError"

    run(read())


def test_answers_without_an_id_set_the_clock_where_none_has_one() -> None:
    async def ask() -> None:
        azure = live(Transport(look=[Answer(200, {"id": "/"}, {"Date": DATE})]))
        await azure.resource(REGISTRY)
        assert azure.now() == datetime(2026, 11, 28, 23, tzinfo=UTC)

    run(ask())


@pytest.mark.parametrize("told", ["nonsense", "", "Mon, 99 Nov 2026 23:00:00 GMT", "12", None])
def test_what_is_no_time_does_not_set_the_clock(told: str | None) -> None:
    async def ask() -> None:
        right = Answer(200, {"id": "/"}, {**AZURES, "Date": DATE})
        wrong = Answer(200, {"id": "/"}, {**AZURES, **({} if told is None else {"Date": told})})
        azure = live(Transport(look=[wrong, right, wrong]))
        await azure.resource(REGISTRY)
        assert abs((azure.now() - datetime.now(UTC)).total_seconds()) < 60
        for _ in range(2):
            await azure.resource(REGISTRY)
            assert azure.now() == datetime(2026, 11, 28, 23, tzinfo=UTC)

    run(ask())


def test_a_gateway_does_not_set_the_clock() -> None:
    async def ask() -> None:
        gateway = Answer(404, "<html></html>", {"Date": "Thu, 01 Jan 2099 00:00:00 GMT"})
        azure = live(Transport(look=[Answer(200, {"id": "/"}, {**AZURES, "Date": DATE}), gateway]))
        await azure.resource(REGISTRY)
        with pytest.raises(ReadFailedError):
            await azure.resource(REGISTRY)
        assert azure.now() == datetime(2026, 11, 28, 23, tzinfo=UTC)

    run(ask())


# By a server that really answers


@asynccontextmanager
async def _server(*parts: bytes, pause: float = 0) -> AsyncIterator[str]:
    """Sends the parts, the last one over and over while it pauses."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"".join(parts))
        while pause and not writer.is_closing():
            await asyncio.sleep(pause)
            writer.write(parts[-1])
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def _head(*more: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", "Content-Type: application/json", *more, "", "")).encode()


@pytest.mark.parametrize(
    ("encoding", "body", "right"),
    [
        ("gzip", gzip.compress(METADATA), True),
        ("identity", b"\xef\xbb\xbf" + METADATA, True),
        ("gzip", METADATA, False),
        ("gzip", gzip.compress(METADATA)[:-12], False),
        ("gzip", gzip.compress(METADATA)[:10] + b"\xff" * 30, False),
        ("deflate", b"\x00" * 30, False),
        ("identity", METADATA.decode().encode("utf-16"), False),
    ],
    ids=["gzip", "bom", "not gzip", "gzip cut short", "gzip broken", "deflate broken", "utf-16"],
)
async def test_a_body_that_is_not_what_its_encoding_says_is_unknown(encoding: str, body: bytes, right: bool) -> None:
    head = _head(f"Content-Encoding: {encoding}", f"Content-Length: {len(body)}", "Connection: close")
    async with _server(head, body) as url, transport() as wire:
        if right:
            assert (await discover(url, wire)).arm_scope == "https://arm/.default"
        else:
            with pytest.raises(ReadFailedError, match="MalformedAnswer"):
                await discover(url, wire)


@pytest.mark.parametrize("parts", [(_head("Content-Length: 1000000"), b" "), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")])
async def test_an_answer_that_comes_byte_by_byte_has_an_end(parts: tuple[bytes, ...]) -> None:
    """It never says nothing for long, so that no limit of silence would end it."""
    async with _server(*parts, pause=0.01) as url, transport(0.2) as wire:
        async with asyncio.timeout(30):
            with pytest.raises(ServiceResponseError, match="no whole answer"):
                await wire.send(HttpRequest("GET", url))
