"""The registry's admin user: who still needs it, when it goes off, and what follows."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Property, RequiredSetting, Severity
from shared.access.model import ComputeType, Estate, Registry, Workspace
from shared.access.rules.identity_change import update_compute
from shared.access.rules.rule import List, Rule, RuleKind

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_AUTHENTICATION = _DOCS + "how-to-identity-based-service-authentication"


def _admin_user(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    if registry and registry.admin_user:
        yield RequiredSetting(
            registry.id,
            Property.ADMIN_USER,
            "true",
            "false",
            _origin(registry, workspace),
            f"registry {registry.id.name} of workspace {workspace.id.name} has its admin user on: anyone with its "
            "password can pull and push everything",
        )


def _origin(registry: Registry, workspace: Workspace) -> tuple[str, ...]:
    """AML-21 if AML made the registry (after the workspace, beside it), AML-22 if the customer provided it."""
    if registry.created_on is None or workspace.created_on is None:
        return ("AML-21", "AML-22")
    beside = registry.id.resource_group == workspace.id.resource_group
    return ("AML-21",) if beside and registry.created_on >= workspace.created_on else ("AML-22",)


def _cached_keys(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """Follows the switch-off: `shared.access.plan` keeps it only together with one."""
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    if registry and registry.admin_user:
        reason = f"workspace {workspace.id.name} caches the password of {registry.id.name}'s admin user"
        yield RequiredSetting(workspace.id, Property.CACHED_KEYS, "cached", "resynced", ("AML-71",), reason)


def _both_kinds(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for compute in workspace.computes:
        if compute.type is ComputeType.AML_COMPUTE and compute.identity.system and compute.identity.user:
            yield Found(
                compute.id,
                f"Cluster {compute.id.name} has a system-assigned and user-assigned identities; AML supports one kind.",
                {"change": update_compute(compute)},
            )


BOTH_KINDS = "compute-identity-kinds"
ADMIN_USER = "registry-admin-user"
CACHED_KEYS = "workspace-cached-keys"
_REGISTRY_WATCHES = ("Microsoft.MachineLearningServices/workspaces", "Microsoft.ContainerRegistry/registries")

RULES = (
    Rule(
        name=ADMIN_USER,
        requirements=("AML-21", "AML-22"),
        mode=RuleKind.FIX,
        title="The admin user of a workspace's registry is off, once every identity that pulls is covered.",
        source=_AUTHENTICATION,
        examine=_admin_user,
        acts="a registry that AML made (AML-21) or that the customer provided (AML-22), with every puller covered and "
        "settled",
        leaves="a registry from which one cluster still cannot pull with its identity: the admin user stays on",
        watches=_REGISTRY_WATCHES,
        asks_everybody=True,
    ),
    Rule(
        name=CACHED_KEYS,
        requirements=("AML-71",),
        mode=RuleKind.FIX,
        title="After the admin user went off, the workspace's cached keys are resynced.",
        source=_DOCS + "how-to-change-storage-access-key",
        examine=_cached_keys,
        acts="each workspace that uses a registry whose admin user has just been turned off",
        leaves="a registry whose admin user stays on",
        watches=_REGISTRY_WATCHES,
    ),
    Rule(
        name=BOTH_KINDS,
        requirements=("AML-15",),
        mode=RuleKind.AUDIT,
        title="A cluster has a system-assigned identity or user-assigned ones, never both.",
        source=_AUTHENTICATION,
        examine=_both_kinds,
        acts="a cluster of type SystemAssigned,UserAssigned",
        leaves="a cluster with two user-assigned identities",
        severity=Severity.MEDIUM,
        remedy="Once the user-assigned identities hold what the system-assigned one holds, keep only them: {change}",
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes",),
    ),
)
