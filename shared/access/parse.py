"""Turns raw ARM objects, exactly as GET returns them, into the model.

It accepts what ARM really sends (ids of any casing, missing keys, unknown kinds, `null` for absent). Something in the
place of an id that is not an id goes to `Workspace.no_ids`. If it were left out, it would look like "no registry".
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from shared.access import ids
from shared.access.connections import connection, of_connection
from shared.access.ids import NoId
from shared.access.model import (
    Compute,
    ComputeType,
    Datastore,
    Endpoint,
    Identity,
    Principal,
    Raw,
    Workspace,
)
from shared.access.permissions import PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.raw import get, object_id, principal_id, scope_or_none, text, time
from shared.access.registries import registry
from shared.access.rules.rule import List
from shared.access.scope import InvalidScopeError, Scope, is_odd
from shared.access.surroundings import Lock
from shared.access.unasked import NOT_ASKED
from shared.access.vaults import vault

__all__ = [
    "cluster",
    "identity",
    "lock",
    "permission_block",
    "registry",
    "role_assignment",
    "role_definition",
    "vault",
    "workspace",
]

_ROOT = Scope.parse("/")
_MILD = ("cannotdelete", "notspecified")
_LOCK = re.compile(r"(.*)/providers/microsoft\.authorization/locks/[^/]+", re.IGNORECASE)


def workspace(raw: Raw, lists: Mapping[List, Sequence[Raw]], resolved: Mapping[Scope, str]) -> Workspace:
    """`lists` are its children as far as they were read. `resolved` has object ids of UAIs that lacked one."""
    scope = Scope.parse(raw.get("id"))
    listed = {name: _children(rows, scope, name) for name, rows in lists.items()}
    return Workspace(
        id=scope,
        kind=(text(raw, "kind") or "default").casefold(),
        identity=identity(raw, f"workspace {scope.name}", resolved),
        primary=ids.PRIMARY.of(raw),
        registry=ids.REGISTRY.of(raw),
        storage=ids.STORAGE.of(raw),
        vault=ids.VAULT.of(raw),
        app_insights=ids.INSIGHTS.of(raw),
        hub=ids.HUB.of(raw),
        data_isolation=get(raw, "properties", "enableDataIsolation") is True,
        serverless=bool(get(raw, "properties", "serverlessComputeSettings")),
        storage_by_identity=(text(raw, "properties", "systemDatastoresAuthMode") or "").casefold() == "identity",
        ready=_ready(raw),
        leaving=_leaving(raw),
        created_on=time(get(raw, "systemData", "createdAt")) or time(get(raw, "properties", "creationTime")),
        raw=raw,
        computes=_parsed(listed, List.COMPUTES, lambda one, at: _compute(one, at, resolved), staying=True),
        endpoints=_parsed(listed, List.ENDPOINTS, lambda one, at: _endpoint(one, at, resolved), staying=True),
        datastores=_parsed(listed, List.DATASTORES, _datastore),
        connections=_parsed(listed, List.CONNECTIONS, connection),
        no_ids=(*ids.of_workspace(raw, scope), *_no_ids(lists, listed, scope)),
    )


type _Children = Sequence[tuple[Scope, Raw]]


def _parsed[T](
    listed: Mapping[List, "_Children"], name: List, parse: Callable[[Raw, Scope], T], *, staying: bool = False
) -> tuple[T, ...]:
    """`staying`: without what is being deleted. What was not asked for is not empty."""
    if name not in listed:
        return NOT_ASKED
    return tuple(parse(raw, at) for at, raw in listed[name] if not (staying and _leaving(raw)))


_LOOKS: Mapping[List, Callable[[Raw, Scope], Iterator[NoId]]] = {
    List.COMPUTES: ids.of_compute,
    List.ENDPOINTS: ids.of_endpoint,
    List.DATASTORES: ids.of_datastore,
    List.CONNECTIONS: of_connection,
}


def _children(raws: Sequence[object], parent: Scope, name: List) -> _Children:
    """The children with their ids, without those that have neither an id nor a name that is one."""
    return [(at, raw) for raw in raws if isinstance(raw, Mapping) and (at := _place(raw, parent, name))]


def _place(raw: Raw, parent: Scope, name: List) -> Scope | None:
    told, named = scope_or_none(raw.get("id")), text(raw, "name")
    by_name = scope_or_none(f"{parent}/{name}/{named}") if named else None
    kind = f"{parent.resource_type}/{name.casefold()}"
    return next((one for one in (told, by_name) if one and (one.parent, one.resource_type) == (parent, kind)), None)


def _no_ids(lists: Mapping[List, Sequence[Raw]], known: Mapping[List, _Children], parent: Scope) -> Iterator[NoId]:
    for name, children in known.items():
        lost = len(lists.get(name, ())) - len(children)
        if lost:
            yield NoId(parent, name.value, "ids of its own", f"{lost} of those listed have neither an id nor a name")
        for at, raw in children:
            yield from _LOOKS[name](raw, at)


def identity(raw: Raw, label: str, resolved: Mapping[Scope, str]) -> Identity:
    """The `identity` block. A user-assigned identity without a known object id goes to `unresolved`."""
    block = raw.get("identity")
    kind = (text(raw, "identity", "type") or "").casefold()
    if block is None or kind == "none":
        return Identity()
    unclear = ids.unclear_holders(raw)
    principal = principal_id(block, "principalId")
    system = Principal(principal, label) if principal and (not kind or "systemassigned" in kind) else None
    if kind and "userassigned" not in kind:
        return Identity(system, unclear=unclear)
    user: list[Principal] = []
    unresolved: list[Scope] = []
    order: list[Scope] = []
    named = get(block, "userAssignedIdentities")
    for name, known in named.items() if isinstance(named, Mapping) else ():
        scope = ids.attached(name)
        if scope is None:
            continue
        order.append(scope)
        holder = principal_id(known, "principalId") or resolved.get(scope)
        if holder:
            user.append(Principal(object_id(holder), scope.name, scope))
        else:
            unresolved.append(scope)
    return Identity(system, tuple(user), tuple(unresolved), unclear, order=tuple(order))


def cluster(raw: Raw, at: Scope | None = None) -> Principal | None:
    """The identity with which an AKS cluster pulls. None if ARM names only a client id (a service principal).

    Its `resource` is the cluster. The cluster must be trusted, because the kubelet's own identity lies in a group that
    AKS made.
    """
    kubelet = principal_id(raw, "properties", "identityProfile", "kubeletidentity", "objectId")
    scope = at or Scope.parse(raw.get("id"))
    return Principal(kubelet, f"kubelet of {scope.name}", scope) if kubelet else None


def lock(raw: Raw, within: Scope | None = None) -> Lock | None:
    """None for a lock on what no workspace can name. A lock itself may have any name.

    If a lock's id is malformed, nobody can tell where it is. Then it counts for everything in `within`, where it was
    listed.
    """
    told = get(raw, "id")
    found = _LOCK.fullmatch(told) if isinstance(told, str) else None
    named = (found[1] or "/") if found else None
    scope = scope_or_none(named) or (None if is_odd(named) else within)
    if scope is None:
        return None
    level = (text(raw, "properties", "level") or "").casefold()
    return Lock(str(told) if found else f"a lock without an id in {scope}", scope, level not in _MILD)


def role_assignment(raw: Raw) -> RoleAssignment | None:
    """None for a scope that no AML resource can have: such an assignment covers nothing that amlguard looks at.

    Raises `TypeError` or `ValueError`: an assignment that cannot be read must not pass for one that gives nothing (law
    2). If only its scope cannot be read, it is `misplaced`.
    """
    body = get(raw, "properties")
    if not isinstance(body, Mapping):
        raise TypeError("an assignment has properties")
    try:
        scope, misplaced = Scope.parse(body.get("scope")), False
    except InvalidScopeError:
        if is_odd(body.get("scope")):
            return None
        scope, misplaced = _ROOT, True
    created, role = body.get("createdOn"), body.get("roleDefinitionId")
    if not isinstance(role, str):
        raise TypeError("an assignment names its role")
    return RoleAssignment(
        str(raw.get("id")),
        scope,
        object_id(body.get("principalId")),
        role.rpartition("/")[2].casefold(),
        _condition(body),
        _moment(created) if created else None,
        body.get("description"),
        misplaced=misplaced,
    )


def _moment(told: str) -> datetime:
    """ARM's times are in UTC, also one that does not say so. Raises `TypeError` and `ValueError`."""
    found = datetime.fromisoformat(told)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def role_definition(raw: Raw) -> RoleDefinition:
    """Raises `TypeError`: a role that cannot be read is not one that gives nothing, or of which nothing is taken."""
    body = raw.get("properties")
    properties: Raw = body if isinstance(body, Mapping) else raw
    blocks = properties.get("permissions")
    if not isinstance(blocks, list | tuple) or not all(isinstance(block, Mapping) for block in blocks):
        raise TypeError("a role has permissions")
    role_id = str(raw.get("name") or str(raw.get("id")).rpartition("/")[2])
    return RoleDefinition(
        role_id.casefold(), str(properties.get("roleName") or role_id), tuple(map(permission_block, blocks))
    )


def permission_block(raw: Raw) -> PermissionBlock:
    """Raises `TypeError`."""

    def names(key: str) -> tuple[str, ...]:
        told = raw.get(key)
        if told is not None and not (isinstance(told, list | tuple) and all(isinstance(one, str) for one in told)):
            raise TypeError("operations are a list of texts")
        return tuple(told or ())

    return PermissionBlock(
        names("actions"), names("notActions"), names("dataActions"), names("notDataActions"), _condition(raw)
    )


def _condition(raw: Raw) -> str | None:
    """Raises `TypeError`: what cannot be read is not a condition that is always met."""
    told = raw.get("condition")
    if told is not None and not isinstance(told, str):
        raise TypeError("a condition is text")
    return told


def _compute(raw: Raw, scope: Scope, resolved: Mapping[Scope, str]) -> Compute:
    type_name = text(raw, "properties", "computeType") or "unknown type"
    known = type_name.casefold() in ComputeType
    return Compute(
        raw=raw,
        id=scope,
        type=ComputeType(type_name.casefold()) if known else ComputeType.UNKNOWN,
        type_name=type_name,
        identity=identity(raw, f"{scope.parent.name}/computes/{scope.name}", resolved),
        ready=_ready(raw),
        attached=ids.attachment(raw).of(raw),
        created_on=time(get(raw, "properties", "createdOn")) or time(get(raw, "systemData", "createdAt")),
    )


def _endpoint(raw: Raw, scope: Scope, resolved: Mapping[Scope, str]) -> Endpoint:
    return Endpoint(
        raw=raw,
        id=scope,
        identity=identity(raw, f"{scope.parent.name}/onlineEndpoints/{scope.name}", resolved),
        ready=_ready(raw),
        compute=text(raw, "properties", "compute"),
    )


def _datastore(raw: Raw, scope: Scope) -> Datastore:
    credentials = text(raw, "properties", "credentials", "credentialsType")
    return Datastore(
        raw=raw,
        id=scope,
        type=(text(raw, "properties", "datastoreType") or "").casefold(),
        account=text(raw, "properties", "accountName"),
        identity_based=(credentials or "").casefold() == "none",
    )


def _ready(raw: Raw) -> bool:
    return (text(raw, "properties", "provisioningState") or "").casefold() not in {"creating", "provisioning"}


def _leaving(raw: Raw) -> bool:
    return (text(raw, "properties", "provisioningState") or "").casefold() == "deleting"
