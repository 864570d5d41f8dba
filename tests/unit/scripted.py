"""Azure by a script: the product's own clients and pipelines, over a transport that answers what a test gave it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from azure.core.credentials import AccessToken
from azure.core.rest import HttpRequest
from azure.core.utils import CaseInsensitiveDict

from shared.azure.azure import LiveAzure
from shared.azure.session import PUBLIC

ARM = "https://management.azure.com"
OPERATION = f"{ARM}/operations/1"
RESULT = f"{ARM}/results/1"


@dataclass
class Answer:
    """As azure-core's pipeline takes it."""

    status_code: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    request: Any = None
    reason: str = ""

    def __post_init__(self) -> None:
        self.headers = CaseInsensitiveDict(self.headers)

    @property
    def content(self) -> bytes:
        written = self.body if isinstance(self.body, str) else "" if self.body is None else json.dumps(self.body)
        return written.encode()

    @property
    def content_type(self) -> str:
        told = self.headers.get("Content-Type")
        return told or ("text/html" if isinstance(self.body, str) else "application/json")

    def text(self, _: str | None = None) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        yield self.content

    async def read(self) -> bytes:
        return self.content

    async def load_body(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Open:
    """What azure-core asks of a transport besides sending."""

    async def sleep(self, duration: float) -> None:
        await asyncio.sleep(duration)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class Transport(Open):
    """Answers each path in turn, the last answer over and over; `asked` is what it was asked."""

    def __init__(self, **answers: Iterable[Answer | Exception]) -> None:
        self._answers = {name: [*given] for name, given in answers.items()}
        self.asked: list[str] = []

    async def send(self, request: HttpRequest, **_: Any) -> Answer:
        path = request.url.partition("?")[0].removeprefix(ARM)
        kind = {"/operations/1": "operation", "/results/1": "result"}.get(path)
        kind = kind or ("look" if request.method == "GET" else "write")
        self.asked.append(kind)
        waiting = self._answers[kind]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        await asyncio.sleep(0.1)
        if isinstance(answer, Exception):
            raise answer
        answer.request = request
        return answer


class Credential:
    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", 2**31)

    async def close(self) -> None:
        pass


def live(transport: Transport) -> LiveAzure:
    credential: Any = Credential()
    wire: Any = transport
    return LiveAzure(ARM, PUBLIC, credential, wire, None)
