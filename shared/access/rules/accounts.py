"""The storage accounts that datastores name, and where they are."""

import re
from collections.abc import Iterable, Iterator

from shared.access.model import Datastore, Estate, Want, Workspace
from shared.access.raw import scope_or_none, text
from shared.access.scope import Scope

ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE)
_CONTAINER = re.compile(r"[a-z0-9$](?:[a-z0-9-]{0,62})")
_ACCOUNTS = "Microsoft.Storage/storageAccounts"
_BLOBS = ("azureblob", "azuredatalakegen2")


def account(store: Datastore, workspace: Workspace, estate: Estate) -> Scope | None:
    """The storage account that the datastore names; None when nobody can tell where that is.

    CLI and SDK know no resource group of a datastore; names of storage accounts are unique in all of Azure.
    """
    if store.account is None:
        return None
    if workspace.storage and store.account.casefold() == workspace.storage.name.casefold():
        return workspace.storage
    if not ACCOUNT.fullmatch(store.account):
        return None
    group, home = text(store.raw, "properties", "resourceGroup"), _subscription(store, workspace)
    if home and group:
        return scope_or_none(f"{home}/resourceGroups/{group}/providers/{_ACCOUNTS}/{store.account}")
    listed = estate.listed(home, _ACCOUNTS) if home else ()
    same = (one for one in listed if (text(one, "name") or "").casefold() == store.account.casefold())
    return next((scope for one in same if (scope := scope_or_none(one.get("id")))), None)


def _subscription(store: Datastore, workspace: Workspace) -> Scope | None:
    named = text(store.raw, "properties", "subscriptionId")
    return scope_or_none(f"/subscriptions/{named}") if named else workspace.id.subscription


def account_wants(workspace: Workspace) -> Iterator[Want]:
    """The lists by which accounts are found that datastores name without their resource groups."""
    yield from (want for store in by_identity(workspace) if (want := listed_by(store, workspace)))


def listed_by(store: Datastore, workspace: Workspace) -> Want | None:
    own = workspace.storage is not None and (store.account or "").casefold() == workspace.storage.name.casefold()
    home, named = _subscription(store, workspace), text(store.raw, "properties", "resourceGroup")
    if own or named or home is None or not ACCOUNT.fullmatch(store.account or ""):
        return None
    return Want(home, _ACCOUNTS)


def by_identity(workspace: Workspace) -> Iterator[Datastore]:
    yield from (one for one in workspace.datastores if one.identity_based and one.type in _BLOBS and one.account)


def elsewhere(workspace: Workspace, estate: Estate) -> Iterator[tuple[Datastore, Scope | None]]:
    """Datastores that are read by identity and lie on another storage account than the workspace's."""
    for store in by_identity(workspace):
        where = account(store, workspace, estate)
        if where is None or where != workspace.storage:
            yield store, where


def container(store: Datastore, where: Scope) -> Scope | None:
    """The blob container (file system) that the datastore names, on the account `where`."""
    name = text(store.raw, "properties", "containerName") or text(store.raw, "properties", "filesystem") or ""
    return where.child("blobServices", "default", "containers", name) if _CONTAINER.fullmatch(name) else None


def containers(stores: Iterable[Datastore], where: Scope) -> tuple[Scope, ...]:
    """What a need of the stores' data is about on the account `where`; empty (all of it) where one names none."""
    named = [container(store, where) for store in stores]
    known = tuple(dict.fromkeys(one for one in named if one))
    return known if None not in named else ()
