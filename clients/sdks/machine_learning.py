"""azure-mgmt-machinelearningservices."""

from typing import Any

from azure.mgmt.machinelearningservices.aio import MachineLearningServicesMgmtClient

from clients.sdks.place import REGION, Operation, Place, done, every, some

_NAME = "sdkaml"
_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"


def operations(place: Place) -> list[Operation]:
    client: Any = MachineLearningServicesMgmtClient(place.credential(), place.subscription, **place.arm_options)
    below = (place.group, _NAME)
    return [
        *_workspaces(client, place),
        *_computes(client, below),
        *_assets(client, below),
        *_online(client, below),
        *_batch(client, below),
        *_stores(client, below),
        *_jobs(client, below),
        *_around(client, place),
        ("workspaces delete", lambda: done(client.workspaces.begin_delete(*below))),
    ]


def _workspaces(client: Any, place: Place) -> list[Operation]:
    ops, below = client.workspaces, (place.group, _NAME)
    made = {
        "location": REGION,
        "identity": {"type": "SystemAssigned"},
        "properties": {
            "storageAccount": place.id_of("Microsoft.Storage/storageAccounts", "sdkstore2"),
            "keyVault": place.id_of("Microsoft.KeyVault/vaults", "sdkvault2"),
            "applicationInsights": place.id_of("Microsoft.Insights/components", "sdkinsights"),
        },
    }
    return [
        ("workspaces create", lambda: done(ops.begin_create_or_update(*below, made))),
        ("workspaces get", lambda: ops.get(*below)),
        ("workspaces list", lambda: some(ops.list_by_subscription())),
        ("workspaces list by group", lambda: some(ops.list_by_resource_group(place.group))),
        ("workspaces update", lambda: done(ops.begin_update(*below, {"tags": {"env": "test"}}))),
        ("workspaces keys", lambda: ops.list_keys(*below)),
        ("workspaces new keys", lambda: done(ops.begin_resync_keys(*below))),
        ("workspaces diagnose", lambda: done(ops.begin_diagnose(*below, {"value": {}}))),
        ("workspaces outbound endpoints", lambda: ops.list_outbound_network_dependencies_endpoints(*below)),
        ("workspaces notebook token", lambda: ops.list_notebook_access_token(*below)),
    ]


def _computes(client: Any, below: tuple[str, str]) -> list[Operation]:
    ops = client.compute
    scale = {"minNodeCount": 0, "maxNodeCount": 1}
    size = {"vmSize": "STANDARD_DS3_V2"}
    cluster = {
        "location": REGION,
        "identity": {"type": "SystemAssigned"},
        "properties": {"computeType": "AmlCompute", "properties": {**size, "scaleSettings": scale}},
    }
    instance = {"location": REGION, "properties": {"computeType": "ComputeInstance", "properties": size}}
    larger = {"properties": {"properties": {"scaleSettings": {**scale, "maxNodeCount": 2}}}}
    return [
        ("computes create a cluster", lambda: done(ops.begin_create_or_update(*below, "cluster", cluster))),
        ("computes create an instance", lambda: done(ops.begin_create_or_update(*below, "sdkci", instance))),
        ("computes get", lambda: ops.get(*below, "cluster")),
        ("computes list", lambda: some(ops.list(*below))),
        ("computes update", lambda: done(ops.begin_update(*below, "cluster", larger))),
        ("computes nodes", lambda: every(ops.list_nodes(*below, "cluster"))),
        ("computes stop", lambda: done(ops.begin_stop(*below, "sdkci"))),
        ("computes start", lambda: done(ops.begin_start(*below, "sdkci"))),
        ("computes restart", lambda: done(ops.begin_restart(*below, "sdkci"))),
        ("computes delete", lambda: done(ops.begin_delete(*below, "sdkci", "Delete"))),
    ]


def _assets(client: Any, below: tuple[str, str]) -> list[Operation]:
    environment = {"properties": {"image": _IMAGE, "osType": "Linux"}}
    model = {"properties": {"modelUri": "azureml://datastores/workspaceblobstore/paths/m", "modelType": "custom_model"}}
    code = {"properties": {"codeUri": "https://sdkstore2.blob.core.windows.net/code/c"}}
    data = {"properties": {"dataType": "uri_folder", "dataUri": "azureml://datastores/workspaceblobstore/paths/d"}}
    component = {
        "properties": {
            "componentSpec": {"name": "sdkcomponent", "version": "1", "type": "command", "command": "echo hello"}
        }
    }
    return [
        (
            "environments create",
            lambda: client.environment_versions.create_or_update(*below, "sdkenv", "1", environment),
        ),
        ("environments get", lambda: client.environment_versions.get(*below, "sdkenv", "1")),
        ("environments list", lambda: some(client.environment_containers.list(*below))),
        ("environments versions", lambda: some(client.environment_versions.list(*below, "sdkenv"))),
        ("models create", lambda: client.model_versions.create_or_update(*below, "sdkmodel", "1", model)),
        ("models get", lambda: client.model_versions.get(*below, "sdkmodel", "1")),
        ("models list", lambda: some(client.model_containers.list(*below))),
        ("code create", lambda: client.code_versions.create_or_update(*below, "sdkcode", "1", code)),
        ("code get", lambda: client.code_versions.get(*below, "sdkcode", "1")),
        ("data create", lambda: client.data_versions.create_or_update(*below, "sdkdata", "1", data)),
        ("data list", lambda: some(client.data_containers.list(*below))),
        (
            "components create",
            lambda: client.component_versions.create_or_update(*below, "sdkcomponent", "1", component),
        ),
        ("components list", lambda: some(client.component_containers.list(*below))),
        ("environments delete", lambda: client.environment_versions.delete(*below, "sdkenv", "1")),
    ]


def _online(client: Any, below: tuple[str, str]) -> list[Operation]:
    ops, deployments, name = client.online_endpoints, client.online_deployments, "sdk-online"
    endpoint = {"location": REGION, "identity": {"type": "SystemAssigned"}, "properties": {"authMode": "Key"}}
    blue = {
        "location": REGION,
        "sku": {"name": "Default", "capacity": 1},
        "properties": {
            "endpointComputeType": "Managed",
            "instanceType": "Standard_DS3_v2",
            "model": "azureml:sdkmodel:1",
            "scaleSettings": {"scaleType": "Default"},
        },
    }
    logs = {"containerType": "InferenceServer", "tail": 10}
    return [
        ("online endpoints create", lambda: done(ops.begin_create_or_update(*below, name, endpoint))),
        ("online endpoints get", lambda: ops.get(*below, name)),
        ("online endpoints list", lambda: some(ops.list(*below))),
        ("online endpoints update", lambda: done(ops.begin_update(*below, name, {"tags": {"env": "test"}}))),
        ("online endpoints keys", lambda: ops.list_keys(*below, name)),
        ("online endpoints token", lambda: ops.get_token(*below, name)),
        ("online endpoints new keys", lambda: done(ops.begin_regenerate_keys(*below, name, {"keyType": "Primary"}))),
        ("online deployments create", lambda: done(deployments.begin_create_or_update(*below, name, "blue", blue))),
        ("online deployments get", lambda: deployments.get(*below, name, "blue")),
        ("online deployments list", lambda: some(deployments.list(*below, name))),
        (
            "online deployments update",
            lambda: done(deployments.begin_update(*below, name, "blue", {"sku": {"capacity": 2}})),
        ),
        ("online deployments logs", lambda: deployments.get_logs(*below, name, "blue", logs)),
        ("online deployments skus", lambda: some(deployments.list_skus(*below, name, "blue"))),
        ("online deployments delete", lambda: done(deployments.begin_delete(*below, name, "blue"))),
        ("online endpoints delete", lambda: done(ops.begin_delete(*below, name))),
    ]


def _batch(client: Any, below: tuple[str, str]) -> list[Operation]:
    ops, deployments, name = client.batch_endpoints, client.batch_deployments, "sdk-batch"
    endpoint = {"location": REGION, "properties": {"authMode": "AADToken"}}
    model = {"referenceType": "Id", "assetId": "azureml:sdkmodel:1"}
    classic = {"location": REGION, "properties": {"model": model, "compute": "azureml:cluster"}}
    return [
        ("batch endpoints create", lambda: done(ops.begin_create_or_update(*below, name, endpoint))),
        ("batch endpoints get", lambda: ops.get(*below, name)),
        ("batch endpoints list", lambda: some(ops.list(*below))),
        (
            "batch deployments create",
            lambda: done(deployments.begin_create_or_update(*below, name, "classic", classic)),
        ),
        ("batch deployments list", lambda: some(deployments.list(*below, name))),
        ("batch endpoints delete", lambda: done(ops.begin_delete(*below, name))),
    ]


def _stores(client: Any, below: tuple[str, str]) -> list[Operation]:
    ops, links = client.datastores, client.workspace_connections
    blob = {"datastoreType": "AzureBlob", "accountName": "sdkstore2", "containerName": "c"}
    keyless = {"properties": {**blob, "credentials": {"credentialsType": "None"}}}
    secret = {"secretsType": "AccountKey", "key": "bm90IGEgc2VjcmV0"}
    keyed = {"properties": {**blob, "credentials": {"credentialsType": "AccountKey", "secrets": secret}}}
    link = {
        "properties": {
            "category": "ContainerRegistry",
            "target": "sdkregistry.azurecr.io",
            "authType": "UsernamePassword",
            "credentials": {"username": "sdk", "password": "not a secret"},
        }
    }
    return [
        ("datastores create", lambda: ops.create_or_update(*below, "sdkblob", keyless)),
        ("datastores create with a key", lambda: ops.create_or_update(*below, "sdkkeyed", keyed)),
        ("datastores get", lambda: ops.get(*below, "sdkblob")),
        ("datastores list", lambda: some(ops.list(*below))),
        ("datastores default", lambda: some(ops.list(*below, is_default=True))),
        ("datastores secrets", lambda: ops.list_secrets(*below, "sdkkeyed")),
        ("datastores delete", lambda: ops.delete(*below, "sdkblob")),
        ("connections create", lambda: links.create(*below, "sdklink", link)),
        ("connections get", lambda: links.get(*below, "sdklink")),
        ("connections list", lambda: some(links.list(*below))),
        ("connections delete", lambda: links.delete(*below, "sdklink")),
    ]


def _jobs(client: Any, below: tuple[str, str]) -> list[Operation]:
    ops, schedules = client.jobs, client.schedules
    job = {"jobType": "Command", "command": "echo hello", "environmentId": "azureml:sdkenv:1", "computeId": "cluster"}
    daily = {"triggerType": "Recurrence", "frequency": "Day", "interval": 1}
    schedule = {"properties": {"trigger": daily, "action": {"actionType": "CreateJob", "jobDefinition": job}}}
    return [
        ("jobs create", lambda: ops.create_or_update(*below, "sdkjob", {"properties": job})),
        ("jobs get", lambda: ops.get(*below, "sdkjob")),
        ("jobs list", lambda: some(ops.list(*below))),
        ("jobs cancel", lambda: done(ops.begin_cancel(*below, "sdkjob"))),
        ("schedules create", lambda: done(schedules.begin_create_or_update(*below, "sdkdaily", schedule))),
        ("schedules list", lambda: some(schedules.list(*below))),
        ("schedules delete", lambda: done(schedules.begin_delete(*below, "sdkdaily"))),
    ]


def _around(client: Any, place: Place) -> list[Operation]:
    ops, group, below = client.registries, place.group, (place.group, _NAME)
    region = {"location": REGION, "storageAccountDetails": [], "acrDetails": []}
    registry = {"location": REGION, "properties": {"regionDetails": [region]}}
    return [
        ("registries create", lambda: done(ops.begin_create_or_update(group, "sdkshared", registry))),
        ("registries get", lambda: ops.get(group, "sdkshared")),
        ("registries list", lambda: some(ops.list(group))),
        ("registries delete", lambda: done(ops.begin_delete(group, "sdkshared"))),
        ("sizes", lambda: client.virtual_machine_sizes.list(REGION)),
        ("usages", lambda: some(client.usages.list(REGION))),
        ("quotas", lambda: some(client.quotas.list(REGION))),
        ("features", lambda: every(client.workspace_features.list(*below))),
        ("private endpoint connections list", lambda: every(client.private_endpoint_connections.list(*below))),
        ("private link resources", lambda: client.private_link_resources.list(*below)),
    ]
