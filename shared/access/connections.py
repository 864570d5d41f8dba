"""Workspace connections that name a container registry, in both shapes that AML has had for them.

v2 (2025-12-01): category ContainerRegistry, `authType` ManagedIdentity with `credentials` resourceId and clientId, or
UsernamePassword. v1 (`Workspace.set_connection`): category ACR, `authType` RegistryConnection, and ResourceId and
ClientId in `value`, which is an object or its JSON as text.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.access.ids import Field, NoId, an_id, no_ids
from shared.access.model import Connection, Raw
from shared.access.raw import get, parsed, scope_or_none, text
from shared.access.scope import Scope

# The rest of a target may be a secret: a password before an @, or a signature after a ?.
_HOST = re.compile(r"(?:https?://)?(?:[^/?#]*@)?([a-z0-9.-]+(?::[0-9]+)?)(?:[/?#]|$)")
_REGISTRY = "microsoft.containerregistry/registries"
_IDENTITY = "microsoft.managedidentity/userassignedidentities"
_CATEGORIES = ("acr", "containerregistry")
_WITH_IDENTITY = ("managedidentity", "registryconnection")
_OBJECTS = (("properties",), ("properties", "metadata"), ("properties", "credentials"))
_MAY_HAVE_PASSWORD = (*_CATEGORIES, "genericcontainerregistry")


def connection(raw: Raw, at: Scope | None = None) -> Connection:
    """`at` is where it was read, if that is known."""
    category = (text(raw, "properties", "category") or "").casefold()
    target = scope_or_none(_any_case(get(raw, "properties", "metadata")).get("resourceid"))
    named = target if target and target.resource_type == _REGISTRY and category in _CATEGORIES else None
    return Connection(
        raw=raw,
        id=at or Scope.parse(raw.get("id")),
        category=category,
        target=text(raw, "properties", "target"),
        registry=named,
    )


def of_connection(raw: Raw, on: Scope) -> Iterator[NoId]:
    """Also under names that differ only in case, as everywhere here."""
    for path in _OBJECTS:
        if get(raw, *path) is not None and not isinstance(get(raw, *path), Mapping):
            yield NoId(on, ".".join(path), "an object", "it is none")
    properties = {
        "metadata": _any_case(get(raw, "properties", "metadata")),
        "credentials": _credentials(raw),
    }
    registry = (text(raw, "properties", "category") or "").casefold() in _CATEGORIES
    fields = (
        Field(("metadata", "resourceid"), "the id of a resource", an_id(*((_REGISTRY,) if registry else ()))),
        Field(("credentials", "resourceid"), "the id of a user-assigned identity", an_id(_IDENTITY)),
    )
    yield from no_ids(properties, fields, on)


def of_registry(one: Connection) -> bool:
    return one.category in _CATEGORIES


def with_identity(one: Connection) -> bool:
    return of_registry(one) and _auth(one) in _WITH_IDENTITY


def with_password(one: Connection) -> bool:
    """True also if ARM does not say how it signs in, because that may be with a password."""
    return one.category in _MAY_HAVE_PASSWORD and _auth(one) in ("usernamepassword", "")


def username(one: Connection) -> str | None:
    return text(_credentials(one.raw), "username")


def identity(one: Connection) -> Scope | None:
    """The user-assigned identity that the connection pulls with."""
    found = scope_or_none(_credentials(one.raw).get("resourceid"))
    return found if found and found.resource_type == _IDENTITY else None


def named(raw: Raw) -> tuple[Scope, ...]:
    """What the connection leads to by id: in its metadata or as its target (the container of an offline store)."""
    told = (_any_case(get(raw, "properties", "metadata")).get("resourceid"), get(raw, "properties", "target"))
    return tuple(scope for value in told if (scope := scope_or_none(value)))


def client_id(one: Connection) -> str | None:
    return text(_credentials(one.raw), "clientid")


def host(one: Connection) -> str | None:
    """The registry's login server, in lower case."""
    found = _HOST.match((one.target or "").casefold())
    return found[1] if found else None


def _auth(one: Connection) -> str:
    return (text(one.raw, "properties", "authType") or "").casefold()


def _credentials(raw: Raw) -> dict[str, Any]:
    value = get(raw, "properties", "value")
    if isinstance(value, str):
        try:
            value = parsed(value)
        except ValueError:
            value = None
    return _any_case(value) | _any_case(get(raw, "properties", "credentials"))


def _any_case(values: object) -> dict[str, Any]:
    return {str(k).casefold(): v for k, v in values.items()} if isinstance(values, Mapping) else {}
