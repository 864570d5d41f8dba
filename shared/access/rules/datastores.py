"""Datastores: which credentials they keep, which accounts they name, and who reads there."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Objection, RequiredGrant, Severity
from shared.access.datastores import ACCOUNT
from shared.access.model import Datastore, Estate, Unreadable, Want, Workspace
from shared.access.needs import READ_BLOBS
from shared.access.raw import text
from shared.access.rules.accounts import account_wants, containers, elsewhere, listed_by
from shared.access.rules.az import at, az, code, itself
from shared.access.rules.rule import List, Rule, RuleKind, no_asks
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_AUTHENTICATION = _DOCS + "how-to-identity-based-service-authentication"
_ACCESS = _DOCS + "how-to-identity-based-data-access"
_WATCHES = (
    "Microsoft.MachineLearningServices/workspaces/datastores",
    "Microsoft.MachineLearningServices/workspaces/computes",
)
_API = "2025-12-01"
_BY_IDENTITY = ("azureblob", "azuredatalakegen1", "azuredatalakegen2", "onelake")
# AML makes these itself. If a workspace's system datastores use identity, its file share datastores are among them.
_SYSTEM = ("workspaceblobstore", "workspaceartifactstore", "workspacefilestore", "workspaceworkingdirectory")


def credential(store: Datastore) -> str | None:
    """The kind of credential that the datastore keeps in the vault, if it keeps one."""
    kind = text(store.raw, "properties", "credentials", "credentialsType")
    return None if kind is None or kind.casefold() == "none" else kind


def _keeps_credential(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for store in workspace.datastores:
        kind = credential(store)
        if kind:
            yield Found(
                store.id,
                f"Datastore {store.id.name} keeps a credential ({kind}) in the workspace's vault: other users of the "
                "workspace read data with it that they could not read as themselves.",
                {"steps": _without_credential(store, workspace)},
            )


def _without_credential(store: Datastore, workspace: Workspace) -> str:
    again = register(workspace.id)
    if store.id.name.casefold() in _SYSTEM:
        where = workspace.storage.name if workspace.storage else "the workspace's storage account"
        return (
            f"First grant the roles on {where}: computes need Storage Blob Data Contributor, and for parallel runs "
            "also Storage Table Data Contributor and Storage Queue Data Contributor (AML-87); people need Storage "
            "Blob Data Contributor and Storage File Data Privileged Contributor (AML-88). Then let the workspace's own "
            f"datastores use identities: {let_sign_in(workspace.id)}"
        )
    if store.type == "azurefile":
        return (
            "AML opens file shares with a key only (AML-34). Move the data to Blob storage or Data Lake Storage, give "
            "its readers Storage Blob Data Reader there, and register that, with no credentials in the file: " + again
        )
    if store.type == "onelake":
        return (
            "Once its readers have a role in the lakehouse's Fabric workspace, register it again, with no credentials "
            f"in the file: {again}"
        )
    return (
        "Once its readers hold Storage Blob Data Reader, and its writers Storage Blob Data Contributor (AML-32, "
        f"AML-87, for people AML-88), register it again, with no credentials in the file: {again}"
    )


def _kind(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for store in workspace.datastores:
        made_by_aml = workspace.storage_by_identity and store.id.name.casefold() in _SYSTEM
        if store.identity_based and store.type not in _BY_IDENTITY and not made_by_aml:
            yield Found(
                store.id,
                f"Datastore {store.id.name} is of type {text(store.raw, 'properties', 'datastoreType')} and keeps no "
                "credential; AML reads by identity from Blob storage, Data Lake Storage and OneLake only.",
                {"register": register(workspace.id)},
            )


def let_sign_in(workspace: Scope) -> str:
    return code(az("ml workspace update", **itself(workspace), system_datastores_auth_mode="identity"))


def register(workspace: Scope) -> str:
    return code(az("ml datastore create", file="DATASTORE.yml", **at(workspace)))


def _data_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    yield from account_wants(workspace)


def _compute_reads_data(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(account_wants(workspace), estate)
    stores: dict[Scope, list[Datastore]] = {}
    for store, where in elsewhere(workspace, estate):
        listed = listed_by(store, workspace)
        if where is None and not (listed and estate.unreadable(listed)):
            yield _nowhere(store, workspace)
        elif where:
            stores.setdefault(where, []).append(store)
    for where, named in stores.items():
        about = containers(named, where)
        names = ", ".join(store.id.name for store in named)
        for compute in workspace.computes:
            principal = compute.identity.default
            if principal:
                reason = f"{principal.label} reads training data in {where.name} through datastore {names}"
                yield RequiredGrant(
                    principal, READ_BLOBS, where, compute.id, ("AML-36",), reason, explicit=True, about=about
                )


def _nowhere(store: Datastore, workspace: Workspace) -> Found:
    listed = listed_by(store, workspace)
    where = f"subscription {listed.scope.name}" if listed else "its subscription"
    query = f"[?name=='{_said(store)}'].id"
    found = az("storage account list", query=query, output="tsv", subscription="SUBSCRIPTION-ID")
    url = f"{store.id}?api-version={_API}"
    got = az("rest", method="get", url=url, output="json")
    return Found(
        store.id,
        f"Datastore {store.id.name} names storage account {store.account}, but not its resource group, and "
        f"{where} shows none of that name: nobody can tell whether computes may read there.",
        {
            "find": code(found),
            "get": code(f"{got} > datastore.json"),
            "put": code(az("rest", method="put", url=url, body="@datastore.json")),
        },
    )


def _said(store: Datastore) -> str:
    """The account's name for a command. A user may have written anything there."""
    return store.account.casefold() if store.account and ACCOUNT.fullmatch(store.account) else "ACCOUNT"


def _abroad(workspace: Workspace, estate: Estate) -> dict[Scope, Scope]:
    """Storage accounts in other subscriptions than the workspace's, with these subscriptions."""
    named = (workspace.storage, *(where for _, where in elsewhere(workspace, estate)))
    found = {one: one.subscription for one in named if one and one.subscription != workspace.id.subscription}
    return {one: subscription for one, subscription in found.items() if subscription}


def _tenant_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from account_wants(workspace)
    abroad = _abroad(workspace, estate)
    if abroad and workspace.id.subscription:
        yield Want(workspace.id.subscription)
        yield from (Want(subscription) for subscription in abroad.values())


def _other_tenant(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    home = text(estate.resource(workspace.id.subscription), "tenantId")
    for storage, subscription in _abroad(workspace, estate).items():
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
        name="datastore-credential",
        requirements=("AML-33",),
        mode=RuleKind.AUDIT,
        title="A datastore keeps no credential, so that everyone who reads through it reads as themselves.",
        source=_AUTHENTICATION,
        examine=_keeps_credential,
        acts="a datastore with an account key",
        leaves="a datastore whose credentialsType is None",
        severity=Severity.MEDIUM,
        remedy="{steps}",
        reads=(List.DATASTORES,),
        watches=_WATCHES[:1],
    ),
    Rule(
        name="datastore-type",
        requirements=("AML-34",),
        mode=RuleKind.AUDIT,
        title="A datastore without a credential is of a type that AML reads by identity.",
        source=_ACCESS,
        examine=_kind,
        acts="a file share datastore without a credential",
        leaves="a Data Lake Storage Gen2 datastore without a credential",
        severity=Severity.MEDIUM,
        remedy="Move the data to Blob storage or Data Lake Storage, and register that, with no credentials in the "
        "file: {register}",
        reads=(List.DATASTORES,),
        watches=_WATCHES[:1],
    ),
    Rule(
        name="cross-tenant-storage",
        requirements=("AML-35",),
        mode=RuleKind.GUARD,
        title="amlguard grants nothing on storage in another tenant's subscription.",
        source=_ACCESS,
        examine=_other_tenant,
        acts="a datastore on an account in a subscription of another tenant",
        leaves="an account in another subscription of the same tenant",
        wants=_tenant_wants,
        objects_to_grants=True,
        reads=(List.DATASTORES,),
        watches=_WATCHES[:1],
    ),
    Rule(
        name="compute-reads-data",
        requirements=("AML-36",),
        mode=RuleKind.FIX,
        title="A compute's identity reads the storage accounts that datastores without credentials name, where the "
        "policy allows them.",
        source=_ACCESS,
        examine=_compute_reads_data,
        acts="a datastore on an account that is on the policy's allow-list",
        leaves="a cluster that holds Storage Blob Data Owner there; clusters to which people gave different accounts",
        severity=Severity.LOW,
        remedy="Find the account ({find}), and write its place into the datastore, which only ARM itself can do. Get "
        "the datastore ({get}), add subscriptionId and resourceGroup to its properties, and put it back: {put}",
        wants=_data_wants,
        also=("AML-16",),
        grants=(READ_BLOBS,),
        reads=(List.COMPUTES, List.DATASTORES),
        watches=_WATCHES,
        allow_listed=True,
        keeps_apart=True,
    ),
    Rule(
        name="batch-endpoint-storage",
        requirements=("AML-81",),
        mode=RuleKind.FIX,
        title="Batch endpoints run on clusters and mount storage as the cluster's identity, so the cluster must hold "
        "what they need.",
        source=_DOCS + "how-to-authenticate-batch-endpoint",
        examine=no_asks,
        acts="a batch endpoint on a cluster that holds nothing on the storage account",
        leaves="a batch endpoint whose cluster holds Storage Blob Data Reader there",
        reads=(List.COMPUTES, List.DATASTORES),
        watches=("Microsoft.MachineLearningServices/workspaces/batchEndpoints",),
        through=("compute-reads-blobs", "compute-reads-data"),
    ),
)
