"""`python -m docs.sign_in FILE`: what a shell needs to sign in to a local Azure with any client, from its line."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

# The names are those that azure-identity, the Azure CLI, azure-ai-ml and requests read.
_METADATA = "/metadata/endpoints?api-version=2019-05-01"


def variables(ready: dict[str, Any]) -> dict[str, str]:
    who: dict[str, str] = ready["signIn"]
    return {
        **ready["env"],
        "ARM": ready["arm"],
        "OPERATOR_TOKEN": ready["operatorToken"],
        "AZURE_AUTHORITY_HOST": who["authority"],
        "AZURE_TENANT_ID": who["tenantId"],
        "AZURE_CLIENT_ID": who["clientId"],
        "AZURE_CLIENT_SECRET": who["clientSecret"],
        "AZURE_SUBSCRIPTION_ID": who["subscriptionId"],
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "ARM_CLOUD_METADATA_URL": ready["arm"] + _METADATA,
    }


def exports(ready: str) -> str:
    known = variables(json.loads(ready.splitlines()[0]))
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in known.items())


if __name__ == "__main__":
    print(exports(Path(sys.argv[1]).read_text("utf-8")))
