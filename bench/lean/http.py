"""HTTP/1.1 as the SDKs' clients speak it, and no more: keep-alive, bodies with a length, one request after the other."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

_END = b"\r\n\r\n"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """`target` is the path with its query, as it was sent."""

    method: str
    target: str
    head: bytes
    body: bytes

    def json(self) -> Any:
        """ValueError when it is not JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        """Empty when it was not sent."""
        return header(self.head, name)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, document: Any, headers: Mapping[str, str] | None = None) -> "Answer":
        return cls(status, json.dumps(document).encode(), headers or {})


class Clockwork:
    """The Date header, made once a second."""

    def __init__(self) -> None:
        self._second, self._text = 0, ""

    def __call__(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


class Connection(asyncio.Protocol):
    """Gives each request to `answer` when it is whole, and writes what that returns after `delay` seconds."""

    def __init__(self, answer: Callable[[Request], Answer], delay: Callable[[Request], float]) -> None:
        self._answer, self._delay = answer, delay
        self._date = Clockwork()
        self._kept = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._kept + data if self._kept else data
        while (end := data.find(_END)) >= 0:
            head, start = data[:end], end + len(_END)
            if header(head, "transfer-encoding"):
                self._write(Answer(501))
                return self._close()
            length = 0 if head.startswith(b"GET") else int(header(head, "content-length") or 0)
            if len(data) < start + length:
                break
            method, target, _ = head[: head.index(b"\r\n")].decode("latin-1").split(" ")
            self._handle(Request(method, target, head, data[start : start + length]))
            data = data[start + length :]
        self._kept = data
        return None

    def _handle(self, request: Request) -> None:
        answer, delay = self._answer(request), self._delay(request)
        if delay:
            asyncio.get_running_loop().call_later(delay, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: Answer) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        lines = [f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}", f"Date: {self._date()}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        if answer.status != HTTPStatus.NO_CONTENT:
            lines += ["Content-Type: application/json; charset=utf-8", f"Content-Length: {len(answer.body)}"]
        self._transport.write("\r\n".join((*lines, "", "")).encode("latin-1") + answer.body)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def header(head: bytes, name: str) -> str:
    at = head.lower().find(b"\r\n" + name.lower().encode() + b":")
    if at < 0:
        return ""
    start = at + len(name) + 3
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip().decode("latin-1")
