"""Datastores: what they keep, what they name, and who reads there."""

import re
from collections.abc import Iterator

from shared.access.asks import Ask, Finding, Objection, RequiredGrant, Severity
from shared.access.model import Datastore, Estate, Unreadable, Want, Workspace
from shared.access.needs import READ_BLOBS
from shared.access.raw import scope_or_none, text
from shared.access.rules.az import at, group
from shared.access.rules.rule import List, Mode, Rule, asks_nothing
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_AUTHENTICATION = _DOCS + "how-to-identity-based-service-authentication"
_ACCESS = _DOCS + "how-to-identity-based-data-access"
_WATCHES = (
    "Microsoft.MachineLearningServices/workspaces/datastores",
    "Microsoft.MachineLearningServices/workspaces/computes",
)
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.IGNORECASE)
_BY_IDENTITY = ("azureblob", "azuredatalakegen1", "azuredatalakegen2")
_BLOBS = ("azureblob", "azuredatalakegen2")
# AML makes these itself; a workspace whose system datastores use identity has its file shares among them.
_SYSTEM = ("workspaceblobstore", "workspaceartifactstore", "workspacefilestore", "workspaceworkingdirectory")


def credential(store: Datastore) -> str | None:
    """The kind of credential that the datastore keeps in the vault, if it keeps one."""
    kind = text(store.raw, "properties", "credentials", "credentialsType")
    return None if kind is None or kind.casefold() == "none" else kind


def account(store: Datastore, workspace: Workspace) -> Scope | None:
    """The storage account that the datastore names; None when it does not say where that is."""
    if store.account is None:
        return None
    if workspace.storage and store.account.casefold() == workspace.storage.name.casefold():
        return workspace.storage
    group = text(store.raw, "properties", "resourceGroup") if _ACCOUNT.fullmatch(store.account) else None
    home = workspace.id.subscription
    subscription = text(store.raw, "properties", "subscriptionId") or (home.name if home else None)
    where = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts"
    return scope_or_none(f"{where}/{store.account}") if group and subscription else None


def elsewhere(workspace: Workspace) -> Iterator[tuple[Datastore, Scope | None]]:
    """Datastores that are read by identity and lie on another storage account than the workspace's."""
    for store in workspace.datastores:
        where = account(store, workspace)
        if store.identity_based and store.type in _BLOBS and store.account and where != workspace.storage:
            yield store, where


def _keeps_credential(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for store in workspace.datastores:
        kind = credential(store)
        if kind:
            yield Finding(
                store.id,
                "datastore-credential",
                ("AML-33",),
                Severity.MEDIUM,
                f"Datastore {store.id.name} keeps a credential ({kind}) in the workspace's vault: other users of the "
                "workspace read data with it that they could not read as themselves.",
                _without_credential(store, workspace),
            )


def _without_credential(store: Datastore, workspace: Workspace) -> str:
    if store.id.name.casefold() in _SYSTEM:
        return (
            f"Let the workspace's own datastores use identities: az ml workspace update --name {workspace.id.name} "
            f"--resource-group {group(workspace.id)} --system-datastores-auth-mode identity"
        )
    return (
        "Once its readers hold Storage Blob Data Reader, register it again, with no credentials in the file: "
        f"az ml datastore create --file DATASTORE.yml {at(workspace.id)}"
    )


def _kind(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for store in workspace.datastores:
        made_by_aml = workspace.storage_by_identity and store.id.name.casefold() in _SYSTEM
        if store.identity_based and store.type not in _BY_IDENTITY and not made_by_aml:
            yield Finding(
                store.id,
                "datastore-type",
                ("AML-34",),
                Severity.MEDIUM,
                f"Datastore {store.id.name} is of type {text(store.raw, 'properties', 'datastoreType')} and keeps no "
                "credential; AML reads by identity from Blob storage and Data Lake Storage only.",
                "Move the data to Blob storage or Data Lake Storage, or give the datastore a credential: "
                f"az ml datastore update --name {store.id.name} {at(workspace.id)} --set credentials.account_key=KEY",
            )


def _compute_reads_data(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for store, where in elsewhere(workspace):
        if where is None:
            yield Finding(
                store.id,
                "compute-reads-data",
                ("AML-36",),
                Severity.LOW,
                f"Datastore {store.id.name} names storage account {store.account}, but not its resource group: nobody "
                "can tell whether computes may read there.",
                f"az ml datastore update --name {store.id.name} {at(workspace.id)} --set resource_group=GROUP "
                "subscription_id=SUBSCRIPTION-ID",
            )
            continue
        for compute in workspace.computes:
            principal = compute.identity.default
            if principal:
                reason = f"{principal.label} reads training data in {where.name} through datastore {store.id.name}"
                yield RequiredGrant(principal, READ_BLOBS, where, compute.id, ("AML-36",), reason, explicit=True)


def _abroad(workspace: Workspace) -> dict[Scope, Scope]:
    """Storage accounts in other subscriptions than the workspace's, with those."""
    named = (workspace.storage, *(where for _, where in elsewhere(workspace)))
    found = {one: one.subscription for one in named if one and one.subscription != workspace.id.subscription}
    return {one: subscription for one, subscription in found.items() if subscription}


def _tenant_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    abroad = _abroad(workspace)
    if abroad and workspace.id.subscription:
        yield Want(workspace.id.subscription)
        yield from (Want(subscription) for subscription in abroad.values())


def _other_tenant(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    home = text(estate.resource(workspace.id.subscription), "tenantId")
    for storage, subscription in _abroad(workspace).items():
        fact = estate.facts.get(Want(subscription), {})
        tenant = text(fact, "tenantId")
        if fact is None or isinstance(fact, Unreadable):
            why = "whose tenant amlguard cannot see"
        elif home and tenant and tenant.casefold() != home.casefold():
            why = f"of another tenant ({tenant})"
        else:
            continue
        reason = f"storage account {storage.name} lies in a subscription {why}: {subscription.name}"
        yield Objection(storage, None, f"{reason}. AML supports storage of its own tenant only")


RULES = (
    Rule(
        "datastore-credential",
        ("AML-33",),
        Mode.AUDIT,
        "A datastore keeps no credential: whoever reads through it reads as themselves.",
        _AUTHENTICATION,
        _keeps_credential,
        "a datastore with an account key",
        "a datastore whose credentialsType is None",
        reads=(List.DATASTORES,),
        watches=_WATCHES[:1],
    ),
    Rule(
        "datastore-type",
        ("AML-34",),
        Mode.AUDIT,
        "A datastore without a credential is of a type that AML reads by identity.",
        _ACCESS,
        _kind,
        "a file share datastore without a credential",
        "a Data Lake Storage Gen2 datastore without a credential",
        reads=(List.DATASTORES,),
        watches=_WATCHES[:1],
    ),
    Rule(
        "cross-tenant-storage",
        ("AML-35",),
        Mode.GUARD,
        "Nothing is granted on storage in another tenant's subscription.",
        _ACCESS,
        _other_tenant,
        "a datastore on an account in a subscription of another tenant",
        "an account in another subscription of the same tenant",
        wants=_tenant_wants,
        reads=(List.DATASTORES,),
        watches=_WATCHES[:1],
    ),
    Rule(
        "compute-reads-data",
        ("AML-36",),
        Mode.FIX,
        "A compute's identity reads the storage accounts that datastores without credentials name, where the policy "
        "allows them.",
        _ACCESS,
        _compute_reads_data,
        "a datastore on an account that is on the policy's allow-list",
        "a cluster that is Storage Blob Data Owner there",
        also=("AML-16",),
        grants=(READ_BLOBS,),
        reads=(List.COMPUTES, List.DATASTORES),
        watches=_WATCHES,
        allow_listed=True,
    ),
    Rule(
        "batch-endpoint-storage",
        ("AML-81",),
        Mode.FIX,
        "Batch endpoints run on clusters and mount storage as their identity: what a cluster holds is what they need.",
        _DOCS + "how-to-authenticate-batch-endpoint",
        asks_nothing,
        "a batch endpoint on a cluster that holds nothing on the storage account",
        "a batch endpoint whose cluster is Storage Blob Data Reader there",
        reads=(List.COMPUTES, List.DATASTORES),
        watches=("Microsoft.MachineLearningServices/workspaces/batchEndpoints",),
        through=("compute-reads-blobs", "compute-reads-data"),
    ),
)
