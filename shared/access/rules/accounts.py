"""The storage accounts that datastores name, and where they are."""

import re
from collections.abc import Iterable, Iterator

from shared.access.datastores import Somewhere, account_of
from shared.access.model import Datastore, Estate, Want, Workspace
from shared.access.raw import scope_or_none, text
from shared.access.scope import Scope

_CONTAINER = re.compile(r"[a-z0-9$](?:[a-z0-9-]{0,62})")
_ACCOUNTS = "Microsoft.Storage/storageAccounts"
_BLOBS = ("azureblob", "azuredatalakegen2")


def account(store: Datastore, workspace: Workspace, estate: Estate) -> Scope | None:
    """The storage account that the datastore names. None if nobody can tell where it is."""
    named = _named(store, workspace)
    if not isinstance(named, Somewhere):
        return named
    found = (scope_or_none(one.get("id")) for one in estate.listed(named.within, _ACCOUNTS))
    return next((scope for scope in found if scope and named.may_be(scope)), None)


def _named(store: Datastore, workspace: Workspace) -> Scope | Somewhere | None:
    return account_of(store.account, store.raw, workspace.storage, workspace.id.subscription)


def account_wants(workspace: Workspace) -> Iterator[Want]:
    """The lists in which accounts are found that datastores name without their resource groups."""
    yield from (want for store in by_identity(workspace) if (want := listed_by(store, workspace)))


def listed_by(store: Datastore, workspace: Workspace) -> Want | None:
    named = _named(store, workspace)
    return Want(named.within, _ACCOUNTS) if isinstance(named, Somewhere) else None


def by_identity(workspace: Workspace) -> Iterator[Datastore]:
    yield from (one for one in workspace.datastores if one.identity_based and one.type in _BLOBS and one.account)


def elsewhere(workspace: Workspace, estate: Estate) -> Iterator[tuple[Datastore, Scope | None]]:
    """Datastores that are read by identity and lie on another storage account than the workspace's own."""
    for store in by_identity(workspace):
        where = account(store, workspace, estate)
        if where is None or where != workspace.storage:
            yield store, where


def container(store: Datastore, where: Scope) -> Scope | None:
    """The blob container (file system) that the datastore names, on the account `where`."""
    name = text(store.raw, "properties", "containerName") or text(store.raw, "properties", "filesystem") or ""
    return where.child("blobServices", "default", "containers", name) if _CONTAINER.fullmatch(name) else None


def containers(stores: Iterable[Datastore], where: Scope) -> tuple[Scope, ...]:
    """The containers on the account `where` that the stores name.

    Empty, which means the whole account, if one names none.
    """
    named = [container(store, where) for store in stores]
    known = tuple(dict.fromkeys(one for one in named if one))
    return known if None not in named else ()
