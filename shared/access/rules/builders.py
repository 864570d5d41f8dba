"""Who builds images: the workspace's own identity, or that of its image build compute (AML-83).

When the registry's admin user is off, AML builds and pushes as a managed identity. On a classic registry that takes the
right to push and the right to use ACR Tasks. In ABAC mode repository permissions decide who may push: Contributor gives
none of them, and ACR Tasks lose the data access that they otherwise have by default.
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Cover, Found, RegistryUser, RequiredGrant, Severity, UserKind
from shared.access.guards import RuleName
from shared.access.model import Compute, Estate, Principal, Registry, Workspace
from shared.access.needs import BUILD, PUSH, PUSH_ABAC, RUN_TASKS, RUN_TASKS_AS_CONTRIBUTOR, Need
from shared.access.preferences import Builders
from shared.access.raw import text
from shared.access.rules.az import az, code, itself
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope

BUILDS = (BUILD, PUSH, RUN_TASKS, RUN_TASKS_AS_CONTRIBUTOR, PUSH_ABAC)

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
_WATCHES = (
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.MachineLearningServices/workspaces/computes",
    "Microsoft.ContainerRegistry/registries",
)


def _build_compute(workspace: Workspace) -> tuple[str, Compute | None]:
    """The name of the compute that builds images instead of ACR Tasks, and the compute itself if it exists."""
    named = (text(workspace.raw, "properties", "imageBuildCompute") or "").rpartition("/")[2]
    found = (one for one in workspace.computes if one.id.name.casefold() == named.casefold())
    return named, next(found, None)


def _builder(workspace: Workspace) -> tuple[Principal | None, Scope]:
    """The identity that builds, and the resource whose identity it is. None if nobody can tell."""
    named, compute = _build_compute(workspace)
    if not named:
        return workspace.acting, workspace.id
    return (compute.identity.default, compute.id) if compute else (None, workspace.id)


def _needs(registry: Registry, estate: Estate) -> tuple[Need, ...]:
    least = estate.preferences.builders is Builders.LEAST
    if registry.abac:
        return (RUN_TASKS if least else RUN_TASKS_AS_CONTRIBUTOR, PUSH_ABAC)
    return (PUSH, RUN_TASKS) if least else (BUILD,)


def _builds(workspace: Workspace, estate: Estate, *requirements: str) -> Iterator[RequiredGrant]:
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    principal, on = _builder(workspace)
    if registry is None or principal is None:
        return
    reason = f"{principal.label} builds images for {workspace.id.name} and pushes them to {registry.id.name}"
    if registry.abac:
        reason += ", which is in ABAC mode, where Contributor pushes nothing"
    for need in _needs(registry, estate):
        yield RequiredGrant(principal, need, registry.id, on, requirements, reason)


def _missing(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from _builds(workspace, estate, "AML-83")
    named, compute = _build_compute(workspace)
    if named and compute is None:
        change = az("ml workspace update", **itself(workspace.id), image_build_compute="CLUSTER")
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} builds images on compute {named}, which does not exist: no image can be "
            "built.",
            {"change": code(change)},
        )


def _granted(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from _builds(workspace, estate, "AML-83", "AML-08")


def _unknown(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """For builders that are not known. `shared.access.registry_users` says whether a known builder is covered."""
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    named, compute = _build_compute(workspace)
    principal, on = _builder(workspace)
    if registry is None or principal:
        return
    name = workspace.id.name
    cover = Cover.UNKNOWN
    if not named:
        reason = f"nobody can tell as which identity workspace {name} builds images"
    elif compute is None:
        reason = f"workspace {name} builds images on compute {named}, which does not exist"
    else:
        reason = f"compute {named}, which builds the images of workspace {name}, has no identity that is known"
        cover = Cover.UNKNOWN if compute.identity.unresolved else Cover.UNCOVERED
    yield RegistryUser(registry.id, UserKind.BUILDER, on.name, on, cover, on.resource_type, reason)


IMAGE_BUILDER = "image-builder"
UNCOVERED_BUILDER = RuleName("uncovered-builder")

RULES = (
    Rule(
        name=IMAGE_BUILDER,
        requirements=("AML-83",),
        mode=RuleKind.AUDIT,
        title="An identity that builds images can push them to the workspace's registry and run ACR Tasks there.",
        source=_SOURCE,
        examine=_missing,
        acts="a workspace whose system-assigned identity holds nothing on its registry",
        leaves="a workspace whose identity is Contributor on the registry's resource group",
        advises=True,
        severity=Severity.MEDIUM,
        remedy="Name an existing cluster whose identity can push and build (AML-83): {change}",
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
    Rule(
        name="image-builder-role",
        requirements=("AML-83", "AML-08"),
        mode=RuleKind.OPT_IN,
        title="An identity that builds images gets the roles for it: Contributor, or AcrPush and Container Registry "
        "Tasks Contributor (policy: builders), and in ABAC mode also Container Registry Repository Writer.",
        source=_SOURCE,
        examine=_granted,
        acts="a workspace on a registry of another resource group, when the policy turns the rule or AML-08 on",
        leaves="an image build compute that holds AcrPush and Container Registry Tasks Contributor",
        grants=BUILDS,
        keeps_apart=False,
        reads=(List.COMPUTES,),
        watches=_WATCHES,
        optional=True,
    ),
    Rule(
        name=UNCOVERED_BUILDER,
        requirements=("AML-83",),
        mode=RuleKind.GUARD,
        title="While an identity that builds images cannot push, or is not known, the registry's admin user stays on.",
        source=_SOURCE,
        examine=_unknown,
        acts="a workspace whose identity may not push or run ACR Tasks on its registry",
        leaves="a workspace whose identity holds Contributor on the registry",
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
)
