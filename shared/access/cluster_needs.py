"""What the identity of a workspace needs on a Kubernetes cluster that is attached to it."""

from shared.access.needs import Need
from shared.access.permissions import Permission

_AKS, _ARC = "Microsoft.ContainerService/managedClusters", "Microsoft.Kubernetes/connectedClusters"


def _reads_cluster(kind: str) -> Need:
    reads = (Permission(f"{kind}/read"),)
    return Need("read the attached cluster", reads, "acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader")


def _extends(kind: str) -> Need:
    return Need(
        "install the AML extension on the attached cluster",
        tuple(
            Permission(f"Microsoft.KubernetesConfiguration/extensions/{verb}") for verb in ("read", "write", "delete")
        ),
        "85cb6faf-e071-4c9b-8136-154b5a04f717",
        "Kubernetes Extension Contributor",
        broad=True,
        target=kind,
    )


ADMINISTER_AKS = Need(
    "administer the attached AKS cluster",
    (Permission(f"{_AKS}/listClusterAdminCredential/action"),),
    "0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8",
    "Azure Kubernetes Service Cluster Admin Role",
    broad=True,
)
ATTACHED = {
    _AKS.casefold(): (_reads_cluster(_AKS), _extends(_AKS), ADMINISTER_AKS),
    _ARC.casefold(): (_reads_cluster(_ARC), _extends(_ARC)),
}
OWN_RELAY = Need(
    "own the relay of the attached Arc cluster",
    (Permission("Microsoft.Relay/namespaces/*"), Permission("Microsoft.Relay/namespaces/*", data=True)),
    "2787bf04-f1f5-4bfe-8383-c8a24483ee38",
    "Azure Relay Owner",
    broad=True,
)
