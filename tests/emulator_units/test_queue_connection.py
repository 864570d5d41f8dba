"""How the host reaches the queues of a storage account that it knows by URL: over TLS, on connections that it keeps."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError

from emulator.functions.settings import Connection

_EMPTY = '<?xml version="1.0" encoding="utf-8"?><QueueMessagesList/>'


class _Credential:
    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", 9_999_999_999)

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@dataclass
class _Account:
    """`peers` are the clients' ends of the connections, one for each request."""

    url: str
    ca: str
    peers: list[Any]


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[_Account]:
    peers: list[Any] = []

    async def receive(request: web.Request) -> web.Response:
        assert request.transport
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response(text=_EMPTY, content_type="application/xml")

    app = web.Application()
    app.router.add_get("/{queue}/messages", receive)
    ca, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    yield _Account(f"https://127.0.0.1:{server.port}", str(tmp_path / "ca.pem"), peers)
    await server.close()


async def test_one_connection_serves_all_polls(account: _Account) -> None:
    async with Connection(queue_url=account.url).queue("q", _Credential(), account.ca) as queue:
        for _ in range(3):
            assert [one async for one in queue.receive_messages()] == []
    assert len(account.peers) == 3
    assert len(set(account.peers)) == 1


async def test_no_other_authority_is_trusted(account: _Account) -> None:
    async with Connection(queue_url=account.url).queue("q", _Credential(), None) as queue:
        with pytest.raises(ServiceRequestError, match="CERTIFICATE_VERIFY_FAILED"):
            _ = [one async for one in queue.receive_messages(retry_total=0)]
    assert account.peers == []


async def test_a_client_that_is_never_used_leaves_nothing_open(account: _Account) -> None:
    """As that of a function that is disabled; a warning would be an error."""
    made = Connection(queue_url=account.url).queue("q", _Credential(), account.ca)
    assert made.queue_name == "q"
    del made
