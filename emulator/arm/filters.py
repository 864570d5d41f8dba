"""`$filter` and `$expand` of the lists of resources and groups. What is not known is refused, never ignored.

https://learn.microsoft.com/rest/api/resources/resources/list and …/resource-groups/list
"""

import re
from collections.abc import Callable
from typing import Any

from emulator.errors import AzureError
from emulator.ids import ResourcePath

type Json = dict[str, Any]

_COMPARED = re.compile(r"(?P<name>\w+)\s+(?P<sign>eq|ne)\s+'(?P<value>(?:[^']|'')*)'", re.IGNORECASE)
_WITHIN = re.compile(r"substringof\('(?P<value>(?:[^']|'')*)',\s*(?P<name>name|resourceGroup)\)", re.IGNORECASE)
_OF_RESOURCES = frozenset(("resourcetype", "name", "location", "resourcegroup", "tagname", "tagvalue"))
OF_GROUPS = frozenset(("tagname", "tagvalue"))
_EXPANDED = frozenset(("createdtime", "changedtime", "provisioningstate"))


def resource_filter(text: str | None, allowed: frozenset[str] = _OF_RESOURCES) -> Callable[[Json], bool]:
    """What a `$filter` lets through: alternatives of terms that all hold."""
    if not text or not text.strip():
        return lambda _: True
    alternatives = [
        [_term(term.strip(), text, allowed) for term in re.split(r"\s+and\s+", one, flags=re.IGNORECASE)]
        for one in re.split(r"\s+or\s+", text.strip(), flags=re.IGNORECASE)
    ]
    return lambda resource: any(all(term(resource) for term in terms) for terms in alternatives)


def _term(term: str, text: str, allowed: frozenset[str]) -> Callable[[Json], bool]:
    found = _COMPARED.fullmatch(term) or _WITHIN.fullmatch(term)
    if found is None or found["name"].lower() not in allowed:
        message = f"Invalid $filter '{text}' specified in the query string."
        raise AzureError(400, "InvalidFilterInQueryString", message)
    name, wanted = found["name"].lower(), found["value"].replace("''", "'").lower()
    if found.re is _WITHIN:
        return lambda resource: any(wanted in value for value in _values(resource, name))
    negated = found["sign"].lower() == "ne"
    return lambda resource: (wanted in _values(resource, name)) is not negated


def _values(resource: Json, name: str) -> list[str]:
    """In lower case."""
    if name in ("tagname", "tagvalue"):
        tags = resource.get("tags") or {}
        return [str(word).lower() for word in (tags if name == "tagname" else tags.values())]
    path = ResourcePath.parse(resource["id"])
    known = {"resourcetype": path.type, "resourcegroup": path.resource_group or "", "name": path.name}
    return [str(known.get(name, resource.get(name) or "")).lower()]


def expanded(text: str | None, resource: Json) -> Json:
    """The properties that `$expand` asks for, where they are known."""
    asked = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    if not _EXPANDED.issuperset(asked):
        raise AzureError(400, "InvalidQueryParameter", f"The value '{text}' of $expand is not supported.")
    held = resource.get("systemData") or {}
    known = {
        "createdtime": ("createdTime", held.get("createdAt")),
        "changedtime": ("changedTime", held.get("lastModifiedAt")),
        "provisioningstate": ("provisioningState", (resource.get("properties") or {}).get("provisioningState")),
    }
    return {name: value for name, value in (known[word] for word in asked) if value}
