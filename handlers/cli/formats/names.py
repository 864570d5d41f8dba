"""What people call things: the name of a resource with its kind in place of its id, and the head of an object id."""

import re
from datetime import UTC, datetime

_KINDS = {
    "clusters": "cluster",
    "components": "Application Insights",
    "computes": "compute",
    "connections": "connection",
    "containergroups": "container group",
    "datastores": "datastore",
    "deployments": "deployment",
    "environments": "environment",
    "managedclusters": "AKS cluster",
    "managementgroups": "management group",
    "onlineendpoints": "online endpoint",
    "batchendpoints": "batch endpoint",
    "registries": "registry",
    "resourcegroups": "resource group",
    "roleassignments": "role assignment",
    "roledefinitions": "role",
    "storageaccounts": "storage account",
    "subscriptions": "subscription",
    "userassignedidentities": "user-assigned identity",
    "vaults": "key vault",
    "virtualnetworks": "virtual network",
    "workspaces": "workspace",
}
_HYPHENS = 3
_PEOPLE = {"user": "user", "group": "group", "serviceprincipal": "identity", "foreigngroup": "group"}
_ID = re.compile(r"/(?:subscriptions|providers)/[^\s,;:()'\"`]+", re.IGNORECASE)
_GUID = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def kind(resource: str) -> str:
    """The singular of the last collection in the id."""
    parts = resource.strip("/").split("/")
    last = parts[-2].casefold() if len(parts) > 1 else ""
    return _KINDS.get(last, "resource" if parts[-1] else "tenant")


def called(resource: str) -> str:
    """`registry fraudacr`. What lies in a workspace is called after its workspace, too: `compute fraud/train`."""
    parts = resource.strip("/").split("/")
    lowered = [part.casefold() for part in parts]
    if "workspaces" in lowered[:-3]:
        at = lowered.index("workspaces")
        return f"{kind(resource)} {parts[at + 1]}/{short_guid(parts[-1])}"
    return f"{kind(resource)} {short_guid(parts[-1])}".rstrip()


def in_short(text: str) -> str:
    """A sentence with names in place of the ids in it."""
    return short_guid(_ID.sub(lambda found: called(found[0].rstrip(".")), text)) if "/" in text else short_guid(text)


def short_guid(text: str) -> str:
    """GUIDs in a text for people: their first eight digits."""
    return _GUID.sub(r"\1…", text) if text.count("-") > _HYPHENS else text


def part(resource: str, collection: str) -> str:
    """What the id names in the collection: `part(id, "resourceGroups")`. Empty if it names nothing there."""
    parts = resource.strip("/").split("/")
    lowered = [one.casefold() for one in parts]
    try:
        return parts[lowered.index(collection.casefold()) + 1]
    except (ValueError, IndexError):
        return ""


def holder(name: str | None, kind_of: str | None, object_id: str | None) -> str:
    """What ARM calls an identity; else its type and the head of its object id. Never a person's name."""
    if name:
        return short_guid(name)
    word = _PEOPLE.get((kind_of or "").casefold(), "identity")
    return f"{word} {short_guid(object_id)}" if object_id else f"{word} that does not exist yet"


def utc(moment: datetime | str) -> str:
    """A time for people; a text is as a document has it (ISO 8601)."""
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
