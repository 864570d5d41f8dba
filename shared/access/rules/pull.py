"""Who pulls images from the workspace's registry. The registry's permission mode decides the role (AML-70)."""

from collections.abc import Iterator
from dataclasses import replace

from shared.access.asks import Ask, Cover, Found, NotReady, RegistryUser, RequiredGrant, Severity, UserKind
from shared.access.model import Compute, ComputeType, Estate, Principal, Registry, Workspace
from shared.access.needs import PULL, PULL_ABAC, Need
from shared.access.rules.identity_change import update_compute
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope

PULLS = (PULL, PULL_ABAC)
AKS_CLUSTER = "microsoft.containerservice/managedclusters"

_DOCS = "learn.microsoft.com/azure/machine-learning/"
AUTHENTICATION = _DOCS + "how-to-identity-based-service-authentication"
_PULLING_COMPUTES = (ComputeType.AML_COMPUTE, ComputeType.COMPUTE_INSTANCE)
# These run no image of the workspace's registry.
_NEVER_PULLING = (
    ComputeType.DATABRICKS,
    ComputeType.DATA_FACTORY,
    ComputeType.DATA_LAKE_ANALYTICS,
    ComputeType.SYNAPSE_SPARK,
    ComputeType.CONTAINER_INSTANCE,  # It pulls, but as the admin user: see AML-23.
)


def pull_need(registry: Scope, estate: Estate) -> Need:
    known = estate.registries.get(registry)
    return PULL_ABAC if known and known.abac else PULL


def pull(principal: Principal, registry: Scope, on: Scope, estate: Estate, *requirements: str) -> RequiredGrant:
    need = pull_need(registry, estate)
    reason = f"{principal.label} pulls images from {registry.name}"
    if need is PULL_ABAC:
        requirements = (*requirements, "AML-70")
        reason += ", which is in ABAC mode, where AcrPull does nothing"
    return RequiredGrant(principal, need, registry, on, requirements, reason)


def _compute_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if not workspace.registry:
        return
    for compute in workspace.computes:
        if compute.type in _PULLING_COMPUTES and compute.identity.default:
            age = _age(compute, estate.registries.get(workspace.registry))
            yield pull(compute.identity.default, workspace.registry, compute.id, estate, *age)


def _age(compute: Compute, registry: Registry | None) -> tuple[str, ...]:
    """AML-18 if the registry is older than the compute, AML-19 if it is newer, both if ARM does not say."""
    if registry is None or registry.created_on is None or compute.created_on is None:
        return ("AML-18", "AML-19")
    return ("AML-18",) if registry.created_on <= compute.created_on else ("AML-19",)


def _kubernetes_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for compute in workspace.computes:
        if workspace.registry and compute.type is ComputeType.KUBERNETES and compute.identity.default:
            yield pull(compute.identity.default, workspace.registry, compute.id, estate, "AML-74")


def _endpoint_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for endpoint in workspace.endpoints:
        principal = endpoint.identity.default
        if principal and workspace.registry:
            yield pull(principal, workspace.registry, endpoint.id, estate, "AML-42")
        elif not endpoint.ready and not principal:
            yield NotReady(endpoint.id, f"endpoint {endpoint.id.name} is being created and has no identity yet")
        elif workspace.registry and not endpoint.identity.lost:  # `lost_identities` reports identities that are gone
            reason = f"the identity of endpoint {endpoint.id.name} is not known, so nobody can tell whether it can pull"
            yield puller(workspace.registry, UserKind.PULLER, endpoint.id, Cover.UNKNOWN, reason)


def _compute_identity(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """AML-20. While the admin user is on, such a compute keeps it on, because it has no other way to pull."""
    registry = workspace.registry
    for compute in workspace.computes:
        if registry is None or compute.type in _NEVER_PULLING or _pulls_with_identity(compute, estate):
            continue
        if compute.identity.lost:  # `lost_identities` reports identities that are gone
            continue
        if not compute.ready:
            yield NotReady(compute.id, f"compute {compute.id.name} is being created and has no identity yet")
            continue
        yield _without_identity(compute, workspace, registry)
        known = estate.registries.get(registry)
        pulling = compute.type in (*_PULLING_COMPUTES, ComputeType.KUBERNETES) and compute.identity.empty
        if known and not known.admin_user and pulling:
            yield _no_identity(compute, registry)


def _pulls_with_identity(compute: Compute, estate: Estate) -> bool:
    if compute.type is ComputeType.AKS:
        return compute.attached in estate.clusters
    if compute.type in (*_PULLING_COMPUTES, ComputeType.KUBERNETES):
        return compute.identity.default is not None
    return False


def _without_identity(compute: Compute, workspace: Workspace, registry: Scope) -> RegistryUser:
    named = f"compute {compute.id.name} ({compute.type_name}) of workspace {workspace.id.name}"
    if compute.type is ComputeType.AKS:
        why = "the kubelet identity of its cluster is not known, so nobody can tell whether it can pull"
        return puller(registry, UserKind.KUBELET, compute.id, Cover.UNKNOWN, f"{named}: {why}")
    if not compute.identity.empty:
        why = "has a user-assigned identity of which nothing is known: nobody can tell whether it can pull"
        return puller(registry, UserKind.PULLER, compute.id, Cover.UNKNOWN, f"{named} {why}")
    if compute.type in (*_PULLING_COMPUTES, ComputeType.KUBERNETES):
        why = "has no identity that is known: it can pull only as the admin user"
        return puller(registry, UserKind.PULLER, compute.id, Cover.UNCOVERED, f"{named} {why}")
    why = "is not known to pull with an identity: it may depend on the admin user"
    return puller(registry, UserKind.PULLER, compute.id, Cover.UNKNOWN, f"{named} {why}")


def puller(registry: Scope, kind: UserKind, on: Scope, cover: Cover, reason: str) -> RegistryUser:
    return RegistryUser(registry, kind, on.name, on, cover, on.resource_type, reason)


def _no_identity(compute: Compute, registry: Scope) -> Found:
    return Found(
        compute.id,
        f"Compute {compute.id.name} ({compute.type_name}) has no identity and the admin user of registry "
        f"{registry.name} is off: it cannot pull images.",
        {"change": update_compute(compute)},
    )


def _private_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for connection in workspace.connections:
        if connection.registry is None or connection.registry == workspace.registry:
            continue
        for compute in workspace.computes:
            if compute.type in _PULLING_COMPUTES and compute.identity.default:
                # A user of the workspace wrote the connection, so only the policy can permit grants on what it names.
                one = pull(compute.identity.default, connection.registry, compute.id, estate, "AML-28")
                yield replace(one, explicit=True)


COMPUTE_IDENTITY = "compute-identity"

RULES = (
    Rule(
        name="compute-pull",
        requirements=("AML-18", "AML-19"),
        mode=RuleKind.FIX,
        title="A cluster's or instance's default identity can pull from the workspace's registry.",
        source=AUTHENTICATION,
        examine=_compute_pull,
        acts="a cluster that is older than the registry: AML granted it nothing",
        leaves="a cluster whose identity holds Reader on the resource group, which covers pulling from a classic "
        "registry",
        keeps_apart=True,
        also=("AML-16", "AML-70"),
        grants=PULLS,
        reads=(List.COMPUTES,),
        watches=(
            "Microsoft.MachineLearningServices/workspaces/computes",
            "Microsoft.ContainerRegistry/registries",
        ),
    ),
    Rule(
        name="kubernetes-pull",
        requirements=("AML-74",),
        mode=RuleKind.FIX,
        title="A Kubernetes compute's identity can pull from the workspace's registry.",
        source=_DOCS + "how-to-attach-kubernetes-to-workspace",
        examine=_kubernetes_pull,
        acts="an attached Arc cluster with a system-assigned identity: AML grants Kubernetes computes nothing",
        leaves="a Kubernetes compute that holds AcrPull",
        keeps_apart=True,
        also=("AML-70",),
        grants=PULLS,
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
    Rule(
        name="endpoint-pull",
        requirements=("AML-42",),
        mode=RuleKind.FIX,
        title="An online endpoint's identity can pull from the workspace's registry.",
        source=_DOCS + "how-to-access-resources-from-endpoints-managed-identities",
        examine=_endpoint_pull,
        acts="an endpoint with a user-assigned identity: AML grants it nothing",
        leaves="an endpoint with a system-assigned identity, which AML gave AcrPull",
        keeps_apart=True,
        also=("AML-70",),
        grants=PULLS,
        reads=(List.ENDPOINTS,),
        watches=("Microsoft.MachineLearningServices/workspaces/onlineEndpoints",),
        objects=True,
    ),
    Rule(
        name=COMPUTE_IDENTITY,
        requirements=("AML-20",),
        mode=RuleKind.AUDIT,
        title="If the registry's admin user is off, every compute that pulls has an identity.",
        source=AUTHENTICATION,
        examine=_compute_identity,
        acts="a cluster without an identity on a registry whose admin user is off",
        leaves="a Databricks compute: it pulls nothing from the registry",
        severity=Severity.HIGH,
        remedy="Give it an identity: {change}",
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
        objects=True,
    ),
    Rule(
        name="private-registry-pull",
        requirements=("AML-28",),
        mode=RuleKind.FIX,
        title="Computes can pull base images from a private registry that the policy allows and a connection names.",
        source=AUTHENTICATION,
        examine=_private_pull,
        acts="a workspace with a connection to a registry on the allow-list",
        leaves="a connection to a registry that is not on the allow-list: withheld",
        allow_listed=True,
        also=("AML-70",),
        grants=PULLS,
        reads=(List.COMPUTES, List.CONNECTIONS),
        watches=("Microsoft.MachineLearningServices/workspaces/connections",),
        keeps_apart=True,
    ),
)
