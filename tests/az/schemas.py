"""Sets properties as `az ml … --set` does, against azure-ai-ml's schemas. Run by .venv-az's Python; see `parse.py`.

stdin: [[kind, ["path=value", …]], …]. stdout: one answer each, "" or what the schema says.
"""

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

warnings.simplefilter("ignore")  # azure-ai-ml's own, of its experimental parts

from azure.ai.ml import (  # noqa: E402 -- after the filter
    load_compute,
    load_connection,
    load_datastore,
    load_online_endpoint,
    load_workspace,
)

_IDENTITY = {"type": "managed_identity", "client_id": "c", "resource_id": "r"}
# The least that each schema takes.
_OF: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "compute": (load_compute, {"name": "n", "type": "amlcompute", "size": "s"}),
    "connection": (
        load_connection,
        {"name": "n", "type": "container_registry", "target": "t", "credentials": _IDENTITY},
    ),
    "datastore": (load_datastore, {"name": "n", "type": "azure_blob", "account_name": "a", "container_name": "c"}),
    "endpoint": (load_online_endpoint, {"name": "n", "auth_mode": "key"}),
    "workspace": (load_workspace, {"name": "n"}),
}


def answer(kind: str, settings: Sequence[str]) -> str:
    load, least = _OF[kind]
    pairs = [setting.partition("=") for setting in settings]
    try:
        load(StringIO(json.dumps(least)), params_override=[{path: value for path, _, value in pairs}])
    except Exception as error:  # noqa: BLE001 -- whatever it is, the schema did not take it
        return str(error).strip().partition("Visit this link")[0]
    return ""


def main() -> None:
    json.dump([answer(kind, settings) for kind, settings in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
