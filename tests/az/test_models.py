"""What the local Azure answers is read by Microsoft's own models and written again: nothing that they know is lost.

The models are those of the Azure CLI's packages in .venv-az, and for Azure Machine Learning those inside azure-ai-ml.
What amlguard reads most is here as the tenants of the tests build it. `served_types.json` has every other type: those
that a client writes, with a body of each, and what can only be asked.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from docs.fidelity import known
from emulator import tenant_builder as build
from emulator.arm import routes
from emulator.arm.call import Call
from emulator.clock import Clock
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath
from emulator.seeded_values import SeededValues
from emulator.tenant import Tenant

type Json = dict[str, Any]

_PYTHON = Path(__file__).parents[2] / ".venv-az" / "bin" / "python"
_AML = "azure.ai.ml._restclient.arm_ml_service.models"
_TENANT, _HOLDER = "99999999-9999-4999-8999-999999999999", "99999999-0000-4000-8000-000000000001"
_OPERATOR = Caller("00000000-0000-0000-0000-00000000aaaa", "operator", "Operator", "User", operator=True)
GROUP = build.group("aaaaaaaa-0000-4000-8000-000000000001", "rg")
UAI = build.user_assigned_identity(build.below(GROUP, build.USER_ASSIGNED_IDENTITIES, "uai"), _HOLDER, _HOLDER, _TENANT)
REGISTRY = build.registry(build.below(GROUP, build.REGISTRIES, "images"), sku="Premium")
ACCOUNT = build.storage(build.below(GROUP, build.STORAGE_ACCOUNTS, "account"))
VAULT = build.vault(build.below(GROUP, build.VAULTS, "vault"), _TENANT)
SYSTEM = build.system_assigned(_HOLDER, _TENANT)
WORKSPACE = build.workspace(
    build.below(GROUP, build.WORKSPACES, "one"),
    SYSTEM,
    storageAccount=ACCOUNT["id"],
    keyVault=VAULT["id"],
    containerRegistry=REGISTRY["id"],
)
_KEYS = {"clientId": _HOLDER, "resourceId": UAI["id"]}
_IN = WORKSPACE["id"]
_SCORER = build.container_group(build.below(GROUP, build.CONTAINER_GROUPS, "scorer"), "images.azurecr.io/scorer:1")
# By name: the model's module and class, the api-version, and the resource.
RESOURCES: dict[str, tuple[str, str, str, Json]] = {
    "registry": ("azure.mgmt.containerregistry.models", "Registry", "2025-11-01", REGISTRY),
    "storage account": ("azure.mgmt.storage.models", "StorageAccount", "2025-08-01", ACCOUNT),
    "vault": ("azure.mgmt.keyvault.models", "Vault", "2026-02-01", VAULT),
    "identity": ("azure.mgmt.msi.models", "Identity", "2024-11-30", UAI),
    "container group": ("azure.mgmt.containerinstance.models", "ContainerGroup", "2023-05-01", _SCORER),
    "workspace": (_AML, "Workspace", "2025-12-01", WORKSPACE),
    "cluster": (_AML, "ComputeResource", "2025-12-01", build.compute(_IN, "cluster", identity=SYSTEM)),
    "instance": (_AML, "ComputeResource", "2025-12-01", build.compute(_IN, "instance", "ComputeInstance")),
    "endpoint": (_AML, "OnlineEndpoint", "2025-12-01", build.endpoint(_IN, "scoring", SYSTEM)),
    "datastore": (
        *(_AML, "Datastore", "2025-12-01"),
        build.datastore(_IN, "data", accountName="account", containerName="data"),
    ),
    "connection": (
        *(_AML, "WorkspaceConnectionPropertiesV2BasicResource", "2025-12-01"),
        build.connection(_IN, "images", "ContainerRegistry", "images.azurecr.io", credentials=_KEYS),
    ),
    "role assignment": (
        *("azure.mgmt.authorization.models", "RoleAssignment", "2022-04-01"),
        build.role_assignment(REGISTRY["id"], _HOLDER, build.ACR_PULL),
    ),
    "lock": (
        "azure.mgmt.resource.locks.models",
        "ManagementLockObject",
        "2020-05-01",
        build.lock(GROUP, "CanNotDelete"),
    ),
    "group": ("azure.mgmt.resource.resources.models", "ResourceGroup", "2022-12-01", build.resource_group(GROUP)),
}
_SERVED = json.loads(Path(__file__).with_name("served_types.json").read_text("utf-8"))
WRITTEN: dict[str, Json] = {one["path"]: one for one in _SERVED["written"]}
TOLD: dict[str, Json] = {f"{one['method']} {one['path']}": one for one in _SERVED["told"]}
# Without a model in .venv-az, or with nothing to say: actions without an answer, and lists that are empty here.
WITHOUT_MODEL = {
    *("Microsoft.App/jobs", "Microsoft.App/sessionPools", "Microsoft.Cache/redisEnterprise"),
    *("Microsoft.DBforPostgreSQL/serverGroupsv2", "Microsoft.DataFactory/factories"),
    *("Microsoft.Databricks/accessConnectors", "Microsoft.Databricks/workspaces"),
    *("Microsoft.Insights/diagnosticSettings", "Microsoft.Insights/eventtypes", "Microsoft.Insights/privateLinkScopes"),
    *("Microsoft.Kubernetes/connectedClusters", "Microsoft.KubernetesConfiguration/extensions"),
    *("Microsoft.KeyVault/deletedManagedHSMs", "Microsoft.KeyVault/locations/deletedManagedHSMs"),
    *("Microsoft.KeyVault/locations/deletedVaults/purge", "Microsoft.KeyVault/managedHSMs/keys/versions"),
    "Microsoft.KeyVault/vaults/keys/versions",
    "Microsoft.MachineLearningServices/registries/privateLinkResources",
    "Microsoft.MachineLearningServices/workspaces/featuresets/versions/features",
    "Microsoft.MachineLearningServices/workspaces/labelingJobs",
    *("Microsoft.Relay/namespaces", "Microsoft.ResourceGraph/resources"),
    *("Microsoft.Storage/locations/deletedAccounts", "Microsoft.Storage/storageAccounts/connectors"),
    *("Microsoft.Storage/storageAccounts/dataShares", "Microsoft.Storage/storageAccounts/fileServices/usages"),
}
_ADMIN = build.registry(build.below(GROUP, build.REGISTRIES, "admin"), admin=True)
_IN_A_TEMPLATE = {
    "type": build.USER_ASSIGNED_IDENTITIES,
    "apiVersion": "2024-11-30",
    "name": "deployed",
    "location": "westeurope",
}
NONE: Json = {"lost": [], "changed": [], "unknown": []}
# What a model does not know, although Azure was recorded to answer with it: Azure CLI, container_create_with_zone
# (2023-05-01), and Azure Service Operator, Test_Containerservice_v1api20250801_CreationAndDeletion (2021-07-01) and
# Test_OperationalInsights_Workspace_v1api20250701_CRUD.
RECORDED = {
    "container group": {"properties.isCustomProvisioningTimeout", "properties.provisioningTimeoutInSeconds"},
    "workspace": {"properties.sasGetterUri"},
    "Microsoft.OperationalInsights/workspaces/logs": {"etag"},
}


def _recorded(name: str) -> set[str]:
    """With what the recorded workspace of tests/answers has, at the top and in `properties`."""
    found = RECORDED.get(name, set())
    if name != "workspace":
        return found
    (one,) = (one for one in known() if one.recorded_in and one.type.endswith("/workspaces/{} 2025-12-01"))
    return found | {*one.answer, *(f"properties.{key}" for key in one.answer["properties"])}


def _judged(asked: list[tuple[str, str, Json]]) -> list[Json]:
    script = Path(__file__).with_name("models.py")
    ran = subprocess.run(
        [str(_PYTHON), "-W", "ignore", str(script)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    judged: list[Json] = json.loads(ran.stdout)
    return judged


def _answer(arm: Any, method: str, identifier: str, version: str, body: Json | None) -> Json:
    identifier, _, asked = identifier.partition("?")
    path, query = ResourcePath.parse(identifier), {"api-version": version, **dict(parse_qsl(asked))}
    call = Call(method, path, query, body, _OPERATOR, "", "https://127.0.0.1:1")
    found: Json = (arm.handle if method == "GET" else arm.carry_out)(call).body
    return found


def _built() -> Any:
    """A local Azure with the resources above, and what cannot be written through it."""
    gone = build.vault(build.below(f"{GROUP}-2", build.VAULTS, "gone"), _TENANT)
    beside = {"roleAssignments": [RESOURCES["role assignment"][3]], "locks": [RESOURCES["lock"][3]]}
    resources = [one for *_, one in RESOURCES.values() if [one] not in beside.values()]
    deny = build.deny_assignment(GROUP, {"actions": ["*/write"]}, [{"id": _HOLDER, "type": "ServicePrincipal"}])
    above = {"name": "ml", "subscriptions": [GROUP.split("/")[2]]}
    parts = {**beside, "denyAssignments": [deny], "managementGroups": [above]}
    tenant = Tenant(build.tenant_file(_TENANT, [*resources, gone, _ADMIN], **parts))
    arm = routes.build(tenant, Rbac(tenant), Clock(), SeededValues(7), lambda _: None, operation_seconds=0)
    _answer(arm, "DELETE", gone["id"], "2026-02-01", None)
    template = {"$schema": "", "contentVersion": "1.0.0.0", "resources": [_IN_A_TEMPLATE]}
    deployment = build.below(GROUP, "Microsoft.Resources/deployments", "roles")
    _answer(arm, "PUT", deployment, "2022-09-01", {"properties": {"mode": "Incremental", "template": template}})
    return arm


def _of_every_type(arm: Any) -> Iterator[tuple[str, str, str, Json]]:
    """What each type answers, with its name and model. Of a list each of the first three."""
    for name, row in WRITTEN.items():
        identifier = f"{GROUP}/providers/{row['path']}"
        written = _answer(arm, "PUT", identifier, row["version"], row["body"])
        read = _answer(arm, "GET", identifier, row["version"], None)
        yield from ((name, *row["model"].split(":"), answer) for answer in (written, read) if answer)
    for name, row in TOLD.items():
        told = _answer(arm, row["method"], row["path"], row["version"], row.get("body"))
        listed = row["model"].endswith("Result") or not isinstance(told.get("value"), list)
        yield from ((name, *row["model"].split(":"), one) for one in ([told] if listed else told["value"][:3]))


@pytest.fixture(scope="module")
def judged() -> dict[str, Json]:
    """What comes of each, as the tenant has it and as it is after it was written once more."""
    arm = _built()
    asked, names = list[tuple[str, str, Json]](), list[str]()
    for number, (name, module, model, answer) in enumerate(_of_every_type(arm)):
        asked.append((module, model, answer))
        names.append(f"{name}: {number}")
    for name, (module, model, version, one) in RESOURCES.items():
        body = {key: value for key, value in one.items() if key not in ("id", "name", "type", "systemData")}
        first = _answer(arm, "GET", one["id"], version, None)
        written = _answer(arm, "PUT", one["id"], version, body)
        then = _answer(arm, "GET", one["id"], version, None)
        answers = {"GET": first, "PUT": written, "GET after it": then}
        asked += [(module, model, answer) for answer in answers.values() if answer]
        names += [f"{name}: {method}" for method, answer in answers.items() if answer]
    return dict(zip(names, _judged(asked), strict=True))


@pytest.mark.parametrize("name", RESOURCES)
def test_microsofts_model_knows_all_and_loses_nothing(judged: dict[str, Json], name: str) -> None:
    found = {what: said for what, said in judged.items() if what.startswith(f"{name}: ")}
    assert len(found) >= len(("GET", "GET after it"))
    for said in found.values():
        assert {**said, "unknown": sorted({*said["unknown"]} - _recorded(name))} == NONE


@pytest.mark.parametrize("name", [*WRITTEN, *TOLD])
def test_every_type_loses_nothing(judged: dict[str, Json], name: str) -> None:
    found = [said for what, said in judged.items() if what.startswith(f"{name}: ")]
    assert found
    for said in found:
        assert {**said, "unknown": sorted({*said["unknown"]} - RECORDED.get(name, set()))} == NONE


def test_every_type_is_among_them() -> None:
    """Or a new one could lose what its model knows, unseen."""
    served = json.loads(Path("emulator/data/providers.json").read_text("utf-8"))
    types = {f"{namespace}/{kind}" for namespace, groups in served.items() for one in groups for kind in one["types"]}
    paths = [f"{GROUP}/providers/{path}" for path in WRITTEN] + [one["path"].partition("?")[0] for one in TOLD.values()]
    held = {ResourcePath.parse(path).type.lower() for path in [*paths, *(one["id"] for *_, one in RESOURCES.values())]}
    left = {kind for kind in types if kind.lower() not in held and not kind.startswith("Microsoft.Network/")}
    assert left == WITHOUT_MODEL


def test_what_is_misspelt_or_of_a_wrong_type_is_seen() -> None:
    """Or none of the above could fail. An older model and a newer one."""
    odd_group = {**_SCORER, "properties": {**_SCORER["properties"], "osTyp": "Linux"}}
    odd_registry = {**REGISTRY, "properties": {**REGISTRY["properties"], "adminUser": True, "creationDate": "soon"}}
    first, second = _judged(
        [(*RESOURCES["container group"][:2], odd_group), (*RESOURCES["registry"][:2], odd_registry)]
    )
    assert first["unknown"] == ["properties.osTyp"]
    assert second["unknown"] == ["properties.adminUser"]
