"""Which principals a resource creates."""

from collections.abc import Iterator
from typing import Any

type Json = dict[str, Any]


def principals_of(resource: Json) -> Iterator[str]:
    """The object ids (lower-case) of its system-assigned, user-assigned and kubelet identities."""
    identity = _dict(resource.get("identity"))
    properties = _dict(resource.get("properties"))
    blocks = [identity, *_dict(identity.get("userAssignedIdentities")).values()]
    if str(resource.get("type", "")).lower() == "microsoft.managedidentity/userassignedidentities":
        blocks.append(properties)
    for block in blocks:
        yield from _text(_dict(block).get("principalId"))
    for block in _dict(properties.get("identityProfile")).values():
        yield from _text(_dict(block).get("objectId"))


def own_principal_of(resource: Json) -> str | None:
    """The principal that is deleted together with the resource."""
    if str(resource.get("type", "")).lower() == "microsoft.managedidentity/userassignedidentities":
        return next(_text(_dict(resource.get("properties")).get("principalId")), None)
    return next(_text(_dict(resource.get("identity")).get("principalId")), None)


def _dict(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value.lower()
