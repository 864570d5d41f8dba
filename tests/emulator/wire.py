"""What speaking to a local Azure takes: its api-versions, its tokens, its process."""

import base64
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

type Json = dict[str, Any]

_VERSIONS = {
    "microsoft.authorization": "2022-04-01",
    "microsoft.authorization/locks": "2020-05-01",
    "microsoft.containerregistry": "2025-11-01",
    "microsoft.keyvault": "2026-02-01",
    "microsoft.machinelearningservices": "2025-12-01",
    "microsoft.managedidentity": "2024-11-30",
    "microsoft.storage": "2025-08-01",
}


def version_of(path: str) -> str:
    kinds = re.findall(r"/providers/([^/?]+)(/[^/?]+)?", path.partition("?")[0].lower())
    namespace, kind = kinds[-1] if kinds else ("microsoft.resources", "")
    return _VERSIONS.get(namespace + kind) or _VERSIONS.get(namespace, "2022-09-01")


def is_write(request: Json) -> bool:
    """POSTs that only read, or that go to the logs, are no writes to ARM."""
    elsewhere = ("/ingestion/", "/v1/workspaces/", "/providers/microsoft.resourcegraph/")
    return request["method"] not in {"GET", "HEAD"} and not request["path"].lower().startswith(elsewhere)


def claims(token: str) -> Json:
    payload = token.split(".")[1]
    claims: Json = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def clean(home: Path, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of this machine's but what programs need to run at all; no sign-in that somebody made here."""
    inherited = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "AMLGUARD_SEEN") if name in os.environ
    }
    return {**inherited, "HOME": str(home), **(env or {})}
