"""Nodes of AKS clusters: their kubelet identity or a service principal pulls images, too (AML-30, AML-94)."""

from collections.abc import Iterator

from shared.access.asks import Ask, Cover, Found, Severity, UserKind
from shared.access.model import Compute, ComputeType, Estate, Workspace
from shared.access.rules.az import az, code, itself
from shared.access.rules.pull import AKS_CLUSTER, AUTHENTICATION, PULLS, pull, puller
from shared.access.rules.rule import List, Rule, RuleKind

_IDENTITY_TYPES = "learn.microsoft.com/azure/container-registry/container-registry-authentication"
_KUBELET = "identityProfile.kubeletidentity.objectId"


def _aks_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for compute in workspace.computes:
        cluster = estate.clusters.get(compute.attached) if compute.attached else None
        if workspace.registry and compute.type is ComputeType.AKS and cluster:
            yield pull(cluster, workspace.registry, compute.id, estate, "AML-30")


def _kubelet_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """AML-94: in addition to the compute's own identity.

    A deleted cluster pulls nothing, and Arc has no such identity.
    """
    for compute in _on_aks(workspace, estate):
        kubelet = estate.clusters.get(compute.attached) if compute.attached else None
        if workspace.registry and kubelet:
            yield pull(kubelet, workspace.registry, compute.id, estate, "AML-94")


def _kubelet_identity(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    registry = workspace.registry
    for compute in _on_aks(workspace, estate):
        if registry is None or compute.attached is None or compute.attached in estate.clusters:
            continue
        named = f"AKS cluster {compute.attached.name} of compute {compute.id.name}"
        reason = f"the kubelet identity of {named} is not known, so nobody can tell whether it can pull"
        yield puller(registry, UserKind.KUBELET, compute.id, Cover.UNKNOWN, reason)
        where = itself(compute.attached)
        yield Found(
            compute.id,
            f"The kubelet identity of {named} is not known: the cluster runs as a service principal, or amlguard may "
            f"not read it. Its nodes also pull from {registry.name}.",
            {
                "show": code(az("aks show", **where, query=_KUBELET)),
                "change": code(az("aks update", **where, attach_acr=registry)),
            },
        )


def _on_aks(workspace: Workspace, estate: Estate) -> Iterator[Compute]:
    for compute in workspace.computes:
        on_aks = compute.attached is not None and compute.attached.resource_type == AKS_CLUSTER
        if compute.type is ComputeType.KUBERNETES and on_aks and compute.attached not in estate.missing:
            yield compute


KUBELET_IDENTITY = "kubelet-identity"

RULES = (
    Rule(
        name="aks-pull",
        requirements=("AML-30",),
        mode=RuleKind.FIX,
        title="An AKS cluster's kubelet identity or service principal can pull from the workspace's registry.",
        source=AUTHENTICATION,
        examine=_aks_pull,
        acts="an attached AKS cluster whose kubelet identity has no role on the registry",
        leaves="a cluster that `az aks update … --attach-acr REGISTRY` gave AcrPull",
        also=("AML-70",),
        grants=PULLS,
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
        keeps_apart=True,
    ),
    Rule(
        name="kubelet-pull",
        requirements=("AML-94",),
        mode=RuleKind.FIX,
        title="The kubelet identity of an attached AKS cluster can pull from the workspace's registry.",
        source=_IDENTITY_TYPES,
        examine=_kubelet_pull,
        acts="a Kubernetes compute on an AKS cluster whose kubelet identity has no role on the registry",
        leaves="a Kubernetes compute on an Arc cluster: it has no kubelet identity in Azure",
        also=("AML-70",),
        grants=PULLS,
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
        keeps_apart=True,
    ),
    Rule(
        name=KUBELET_IDENTITY,
        requirements=("AML-94",),
        mode=RuleKind.AUDIT,
        title="The kubelet identity of an attached AKS cluster is known. Until then the registry's admin user stays "
        "on.",
        source=_IDENTITY_TYPES,
        examine=_kubelet_identity,
        acts="a Kubernetes compute on an AKS cluster that runs as a service principal",
        leaves="a Kubernetes compute on an AKS cluster with a managed kubelet identity",
        severity=Severity.LOW,
        remedy="Find the identity ({show}), then let it pull: {change}",
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
        objects=True,
    ),
)
