"""`python -m bench.lean --tenant FILE`: prints one JSON line when it is ready, then runs until SIGTERM."""

import argparse
import asyncio
import gc
import json
import signal
import ssl
import tempfile
from pathlib import Path
from typing import Any

import trustme

from bench.lean.azure import LeanAzure
from bench.lean.http import Connection
from emulator.tenant import Tenant

_HOST = "127.0.0.1"
_WAITING = 1024


async def run(azure: LeanAzure, ca: Path) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    arm = await loop.create_server(
        lambda: Connection(azure.answer, azure.delay), _HOST, 0, ssl=_certificate(ca), backlog=_WAITING
    )
    identity = await loop.create_server(lambda: Connection(azure.identity, lambda _: 0), _HOST, 0)
    async with arm, identity:
        print(json.dumps(_ready(azure, _port(arm), _port(identity), ca)), flush=True)
        await stopped.wait()
        arm.close_clients()
        identity.close_clients()


def _ready(azure: LeanAzure, port: int, identity_port: int, ca: Path) -> dict[str, Any]:
    url = f"https://{_HOST}:{port}"
    environment = {
        "AMLGUARD_ARM_ENDPOINT": url,
        "AMLGUARD_LOGS_INGESTION_ENDPOINT": f"{url}/ingestion",
        "AMLGUARD_LOGS_RULE_ID": azure.rule_id,
        "AMLGUARD_LOGS_QUERY_ENDPOINT": f"{url}/v1",
        "AMLGUARD_LOG_WORKSPACE_ID": azure.workspace_id,
        "IDENTITY_ENDPOINT": f"http://{_HOST}:{identity_port}/msi/token",
        "IDENTITY_HEADER": azure.tokens.identity_header,
        "SSL_CERT_FILE": str(ca),
        "REQUESTS_CA_BUNDLE": str(ca),
    }
    return {"arm": url, "ca": str(ca), "operatorToken": azure.tokens.operator_token(), "env": environment}


def _certificate(ca: Path) -> ssl.SSLContext:
    authority = trustme.CA(organization_name="amlguard lean Azure")
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(_HOST, "localhost").configure_cert(context)
    return context


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.lean", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--tenant", type=Path, required=True, metavar="FILE")
    parser.add_argument("--latency-ms", type=float, default=0, help="delays every answer of Azure")
    parser.add_argument("--no-throttle", dest="throttle", action="store_false", help="it never answers 429")
    parser.add_argument("--live", action="store_true", help="also answer what events lead to, changes included")
    options = parser.parse_args()
    gc.disable()  # While a tenant is being built nothing in it is garbage, and collecting would take most of the time.
    azure = LeanAzure(
        Tenant.load(options.tenant), latency=options.latency_ms / 1000, throttles=options.throttle, live=options.live
    )
    gc.freeze()
    gc.enable()
    with tempfile.TemporaryDirectory(prefix="amlguard-lean-") as folder:
        asyncio.run(run(azure, Path(folder) / "ca.pem"))


if __name__ == "__main__":
    main()
