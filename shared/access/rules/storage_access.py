"""What AML needs on storage accounts whose network or keys are closed."""

from collections.abc import Iterator

from shared.access.asks import Ask, Finding, RequiredGrant, Severity
from shared.access.model import Estate, Raw, Want, Workspace
from shared.access.needs import READ_BLOBS, READ_PRIVATE_ENDPOINT
from shared.access.raw import flag, get, rows, scope_or_none, text
from shared.access.rules.datastores import elsewhere
from shared.access.rules.rule import List, Mode, Rule
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_STUDIO = _DOCS + "how-to-enable-studio-virtual-network"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces", "Microsoft.Storage/storageAccounts")
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_FILE_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"  # Storage File Data Privileged Contributor


def _default(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.storage:
        yield Want(workspace.storage)


def _restricted(storage: Raw) -> str:
    """How the account's network is closed, in words; empty when it is open."""
    if (text(storage, "properties", "networkAcls", "defaultAction") or "").casefold() == "deny":
        return "lets in only what its network rules name"
    if (text(storage, "properties", "publicNetworkAccess") or "").casefold() == "disabled":
        return "can be reached through private endpoints only"
    return ""


def _previews(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable("storage-preview", ("AML-41",), _default(workspace, estate), estate)
    storage, me = estate.resource(workspace.storage), workspace.acting
    how = _restricted(storage) if storage else ""
    if workspace.storage and me and how:
        reason = f"{me.label} previews and profiles data in {workspace.storage.name}, which {how}"
        yield RequiredGrant(me, READ_BLOBS, workspace.storage, workspace.id, ("AML-41",), reason)


def _storages(workspace: Workspace) -> list[Scope]:
    named = (workspace.storage, *(where for _, where in elsewhere(workspace)))
    return list(dict.fromkeys(one for one in named if one))


def _all_storages(workspace: Workspace, _: Estate) -> Iterator[Want]:
    yield from map(Want, _storages(workspace))


def _behind_endpoints(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable("storage-private-endpoints", ("AML-76",), _all_storages(workspace, estate), estate)
    me = workspace.acting
    for storage in _storages(workspace) if me else ():
        raw = estate.resource(storage)
        if raw is None or me is None:
            continue
        for endpoint in _endpoints(raw, {workspace.id.subscription, storage.subscription}):
            reason = f"{me.label} finds {storage.name} through private endpoint {endpoint.name} and must read that"
            yield RequiredGrant(me, READ_PRIVATE_ENDPOINT, endpoint, endpoint, ("AML-76",), reason)
        if storage != workspace.storage:
            reason = f"{me.label} reads data in {storage.name}, which a datastore without a credential names"
            yield RequiredGrant(me, READ_BLOBS, storage, storage, ("AML-76",), reason)


def _endpoints(storage: Raw, ours: set[Scope | None]) -> Iterator[Scope]:
    """In our subscriptions only: those of AML's managed networks lie in Microsoft's."""
    for one in rows(storage, "properties", "privateEndpointConnections"):
        scope = scope_or_none(get(one, "properties", "privateEndpoint", "id"))
        if scope and scope.subscription in ours:
            yield scope


def _file_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from _default(workspace, estate)
    storage = estate.resource(workspace.storage)
    if workspace.storage and flag(storage, "properties", "allowSharedKeyAccess") is False:
        yield Want(workspace.storage, _ASSIGNMENTS)


def _files_without_keys(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    storage = workspace.storage
    if storage is None:
        return
    yield from unreadable("storage-without-keys", ("AML-77",), _file_wants(workspace, estate), estate)
    want = Want(storage, _ASSIGNMENTS)
    if want not in estate.facts or estate.unreadable(want) or any(map(_person, estate.listed(storage, _ASSIGNMENTS))):
        return
    yield Finding(
        storage,
        "storage-without-keys",
        ("AML-77",),
        Severity.MEDIUM,
        f"Storage account {storage.name} of workspace {workspace.id.name} refuses shared keys, and no user or group is "
        "Storage File Data Privileged Contributor on it: notebooks and compute instances cannot mount its file share.",
        "az role assignment create --assignee-object-id USERS-GROUP-ID --assignee-principal-type Group --role "
        f'"Storage File Data Privileged Contributor" --scope {storage}',
    )


def _person(assignment: Raw) -> bool:
    role = (text(assignment, "properties", "roleDefinitionId") or "").rpartition("/")[2]
    kind = text(assignment, "properties", "principalType") or ""
    return role.casefold() == _FILE_CONTRIBUTOR and kind.casefold() != "serviceprincipal"


RULES = (
    Rule(
        "storage-preview",
        ("AML-41",),
        Mode.FIX,
        "The workspace's identity reads blobs of its storage account where the account's network is restricted.",
        _STUDIO,
        _previews,
        "a storage account with subnet rules on which the workspace's identity holds nothing",
        "a storage account without network rules",
        wants=_default,
        grants=(READ_BLOBS,),
        watches=_WATCHES,
    ),
    Rule(
        "storage-private-endpoints",
        ("AML-76",),
        Mode.AUDIT,
        "The workspace's identity is Reader on each private endpoint of its storage, and reads blobs of the accounts "
        "that its datastores name besides.",
        _STUDIO,
        _behind_endpoints,
        "a storage account with a private endpoint on which the workspace's identity holds nothing",
        "a workspace whose identity is Reader on the resource group",
        wants=_all_storages,
        reads=(List.DATASTORES,),
        watches=(*_WATCHES, "Microsoft.MachineLearningServices/workspaces/datastores"),
    ),
    Rule(
        "storage-without-keys",
        ("AML-77",),
        Mode.AUDIT,
        "Where the storage account refuses shared keys, users are Storage File Data Privileged Contributor on it.",
        _DOCS + "how-to-disable-local-auth-storage",
        _files_without_keys,
        "a storage account without shared keys on which no user or group holds that role",
        "a storage account without shared keys on which a group holds it",
        wants=_file_wants,
        watches=_WATCHES,
    ),
)
