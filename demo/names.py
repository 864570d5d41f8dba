"""Names for object ids, learnt from ARM's answers."""

from typing import Any

from demo.places import short

type Json = dict[str, Any]


class Names:
    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def call(self, object_id: str, name: str) -> None:
        self._names[object_id.lower()] = name

    def identities(self) -> list[str]:
        """Object ids, in the order in which they were first seen."""
        return list(self._names)

    def of(self, object_id: str) -> str:
        return self._names.get(object_id.lower(), f"{object_id[:8]}…")

    def learn(self, resource: Json) -> None:
        """A system-assigned identity gets the name of its resource, a user-assigned identity its own name."""
        identity = resource.get("identity") or {}
        if principal := identity.get("principalId"):
            self.call(principal, _named_after(resource["id"]))
        for identifier, known in (identity.get("userAssignedIdentities") or {}).items():
            self.call(known["principalId"], identifier.rpartition("/")[2])
        if resource["type"].lower() == "microsoft.managedidentity/userassignedidentities":
            self.call(resource["properties"]["principalId"], resource["name"])


def _named_after(identifier: str) -> str:
    """`workspace churn`, `cluster churn/train`."""
    parts = identifier.split("/")
    if len(parts) <= 9:
        return short(identifier)
    return f"{short(identifier).split(' ')[0]} {parts[8]}/{parts[-1]}"
