"""Sets properties as `az ml … --set` does, against azure-ai-ml's schemas. Run by .venv-az's Python; see `parse.py`.

stdin: a line for each question, [[kind, ["path=value", …]], …]. stdout: a line for each, one answer to each of these,
"" or what the schema says.
"""

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import azure

warnings.simplefilter("ignore")  # azure-ai-ml's own, of its experimental parts

# The schemas without the client that the package imports before them, which takes a second.
_BARE = ModuleType("azure.ai.ml")
_BARE.__path__ = [str(Path(azure.__path__[0], "ai", "ml"))]
sys.modules[_BARE.__name__] = _BARE

from azure.ai.ml.entities._load_functions import (  # noqa: E402 -- after the filter, and after what is above
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
    for line in sys.stdin:
        sys.stdout.write(json.dumps([answer(kind, settings) for kind, settings in json.loads(line)]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
