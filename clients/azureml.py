"""Runs in .venv-az: what people do with azure-ai-ml's MLClient, one operation after another.

The first argument is the sign-in of the local Azure, as JSON. Each answer is one line: the operation and its error.
"""
# long: one entry for each operation

import contextlib
import io
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.ai.ml import Input, MLClient, command, load_component
from azure.ai.ml.entities import (
    AadCredentialConfiguration,
    AccountKeyConfiguration,
    AmlCompute,
    ApiKeyConfiguration,
    AzureBlobDatastore,
    AzureDataLakeGen2Datastore,
    AzureFileDatastore,
    BatchEndpoint,
    CodeConfiguration,
    ComputeInstance,
    Data,
    Environment,
    FeatureStore,
    FqdnDestination,
    Hub,
    IdentityConfiguration,
    IsolationMode,
    JobSchedule,
    KubernetesCompute,
    ManagedIdentityConfiguration,
    ManagedNetwork,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    ModelBatchDeployment,
    OneLakeArtifact,
    OneLakeDatastore,
    Project,
    RecurrenceTrigger,
    Registry,
    RegistryRegionDetails,
    UsernamePasswordConfiguration,
    Workspace,
    WorkspaceConnection,
)
from azure.identity import ClientSecretCredential

WORKSPACE, GROUP, REGION = "clientsws", "clients", "westeurope"
WAIT_SECONDS = 120

type Operation = tuple[str, Callable[[], Any]]


class Play:
    def __init__(self, sign_in: dict[str, str]) -> None:
        self.subscription = sign_in["subscriptionId"]
        self.group = f"/subscriptions/{self.subscription}/resourceGroups/{GROUP}"
        authority = sign_in["authority"]
        credential = ClientSecretCredential(
            sign_in["tenantId"],
            sign_in["clientId"],
            sign_in["clientSecret"],
            authority=authority,
            disable_instance_discovery=True,
        )
        # The cloud is named in the environment: see docs/emulator.md
        self.above = MLClient(credential, self.subscription, GROUP, cloud=sign_in["cloud"])
        self.ml = MLClient(credential, self.subscription, GROUP, WORKSPACE, cloud=sign_in["cloud"])
        self.folder = Path(tempfile.mkdtemp(prefix="amlguard-azureml-"))
        (self.folder / "code").mkdir()
        (self.folder / "code" / "score.py").write_text("print('scored')\n")
        self.identity = IdentityConfiguration(
            type="user_assigned",
            user_assigned_identities=[
                ManagedIdentityConfiguration(
                    resource_id=f"{self.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/clientsuai"
                )
            ],
        )

    def operations(self) -> list[Operation]:
        return [
            *self.workspaces(),
            *self.computes(),
            *self.online(),
            *self.batch(),
            *self.stores(),
            *self.assets(),
            *self.registries(),
            *self.ends(),
        ]

    def workspaces(self) -> list[Operation]:
        ws = self.above.workspaces
        rules = self.above.workspace_outbound_rules

        def updated() -> Any:
            one = ws.get(WORKSPACE)
            one.tags, one.image_build_compute = {"env": "test"}, "builder"
            one.system_datastores_auth_mode = "identity"
            one.managed_network = ManagedNetwork(isolation_mode=IsolationMode.ALLOW_INTERNET_OUTBOUND)
            return done(ws.begin_update(one))

        rule = FqdnDestination(name="pypi", destination="pypi.org")
        hub = f"{self.group}/providers/Microsoft.MachineLearningServices/workspaces/clientshub"
        return [
            ("workspace create", lambda: done(ws.begin_create(Workspace(name=WORKSPACE, location=REGION)))),
            ("workspace create with an identity", lambda: done(ws.begin_create(self._with_identity()))),
            ("hub create", lambda: done(ws.begin_create(Hub(name="clientshub", location=REGION)))),
            (
                "project create",
                lambda: done(ws.begin_create(Project(name="clientsproject", hub_id=hub, location=REGION))),
            ),
            ("workspace get", lambda: ws.get(WORKSPACE)),
            ("workspace list", lambda: some(ws.list())),
            ("workspace update", updated),
            ("workspace provision network", lambda: done(ws.begin_provision_network(workspace_name=WORKSPACE))),
            ("workspace sync keys", lambda: done(ws.begin_sync_keys(WORKSPACE))),
            ("workspace keys", lambda: ws.get_keys(WORKSPACE)),
            ("workspace diagnose", lambda: done(ws.begin_diagnose(WORKSPACE))),
            ("outbound rule add", lambda: done(rules.begin_create(WORKSPACE, rule))),
            ("outbound rule list", lambda: some(rules.list(WORKSPACE))),
            ("outbound rule show", lambda: rules.get(WORKSPACE, "pypi")),
            ("outbound rule remove", lambda: done(rules.begin_remove(WORKSPACE, "pypi"))),
        ]

    def _with_identity(self) -> Workspace:
        identity = self.identity.user_assigned_identities[0].resource_id
        return Workspace(
            name="clientsuaiws", location=REGION, identity=self.identity, primary_user_assigned_identity=identity
        )

    # long: one entry for each operation
    def computes(self) -> list[Operation]:
        ops = self.ml.compute

        def cluster(name: str, identity: IdentityConfiguration | None = None) -> Any:
            return done(
                ops.begin_create_or_update(
                    AmlCompute(name=name, size="STANDARD_DS3_V2", min_instances=0, max_instances=2, identity=identity)
                )
            )

        def updated() -> Any:
            one = ops.get("plain")
            one.max_instances = 3
            return done(ops.begin_update(one))

        aks = f"{self.group}/providers/Microsoft.ContainerService/managedClusters/clientsaks"
        return [
            ("cluster create", lambda: cluster("plain")),
            ("cluster create, system", lambda: cluster("own", IdentityConfiguration(type="system_assigned"))),
            ("cluster create, user", lambda: cluster("users", self.identity)),
            (
                "instance create",
                lambda: done(ops.begin_create_or_update(ComputeInstance(name="clientsci", size="STANDARD_DS3_V2"))),
            ),
            ("compute get", lambda: ops.get("plain")),
            ("compute list", lambda: some(ops.list())),
            ("compute update", updated),
            ("compute sizes", lambda: some(ops.list_sizes())),
            ("compute nodes", lambda: list(ops.list_nodes("plain"))),
            ("instance start", lambda: done(ops.begin_start("clientsci"))),
            ("instance stop", lambda: done(ops.begin_stop("clientsci"))),
            ("instance restart", lambda: done(ops.begin_restart("clientsci"))),
            (
                "kubernetes attach",
                lambda: done(
                    ops.begin_create_or_update(KubernetesCompute(name="kube", resource_id=aks, namespace="default"))
                ),
            ),
            ("kubernetes detach", lambda: done(ops.begin_delete("kube", action="Detach"))),
            ("compute delete", lambda: done(ops.begin_delete("users"))),
        ]

    # long: one entry for each operation
    def online(self) -> list[Operation]:
        ops, deployments = self.ml.online_endpoints, self.ml.online_deployments

        def endpoint(name: str, mode: str, identity: IdentityConfiguration | None = None) -> Any:
            made = ManagedOnlineEndpoint(name=name, auth_mode=mode, identity=identity, location=REGION)
            return done(ops.begin_create_or_update(made))

        def updated() -> Any:
            one = ops.get("clients-key")
            one.tags = {"env": "test"}
            return done(ops.begin_create_or_update(one))

        def deployment(count: int) -> Any:
            made = ManagedOnlineDeployment(
                name="blue",
                endpoint_name="clients-key",
                model="azureml:clientsmodel:1",
                environment="azureml:clientsenv:1",
                code_configuration=CodeConfiguration(code="azureml:clientscode:1", scoring_script="score.py"),
                instance_type="Standard_DS3_v2",
                instance_count=count,
            )
            return done(deployments.begin_create_or_update(made, skip_script_validation=True))

        return [
            ("online endpoint create, key", lambda: endpoint("clients-key", "key")),
            ("online endpoint create, aml_token", lambda: endpoint("clients-aml", "aml_token")),
            ("online endpoint create, aad_token, user", lambda: endpoint("clients-aad", "aad_token", self.identity)),
            ("online endpoint get", lambda: ops.get("clients-key")),
            ("online endpoint list", lambda: some(ops.list())),
            ("online endpoint update", updated),
            ("online endpoint keys", lambda: ops.get_keys("clients-key")),
            ("online endpoint new keys", lambda: done(ops.begin_regenerate_keys("clients-key", key_type="secondary"))),
            ("online deployment create", lambda: deployment(1)),
            ("online deployment get", lambda: deployments.get("blue", "clients-key")),
            ("online deployment list", lambda: some(deployments.list("clients-key"))),
            ("online deployment update", lambda: deployment(2)),
            ("online deployment logs", lambda: deployments.get_logs("blue", "clients-key", 10)),
            ("online deployment delete", lambda: done(deployments.begin_delete("blue", "clients-key"))),
            ("online endpoint delete", lambda: done(ops.begin_delete("clients-aml"))),
        ]

    def batch(self) -> list[Operation]:
        ops, deployments = self.ml.batch_endpoints, self.ml.batch_deployments

        def deployment() -> Any:
            made = ModelBatchDeployment(
                name="classic",
                endpoint_name="clients-batch",
                model="azureml:clientsmodel:1",
                environment="azureml:clientsenv:1",
                code_configuration=CodeConfiguration(code="azureml:clientscode:1", scoring_script="score.py"),
                compute="plain",
            )
            return done(deployments.begin_create_or_update(made, skip_script_validation=True))

        return [
            (
                "batch endpoint create",
                lambda: done(ops.begin_create_or_update(BatchEndpoint(name="clients-batch", location=REGION))),
            ),
            ("batch endpoint get", lambda: ops.get("clients-batch")),
            ("batch endpoint list", lambda: some(ops.list())),
            ("batch deployment create", deployment),
            ("batch endpoint invoke", lambda: ops.invoke("clients-batch", input=Input(path="azureml:clientsdata:1"))),
            ("batch endpoint delete", lambda: done(ops.begin_delete("clients-batch"))),
        ]

    # long: one entry for each operation
    def stores(self) -> list[Operation]:
        ops, links = self.ml.datastores, self.ml.connections
        key = AccountKeyConfiguration(account_key="bm90IGEgc2VjcmV0")
        account = {"account_name": "clientsstore"}

        def connection(name: str, kind: str, target: str, credentials: Any) -> Any:
            return links.create_or_update(
                WorkspaceConnection(name=name, type=kind, target=target, credentials=credentials)
            )

        return [
            (
                "datastore create, blob",
                lambda: ops.create_or_update(AzureBlobDatastore(name="blob", container_name="c", **account)),
            ),
            (
                "datastore create, blob with a key",
                lambda: ops.create_or_update(
                    AzureBlobDatastore(name="keyed", container_name="c", credentials=key, **account)
                ),
            ),
            (
                "datastore create, file",
                lambda: ops.create_or_update(
                    AzureFileDatastore(name="share", file_share_name="s", credentials=key, **account)
                ),
            ),
            (
                "datastore create, data lake",
                lambda: ops.create_or_update(AzureDataLakeGen2Datastore(name="lake", filesystem="f", **account)),
            ),
            (
                "datastore create, OneLake",
                lambda: ops.create_or_update(
                    OneLakeDatastore(
                        name="onelake",
                        one_lake_workspace_name="w",
                        endpoint="onelake.dfs.fabric.microsoft.com",
                        artifact=OneLakeArtifact(name="a", type="lake_house"),
                    )
                ),
            ),
            ("datastore get", lambda: ops.get("blob")),
            ("datastore list", lambda: some(ops.list())),
            ("datastore default", ops.get_default),
            ("datastore delete", lambda: ops.delete("keyed")),
            (
                "connection create, registry",
                lambda: connection(
                    "registry",
                    "container_registry",
                    "clients.azurecr.io",
                    UsernamePasswordConfiguration(username="u", password="p"),  # noqa: S106 - not a real one
                ),
            ),
            (
                "connection create, key vault",
                lambda: connection("vault", "azure_key_vault", f"{self.group}/vaults/v", AadCredentialConfiguration()),
            ),
            (
                "connection create, API key",
                lambda: connection("api", "api_key", "https://x.example", ApiKeyConfiguration(key="k")),
            ),
            ("connection get", lambda: links.get("registry")),
            ("connection list", lambda: some(links.list())),
            ("connection delete", lambda: links.delete("registry")),
        ]

    # long: one entry for each operation
    def assets(self) -> list[Operation]:
        ml = self.ml
        image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:latest"
        component = self.folder / "component.yml"
        component.write_text(
            f"name: clientscomponent\nversion: 1\ntype: command\ncommand: echo hi\nenvironment:\n  image: {image}\n"
        )
        job = command(name="clientsjob", command="echo hi", environment="azureml:clientsenv:1", compute="plain")
        schedule = JobSchedule(
            name="clientsschedule",
            trigger=RecurrenceTrigger(frequency="day", interval=1),
            create_job="azureml:clientsjob",
        )
        blob = "https://clientsstore.blob.core.windows.net/c/data"
        return [
            (
                "environment create",
                lambda: ml.environments.create_or_update(Environment(name="clientsenv", version="1", image=image)),
            ),
            ("environment get", lambda: ml.environments.get("clientsenv", "1")),
            ("environment list", lambda: some(ml.environments.list())),
            (
                "data create",
                lambda: ml.data.create_or_update(Data(name="clientsdata", version="1", type="uri_folder", path=blob)),
            ),
            ("data get", lambda: ml.data.get("clientsdata", "1")),
            ("data list", lambda: some(ml.data.list())),
            (
                "model create",
                lambda: ml.models.create_or_update(
                    Model(name="clientsmodel", version="1", path="azureml://datastores/blob/paths/model")
                ),
            ),
            ("model get", lambda: ml.models.get("clientsmodel", "1")),
            ("model list", lambda: some(ml.models.list())),
            ("component create", lambda: ml.components.create_or_update(load_component(str(component)))),
            ("component get", lambda: ml.components.get("clientscomponent", "1")),
            ("job create", lambda: ml.jobs.create_or_update(job)),
            ("job get", lambda: ml.jobs.get("clientsjob")),
            ("job list", lambda: some(ml.jobs.list())),
            ("job cancel", lambda: done(ml.jobs.begin_cancel("clientsjob"))),
            ("schedule create", lambda: done(ml.schedules.begin_create_or_update(schedule))),
            ("schedule list", lambda: some(ml.schedules.list())),
            ("environment archive", lambda: ml.environments.archive("clientsenv", "1")),
        ]

    def registries(self) -> list[Operation]:
        ops, stores = self.above.registries, self.above.feature_stores
        region = RegistryRegionDetails(location=REGION)
        made = Registry(name="clientsregistry", location=REGION, replication_locations=[region])
        return [
            ("registry create", lambda: done(ops.begin_create(made))),
            ("registry get", lambda: ops.get("clientsregistry")),
            ("registry list", lambda: some(ops.list())),
            (
                "feature store create",
                lambda: done(stores.begin_create(FeatureStore(name="clientsfs", location=REGION))),
            ),
            ("feature store get", lambda: stores.get("clientsfs")),
            ("feature store list", lambda: some(stores.list())),
        ]

    def ends(self) -> list[Operation]:
        ws = self.above.workspaces
        return [("workspace delete", lambda: done(ws.begin_delete("clientsuaiws", delete_dependent_resources=False)))]


def done(poller: Any) -> Any:
    """The result of an operation that takes a while. What is no poller is done."""
    if not hasattr(poller, "result"):
        return poller
    poller.wait(WAIT_SECONDS)
    if not poller.done():
        raise TimeoutError(f"not done after {WAIT_SECONDS} s")
    return poller.result()


def some(found: Any) -> list[Any]:
    listed = list(found)
    if not listed:
        raise AssertionError("the list is empty")
    return listed


def main(sign_in: dict[str, str]) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    answers = sys.stdout
    for name, operation in Play(sign_in).operations():
        error = None
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                operation()
            except BaseException as found:  # noqa: BLE001 - whatever a client says is what is asked
                error = f"{type(found).__name__}: {found}"
        answers.write(json.dumps([name, error]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
