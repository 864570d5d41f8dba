"""A workspace with a user-assigned identity, an endpoint that is called with tokens, and storage without keys."""

from pathlib import Path

from clients.walks.stage import Stage

_TEMPLATE = Path(__file__).with_name("quickstart.json")
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_AML = "2024-04-01"


def from_the_quickstart(stage: Stage) -> None:
    """https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication

    "Create workspace with user-assigned managed identity" leads to the quickstart
    https://github.com/Azure/azure-quickstart-templates/tree/master/quickstarts/microsoft.machinelearningservices/machine-learning-dependencies-role-assignment
    and lists the roles. Our template has the same resources and roles, but for Contributor on the registry.
    """
    group, name = "walk-quickstart", "walkquickstart"
    stage.az(f"group create -n {group} -l westeurope")
    stage.az(f"deployment group create -g {group} -n walk --template-file {_TEMPLATE} --parameters name={name}")
    identity = stage.az(f"identity show -n {name} -g {group}")["principalId"]
    registry = stage.id_of(group, "Microsoft.ContainerRegistry/registries", name)
    stage.until(lambda: stage.holds(identity, registry) == {"Contributor"}, "the identity controls the registry")
    storage = stage.id_of(group, "Microsoft.Storage/storageAccounts", name)
    stage.quiet()
    assert stage.holds(identity, storage) == {"Contributor", "Storage Blob Data Contributor"}
    assert stage.holds(identity, stage.id_of(group, "Microsoft.KeyVault/vaults", name)) == {"Key Vault Administrator"}
    assert stage.holds(identity, stage.id_of(group, _WORKSPACES, name)) == set()
    assert stage.holds(identity, registry) == {"Contributor"}


def called_with_tokens(stage: Stage) -> None:
    """https://learn.microsoft.com/azure/machine-learning/how-to-authenticate-online-endpoint and
    how-to-access-resources-from-endpoints-managed-identities

    An endpoint that takes Microsoft Entra tokens and acts as a user-assigned identity. People are told to grant that
    AcrPull on the registry and Storage Blob Data Reader on the storage.
    """
    group = "walk-endpoint"
    stage.az(f"group create -n {group} -l westeurope")
    registry = stage.az(f"acr create -n walkendpoint -g {group} -l westeurope --sku Standard")["id"]
    stage.ml("workspace", group=group, name="scoring", container_registry=registry)
    identity = stage.az(f"identity create -n walkscorer -g {group} -l westeurope")
    endpoint = {"group": group, "workspace": "scoring", "name": "walk-scoring", "mode": "aad_token"}
    stage.ml("endpoint", **endpoint, identity=identity["id"])
    workspace = stage.get(stage.id_of(group, _WORKSPACES, "scoring"), _AML)["properties"]
    who, storage = identity["principalId"], workspace["storageAccount"]
    stage.until(lambda: stage.holds(who, registry) == {"AcrPull"}, "the endpoint can pull")
    stage.until(lambda: stage.holds(who, storage) == {"Storage Blob Data Reader"}, "the endpoint can read blobs")
    found = stage.get(stage.id_of(group, _WORKSPACES, "scoring/onlineEndpoints/walk-scoring"), _AML)
    assert found["properties"]["authMode"].lower() == "aadtoken"


def storage_without_keys(stage: Stage) -> None:
    """https://learn.microsoft.com/azure/machine-learning/how-to-disable-local-auth-storage

    The workspace reaches its storage by identity, and the account refuses shared keys. People are told to grant whoever
    reads it Storage Blob Data Reader.
    """
    group, account = "walk-keyless", "walkkeyless"
    stage.az(f"group create -n {group} -l westeurope")
    made = stage.az(f"storage account create -n {account} -g {group} -l westeurope --allow-shared-key-access false")
    stage.ml(
        "workspace", group=group, name="keyless", storage_account=made["id"], system_datastores_auth_mode="identity"
    )
    stage.ml("cluster", group=group, workspace="keyless", name="train", identity="system")
    stage.ml("datastore", group=group, workspace="keyless", name="training", account=account)
    workspace = stage.get(stage.id_of(group, _WORKSPACES, "keyless"), _AML)
    cluster = stage.get(stage.id_of(group, _WORKSPACES, "keyless/computes/train"), _AML)["identity"]["principalId"]
    stage.until(lambda: stage.holds(cluster, made["id"]) == {"Storage Blob Data Reader"}, "the cluster can read")
    own = workspace["identity"]["principalId"]
    assert stage.holds(own, made["id"]) == {"Storage Blob Data Contributor"}  # Azure Machine Learning's own grant
    shown = stage.az(f"storage account show -n {account} -g {group}")
    assert shown["allowSharedKeyAccess"] is False
