"""What stands in the place of an id, or of an object, and is none: said, and what hangs on it left alone."""

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
            yield _finding(on, [NoId(on, "properties", "an object", "so nothing can be told of it")])
    yield from _may_pull(workspace, estate)


def _finding(on: Scope, found: Sequence[NoId]) -> Found:
    """One for each resource, however much of it is wrong."""
    wrong = "; ".join(f"{one.name} does not hold {one.what} ({one.why})" for one in found)
    return Found(
        on,
        f"Of {on.name} not everything can be followed: {wrong}. The rest is looked at.",
        {"show": code(az("resource show", ids=on))},
    )


def _may_pull(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """Who may still need it keeps it (law 15): of the registry of the subject, whatever a workspace on it hides."""
    registry = estate.subject.registry
    if registry is None:
        return
    if workspace.registry == registry and any(one.name in _WHO_PULLS for one in workspace.no_ids):
        reason = f"workspace {workspace.id.name} has computes or endpoints of which not even the name is known"
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
        title="What a workspace, its computes, endpoints, datastores and connections name by id, they name by one.",
        source="learn.microsoft.com/azure/templates/microsoft.machinelearningservices/workspaces",
        examine=_malformed,
        acts="a workspace whose containerRegistry is a name: the rest of it is looked at, and a registry that it may "
        "use keeps its admin user on",
        leaves="a workspace that has no registry yet",
        severity=Severity.MEDIUM,
        remedy="See what it holds ({show}), and set it right or empty it.",
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
