"""The section of docs/rules.md that says by what a workspace uses a resource, from the table of dependencies."""

from collections.abc import Mapping

from shared.access.dependencies import DEPENDENCIES, NOWHERE, Dependency, Namer
from shared.azure.arm import api_version

_AML = "Microsoft.MachineLearningServices/workspaces"

_WHO: Mapping[Namer, str] = {
    Namer.WORKSPACE: "the workspace",
    Namer.DATASTORE: "a datastore",
    Namer.CONNECTION: "a connection",
    Namer.COMPUTE: "a compute",
    Namer.ENDPOINT: "an online endpoint",
    Namer.DEPLOYMENT: "a deployment of an online endpoint",
    Namer.ENVIRONMENT: "an environment, by its latest version or a deployed one",
}

_INTRODUCTION = """\
## What leads to a workspace

A workspace uses a resource when it names it itself, or when something in it does. This is the whole list
([`shared/access/dependencies.py`](../shared/access/dependencies.py)). By it a changed resource or a deleted role
assignment leads to workspaces, a scope that is a resource chooses its users, and `amlguard explain` and `amlguard undo`
find them.

ARM's list of the resource's own subscription tells what its workspaces name themselves, and Resource Graph what those
of other subscriptions name. What lies below a workspace is read from that workspace: where nothing else has told yet,
and only the lists in which such a resource could be named. A scope and `explain` ask every workspace that the identity
reads. An event and `undo` ask where something below could lead to a change: every workspace about what is on the
policy's allow-list, else those within whose boundary it lies; of more than fifty no deployments and environments. Of
the others the next sweep tells.
"""

_NOWHERE = """\
These fields hold ids as well and lead to no workspace:
"""


def section() -> str:
    head = ("what it is", "who names it", "where", "type", "what tells of it", "api-version")
    rows = [head, ("---",) * len(head), *map(_row, DEPENDENCIES)]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    nowhere = "".join(f"- `{field}`: {why}\n" for field, why in NOWHERE.items())
    return f"{_INTRODUCTION}\n{table}\n{_NOWHERE}\n{nowhere}"


def _row(one: Dependency) -> tuple[str, ...]:
    types = ", ".join(f"`{kind}`" for kind in one.types) or "any"
    fields = ", ".join(f"`{field}`" for field in one.fields)
    path = f"{_AML}/{one.namer}".rstrip("/")
    return one.kind, _WHO[one.namer], fields, types, _told_by(one.namer), api_version(path)


def _told_by(namer: Namer) -> str:
    match namer:
        case Namer.WORKSPACE:
            return "ARM's list of workspaces, Resource Graph"
        case Namer.ENDPOINT:
            return "Resource Graph, the workspace's `onlineEndpoints`"
    return f"the workspace's `{namer}`"
