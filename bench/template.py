"""A plan of a snapshot, as a person runs it: the process from its start to its end."""

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figure import Figure

RESOURCES = 200
_GROUP = "/subscriptions/aaaaaaaa-0000-4000-8000-000000000001/resourceGroups/rg"
_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_RUNS = 3


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "main.snapshot.json"
        file.write_text(json.dumps({"predictedResources": made(RESOURCES), "diagnostics": []}), "utf-8")
        best = min(_seconds(file, Path(folder) / "plan.json") for _ in range(_RUNS))
    yield Figure("template_plan_s", best, f"CPU seconds of `plan --template`, a snapshot of {RESOURCES} resources", 2)


def _seconds(file: Path, out: Path) -> float:
    """Of CPU: on a machine that does nothing else the process takes as long."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "handlers.cli.main", "plan", "--template", str(file), "--format", "json"]
    subprocess.run([*command, "--out", str(out), "--fail-on", "never"], check=True)  # noqa: S603 - amlguard itself
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def made(count: int) -> list[dict[str, Any]]:
    """A workspace, and then clusters, each with an identity of its own that may pull."""
    registry = _one("Microsoft.ContainerRegistry/registries", "acrml", {"adminUserEnabled": True})
    storage = _one("Microsoft.Storage/storageAccounts", "store", {})
    vault = _one("Microsoft.KeyVault/vaults", "kvml", {"enableRbacAuthorization": True})
    named = {"containerRegistry": registry["id"], "storageAccount": storage["id"], "keyVault": vault["id"]}
    workspace = _one("Microsoft.MachineLearningServices/workspaces", "mlw", named)
    workspace["identity"] = {"type": "SystemAssigned"}
    found = [registry, storage, vault, workspace]
    while len(found) < count:
        found += _cluster(workspace["id"], registry["id"], len(found))
    return found[:count]


def _cluster(workspace: str, registry: str, number: int) -> list[dict[str, Any]]:
    identity = _one("Microsoft.ManagedIdentity/userAssignedIdentities", f"id-{number}", {})
    cluster = _one(
        "Microsoft.MachineLearningServices/workspaces/computes", f"c-{number}", {"computeType": "AmlCompute"}
    )
    cluster |= {"id": f"{workspace}/computes/c-{number}"}
    cluster["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {identity["id"]: {}}}
    principal = f"reference('{identity['id']}', '2023-01-31').principalId"
    role = _one("Microsoft.Authorization/roleAssignments", "", {})
    role["id"] = f"[extensionResourceId('{registry}', 'Microsoft.Authorization/roleAssignments', guid({principal}))]"
    role["properties"] = {
        "principalId": f"[{principal}]",
        "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{_PULL}",
    }
    return [identity, cluster, role]


def _one(kind: str, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{_GROUP}/providers/{kind}/{name}", "type": kind, "name": name, "properties": properties}
