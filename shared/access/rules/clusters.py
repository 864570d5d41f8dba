"""AKS clusters that the customer provided, and registries whose permission mode decides what pulling takes."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Compute, ComputeType, Estate, Want, Workspace
from shared.access.raw import flag, text
from shared.access.rules.az import at, az, code
from shared.access.rules.rule import List, Rule, RuleKind, no_asks
from shared.access.rules.sdk_v1 import V1_ENDED
from shared.access.rules.unreadable import unreadable

_DOCS = "learn.microsoft.com/azure/machine-learning/"


def _customer_provided(workspace: Workspace) -> Iterator[Compute]:
    for compute in workspace.computes:
        made_by_aml = flag(compute.raw, "properties", "isAttachedCompute") is False
        if compute.type is ComputeType.AKS and compute.attached and not made_by_aml:
            yield compute


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    yield from (Want(compute.attached) for compute in _customer_provided(workspace) if compute.attached)


def _managed_identity(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    for compute in _customer_provided(workspace):
        cluster = estate.resource(compute.attached)
        kind = text(cluster, "identity", "type") or ""
        client = text(cluster, "properties", "servicePrincipalProfile", "clientId") or ""
        if cluster and (kind.casefold() not in ("", "none") or client.casefold() == "msi"):
            yield Found(
                compute.id,
                f"AKS cluster {compute.attached.name if compute.attached else ''} of compute {compute.id.name} uses a "
                f"managed identity ({kind or client}). v1 deployments know clusters with a service principal only "
                f"({V1_ENDED}).",
                {"attach": _as_kubernetes(compute, workspace)},
            )


def _as_kubernetes(compute: Compute, workspace: Workspace) -> str:
    named = {"type": "Kubernetes", "name": f"{compute.id.name}-k8s", "resource_id": compute.attached}
    return code(az("ml compute attach", **named, **at(workspace.id), identity_type="SystemAssigned"))


RULES = (
    Rule(
        name="aks-service-principal",
        requirements=("AML-31",),
        mode=RuleKind.AUDIT,
        title="An AKS cluster that the customer provided runs as a service principal, for the deployments of "
        f"{V1_ENDED}.",
        source=_DOCS + "how-to-create-attach-kubernetes",
        examine=_managed_identity,
        acts="an attached cluster with a system-assigned identity",
        leaves="an attached cluster with the client id of a service principal",
        severity=Severity.MEDIUM,
        remedy="Put the AML extension on it, and attach it as a Kubernetes compute, which knows managed identities: "
        "{attach}",
        wants=_wants,
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
    Rule(
        name="abac-registry",
        requirements=("AML-70",),
        mode=RuleKind.FIX,
        title="An identity that pulls from a registry in ABAC mode, where AcrPull does nothing, holds Repository "
        "Reader.",
        source="learn.microsoft.com/azure/container-registry/container-registry-rbac-abac-repository-permissions",
        examine=no_asks,
        acts="a cluster that holds only AcrPull on a registry in ABAC mode",
        leaves="a cluster that holds Container Registry Repository Writer there",
        watches=("Microsoft.ContainerRegistry/registries",),
        through=(
            "compute-pull",
            "kubernetes-pull",
            "aks-pull",
            "endpoint-pull",
            "private-registry-pull",
            "image-registry-pull",
            "base-image-pull",
            "kubelet-pull",
            "serverless-jobs-pull",
        ),
    ),
)
