"""HTTP/1.1 as far as the clients of the SDKs use it: connections are kept, bodies have a length."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any

_END = b"\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """`target` is the path with its query, as it was sent."""

    method: str
    target: str
    head: bytes
    body: bytes

    def header(self, name: str) -> str:
        """Empty if it was not sent."""
        return _header(self.head, name)

    def json(self) -> Any:
        """Raises ValueError if the body is not JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, document: Any, headers: Mapping[str, str] | None = None) -> "Answer":
        return cls(status, json.dumps(document).encode(), headers or {})

    def pack(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\nDate: {_date(int(time.time()))}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(self.body)}")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


class Connection(asyncio.Protocol):
    """Gives each whole request to `answer`, and writes the result `delay` seconds after the request."""

    def __init__(self, answer: Callable[[Request], Answer], delay: Callable[[Request], float]) -> None:
        self._answer, self._delay = answer, delay
        self._kept = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Raises ValueError, which closes the connection, if the data is not a request or its body has no length."""
        data = self._kept + data
        while (end := data.find(_END)) >= 0:
            head, start = data[:end], end + len(_END)
            whole = start + _length(head)
            if len(data) < whole:
                break
            method, target, _ = head[: head.find(b"\r\n")].decode("latin-1").split(" ")
            self._handle(Request(method, target, head, data[start:whole]))
            data = data[whole:]
        self._kept = data

    def _handle(self, request: Request) -> None:
        delay = self._delay(request)
        if delay:
            loop = asyncio.get_running_loop()
            due = loop.time() + delay
            loop.call_at(due, self._write, self._answer(request))
        else:
            self._write(self._answer(request))

    def _write(self, answer: Answer) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer.pack())


@lru_cache(1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _length(head: bytes) -> int:
    if head.startswith(b"GET "):
        return 0
    if _header(head, "Transfer-Encoding"):
        raise ValueError("a body in chunks")
    return int(_header(head, "Content-Length") or 0)


def _header(head: bytes, name: str) -> str:
    """Names come in any case, most often in that of `name`."""
    mark = f"\r\n{name}:".encode()
    at = head.find(mark)
    if at < 0:
        at = head.lower().find(mark.lower())
    if at < 0:
        return ""
    start = at + len(mark)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else len(head)].strip().decode("latin-1")
