"""Who else uses a registry: builders, serverless jobs, kubelets, and services outside AML."""

from collections.abc import Callable
from typing import Any

from catalogue.build import (
    ACR_PULL,
    CONTRIBUTOR,
    assign,
    command,
    compute,
    days_ago,
    registry,
    registry_at,
    resource,
    system,
    uai,
    user,
    workspace,
)
from catalogue.case import ALLOWED_GROUP, Case, Place, Raw, Tenant
from catalogue.documented import acts, leaves

type Build = Callable[[Place], Tenant]

_ACR_PUSH = "8311e382-0749-4cb8-b61a-304f252e45ec"
_TASKS_CONTRIBUTOR = "fb382eab-e894-4461-af04-94435c366c3f"
_AKS = "Microsoft.ContainerService/managedClusters"
_ARC = "Microsoft.Kubernetes/connectedClusters"


def _kubernetes(kind: str, kubelet: str | None) -> Build:
    """A Kubernetes compute that can pull as itself, on a cluster with this kubelet identity."""

    def build(place: Place) -> Tenant:
        profile: Raw = {"kubeletidentity": {"objectId": place.object_id(kubelet)}} if kubelet else {}
        about: Raw = {"agentPublicKeyCertificate": ""} if kind == _ARC else {"identityProfile": profile}
        cluster = resource(place.id(kind, "k8s"), kind, about, identity=system(place.object_id("cluster")))
        acr = registry(place)
        ws = workspace(place, containerRegistry=acr["id"])
        own = system(place.object_id("own"))
        one = compute(ws, "k8s", "Kubernetes", identity=own, resourceId=cluster["id"], isAttachedCompute=True)
        return Tenant([acr, ws, cluster, one], [assign(acr["id"], place.object_id("own"), ACR_PULL)])

    return build


def _jobs(*, as_uai: bool = False, on: str | None = None) -> Build:
    """One recent job, on compute `on` or on none."""

    def build(place: Place) -> Tenant:
        acr, one = registry(place, admin=not as_uai), uai(place)
        primary: Raw = {"identity": user(one), "primaryUserAssignedIdentity": one["id"]} if as_uai else {}
        ws = workspace(place, containerRegistry=acr["id"], **primary)
        c1 = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        where: Raw = {"computeId": f"{ws['id']}/computes/{on}"} if on else {}
        kind = "Microsoft.MachineLearningServices/workspaces/jobs"
        created = {"systemData": {"createdAt": days_ago(2)}}
        job = resource(f"{ws['id']}/jobs/job", kind, command(**where), **created)
        return Tenant([acr, one, ws, c1, job], [assign(acr["id"], place.object_id("cpu1"), ACR_PULL)])

    return build


def _builder(*roles: str, at: str = "", named: str = "", admin: bool = False) -> Build:
    """A registry in group `at`, and who builds: the workspace itself, or its build compute `named`, holding `roles`."""

    def build(place: Place) -> Tenant:
        where = f"{at or place.group}/providers/Microsoft.ContainerRegistry/registries/built{place.unique}"
        acr = registry_at(where, admin=admin)
        more: Raw = {"imageBuildCompute": named} if named else {}
        ws = workspace(place, containerRegistry=acr["id"], **more)
        one = compute(ws, "builds", identity=system(place.object_id("builds")))
        who = place.object_id("builds" if named else "mlw")
        held = [assign(acr["id"], who, role) for role in roles]
        return Tenant([acr, ws, one], [*held, assign(acr["id"], place.object_id("builds"), ACR_PULL)])

    return build


def _strange_builder(place: Place) -> Tenant:
    """An identity of another group, to which nothing is granted."""
    one = uai(place)
    strange = one | {"id": one["id"].replace(place.group, f"{place.group}-others")}
    acr = registry(place, admin=True)
    ws = workspace(
        place, identity=user(strange), primaryUserAssignedIdentity=strange["id"], containerRegistry=acr["id"]
    )
    return Tenant([acr, strange, ws])


def _nothing_held(place: Place) -> Tenant:
    made = _builder()(place)
    return Tenant(made.resources, made.role_assignments, aml=False)


def _app(**sign_in: Any) -> Build:
    def build(place: Place) -> Tenant:
        acr = registry(place, admin=True)
        ws = workspace(place, containerRegistry=acr["id"])
        user_name = sign_in or {"username": acr["name"]}
        named = {"server": acr["properties"]["loginServer"], **user_name}
        kind = "Microsoft.App/containerApps"
        app = resource(place.id(kind, "chat"), kind, {"configuration": {"registries": [named]}})
        return Tenant([acr, ws, app])

    return build


CASES: tuple[Case, ...] = (
    acts("kubelet-pull", _kubernetes(_AKS, "kubelet"), "kubelet of k8s pulls images", outcome="Applied"),
    leaves("kubelet-pull", _kubernetes(_ARC, "kubelet")),
    acts("kubelet-identity", _kubernetes(_AKS, None), "az aks show", outcome="Finding"),
    leaves("kubelet-identity", _kubernetes(_AKS, "kubelet")),
    acts("serverless-jobs", _jobs(), "recent jobs run on serverless compute", outcome="Withheld"),
    leaves("serverless-jobs", _jobs(on="cpu1")),
    acts("serverless-jobs-pull", _jobs(as_uai=True), "uami pulls images", outcome="Applied"),
    leaves("serverless-jobs-pull", _jobs(as_uai=True, on="cpu1")),
    acts(
        "image-builder",
        _builder(CONTRIBUTOR, named="gone"),
        "--image-build-compute",
        "a workspace whose image build compute is not there",
        outcome="Finding",
    ),
    leaves("image-builder", _builder()),
    acts("image-builder-role", _builder(at=ALLOWED_GROUP), "builds images for mlw", outcome="Applied"),
    acts(
        "image-builder-role",
        _nothing_held,
        "builds images for mlw",
        "a workspace whose system-assigned identity holds nothing at all",
        outcome="Applied",
    ),
    leaves("image-builder-role", _builder(_ACR_PUSH, _TASKS_CONTRIBUTOR, named="builds")),
    acts("uncovered-builder", _strange_builder, "cannot build images", outcome="Withheld"),
    leaves("uncovered-builder", _builder(CONTRIBUTOR, admin=True)),
    acts("registry-services", _app(), "Container App chat", outcome="Withheld"),
    leaves("registry-services", _app(identity="system")),
)
