"""Hubs and projects whose data is isolated: amlguard grants nothing on their storage, as it cannot set AML's condition.

AML isolates the projects of a hub from each other by conditions on its own grants. A grant of amlguard has no condition
and would reach the other projects' data. Isolation is on by default there and cannot be changed later, and a project
has that of its hub (how-to-identity-based-service-authentication). A missing flag therefore does not mean that data is
shared.
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Objection
from shared.access.model import Estate, Raw, Want, Workspace
from shared.access.raw import flag, get, scope_or_none
from shared.access.rules.accounts import account, by_identity
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope

_WORKSPACE = "microsoft.machinelearningservices/workspaces"
_AUTHENTICATION = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"


def _says(raw: Raw | None) -> bool | None:
    return flag(raw, "properties", "enableDataIsolation")


def _below_hub(workspace: Workspace) -> bool:
    return workspace.hub is not None or workspace.kind == "project"


def _hub(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    """The hub decides, unless the project itself says that its data is isolated.

    The hub may own accounts that others name.
    """
    hub = workspace.hub
    if hub and hub.resource_type == _WORKSPACE and not (workspace.data_isolation and _at_home(workspace, estate)):
        yield Want(hub)


def _at_home(workspace: Workspace, estate: Estate) -> bool:
    """Whether every datastore that is read by identity is on the workspace's own account."""
    return all(account(store, workspace, estate) in (None, workspace.storage) for store in by_identity(workspace))


def _isolated(workspace: Workspace, estate: Estate) -> Iterator[Scope]:
    """The accounts that hold the data of others: the workspace's own, and its hub's, which a datastore can name, too.

    If the hub could not be read, nobody can tell which account is the hub's: it may be any that a datastore names.
    """
    hub = estate.resource(workspace.hub)
    shared = scope_or_none(get(hub, "properties", "storageAccount"))
    found = [workspace.storage, shared]
    if _below_hub(workspace) and hub is None:
        found += [account(store, workspace, estate) for store in workspace.datastores]
    yield from dict.fromkeys(scope for scope in found if scope)


def _flagged(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if workspace.data_isolation:
        for storage in _isolated(workspace, estate):
            yield _objection(workspace, storage, "isolates its data")


def _by_default(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    why = "" if workspace.data_isolation else _why(workspace, estate)
    for storage in _isolated(workspace, estate) if why else ():
        yield _objection(workspace, storage, why)


def _why(workspace: Workspace, estate: Estate) -> str:
    """Empty if it is known that the data is not isolated."""
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
        name="data-isolation",
        requirements=("AML-73",),
        mode=RuleKind.GUARD,
        title="amlguard grants nothing on the storage of a workspace that isolates its data.",
        source="learn.microsoft.com/azure/ai-foundry/concepts/architecture",
        examine=_flagged,
        acts="a hub or project with enableDataIsolation: grants on its storage are withheld",
        leaves="a workspace without enableDataIsolation",
        wants=_hub,
        objects_to_grants=True,
        reads=(List.DATASTORES,),
        watches=("Microsoft.MachineLearningServices/workspaces",),
    ),
    Rule(
        name="data-isolation-by-default",
        requirements=("AML-93",),
        mode=RuleKind.GUARD,
        title="amlguard grants nothing on the storage of a hub that does not say that it shares its data, nor on that "
        "of its projects.",
        source=_AUTHENTICATION,
        examine=_by_default,
        acts="a project without enableDataIsolation below a hub that isolates: grants on the hub's storage are "
        "withheld",
        leaves="a project below a hub with enableDataIsolation false",
        wants=_hub,
        objects_to_grants=True,
        reads=(List.DATASTORES,),
        watches=("Microsoft.MachineLearningServices/workspaces",),
    ),
)
