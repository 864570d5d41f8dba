"""A local Azure with the app on it, as its users run it: a process of its own, spoken to over the wire only."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Self

import azurites
import forked
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceNotFoundError
from azure.monitor.query import LogsQueryClient, LogsQueryResult
from azure.storage.queue import QueueServiceClient
from forked import Forked, Ran
from lent import Lent
from wire import Json, claims, clean, is_write, version_of

from docs import fidelity

ANY_REQUEST = "AMLGUARD_ANY_REQUEST"  # where a rule is tried of whose requests no answer is known yet
_NOT_CHOSEN = re.compile(r"/operation(statuses|results)/|^/topics/", re.IGNORECASE)
_WITHOUT_TIMER = ("--setting", "AzureWebJobs.sweep.Disabled=true")

type Start = Callable[..., "LocalAzure"]

AMLGUARD = Path(sys.executable).with_name("amlguard")
REMEDIATIONS = "AmlGuardRemediation_CL"
FINDINGS = "AmlGuardFinding_CL"
QUEUE = "amlguard-work"

# Generous: they matter only where something is wrong, and a machine may be busy.
_START_SECONDS = 180
_STOP_SECONDS = 60
_WAIT_SECONDS = 120
_COMMAND_SECONDS = 180
_ANSWER_SECONDS = 120
_QUIET_SECONDS = 0.5
_LEAST_PAUSE_SECONDS = 0.05
_MOST_PAUSE_SECONDS = 0.5
_PAUSE_GROWS = 1.3
_WEBHOOK = "/runtime/webhooks/EventGrid?functionName=resource_changed"


def amlguard(home: Path, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ran:
    """`amlguard` with nothing in its environment but `env`; without a terminal."""
    with TemporaryDirectory(dir=home) as folder:
        (Path(folder) / "stdin").write_text(stdin, encoding="utf-8")
        begun = Forked.start(Path(folder), forked.amlguard, [*arguments], clean(home, env))
        return begun.ended(_COMMAND_SECONDS)


@dataclass(frozen=True, slots=True)
class OperatorToken:
    token: str

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


@dataclass
class LocalAzure:
    """`start` runs it until `stop`. `app` is the object id of the app's identity."""

    folder: Path
    process: Forked
    ready: Json
    lent: Lent | None
    http: requests.Session = field(default_factory=requests.Session)

    @classmethod
    def start(
        cls,
        folder: Path,
        tenant: Mapping[str, Any] | None = None,
        policy: str = "",
        *options: str,
        functions: bool = True,
        access: Mapping[str, Any] | None = None,
        condition: str | None = None,
        throttle: bool = False,
    ) -> Self:
        """`folder` is for this local Azure alone; `options` are more of `amlguard emulate`.

        Sweeps begin when a test says so, whatever the time of day. Without `throttle` Azure's limits are so wide that
        nobody waits for them: many workspaces in one subscription would take minutes.
        AssertionError, with what it said, when it does not come up.
        """
        arguments, program = [*(_WITHOUT_TIMER if functions else ()), *options], forked.amlguard_emulate
        if tenant is not None:
            (folder / "tenant.json").write_text(json.dumps(tenant), encoding="utf-8")
            arguments += ["--tenant", str(folder / "tenant.json")]
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")
        arguments += ["--policy", str(folder / "policy.yaml"), *([] if functions else ["--no-functions"])]
        if access is not None:
            program = forked.local_azure  # `amlguard emulate` leaves the rights as they are
            (folder / "access.json").write_text(json.dumps(access), encoding="utf-8")
            arguments += ["--access", str(folder / "access.json")]
        if condition is not None:
            arguments += ["--condition", condition]
        besides = () if throttle else ("--no-throttle",)
        lent = azurites.take() if functions else None
        process = Forked.start(folder, partial(program, besides, lent), arguments, clean(folder))
        azure = cls(folder, process, process.ready(_START_SECONDS), lent)
        azure.http.verify = azure.ready["ca"]
        azure.http.trust_env = False
        return azure

    def stop(self) -> None:
        unlisted = self._unlisted()
        self.http.close()
        self._logs.close()
        if self.lent:
            self._storage.close()
        self.process.signal(signal.SIGTERM)
        ran = self.process.ended(_STOP_SECONDS)
        if self.lent:
            azurites.give_back(self.lent)
        assert "Unclosed" not in ran.err, ran.err
        assert not unlisted, f"docs/fidelity.md does not list what amlguard sends: {sorted(unlisted)}"

    @property
    def env(self) -> dict[str, str]:
        env: dict[str, str] = self.ready["env"]
        return env

    # What happens in the tenant, by the hand of its operator

    def arm(self, method: str, path: str, body: Json | None = None, *, version: str | None = None) -> requests.Response:
        """One call of ARM; `path` may have a query but no api-version."""
        version = version or version_of(path)
        url = f"{self.ready['arm']}{path}{'&' if '?' in path else '?'}api-version={version}"
        return self.http.request(method, url, json=body, headers=self._operator, timeout=_ANSWER_SECONDS)

    def get(self, path: str) -> Json:
        return self._good(self.arm("GET", path))

    def put(self, path: str, body: Json) -> Json:
        return self._good(self.arm("PUT", path, body))

    def patch(self, path: str, body: Json) -> Json:
        return self._good(self.arm("PATCH", path, body))

    def delete(self, path: str) -> None:
        self._good(self.arm("DELETE", path))

    def grants(self, principal: str, scope: str) -> set[tuple[str, str]]:
        """(scope, role GUID), in lower case, of what ARM lists for `principal` itself at, above or below `scope`."""
        collection = f"{scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments"
        found, link = [], f"{collection}?$filter=principalId eq '{principal}'"
        while link:
            page = self.get(link)
            found += [one["properties"] for one in page["value"]]
            link = page.get("nextLink", "").partition(self.ready["arm"])[2].replace("api-version=", "x=")
        return {(one["scope"].lower(), (one["roleDefinitionId"] or "").rpartition("/")[2].lower()) for one in found}

    def admin_user(self, registry: str) -> bool:
        return bool(self.get(registry)["properties"]["adminUserEnabled"])

    # What the app is told

    def deliver(self, *events: object, raw: bytes | None = None, kind: str = "Notification") -> requests.Response:
        """Posts one delivery to the webhook, as Event Grid does, and waits for its answer."""
        body = json.dumps(list(events)).encode() if raw is None else raw
        headers = {"aeg-event-type": kind, "Content-Type": "application/json"}
        return self.http.post(self.ready["functions"] + _WEBHOOK, data=body, headers=headers, timeout=_ANSWER_SECONDS)

    def sweep(self) -> None:
        answer = self.http.post(
            f"{self.ready['functions']}/admin/functions/sweep", json={"input": ""}, timeout=_ANSWER_SECONDS
        )
        assert answer.status_code == 202, answer.text

    def run(self, *arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Ran:
        """`amlguard` with the ready line's environment, changed by `env`; without a terminal."""
        return amlguard(self.folder, *arguments, stdin=stdin, env={**self.env, **(env or {})})

    def begin(self, *arguments: str, env: Mapping[str, str] | None = None) -> Forked:
        """As `run`, of a command that the test goes on to disturb."""
        folder = Path(mkdtemp(dir=self.folder))
        return Forked.start(folder, forked.amlguard, [*arguments], clean(self.folder, {**self.env, **(env or {})}))

    # What the tests steer

    def advance(self, seconds: float) -> None:
        self.control("POST", "clock", {"advanceSeconds": seconds})

    def faults(self, *faults: Json) -> None:
        """These and no others."""
        self.control("POST", "faults", list(faults))

    def workers(self) -> list[int]:
        """The process ids of the app's workers, the oldest first."""
        ids: list[int] = self.control("GET", "running").json()["workers"]
        return ids

    def forget_requests(self) -> None:
        self.control("DELETE", "requests")

    # What can be seen

    def asked(self) -> list[Json]:
        logged: list[Json] = self.control("GET", "requests").json()
        return logged

    def sent(self) -> set[str]:
        """The types of the app's requests, as docs/fidelity.md lists them. Anybody may ask for the cloud's metadata.

        Where a write is followed, Azure says. Events go through Microsoft's own client.
        """
        mine = [one for one in self.asked() if one["caller"] == self.app or one["path"].startswith("/metadata/")]
        chosen = [one for one in mine if not _NOT_CHOSEN.search(one["path"])]
        return {fidelity.request_type(one["method"], one["path"]) for one in chosen}

    def _unlisted(self) -> set[str]:
        if not self.process.runs or ANY_REQUEST in os.environ:
            return set()
        self.faults()
        return self.sent() - fidelity.listed()

    def writes(self) -> list[Json]:
        """What the app asked ARM to change, in order, whatever the answer."""
        return [one for one in self.asked() if one["caller"] == self.app and is_write(one)]

    @cached_property
    def app(self) -> str:
        """Object id of the identity that the app acts as."""
        url = f"{self.env['IDENTITY_ENDPOINT']}?api-version=2019-08-01&resource=https://management.azure.com/"
        answer = self.http.get(url, headers={"X-IDENTITY-HEADER": self.env["IDENTITY_HEADER"]}, timeout=_ANSWER_SECONDS)
        return str(claims(answer.json()["access_token"])["oid"])

    def rows(self, table: str = REMEDIATIONS, where: str = "true") -> list[Json]:
        """The audit table's rows, as people read them: through Log Analytics."""
        return self.query(f"{table} | where {where}")

    def query(self, kql: str) -> list[Json]:
        answer = self._logs.query_workspace(self.env["AMLGUARD_LOG_WORKSPACE_ID"], kql, timespan=timedelta(days=3650))
        assert isinstance(answer, LogsQueryResult), answer
        (found,) = answer.tables
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    @cached_property
    def _logs(self) -> LogsQueryClient:
        return LogsQueryClient(
            OperatorToken(self.ready["operatorToken"]),
            endpoint=self.env["AMLGUARD_LOGS_QUERY_ENDPOINT"],
            connection_verify=self.ready["ca"],
        )

    def waiting_work(self) -> list[Json]:
        """The messages on the work queue that are visible now."""
        return self._peeked(QUEUE)

    def poisoned_work(self) -> list[str]:
        return [one["text"] for one in self._peeked(f"{QUEUE}-poison")]

    def until(self, holds: Callable[[], object], what: str, seconds: float = _WAIT_SECONDS) -> None:
        """Looks less often the longer it takes, for each look costs something."""
        end, pause = time.monotonic() + seconds, _LEAST_PAUSE_SECONDS
        while not holds():
            assert time.monotonic() < end, f"not within {seconds} s: {what}"
            time.sleep(pause)
            pause = min(_PAUSE_GROWS * pause, _MOST_PAUSE_SECONDS)

    def until_quiet(self, seconds: float = _WAIT_SECONDS, *, still: float = _QUIET_SECONDS) -> None:
        """Waits until, for `still` seconds, no event or function was under way, no work was visible on the queue and
        nothing was asked of Azure.
        """
        seen, since, end = -1, 0.0, time.monotonic() + seconds
        while True:
            told: Json = self.control("GET", "running").json()
            going, asked, now = told["invocations"] + told["events"], told["requests"], time.monotonic()
            if going or asked != seen:
                seen, since = asked, now
            elif now - since >= still:  # only now, for to look at the queue is dear
                if not self.waiting_work():
                    return
                since = now
            assert now < end, f"not within {seconds} s: nothing goes on"
            time.sleep(min(still / 2, _MOST_PAUSE_SECONDS))

    def sweep_all(self, workspaces: Iterable[str]) -> None:
        """Fires the timer and waits until the app has looked at `workspaces` and is done."""
        before, wanted = len(self.asked()), tuple(workspaces)
        self.sweep()

        def looked() -> bool:
            asked = {one["path"].partition("?")[0].lower() for one in self.asked()[before:]}
            return all(f"{workspace.lower()}/computes" in asked for workspace in wanted)

        self.until(looked, "every workspace is looked at")
        self.until_quiet()

    @property
    def _operator(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.ready['operatorToken']}"}

    def control(self, method: str, route: str, body: Any = None) -> requests.Response:
        answer = self.http.request(
            method, f"{self.ready['arm']}/_local/{route}", json=body, headers=self._operator, timeout=_ANSWER_SECONDS
        )
        assert answer.ok, answer.text
        return answer

    def _good(self, answer: requests.Response) -> Json:
        assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text}"
        body: Json = answer.json() if answer.content else {}
        return body

    def _peeked(self, name: str) -> list[Json]:
        try:
            with self._storage.get_queue_client(name) as queue:
                return [{"id": one.id, "text": one.content} for one in queue.peek_messages(32)]
        except ResourceNotFoundError:  # nothing was ever put there
            return []

    @cached_property
    def _storage(self) -> QueueServiceClient:
        """The queues' clients share its connections."""
        return QueueServiceClient.from_connection_string(self.ready["storage"])
