"""The local Azure with the app on it, for measuring: started, asked, and its app's processes weighed."""

import asyncio
import base64
import json
import os
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import requests

from bench.processes import Process, running
from bench.tenant import Json
from shared.access.routing import operations

_WEBHOOK = "/runtime/webhooks/EventGrid?functionName=resource_changed"


@dataclass(frozen=True, slots=True)
class Request:
    """One that the app made. `start` and `end` are seconds of one clock, the local Azure's."""

    method: str
    path: str
    status: int
    start: float
    end: float

    @property
    def grants(self) -> bool:
        return self.method == "PUT" and "/roleassignments/" in self.path.lower()


class LocalAzure:
    def __init__(self, ready: Json, emulator: Process) -> None:
        self._ready = ready
        self._emulator = emulator
        self._http = requests.Session()
        self._http.verify, self._http.trust_env = ready["ca"], False
        self._app = _claims(self._token())["oid"]

    def deliver(self, *resources: str, session: requests.Session | None = None) -> None:
        """One delivery with an event for each of the resources; returns when the app has handled them all."""
        body = [_event(resource) for resource in resources]
        headers = {"aeg-event-type": "Notification"}
        url = f"{self._ready['functions']}{_WEBHOOK}"
        (session or self._http).post(url, json=body, headers=headers, timeout=60).raise_for_status()

    def forget(self) -> None:
        self._control("DELETE").raise_for_status()

    def asked(self) -> list[Request]:
        """What the app asked of ARM, Resource Graph and the logs since `forget`, by start."""
        logged = [one for one in self._control("GET").json() if one["caller"] == self._app]
        return sorted((request(one) for one in logged), key=lambda one: one.start)

    async def bare_cpu_seconds(self, at_once: int, times: int) -> float:
        """CPU of this process for `at_once` small reads by aiohttp alone: what no client that uses it can undercut."""
        headers = {"Authorization": f"Bearer {self._token()}"}
        url = f"{self._ready['arm']}/subscriptions?api-version=2022-12-01"
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self._ready["ca"]))
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

            async def read() -> None:
                async with session.get(url) as answer:
                    await answer.json()

            await asyncio.gather(*(read() for _ in range(at_once)))
            before = time.process_time()
            for _ in range(times):
                await asyncio.gather(*(read() for _ in range(at_once)))
            return (time.process_time() - before) / times

    def cpu_seconds(self) -> float:
        """Of all the app's processes, since they started."""
        return sum(worker.cpu_seconds for worker in self._emulator.children("emulator.functions.worker"))

    def _control(self, method: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._ready['operatorToken']}"}
        return self._http.request(method, f"{self._ready['arm']}/_local/requests", headers=headers, timeout=300)

    def _token(self) -> str:
        env = self._ready["env"]
        query = "api-version=2019-08-01&resource=https://management.azure.com/"
        headers = {"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]}
        answer = self._http.get(f"{env['IDENTITY_ENDPOINT']}?{query}", headers=headers, timeout=30)
        return str(answer.json()["access_token"])


@contextmanager
def local_azure(tenant: Json, *options: str) -> Iterator[LocalAzure]:
    """In mode enforce, with the default rules. `options` are those of `python -m emulator`."""
    with tempfile.TemporaryDirectory(prefix="amlguard-bench-") as name:
        folder = Path(name)
        (folder / "tenant.json").write_text(json.dumps(tenant), encoding="utf-8")
        (folder / "policy.yaml").write_text("mode: enforce\n", encoding="utf-8")
        files = ("--tenant", f"{folder}/tenant.json", "--policy", f"{folder}/policy.yaml")
        events = ("--operations", ",".join(operations()))
        with running("emulator", *files, *events, *options) as (ready, process):
            yield LocalAzure(ready, process)


def depth(asked: Sequence[Request]) -> int:
    """How many requests followed one another: the longest chain in which each starts after the one before has ended."""
    chain, free = 0, 0.0
    for one in sorted(asked, key=lambda one: one.end):
        if one.start >= free:
            chain, free = chain + 1, one.end
    return chain


def request(logged: Json) -> Request:
    """From an entry of a log of requests."""
    start = datetime.fromisoformat(logged["time"]).timestamp()
    return Request(logged["method"], logged["path"], logged["status"], start, start + logged["durationMs"] / 1000)


def _event(resource: str) -> Json:
    subscription = resource.split("/")[2]
    namespace, *words = resource.rpartition("/providers/")[2].split("/")
    return {
        "subject": resource,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-11-20T09:30:00.1234567Z",
        "id": os.urandom(16).hex(),
        "data": {
            "resourceUri": resource,
            "operationName": "/".join((namespace, *words[::2], "write")),
            "correlationId": os.urandom(16).hex(),
            "subscriptionId": subscription,
        },
        "dataVersion": "2",
        "metadataVersion": "1",
        "topic": f"/subscriptions/{subscription}",
    }


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
