"""A proxy for a client that knows Azure's hosts by heart: whatever host it asks for, it reaches the local Azure.

The client is told of it by HTTPS_PROXY, and trusts its certificates by REQUESTS_CA_BUNDLE. It is not patched.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from clients.local import Local

_HOST = "127.0.0.1"
_BYTES = 64 * 1024


class Proxy:
    def __init__(self, local: Local, folder: Path) -> None:
        self._authority = trustme.CA()
        self.ca = folder / "proxy.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))
        self._port = urlsplit(local.ready["arm"]).port
        self._trusted = ssl.create_default_context(cafile=local.ready["ca"])

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the client: CONNECT, and then TLS as the host that it wants."""
        asked = (await reader.readuntil(b"\r\n\r\n")).decode().split()
        host = asked[1].partition(":")[0]
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(host).configure_cert(context)
        await writer.start_tls(context)
        there, back = await asyncio.open_connection(_HOST, self._port, ssl=self._trusted)
        await asyncio.gather(_copied(reader, back), _copied(there, writer))


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def proxied(local: Local) -> Iterator[dict[str, str]]:
    """What the client's environment has to say of it."""
    proxy, loop = Proxy(local, local.folder), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(proxy.take, _HOST, 0))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield {
            "HTTPS_PROXY": f"http://{_HOST}:{port}",
            "REQUESTS_CA_BUNDLE": str(proxy.ca),
            "SSL_CERT_FILE": str(proxy.ca),
        }
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
