"""A local Azure for clients, and what each kind of client needs in its environment. No client is patched."""

import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

type Json = dict[str, Any]

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / ".venv-az" / "bin" / "python"
SDKS = ROOT / ".venv-clients" / "bin" / "python"
CUSTODIAN = ROOT / ".venv-custodian" / "bin" / "custodian"
REGION = "westeurope"
PRINCIPAL = "99999999-2222-4333-8444-555555555555"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
_TENANT = {
    "tenantId": "22222222-2222-4222-8222-222222222222",
    "resources": [{"id": f"/subscriptions/{SUBSCRIPTION}", "type": "Microsoft.Resources/subscriptions"}],
    "principals": [{"id": PRINCIPAL, "type": "ServicePrincipal", "displayName": "somebody"}],
}


class NotStartedError(Exception):
    """The local Azure did not start. The message has what it said."""


@dataclass(frozen=True, slots=True)
class Local:
    ready: dict[str, Any]
    folder: Path

    @property
    def sign_in(self) -> dict[str, str]:
        return dict(self.ready["signIn"])

    def put(self, path: str, version: str, body: Json | None = None) -> None:
        """What an operation needs to be there."""
        self._send("PUT", f"{self.ready['arm']}{path}?api-version={version}", {"location": REGION, **(body or {})})

    def get(self, path: str, version: str, query: str = "") -> Json:
        found: Json = self._send("GET", f"{self.ready['arm']}{path}?api-version={version}{query and '&'}{query}")
        return found

    def control(self, method: str, route: str, body: Json | None = None) -> Any:
        """The routes that steer the local Azure."""
        return self._send(method, f"{self.ready['arm']}/_local/{route}", body)

    def sweep(self) -> None:
        self._send("POST", f"{self.ready['functions']}/admin/functions/sweep", {"input": ""})

    def _send(self, method: str, url: str, body: Json | None = None) -> Any:
        """As the operator, and without a client."""
        request = Request(  # noqa: S310 - the local Azure's own address
            url,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.ready['operatorToken']}", "Content-Type": "application/json"},
            method=method,
        )
        trusted = ssl.create_default_context(cafile=self.ready["ca"])
        with urlopen(request, context=trusted) as answer:  # noqa: S310 - the local Azure's own address
            text = answer.read()
        return json.loads(text) if text else None

    def environment(self) -> dict[str, str]:
        """As docs/emulator.md tells people to set it."""
        ca = self.ready["ca"]
        return {
            **os.environ,
            "AZURE_CONFIG_DIR": str(self.folder / "az"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_NO_COLOR": "1",
            "AZURE_CORE_ONLY_SHOW_ERRORS": "1",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "REQUESTS_CA_BUNDLE": ca,
            "SSL_CERT_FILE": ca,
        }


@contextmanager
def running(*wanted: str) -> Iterator[Local]:
    """`wanted` are options; without any, it is Azure without the function app."""
    with tempfile.TemporaryDirectory(prefix="amlguard-clients-") as name:
        folder = Path(name)
        tenant = folder / "tenant.json"
        tenant.write_text(json.dumps(_TENANT), "utf-8")
        command = [sys.executable, "-m", "emulator", "--tenant", str(tenant)]
        options = ["--no-throttle", "--operation-ms", "50", *(wanted or ("--no-functions",))]
        log = folder / "emulate.log"
        with (
            log.open("wb") as said,
            subprocess.Popen(  # noqa: S603 - our own module
                [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True
            ) as process,
        ):
            try:
                assert process.stdout
                ready = process.stdout.readline()
                if not ready:
                    raise NotStartedError(log.read_text("utf-8", errors="replace"))
                yield Local(json.loads(ready), folder)
            finally:
                process.terminate()
