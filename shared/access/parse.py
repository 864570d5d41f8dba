"""Raw ARM objects, exactly as GET returns them, into the model.

Tolerant of what ARM really sends (ids of any casing, missing keys, unknown kinds, `null` for absent) and strict
about ids: a dependency whose id is not an ARM id raises `InvalidScopeError`, since leaving it out would look like
"no registry".
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.access.connections import connection
from shared.access.model import (
    Compute,
    ComputeType,
    ContainerGroup,
    Datastore,
    Endpoint,
    Identity,
    Lock,
    Principal,
    Raw,
    Workspace,
)
from shared.access.permissions import PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.raw import get, object_id, scope_or_none, text, time
from shared.access.raw import scope as scope_at
from shared.access.registries import registry
from shared.access.rules.rule import List
from shared.access.scope import InvalidScopeError, Scope
from shared.access.vaults import vault

__all__ = [
    "cluster",
    "container_group",
    "identity",
    "lock",
    "permission_block",
    "registry",
    "role_assignment",
    "role_definition",
    "vault",
    "workspace",
]

_LOCK = re.compile(r"(.*)/providers/microsoft\.authorization/locks/[^/]+", re.IGNORECASE)


def workspace(raw: Raw, lists: Mapping[List, Sequence[Raw]], resolved: Mapping[Scope, str]) -> Workspace:
    """`lists` are the workspace's children as far as they were read; `resolved` object ids of UAIs that lacked one."""
    scope = Scope.parse(raw.get("id"))
    return Workspace(
        id=scope,
        kind=(text(raw, "kind") or "default").casefold(),
        identity=identity(raw, f"workspace {scope.name}", resolved),
        primary=scope_at(raw, "properties", "primaryUserAssignedIdentity"),
        registry=scope_at(raw, "properties", "containerRegistry"),
        storage=scope_at(raw, "properties", "storageAccount"),
        vault=scope_at(raw, "properties", "keyVault"),
        app_insights=scope_at(raw, "properties", "applicationInsights"),
        hub=scope_at(raw, "properties", "hubResourceId"),
        data_isolation=get(raw, "properties", "enableDataIsolation") is True,
        serverless=bool(get(raw, "properties", "serverlessComputeSettings")),
        storage_by_identity=(text(raw, "properties", "systemDatastoresAuthMode") or "").casefold() == "identity",
        ready=_ready(raw),
        created_on=time(get(raw, "systemData", "createdAt")) or time(get(raw, "properties", "creationTime")),
        raw=raw,
        computes=tuple(_compute(c, scope, resolved) for c in lists.get(List.COMPUTES, ()) if not _leaving(c)),
        endpoints=tuple(_endpoint(e, scope, resolved) for e in lists.get(List.ENDPOINTS, ()) if not _leaving(e)),
        datastores=tuple(_datastore(d) for d in lists.get(List.DATASTORES, ())),
        connections=tuple(connection(c) for c in lists.get(List.CONNECTIONS, ())),
    )


def identity(raw: Raw, label: str, resolved: Mapping[Scope, str]) -> Identity:
    """The `identity` block. A user-assigned identity without a known object id goes to `unresolved`."""
    block = raw.get("identity")
    kind = (text(raw, "identity", "type") or "").casefold()
    if not isinstance(block, Mapping) or kind == "none":
        return Identity()
    principal = text(block, "principalId")
    system = Principal(object_id(principal), label) if principal and (not kind or "systemassigned" in kind) else None
    if kind and "userassigned" not in kind:
        return Identity(system)
    user: list[Principal] = []
    unresolved: list[Scope] = []
    for name, known in (get(block, "userAssignedIdentities") or {}).items():
        scope = Scope.parse(name)
        holder = (text(known, "principalId") if isinstance(known, Mapping) else None) or resolved.get(scope)
        if holder:
            user.append(Principal(object_id(holder), scope.name, scope))
        else:
            unresolved.append(scope)
    return Identity(system, tuple(user), tuple(unresolved))


def cluster(raw: Raw) -> Principal | None:
    """The identity with which an AKS cluster pulls; None when ARM names only a client id (a service principal).

    The cluster is its `resource`: it must be trusted, as its kubelet's own identity lies in a group that AKS made.
    """
    kubelet = text(raw, "properties", "identityProfile", "kubeletidentity", "objectId")
    scope = Scope.parse(raw.get("id"))
    return Principal(object_id(kubelet), f"kubelet of {scope.name}", scope) if kubelet else None


def container_group(raw: Raw) -> ContainerGroup:
    containers = [c for key in ("containers", "initContainers") for c in get(raw, "properties", key) or ()]
    credentials = get(raw, "properties", "imageRegistryCredentials") or []
    images = [text(c, "properties", "image") or "" for c in containers]
    hosts = [image.split("/", 1)[0] for image in images if "/" in image]
    hosts += [text(c, "server") or "" for c in credentials]
    return ContainerGroup(Scope.parse(raw.get("id")), frozenset(host.casefold() for host in hosts if host))


def lock(raw: Raw) -> Lock | None:
    """None for a lock on what no workspace can name. A lock itself may have any name."""
    found = _LOCK.fullmatch(str(raw.get("id")))
    scope = scope_or_none(found[1] or "/") if found else None
    if scope is None:
        return None
    level = (text(raw, "properties", "level") or "").casefold()
    return Lock(str(raw.get("id")), scope, level == "readonly")


def role_assignment(raw: Raw) -> RoleAssignment | None:
    """None for a scope that no AML resource can have: what is there covers nothing of ours.

    Raises `TypeError` or `ValueError`: an assignment that cannot be read is not one that gives nothing (law 2).
    """
    body = raw.get("properties")
    if not isinstance(body, Mapping):
        raise TypeError("an assignment has properties")
    try:
        scope = Scope.parse(body.get("scope"))
    except InvalidScopeError:
        return None
    created = body.get("createdOn")
    return RoleAssignment(
        str(raw.get("id")),
        scope,
        object_id(body.get("principalId")),
        str(body.get("roleDefinitionId")).rpartition("/")[2].casefold(),
        body.get("condition"),
        datetime.fromisoformat(created) if created else None,
        body.get("description"),
    )


def role_definition(raw: Raw) -> RoleDefinition:
    body = raw.get("properties")
    properties: Raw = body if isinstance(body, Mapping) else raw
    blocks = [b for b in properties.get("permissions") or () if isinstance(b, Mapping)]
    role_id = str(raw.get("name") or str(raw.get("id")).rpartition("/")[2])
    return RoleDefinition(
        role_id.casefold(), str(properties.get("roleName") or role_id), tuple(map(permission_block, blocks))
    )


def permission_block(raw: Raw) -> PermissionBlock:
    def names(key: str) -> tuple[str, ...]:
        return tuple(str(name) for name in raw.get(key) or ())

    return PermissionBlock(
        names("actions"), names("notActions"), names("dataActions"), names("notDataActions"), raw.get("condition")
    )


def _compute(raw: Raw, parent: Scope, resolved: Mapping[Scope, str]) -> Compute:
    scope = Scope.parse(raw.get("id"))
    type_name = text(raw, "properties", "computeType") or "unknown type"
    known = type_name.casefold() in ComputeType
    return Compute(
        raw=raw,
        id=scope,
        type=ComputeType(type_name.casefold()) if known else ComputeType.UNKNOWN,
        type_name=type_name,
        identity=identity(raw, f"{parent.name}/computes/{scope.name}", resolved),
        ready=_ready(raw),
        attached=scope_or_none(get(raw, "properties", "resourceId")),
        created_on=time(get(raw, "properties", "createdOn")) or time(get(raw, "systemData", "createdAt")),
    )


def _endpoint(raw: Raw, parent: Scope, resolved: Mapping[Scope, str]) -> Endpoint:
    scope = Scope.parse(raw.get("id"))
    return Endpoint(
        raw=raw,
        id=scope,
        identity=identity(raw, f"{parent.name}/onlineEndpoints/{scope.name}", resolved),
        ready=_ready(raw),
        compute=text(raw, "properties", "compute"),
    )


def _datastore(raw: Raw) -> Datastore:
    credentials = text(raw, "properties", "credentials", "credentialsType")
    return Datastore(
        raw=raw,
        id=Scope.parse(raw.get("id")),
        type=(text(raw, "properties", "datastoreType") or "").casefold(),
        account=text(raw, "properties", "accountName"),
        identity_based=(credentials or "").casefold() == "none",
    )


def _ready(raw: Raw) -> bool:
    return (text(raw, "properties", "provisioningState") or "").casefold() not in {"creating", "provisioning"}


def _leaving(raw: Raw) -> bool:
    return (text(raw, "properties", "provisioningState") or "").casefold() == "deleting"
