"""What AML needs on storage accounts whose network is restricted."""

from collections.abc import Iterator

from shared.access.asks import Ask, RequiredGrant
from shared.access.model import Estate, Raw, Want, Workspace
from shared.access.needs import READ_BLOBS, READ_PRIVATE_ENDPOINT
from shared.access.raw import get, rows, scope_or_none, text
from shared.access.rules.accounts import account_wants, containers, elsewhere
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_STUDIO = _DOCS + "how-to-enable-studio-virtual-network"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces", "Microsoft.Storage/storageAccounts")


def _default(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.storage:
        yield Want(workspace.storage)


def _restricted(storage: Raw) -> str:
    """In words how the account's network is restricted. Empty if it is open."""
    if (text(storage, "properties", "networkAcls", "defaultAction") or "").casefold() == "deny":
        return "lets in only what its network rules name"
    if (text(storage, "properties", "publicNetworkAccess") or "").casefold() == "disabled":
        return "can be reached through private endpoints only"
    return ""


def _previews(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_default(workspace, estate), estate)
    storage, me = estate.resource(workspace.storage), workspace.acting
    how = _restricted(storage) if storage else ""
    if workspace.storage and me and how:
        reason = f"{me.label} previews and profiles data in {workspace.storage.name}, which {how}"
        yield RequiredGrant(me, READ_BLOBS, workspace.storage, workspace.id, ("AML-41",), reason)


def _storages(workspace: Workspace, estate: Estate) -> list[Scope]:
    named = (workspace.storage, *(where for _, where in elsewhere(workspace, estate)))
    return list(dict.fromkeys(one for one in named if one))


def _all_storages(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from account_wants(workspace)
    yield from map(Want, _storages(workspace, estate))


def _behind_endpoints(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_all_storages(workspace, estate), estate)
    me = workspace.acting
    for storage in _storages(workspace, estate) if me else ():
        raw = estate.resource(storage)
        if raw is None or me is None:
            continue
        for endpoint in _endpoints(raw, {workspace.id.subscription, storage.subscription}):
            reason = (
                f"{me.label} finds {storage.name} through private endpoint {endpoint.name} and must read that endpoint"
            )
            yield RequiredGrant(me, READ_PRIVATE_ENDPOINT, endpoint, endpoint, ("AML-76",), reason)
        if storage != workspace.storage:
            named = [store for store, where in elsewhere(workspace, estate) if where == storage]
            reason = f"{me.label} reads data in {storage.name}, which a datastore without a credential names"
            about = containers(named, storage)
            yield RequiredGrant(me, READ_BLOBS, storage, storage, ("AML-76",), reason, explicit=True, about=about)


def _endpoints(storage: Raw, ours: set[Scope | None]) -> Iterator[Scope]:
    """Private endpoints in the customer's subscriptions only. Those of AML's managed networks lie in Microsoft's."""
    for one in rows(storage, "properties", "privateEndpointConnections"):
        scope = scope_or_none(get(one, "properties", "privateEndpoint", "id"))
        if scope and scope.subscription in ours:
            yield scope


RULES = (
    Rule(
        name="storage-preview",
        requirements=("AML-41",),
        mode=RuleKind.FIX,
        title="The workspace's identity can read blobs of its storage account if the account's network is restricted.",
        source=_STUDIO,
        examine=_previews,
        acts="a storage account with subnet rules on which the workspace's identity holds nothing",
        leaves="a storage account without network rules",
        wants=_default,
        grants=(READ_BLOBS,),
        keeps_apart=False,
        watches=_WATCHES,
    ),
    Rule(
        name="storage-private-endpoints",
        requirements=("AML-76",),
        mode=RuleKind.AUDIT,
        title="The workspace's identity holds Reader on each private endpoint of its storage, and can read blobs of "
        "the other accounts that its datastores name.",
        source=_STUDIO,
        examine=_behind_endpoints,
        acts="a storage account with a private endpoint on which the workspace's identity holds nothing",
        leaves="a workspace whose identity holds Reader on the resource group",
        advises=True,
        wants=_all_storages,
        reads=(List.DATASTORES,),
        watches=(*_WATCHES, "Microsoft.MachineLearningServices/workspaces/datastores"),
    ),
)
