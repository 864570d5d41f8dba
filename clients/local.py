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

ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / ".venv-az" / "bin" / "python"
SDKS = ROOT / ".venv-clients" / "bin" / "python"
CUSTODIAN = ROOT / ".venv-custodian" / "bin" / "custodian"
REGION = "westeurope"
PRINCIPAL = "99999999-2222-4333-8444-555555555555"
_SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
_TENANT = {
    "tenantId": "22222222-2222-4222-8222-222222222222",
    "resources": [{"id": f"/subscriptions/{_SUBSCRIPTION}", "type": "Microsoft.Resources/subscriptions"}],
    "principals": [{"id": PRINCIPAL, "type": "ServicePrincipal", "displayName": "somebody"}],
}


@dataclass(frozen=True, slots=True)
class Local:
    ready: dict[str, Any]
    folder: Path

    @property
    def sign_in(self) -> dict[str, str]:
        return dict(self.ready["signIn"])

    def put(self, path: str, version: str, body: dict[str, Any] | None = None) -> None:
        """As the operator, and without a client: what an operation needs to be there."""
        request = Request(  # noqa: S310 - the local Azure's own address
            f"{self.ready['arm']}{path}?api-version={version}",
            data=json.dumps({"location": REGION, **(body or {})}).encode(),
            headers={"Authorization": f"Bearer {self.ready['operatorToken']}", "Content-Type": "application/json"},
            method="PUT",
        )
        trusted = ssl.create_default_context(cafile=self.ready["ca"])
        with urlopen(request, context=trusted):  # noqa: S310 - the local Azure's own address
            pass

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
        with subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
            try:
                assert process.stdout
                yield Local(json.loads(process.stdout.readline()), folder)
            finally:
                process.terminate()
