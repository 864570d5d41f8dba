"""The section of docs/rules.md that says how a workspace uses a resource, from the table of dependencies."""

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

A workspace uses a resource if it names the resource itself, or if something in the workspace does. This is the whole
list ([`shared/access/dependencies.py`](../shared/access/dependencies.py)). amlguard uses it to find workspaces from a
changed resource, from a deleted role assignment and from a scope that is a resource. `amlguard explain` and `amlguard
undo` use it, too.

For the subscription of the resource, ARM's list of workspaces says what these name themselves. For other subscriptions,
Resource Graph does. If these do not settle the question, amlguard asks the workspace for what lies below it, and only
for the lists in which such a resource could be named. A scope and `explain` ask every workspace that the identity can
read. An event and `undo` ask only where something below the workspace could lead to a change. If the resource is on the
policy's allow-list, these are all workspaces; otherwise they are the workspaces within whose boundary the resource
lies. If there are more than fifty of them, amlguard does not read their deployments and environments. The next sweep
finds the workspaces that an event missed.
"""

_NOWHERE = """\
These fields also hold ids, but lead to no workspace:
"""


def section() -> str:
    head = ("what it is", "who names it", "where", "type", "where amlguard reads it", "api-version")
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
