"""Where a walk-through is played: people with their clients, a local Azure, and the function app on it."""

import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clients import cli, machine_learning
from clients.local import CLIENTS, Local

SETTLE_MINUTES = 15
POLICY = """\
mode: enforce
settle_minutes: 15
trust:
  boundary: resource_group
  allow: ["{shared}", "{identity}"]
rules:
  AML-03: {{enabled: true}}
  AML-04: {{enabled: true}}
  AML-06: {{enabled: true}}
  AML-08: {{enabled: true}}
  AML-09: {{enabled: true}}
"""
SHARED = "walk-shared"
_STEPS = Path(__file__).parents[1] / "steps.py"
_WAIT_SECONDS, _POLL_SECONDS, _STILL_SECONDS = 120, 0.1, 1.0
# learn.microsoft.com/azure/role-based-access-control/built-in-roles
_ROLES = {
    "b24988ac-6180-42a0-ab88-20f7382dd24c": "Contributor",
    "7f951dda-4ed3-4680-a7ca-43fe172d538d": "AcrPull",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "00482a5a-887f-4fb3-b363-3b7fe8e74483": "Key Vault Administrator",
    "f1a07417-d97a-45cb-824c-7a7467783830": "Managed Identity Operator",
    "635dd51f-9968-44d3-b7fb-6d9a6bd613ae": "AzureML Metrics Writer (preview)",
}

type Json = dict[str, Any]
type Step = Callable[..., None]


class Stage:
    def __init__(self, local: Local, az: cli.Command, ml: Step) -> None:
        self._local = local
        self._az = az
        self.ml = ml
        self.subscription = f"/subscriptions/{local.sign_in['subscriptionId']}"

    def az(self, command: str) -> Any:
        """The answer of a command, as it would print it. AssertionError with what it said where it fails."""
        code, out, err = self._az([*shlex.split(command), "-o", "json"])
        if code:
            raise AssertionError(f"az {command}: {err}")
        return json.loads(out) if out.strip() else None

    def id_of(self, group: str, kind: str, name: str) -> str:
        return f"{self.subscription}/resourceGroups/{group}/providers/{kind}/{name}"

    def get(self, path: str, version: str) -> Json:
        return self._local.get(path, version)

    def holds(self, principal: str, scope: str) -> set[str]:
        """The names of the roles that the principal holds at exactly this scope."""
        below = "/providers/Microsoft.Authorization/roleAssignments"
        listed = self._local.get(scope + below, "2022-04-01", f"$filter=principalId%20eq%20'{principal}'")
        found = [one["properties"] for one in listed["value"]]
        here = [one["roleDefinitionId"] for one in found if one["scope"].lower() == scope.lower()]
        return {_ROLES.get(role.rpartition("/")[2], role) for role in here}

    def admin_user(self, registry: str) -> bool:
        return bool(self.get(registry, "2023-07-01")["properties"]["adminUserEnabled"])

    def settle(self) -> None:
        """Time passes, and the sweep comes."""
        self.quiet()
        self._local.control("POST", "clock", {"advanceSeconds": 60 * SETTLE_MINUTES + 60})
        self._local.sweep()
        self.quiet()

    def until(self, holds: Callable[[], object], what: str) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"not within {_WAIT_SECONDS} s: {what}")
            time.sleep(_POLL_SECONDS)

    def quiet(self) -> None:
        """Waits until the function app has done what it has to do."""
        seen, since = -1, time.monotonic()

        def still() -> bool:
            nonlocal seen, since
            told = self._local.control("GET", "running")
            if told["invocations"] + told["events"] or told["requests"] != seen:
                seen, since = told["requests"], time.monotonic()
            return time.monotonic() - since >= _STILL_SECONDS

        self.until(still, "nothing goes on")


@contextmanager
def staged(local: Local) -> Iterator[Stage]:
    who = local.sign_in
    command = [str(CLIENTS), str(_STEPS), json.dumps({**who, "cloud": machine_learning.CLOUD})]
    environment = machine_learning.environment(local)
    with (
        cli.process(local) as az,
        subprocess.Popen(  # noqa: S603 - our own module in the clients' environment
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as steps,
    ):

        def ml(step: str, **given: str) -> None:
            assert steps.stdin
            assert steps.stdout
            print(json.dumps([step, given]), file=steps.stdin, flush=True)
            error = json.loads(steps.stdout.readline())
            if error:
                raise AssertionError(f"MLClient, {step}: {error}")

        stage = Stage(local, az, ml)
        stage.az(f"cloud register -n Walks --endpoint-resource-manager {local.ready['arm']}")
        stage.az("cloud set -n Walks")
        stage.az(f"login --service-principal -u {who['clientId']} -p {who['clientSecret']} --tenant {who['tenantId']}")
        try:
            yield stage
        finally:
            steps.kill()
