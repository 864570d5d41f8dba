"""Registries: one's own, the one that Azure Machine Learning makes, and a private one with base images."""

from clients.walks.stage import SHARED, Stage

_REGISTRIES = "Microsoft.ContainerRegistry/registries"
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_AML = "2024-04-01"
_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"


def bring_your_own(stage: Stage) -> None:
    """https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication#bring-your-own-acr

    People make a registry and a workspace on it. Somebody left its admin user on.
    """
    group, name = "walk-own", "walkown"
    stage.az(f"group create -n {group} -l westeurope")
    registry = stage.az(f"acr create -n {name} -g {group} -l westeurope --sku Standard --admin-enabled true")["id"]
    stage.ml("workspace", group=group, name="own", container_registry=registry)
    stage.ml("cluster", group=group, workspace="own", name="train", identity="system")
    cluster = stage.get(stage.id_of(group, _WORKSPACES, "own/computes/train"), _AML)["identity"]["principalId"]
    stage.settle()
    stage.until(lambda: not stage.admin_user(registry), "the admin user is off")
    assert stage.holds(cluster, registry) == {"AcrPull"}


def made_by_azure(stage: Stage) -> None:
    """https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication

    "Let Azure Machine Learning create workspace ACR": the first job makes it, with the admin user on. People are told
    to look for its name and to turn that off. The cluster is older than the registry: nobody granted it anything.
    """
    group = "walk-made"
    stage.az(f"group create -n {group} -l westeurope")
    stage.ml("workspace", group=group, name="made")
    stage.ml("cluster", group=group, workspace="made", name="train", identity="system")
    stage.ml("environment", group=group, workspace="made", name="plain", image=_IMAGE)
    stage.ml("job", group=group, workspace="made", name="first", compute="train", environment="plain")
    workspace = stage.get(stage.id_of(group, _WORKSPACES, "made"), _AML)
    registry = workspace["properties"]["containerRegistry"]
    cluster = stage.get(stage.id_of(group, _WORKSPACES, "made/computes/train"), _AML)["identity"]["principalId"]
    stage.until(lambda: stage.holds(cluster, registry) == {"AcrPull"}, "the cluster can pull")
    stage.settle()
    stage.until(lambda: not stage.admin_user(registry), "the admin user is off")


def compute_pulls(stage: Stage) -> None:
    """https://learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication

    "Create compute with managed identity to access Docker images for training": people are told to grant AcrPull on the
    workspace's registry. A user-assigned identity gets it from nobody else.
    """
    group, name = "walk-pull", "walkpull"
    stage.az(f"group create -n {group} -l westeurope")
    registry = stage.az(f"acr create -n {name} -g {group} -l westeurope --sku Standard --admin-enabled false")["id"]
    stage.ml("workspace", group=group, name="pull", container_registry=registry)
    identity = stage.az(f"identity create -n walkpuller -g {group} -l westeurope")
    assert stage.holds(identity["principalId"], registry) == set()
    stage.ml("cluster", group=group, workspace="pull", name="train", identity=identity["id"])
    stage.until(lambda: stage.holds(identity["principalId"], registry) == {"AcrPull"}, "the identity can pull")
    assert not stage.admin_user(registry)


def private(stage: Stage) -> None:
    """https://learn.microsoft.com/azure/machine-learning/v1/how-to-use-managed-identities

    Base images of a private registry: people are told to grant AcrPull there to a user-assigned identity, and Managed
    Identity Operator on that identity to the workspace. The policy allows the registry, which lies in another group,
    and the identity, because a user of the workspace names it.
    """
    group = "walk-private"
    stage.az(f"group create -n {group} -l westeurope")
    stage.az(f"group create -n {SHARED} -l westeurope")
    registry = stage.az(f"acr create -n walkprivate -g {SHARED} -l westeurope --sku Standard")
    other = stage.az(f"acr create -n walkprivate2 -g {SHARED} -l westeurope --sku Standard")["id"]
    identity = stage.az(f"identity create -n walkbase -g {group} -l westeurope")
    stage.ml("workspace", group=group, name="private")
    stage.ml(
        "connection",
        group=group,
        workspace="private",
        name="base",
        target=registry["loginServer"],
        identity=identity["id"],
        client=identity["clientId"],
    )
    workspace = stage.get(stage.id_of(group, _WORKSPACES, "private"), _AML)["identity"]["principalId"]
    puller = identity["principalId"]
    stage.until(lambda: stage.holds(puller, registry["id"]) == {"AcrPull"}, "the identity can pull base images")
    operates = {"Managed Identity Operator"}
    stage.until(lambda: stage.holds(workspace, identity["id"]) == operates, "the workspace may use the identity")
    assert stage.holds(puller, other) == set()
