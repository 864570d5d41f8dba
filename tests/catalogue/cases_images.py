"""Images of other registries, and assets of AML registries."""

from collections.abc import Callable

from catalogue.build import (
    ACR_PULL,
    REPOSITORY_READER,
    assign,
    command,
    compute,
    connection,
    datastore,
    endpoint,
    registry_at,
    resource,
    storage,
    system,
    workspace,
)
from catalogue.case import ALLOWED_GROUP, Case, Place, Raw, Tenant
from catalogue.documented import acts, leaves

type Build = Callable[[Place], Tenant]

_AML = "Microsoft.MachineLearningServices"
_ACR = "Microsoft.ContainerRegistry/registries"


def _base(place: Place, *, abac: bool = False) -> Raw:
    return registry_at(f"{place.group}/providers/{_ACR}/base{place.unique}", abac=abac)


def _environment(ws: Raw, image: str) -> list[Raw]:
    """As ARM lists it, and its version."""
    kind = f"{_AML}/workspaces/environments"
    name = f"{ws['id']}/environments/env"
    listed = resource(name, kind, {"latestVersion": "3", "isArchived": False})
    return [listed, resource(f"{name}/versions/3", f"{kind}/versions", {"image": image, "osType": "Linux"})]


def _with_cluster(image: str = "", *, role: str = "", connected: bool = True, abac: bool = False) -> Build:
    """A cluster that runs an image: of a registry on the allow-list, unless another one is given."""

    def build(place: Place) -> Tenant:
        base = registry_at(f"{ALLOWED_GROUP}/providers/{_ACR}/img{place.unique}", abac=abac)
        ws = workspace(place)
        one = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        parts = [ws, one, *_environment(ws, image or f"{base['name']}.azurecr.io/team/train:1")]
        if connected:
            target, metadata = f"{base['name']}.azurecr.io", {"ResourceId": base["id"]}
            parts += [base, connection(ws, "base", "ContainerRegistry", target, metadata=metadata)]
        held = [assign(base["id"], place.object_id("cpu1"), role)] if role else []
        return Tenant(parts, held)

    return build


def _in_subscription(place: Place) -> Tenant:
    base, ws = _base(place), workspace(place)
    one = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
    image = f"{base['name'].upper()}.AzureCR.io/team/train:1"
    return Tenant([base, ws, one, *_environment(ws, image)])


def _deployed(*, model: str = "", environment: str = "", there: bool = True) -> Build:
    """A deployment with assets of AML registry `shared…` of the subscription (`{name}`)."""

    def build(place: Place) -> Tenant:
        name = f"shared{place.unique}"
        acr = _base(place)
        kind = f"{_AML}/registries"
        account = {"systemCreatedAcrAccount": {"armResourceId": {"resourceId": acr["id"]}}}
        regions = [{"location": "westeurope", "acrDetails": [account]}]
        shared = resource(place.id(kind, name), kind, {"regionDetails": regions})
        ws = workspace(place)
        ep = endpoint(ws, "infer", identity=system(place.object_id("infer")))
        named = {"model": model.format(name=name), "environmentId": environment.format(name=name)}
        blue = resource(
            f"{ep['id']}/deployments/blue",
            f"{_AML}/workspaces/onlineEndpoints/deployments",
            {"endpointComputeType": "Managed", **{key: value for key, value in named.items() if value}},
        )
        return Tenant([acr, ws, ep, blue, *([shared] if there else [])])

    return build


def _in_a_job(name: str) -> Build:
    """A job on a cluster with a model of AML registry `shared…`, or another one that `name` gives."""

    def build(place: Place) -> Tenant:
        mine = f"shared{place.unique}"
        kind = f"{_AML}/registries"
        blobs, ws = storage(place), workspace(place)
        one = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        uri = f"azureml://registries/{name or mine}/models/m/versions/1"
        inputs = {"model": {"jobInputType": "mlflow_model", "uri": uri}}
        body = command(computeId=one["id"], inputs=inputs, status="Completed")
        job = resource(f"{ws['id']}/jobs/j1", f"{_AML}/workspaces/jobs", body)
        store = datastore(ws, "d1", blobs["name"], credentials="AccountKey")
        return Tenant([blobs, ws, one, job, store, resource(place.id(kind, mine), kind, {})])

    return build


_MODEL = "azureml://registries/{name}/models/churn/versions/2"
_SHARED = "azureml://registries/{name}/environments/train/versions/2"
_CURATED = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"

CASES: tuple[Case, ...] = (
    acts("image-registry-pull", _with_cluster(), "runs an image of img", outcome="Applied"),
    acts(
        "image-registry-pull",
        _with_cluster(role=ACR_PULL, abac=True),
        "runs an image of img",
        "a registry in ABAC mode, on which the cluster holds AcrPull",
        outcome="Applied",
    ),
    acts(
        "image-registry-pull",
        _in_subscription,
        "was named by a user of the workspace",
        "a registry of the subscription that is not on the allow-list: withheld",
        outcome="Withheld",
    ),
    acts(
        "image-registry-pull",
        _deployed(environment=_SHARED),
        "was named by a user of the workspace",
        "an environment of an AML registry, whose own registry is not on the allow-list",
        outcome="Withheld",
    ),
    leaves("image-registry-pull", _with_cluster("mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04")),
    leaves(
        "image-registry-pull",
        _with_cluster(role=REPOSITORY_READER, abac=True),
        "a cluster that is Repository Reader on the registry in ABAC mode",
    ),
    acts("image-registries", _with_cluster(connected=False), "is not in the workspace's subscription"),
    leaves("image-registries", _in_subscription),
    acts("aml-registry-user", _deployed(model=_MODEL), "was named by a user of the workspace", outcome="Withheld"),
    leaves("aml-registry-user", _deployed(model="azureml://registries/azureml/models/gpt2/versions/1")),
    acts(
        "aml-registry-user",
        _in_a_job(""),
        "was named by a user of the workspace",
        "a job with a model of an AML registry",
        outcome="Withheld",
    ),
    leaves("aml-registry-user", _in_a_job("azureml"), "a job with a model of Microsoft's registry azureml"),
    acts("aml-registries", _deployed(environment=_SHARED, there=False), "may use it is not known"),
    leaves("aml-registries", _deployed(environment=_SHARED)),
)
