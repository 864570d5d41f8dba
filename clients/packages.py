"""The SDKs of Azure: the operations of `sdks/`."""

import json
import subprocess
from collections.abc import Iterator

from clients.local import PRINCIPAL, ROOT, SDKS, Local
from clients.results import Expected, Results

_GROUP = "sdks"
_MANAGEMENT = (
    *("authorization", "containerregistry", "storage", "keyvault", "msi"),
    *("containerinstance", "machinelearningservices", "resource", "monitor"),
)
_DATA = ("monitor-query", "monitor-ingestion", "eventgrid", "storage-blob", "storage-queue")
# docs/emulator.md says what Azure answers
_NOT_SERVED = {
    ("authorization", "provider operations get"),
    ("authorization", "provider operations list"),
    ("storage", "skus"),
    ("keyvault", "keys list versions"),
    ("containerinstance", "capabilities"),
    ("machinelearningservices", "workspaces outbound endpoints"),
    ("machinelearningservices", "workspaces notebook token"),
    ("machinelearningservices", "online deployments skus"),
    ("machinelearningservices", "usages"),
    ("machinelearningservices", "quotas"),
    ("machinelearningservices", "features"),
    ("resource", "provider types"),
    ("resource", "tags list"),
    ("resource", "deployments export"),
}


def management(local: Local) -> Iterator[Results]:
    _prepare(local)
    yield from _carry_out(local, _MANAGEMENT)


def data(local: Local) -> Iterator[Results]:
    local.put(_group(local), "2022-09-01")
    yield from _carry_out(local, _DATA)


def _carry_out(local: Local, sdks: tuple[str, ...]) -> Iterator[Results]:
    ready = local.ready
    place = {
        "arm": ready["arm"],
        "sign_in": local.sign_in,
        "group": _GROUP,
        "environment": ready["env"],
        "principal": PRINCIPAL,
    }
    command = [str(SDKS), "-m", "clients.sdks", json.dumps(place), *sdks]
    found = {sdk: Results(f"azure-{sdk}" if sdk in _DATA else f"azure-mgmt-{sdk}") for sdk in sdks}
    with subprocess.Popen(  # noqa: S603 - our own module
        command, cwd=ROOT, env=local.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            sdk, name, error = json.loads(line)
            found[sdk].add(name, error, Expected.FAILS if (sdk, name) in _NOT_SERVED else Expected.WORKS)
    yield from found.values()


def _group(local: Local) -> str:
    return f"/subscriptions/{local.sign_in['subscriptionId']}/resourceGroups/{_GROUP}"


def _prepare(local: Local) -> None:
    """What is there before."""
    vault = {"tenantId": local.sign_in["tenantId"], "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
    below = f"{_group(local)}/providers"
    local.put(_group(local), "2022-09-01")
    local.put(f"{below}/Microsoft.ManagedIdentity/userAssignedIdentities/sdkswho", "2023-01-31")
    account = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    local.put(f"{below}/Microsoft.Storage/storageAccounts/sdkstore2", "2023-01-01", account)
    local.put(f"{below}/Microsoft.KeyVault/vaults/sdkvault2", "2023-07-01", {"properties": vault})
    component = {"kind": "web", "properties": {"Application_Type": "web"}}
    local.put(f"{below}/Microsoft.Insights/components/sdkinsights", "2020-02-02", component)
    local.put(f"{below}/Microsoft.OperationalInsights/workspaces/sdklogs", "2022-10-01")
    workspace = {"identity": {"type": "SystemAssigned"}, "properties": {}}
    local.put(f"{below}/Microsoft.MachineLearningServices/workspaces/sdkws", "2024-04-01", workspace)
