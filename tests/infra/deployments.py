"""What infra/ deploys, read from the snapshots that Microsoft's compiler made of it."""

import json
import re
from datetime import timedelta
from typing import Any

from infra.check import INFRA, ROOT
from infra.snapshots import made, scope

type Json = dict[str, Any]

# The deployment that most tests look at: one subscription, with everything, the events included.
WHOLE = "one-subscription-events"

_ROLES = "Microsoft.Authorization/roleDefinitions"
_APP = re.compile(
    r"\[reference\('[^']*/providers/Microsoft\.Web/sites/[^']*', '[^']*', 'full'\)\.identity\.principalId\]"
)
# The time at which ARM made the storage account: it stays when a deployment is repeated.
_WAITING = re.compile(
    r"\[replace\('(?P<text>(?:[^']|'')*)', 'datetime\(1970-01-01T00:00:00Z\)', format\('datetime\(\{0\}\)', "
    r"reference\('[^']*/Microsoft\.Storage/storageAccounts/[^'/]*', '[^']*'\)\.creationTime\)\)\]"
)
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_PLACES = {
    "Microsoft.Storage/storageAccounts": "storageAccount",
    "Microsoft.Insights/dataCollectionRules": "dataCollectionRule",
    "Microsoft.Insights/components": "applicationInsights",
    "Microsoft.OperationalInsights/workspaces": "logAnalyticsWorkspace",
    "Microsoft.EventGrid/topics": "topic",
}


def only(kind: str, name: str = WHOLE) -> Json:
    """The one resource of a type that the parameter file makes."""
    (found,) = made(name, kind)
    return found


def alerts(name: str = WHOLE) -> dict[str, Json]:
    """The log alerts by name: the properties of each, with the text of its query."""
    found = {}
    for one in made(name, "Microsoft.Insights/scheduledQueryRules"):
        properties = one["properties"]
        (criterion,) = properties["criteria"]["allOf"]
        query = _without_age(criterion["query"])
        found[one["name"].removeprefix("amlguard-")] = {**properties, **criterion, "query": query}
    return found


def _without_age(query: str) -> str:
    """The text into which a deployment puts the app's age, where only Azure knows that."""
    waiting = _WAITING.fullmatch(query)
    return waiting["text"].replace("''", "'") if waiting else query


def duration(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    assert found, text
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def of_the_app(name: str) -> list[Json]:
    """The role assignments that the parameter file gives to the app's identity."""
    return [one for one in made(name, "Microsoft.Authorization/roleAssignments") if _is_the_app(one)]


def _is_the_app(assignment: Json) -> bool:
    return _APP.fullmatch(assignment["properties"]["principalId"]) is not None


def watched(name: str) -> set[str]:
    """The scopes that the app looks at: where it has a role and they are subscriptions or management groups."""
    return {scope(one) for one in of_the_app(name) if _place(scope(one)) == "watched"}


def access(name: str) -> Json:
    """What `infra/app_access.json` would have to say to give what the parameter file gives.

    All that is in the watched scopes is on 'watched': that some of it goes only where the app may change is for
    another parameter file to show.
    """
    definitions = made(name, _ROLES)
    own = {one["name"]: {"name": one["name"], **one["properties"]} for one in definitions}
    rights = {
        (_role(one, own), _place(scope(one)), one["properties"].get("condition") or "") for one in of_the_app(name)
    }
    return {
        **({"roleDefinition": next(iter(own.values()))} if own else {}),
        "roleAssignments": [
            {"role": role, "id": guid, "on": place, **({"condition": condition} if condition else {})}
            for (role, guid), place, condition in sorted(rights)
        ],
    }


def _role(assignment: Json, own: dict[str, Json]) -> tuple[str, str]:
    """Name and GUID."""
    guid = assignment["properties"]["roleDefinitionId"].rpartition("/")[2]
    roles = json.loads((ROOT / "emulator" / "data" / "roles.json").read_text("utf-8"))
    names = {role["name"]: role["roleName"] for role in [*roles, *own.values()]}
    return names[guid], guid


def _place(where: str) -> str:
    kind = "/".join(where.rpartition("/providers/")[2].split("/")[:2])
    return _PLACES.get(kind, "watched")


def written_access(name: str = WHOLE) -> Json:
    """`infra/app_access.json` itself, without what is on a topic that the parameter file does not make."""
    found: Json = json.loads((INFRA / "app_access.json").read_text("utf-8"))
    if not made(name, "Microsoft.EventGrid/topics"):
        found["roleAssignments"] = [one for one in found["roleAssignments"] if one["on"] != "topic"]
    return found
