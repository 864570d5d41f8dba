"""Values in the place of an id or an object that are not one: reported, and what depends on them is left alone."""

from collections.abc import Iterator, Sequence

from shared.access.asks import Ask, Cover, Found, RegistryUser, Severity, UserKind
from shared.access.ids import REGISTRY, NoId
from shared.access.model import Estate, Workspace
from shared.access.rules.az import az, code
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope

_WHO_PULLS = (List.COMPUTES.value, List.ENDPOINTS.value)


def _malformed(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for on in dict.fromkeys(one.on for one in workspace.no_ids):
        yield _finding(on, [one for one in workspace.no_ids if one.on == on])
    if workspace.id == estate.subject.id:
        for on in estate.misshapen:
            yield _finding(on, [NoId(on, "properties", "an object", "so nobody can tell anything about it")])
    yield from _may_pull(workspace, estate)


def _finding(on: Scope, found: Sequence[NoId]) -> Found:
    """One finding for each resource, whatever number of values is wrong."""
    wrong = "; ".join(f"{one.name} does not hold {one.what} ({one.why})" for one in found)
    return Found(
        on,
        f"amlguard cannot follow everything that {on.name} names: {wrong}. It looks at the rest.",
        {"show": code(az("resource show", ids=on))},
    )


def _may_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """Law 15 for the subject's registry: whoever may still need the admin user keeps it, whatever a workspace hides."""
    registry = estate.subject.registry
    if registry is None:
        return
    if workspace.registry == registry and any(one.name in _WHO_PULLS for one in workspace.no_ids):
        reason = f"workspace {workspace.id.name} has computes or endpoints whose very names are not known"
        yield _user(registry, workspace.id, f"{reason}: they may pull only as the admin user")
    if workspace.id == estate.subject.id and estate.strays:
        names = ", ".join(sorted(map(str, estate.strays)))
        reason = f"other workspaces may use {registry.name}, since their {REGISTRY.name} is no id: {names}"
        yield _user(registry, estate.subject.id, reason)


def _user(registry: Scope, on: Scope, reason: str) -> RegistryUser:
    return RegistryUser(registry, UserKind.PULLER, on.name, on, Cover.UNKNOWN, on.resource_type, reason)


MALFORMED = "malformed-id"

RULES = (
    Rule(
        name=MALFORMED,
        requirements=(),
        mode=RuleKind.AUDIT,
        title="Where a workspace, a compute, an endpoint, a datastore or a connection must name an id, it names one.",
        source="learn.microsoft.com/azure/templates/microsoft.machinelearningservices/workspaces",
        examine=_malformed,
        acts="a workspace whose containerRegistry is a name: amlguard looks at the rest, and a registry that it may "
        "use keeps its admin user on",
        leaves="a workspace that has no registry yet",
        severity=Severity.MEDIUM,
        remedy="See what it holds ({show}), and correct or clear the value.",
        each=(List.COMPUTES, List.ENDPOINTS, List.DATASTORES, List.CONNECTIONS),
        watches=(
            "Microsoft.MachineLearningServices/workspaces",
            "Microsoft.MachineLearningServices/workspaces/computes",
            "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            "Microsoft.MachineLearningServices/workspaces/datastores",
            "Microsoft.MachineLearningServices/workspaces/connections",
        ),
        objects=True,
    ),
)
