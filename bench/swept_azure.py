"""An app on any number of instances over a lean Azure: swept, asked, and all its processes weighed."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from bench.local_azure import Request, request
from bench.processes import Process, running
from bench.tenant import Json
from shared.access.scope import Scope
from shared.work import Shard, encode

_SWEEPS = "AmlGuardSweep_CL"
_FINDINGS = "AmlGuardFinding_CL"
_POLL_SECONDS = 0.25
_MOST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Weight:
    """CPU seconds so far: of the app, and of all that stands for Azure beside it."""

    app: float
    stand_in: float
    host: float
    storage: float

    def since(self, before: "Weight") -> "Weight":
        return Weight(
            self.app - before.app,
            self.stand_in - before.stand_in,
            self.host - before.host,
            self.storage - before.storage,
        )


class RefusedError(Exception):
    """The stand-in was asked what it does not know, or the sweep did not do all that it should."""


class SweptAzure:
    def __init__(self, ready: Json, azure: Process, functions: str, host: Process) -> None:
        self._ready, self._functions = ready, functions
        self._azure, self._host = azure, host
        self._http = requests.Session()
        self._http.verify, self._http.trust_env = ready["ca"], False
        self._http.headers["Authorization"] = f"Bearer {ready['operatorToken']}"

    def wake(self, *workspaces: Scope) -> None:
        """Every instance looks over these once, so that none is cold; then its traces are gone."""
        shard = encode(Shard("", "", tuple(map(str, workspaces)))).decode()
        for _ in self.workers:
            self._fire("work_queue", shard)
        self._until(lambda: self._recorded(_FINDINGS) == len(self.workers))
        time.sleep(_REFILL_SECONDS)
        self._control("DELETE", "requests")

    def sweep(self) -> Json:
        """Fires the timer. The sweep's last row, when it has come to its end."""
        self._fire("sweep", "")
        self._until(lambda: self._recorded(_SWEEPS) == 2)
        started, ended = self.rows(_SWEEPS)
        return ended

    @property
    def workers(self) -> list[Process]:
        return self._host.children("emulator.functions.worker")
