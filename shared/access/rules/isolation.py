"""Hubs and projects whose data is isolated: nothing is granted on their storage without AML's own condition.

AML isolates a hub's projects from each other by conditions on its own grants. A grant of ours has none, and would reach
the other projects' data. Isolation is on by default there, cannot be changed later, and a project has its hub's
(how-to-identity-based-service-authentication): a flag that is absent says nothing.
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Objection
from shared.access.model import Estate, Raw, Want, Workspace
from shared.access.raw import flag, get, scope_or_none
from shared.access.rules.rule import Mode, Rule
from shared.access.scope import Scope

_WORKSPACE = "microsoft.machinelearningservices/workspaces"
_AUTHENTICATION = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"


def _says(raw: Raw | None) -> bool | None:
    return flag(raw, "properties", "enableDataIsolation")


def _below_hub(workspace: Workspace) -> bool:
    return workspace.hub is not None or workspace.kind == "project"


def _hub(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """The hub decides, unless the project says itself that its data is isolated."""
    hub = workspace.hub if workspace.storage and not workspace.data_isolation else None
    if hub and hub.resource_type == _WORKSPACE:
        yield Want(hub)


def _flagged(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    if workspace.data_isolation and workspace.storage:
        yield _objection(workspace, workspace.storage, "isolates its data")


def _by_default(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    why = "" if workspace.data_isolation or workspace.storage is None else _why(workspace, estate)
    if not why or workspace.storage is None:
        return
    yield _objection(workspace, workspace.storage, why)
    shared = scope_or_none(get(estate.resource(workspace.hub), "properties", "storageAccount"))
    if shared and shared != workspace.storage:
        yield _objection(workspace, shared, why)


def _why(workspace: Workspace, estate: Estate) -> str:
    """Empty where the data is known not to be isolated."""
    if _below_hub(workspace):
        name = workspace.hub.name if workspace.hub else "that ARM does not name"
        hub = estate.resource(workspace.hub)
        if hub is None:
            return f"is a project of hub {name}, which could not be read: it may isolate its projects' data"
        said = _says(hub)
        if said is False:
            return ""
        how = "isolates the data of its projects" if said else "isolates the data of its projects by default"
        return f"is a project of hub {name}, which {how}"
    isolated = workspace.kind == "hub" and _says(workspace.raw) is not False
    return "is a hub, which isolates the data of its projects by default" if isolated else ""


def _objection(workspace: Workspace, storage: Scope, why: str) -> Objection:
    return Objection(
        storage,
        None,
        f"workspace {workspace.id.name} {why}: AML's own grants on {storage.name} carry a condition, and a grant "
        "without one would reach the other projects' data",
    )


RULES = (
    Rule(
        "data-isolation",
        ("AML-73",),
        Mode.GUARD,
        "Nothing is granted on the storage of a workspace that isolates its data.",
        "learn.microsoft.com/azure/ai-foundry/concepts/architecture",
        _flagged,
        "a hub or project with enableDataIsolation: grants on its storage are withheld",
        "a workspace without enableDataIsolation",
        watches=("Microsoft.MachineLearningServices/workspaces",),
    ),
    Rule(
        "data-isolation-by-default",
        ("AML-93",),
        Mode.GUARD,
        "Nothing is granted on the storage of a hub that does not say that it shares its data, nor of its projects.",
        _AUTHENTICATION,
        _by_default,
        "a project without enableDataIsolation below a hub that isolates: grants on the hub's storage are withheld",
        "a project below a hub with enableDataIsolation false",
        wants=_hub,
        watches=("Microsoft.MachineLearningServices/workspaces",),
    ),
)
