"""What a whole tenant has, in one look at Azure Resource Graph: each list of ARM would be a request of its own."""

from collections.abc import Iterable

from local_azure import LocalAzure
from wire import Json

_PATH = "/providers/Microsoft.ResourceGraph/resources"
_ASSIGNMENTS = "authorizationresources | where type =~ 'microsoft.authorization/roleassignments'"
_REGISTRIES = "resources | where type =~ 'microsoft.containerregistry/registries'"


def held(azure: LocalAzure, principals: Iterable[str]) -> list[Json]:
    """Role assignments of these object ids themselves, anywhere in the tenant."""
    named = ", ".join(f"'{one}'" for one in principals)
    return _rows(azure, f"{_ASSIGNMENTS} | where tostring(properties.principalId) in~ ({named})")


def all_held(azure: LocalAzure) -> list[Json]:
    """All role assignments."""
    return _rows(azure, _ASSIGNMENTS)


def admin_users(azure: LocalAzure) -> dict[str, bool]:
    """Of each registry, by its id in lower case, whether the admin user is on."""
    return {one["id"].lower(): one["properties"]["adminUserEnabled"] for one in _rows(azure, _REGISTRIES)}


def _rows(azure: LocalAzure, query: str) -> list[Json]:
    asked: Json = {"query": f"{query} | project id, properties | order by id asc"}
    found: list[Json] = []
    while True:
        answer = azure.arm("POST", _PATH, asked, version="2024-04-01")
        assert answer.ok, answer.text
        page = answer.json()
        found += page["data"]
        if "$skipToken" not in page:
            return found
        asked = {**asked, "options": {"$skipToken": page["$skipToken"]}}
