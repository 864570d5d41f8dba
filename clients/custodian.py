"""Cloud Custodian: the policies of `custodian.yaml`.

It knows Azure's clouds by heart, so it reaches the local Azure through a proxy (`proxy.py`).
"""

import json
import re
import subprocess
from pathlib import Path

from clients.local import CUSTODIAN, PRINCIPAL, Local
from clients.proxy import proxied
from clients.results import Expected, Results

_POLICIES = Path(__file__).with_name("custodian.yaml")
_GROUP = "custodian"
# It asks Azure AD Graph for the names of principals. learn.microsoft.com/graph/migrate-azure-ad-graph-overview says
# that this service is retired.
_REFUSED = {"role-assignments-of-a-role"}
_NAME = re.compile(r"^  - name: (\S+)$", re.MULTILINE)
_COMPLAINT = re.compile(r".*(?:ERROR|Error|Traceback).*")


def carry_out(local: Local) -> Results | None:
    """None where it is not installed."""
    if not CUSTODIAN.exists():
        return None
    _prepare(local)
    results, out = Results("custodian"), local.folder / "custodian"
    text = _POLICIES.read_text("utf-8").replace("TENANT", local.sign_in["tenantId"])
    policies = local.folder / "custodian.yaml"
    policies.write_text(text, "utf-8")
    who = local.sign_in
    with proxied(local) as environment:
        given = {
            **local.environment(),
            **environment,
            "AZURE_TENANT_ID": who["tenantId"],
            "AZURE_CLIENT_ID": who["clientId"],
            "AZURE_CLIENT_SECRET": who["clientSecret"],
            "AZURE_SUBSCRIPTION_ID": who["subscriptionId"],
        }
        ran = subprocess.run(  # noqa: S603 - the client that is asked
            [CUSTODIAN, "run", "-s", out, policies], env=given, check=False, capture_output=True, text=True
        )
    for name in _NAME.findall(text):
        expected = Expected.REFUSED if name in _REFUSED else Expected.WORKS
        results.add(name, _complaint(out / name, ran.stderr), expected)
    return results


def _complaint(folder: Path, said: str) -> str | None:
    found = folder / "resources.json"
    if not found.exists():
        return said
    log = folder / "custodian-run.log"
    errors = _COMPLAINT.findall(log.read_text("utf-8")) if log.exists() else []
    if errors:
        return " ".join(errors)
    return None if json.loads(found.read_text("utf-8")) else "it found nothing"


def _prepare(local: Local) -> None:
    subscription = f"/subscriptions/{local.sign_in['subscriptionId']}"
    group = f"{subscription}/resourceGroups/{_GROUP}"
    below, vault = f"{group}/providers", {"sku": {"family": "A", "name": "standard"}, "accessPolicies": []}
    local.put(group, "2022-09-01")
    local.put(f"{subscription}/resourceGroups/custodian-locked", "2022-09-01")
    registry = f"{below}/Microsoft.ContainerRegistry/registries/custodianacr"
    local.put(registry, "2023-07-01", {"sku": {"name": "Standard"}, "properties": {"adminUserEnabled": False}})
    role = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/7f951dda-4ed3-4680-a7ca-43fe172d538d"
    granted = {"properties": {"roleDefinitionId": role, "principalId": PRINCIPAL, "principalType": "ServicePrincipal"}}
    name = "dddddddd-0000-4000-8000-000000000001"
    local.put(f"{registry}/providers/Microsoft.Authorization/roleAssignments/{name}", "2022-04-01", granted)
    vault = {**vault, "tenantId": local.sign_in["tenantId"]}
    local.put(f"{below}/Microsoft.KeyVault/vaults/custodianvault", "2023-07-01", {"properties": vault})
    account = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {"supportsHttpsTrafficOnly": False}}
    local.put(f"{below}/Microsoft.Storage/storageAccounts/custodianstore", "2023-01-01", account)
    workspace = f"{below}/Microsoft.MachineLearningServices/workspaces/custodianws"
    local.put(workspace, "2024-04-01", {"identity": {"type": "SystemAssigned"}, "properties": {}})
    size = {"vmSize": "STANDARD_DS3_V2"}
    instance = {"properties": {"computeType": "ComputeInstance", "properties": size}}
    local.put(f"{workspace}/computes/custodianci", "2024-04-01", instance)
    data = {"properties": {"dataType": "uri_folder", "dataUri": "azureml://datastores/workspaceblobstore/paths/d"}}
    local.put(f"{workspace}/data/custodiandata/versions/1", "2024-04-01", data)
    definition = "/providers/Microsoft.Authorization/policyDefinitions/e56962a6-4747-49cd-b67b-bf8b01975c4c"
    assigned = {"properties": {"displayName": "custodian", "policyDefinitionId": definition}}
    local.put(f"{group}/providers/Microsoft.Authorization/policyAssignments/custodian", "2022-06-01", assigned)
