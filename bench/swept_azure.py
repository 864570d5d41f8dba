"""The app on any number of instances over a lean Azure, with its sweeps, its events and the cost of all processes."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bench.asked import Request, request
from bench.processes import Process, running
from bench.tenant import Json
from shared.messages import Shard, encode

_SWEEPS, _FINDINGS = "AmlGuardSweep_CL", "AmlGuardFinding_CL"
_WEBHOOK = "/runtime/webhooks/EventGrid?functionName=resource_changed"
_POLL_SECONDS = 0.25
_MOST_SECONDS = 3600
_REFILL_SECONDS = 6
"""Seconds in which all limits recover from waking the instances."""


class NoFigureError(Exception):
    """The run was not a whole sweep, so its cost says nothing."""


@dataclass(frozen=True, slots=True)
class Weight:
    """CPU seconds of the app's instances, and of the processes that stand for Azure beside them."""

    app: float
    azure: float
    host: float
    storage: float

    def since(self, before: "Weight") -> "Weight":
        return Weight(
            self.app - before.app,
            self.azure - before.azure,
            self.host - before.host,
            self.storage - before.storage,
        )


class SweptAzure:
    def __init__(self, ready: Json, azure: Process, functions: str, host: Process) -> None:
        self._ready, self._functions = ready, functions
        self._azure, self._host = azure, host
        self._workers = host.children("emulator.functions.worker")
        self._http = requests.Session()
        self._http.verify, self._http.trust_env = ready["ca"], False
        self._http.headers["Authorization"] = f"Bearer {ready['operatorToken']}"

    def wake(self, workspaces: Sequence[str]) -> None:
        """Every instance looks over these workspaces once, so that none is cold. The requests of that are forgotten.

        They come as a shard of a sweep that nobody began, so that the code that follows sweeps is warm, too.
        """
        for number, _ in enumerate(self._workers):
            self._fire("work_queue", encode(Shard("awake", f"{number:05}", tuple(workspaces))).decode())
        self._until(lambda: len({row["RunId"] for row in self.rows(_FINDINGS)}) == len(self._workers))
        time.sleep(_REFILL_SECONDS)
        self._control("DELETE", "requests")
        self._control("DELETE", f"logs/{_FINDINGS}")

    def sweep(self) -> tuple[float, Json]:
        """Fires the timer. Returns when it fired, in seconds since 1970, and the sweep's last row."""
        started = time.time()
        self._fire("sweep")
        self._until(lambda: len(self.rows(_SWEEPS)) == 2)
        *_, ended = self.rows(_SWEEPS)
        return started, ended

    def deliver(self, resource: str, session: requests.Session | None = None) -> None:
        """Delivers an event about a write of the resource. Returns when the app has handled it."""
        headers = {"aeg-event-type": "Notification"}
        url = f"{self._functions}{_WEBHOOK}"
        (session or self._http).post(url, json=[written(resource)], headers=headers, timeout=60).raise_for_status()

    def forget(self) -> None:
        """Forgets the requests so far."""
        self._control("DELETE", "requests")

    def token(self) -> str:
        """The app's own token for ARM."""
        env = self._ready["env"]
        query = "api-version=2019-08-01&resource=https://management.azure.com/"
        headers = {"X-IDENTITY-HEADER": env["IDENTITY_HEADER"]}
        answer = requests.get(f"{env['IDENTITY_ENDPOINT']}?{query}", headers=headers, timeout=30)
        return str(answer.json()["access_token"])

    @property
    def arm(self) -> str:
        return str(self._ready["arm"])

    @property
    def ca(self) -> str:
        return str(self._ready["ca"])

    def asked(self) -> list[Request]:
        """What the app asked of Azure since it was warm, or since `forget`, sorted by start."""
        logged = self._control("GET", "requests").json()
        return sorted((request(one) for one in logged if one["caller"]), key=lambda one: one.start)

    def rows(self, table: str) -> list[Json]:
        found: list[Json] = self._control("GET", f"logs/{table}").json()
        return found

    def findings(self) -> int:
        return len(self.rows(_FINDINGS))

    def weigh(self) -> Weight:
        workers, storage = self._workers, self._host.children("azurite")
        return Weight(
            sum(one.cpu_seconds for one in workers),
            self._azure.cpu_seconds,
            self._host.cpu_seconds,
            sum(one.cpu_seconds for one in storage),
        )

    def peaks_mib(self) -> list[float]:
        """Of each instance, in MiB."""
        return [worker.peak_mib for worker in self._workers]

    def _fire(self, function: str, text: str = "") -> None:
        url = f"{self._functions}/admin/functions/{function}"
        self._http.post(url, json={"input": text}, timeout=30).raise_for_status()

    def _until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + _MOST_SECONDS
        while not holds():
            if refused := self._control("GET", "refused").json():
                one = refused[0]
                raise NoFigureError(f"the lean Azure answered {one['status']} to {one['method']} {one['path']}")
            if time.monotonic() > end:
                raise NoFigureError(f"no end within {_MOST_SECONDS} s")
            time.sleep(_POLL_SECONDS)

    def _control(self, method: str, route: str) -> requests.Response:
        answer = self._http.request(method, f"{self._ready['arm']}/_local/{route}", timeout=300)
        answer.raise_for_status()
        return answer


@contextmanager
def swept_azure(
    tenant: Json, *, workers: int = 1, latency_ms: float = 0, throttle: bool = True, live: bool = False
) -> Iterator[SweptAzure]:
    """The policy has mode enforce and the default rules. `live` is for events."""
    with tempfile.TemporaryDirectory(prefix="amlguard-bench-") as name:
        folder = Path(name)
        (folder / "tenant.json").write_text(json.dumps(tenant), encoding="utf-8")
        (folder / "policy.yaml").write_text("mode: enforce\n", encoding="utf-8")
        options = ("--tenant", f"{folder}/tenant.json", "--latency-ms", str(latency_ms))
        options += (*(() if throttle else ("--no-throttle",)), *(("--live",) if live else ()))
        policy = {"AMLGUARD_POLICY": f"{folder}/policy.yaml"}
        with (
            running("bench.lean", *options) as (ready, azure),
            running("bench.instances", str(workers), env={**ready["env"], **policy}) as (app, host),
        ):
            yield SweptAzure(ready, azure, app["functions"], host)


def written(resource: str) -> Json:
    """The event about a write of the resource, in Event Grid's schema."""
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
