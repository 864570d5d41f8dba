"""Data: datastores, the storage accounts behind them, jobs, feature stores."""

from collections.abc import Callable
from typing import Any

from catalogue.build import (
    BLOB_OWNER,
    BLOB_READER,
    READER,
    assign,
    command,
    compute,
    connection,
    datastore,
    resource,
    storage,
    system,
    uai,
    user,
    workspace,
)
from catalogue.case import ALLOWED_GROUP, SUBSCRIPTION, Case, Place, Raw, Tenant

type Build = Callable[[Place], Tenant]

_JOBS = "Microsoft.MachineLearningServices/workspaces/jobs"
_ACCOUNTS = "Microsoft.Storage/storageAccounts"
_KIND: Raw = {"kind": "StorageV2", "sku": {"name": "Standard_LRS", "tier": "Standard"}}
_DENY: Raw = {"networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices", "virtualNetworkRules": []}}


def _store(credentials: str, kind: str = "AzureBlob") -> Build:
    def build(place: Place) -> Tenant:
        ws = workspace(place)
        return Tenant([ws, datastore(ws, "data", "account", kind=kind, credentials=credentials)])

    return build


def _data_of(group: str, *held: str, tenant: str = "", named: bool = True) -> Build:
    """A cluster, and a datastore on an account in `group`; `held` are the cluster's roles there.

    With `tenant`, the account lies in a subscription of that other tenant instead. `named`: by its resource group.
    """

    def build(place: Place) -> Tenant:
        subscription = f"/subscriptions/{place.object_id('abroad')}"
        where = f"{subscription}/resourceGroups/data" if tenant or not group else group
        scope = f"{where}/providers/{_ACCOUNTS}/data{place.unique}"
        account = resource(scope, _ACCOUNTS, {"allowSharedKeyAccess": True}) | _KIND
        parts = where.split("/")
        ws = workspace(place)
        said: Raw = {"subscriptionId": parts[2], **({"resourceGroup": parts[4]} if named else {})}
        store = datastore(ws, "data", account["name"], **said)
        one = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        abroad = [{"id": subscription, "subscriptionId": parts[2], "tenantId": tenant, "state": "Enabled"}]
        return Tenant(
            [account, ws, store, one, *(abroad if tenant else [])],
            [assign(scope, place.object_id("cpu1"), role) for role in held],
        )

    return build


def _apart(*readers: tuple[str, ...]) -> Build:
    """Clusters cpu0, cpu1 and so on, which people let read the accounts of those numbers; each has a datastore."""

    def build(place: Place) -> Tenant:
        ws = workspace(place)
        found: list[Raw] = [ws]
        grants = []
        for number, accounts in enumerate(readers):
            scope = f"{ALLOWED_GROUP}/providers/{_ACCOUNTS}/data{number}{place.unique}"
            account = resource(scope, _ACCOUNTS, {"allowSharedKeyAccess": False}) | _KIND
            parts = scope.split("/")
            where = {"subscriptionId": parts[2], "resourceGroup": parts[4]}
            me = place.object_id(f"cpu{number}")
            found += [account, datastore(ws, f"data{number}", account["name"], **where)]
            found.append(compute(ws, f"cpu{number}", identity=system(me)))
            grants += [assign(scope.replace("data" + str(number), "data" + one), me, BLOB_READER) for one in accounts]
        return Tenant(found, grants)

    return build


def _storage(*held: tuple[str, str, str], endpoint: bool = False, **properties: Any) -> Build:
    """A workspace and its storage account; `held` are (who, role, principal type), on the resource group; no others."""

    def build(place: Place) -> Tenant:
        pe = place.id("Microsoft.Network/privateEndpoints", "pe")
        connections = [{"properties": {"privateEndpoint": {"id": pe}}}] if endpoint else []
        blobs = storage(place, privateEndpointConnections=connections, **properties)
        ws = workspace(place, storageAccount=blobs["id"])
        grants = [assign(place.group, place.object_id(who), role, kind=kind) for who, role, kind in held]
        return Tenant([blobs, ws], grants, aml=False)

    return build


def _jobs(credentials: str, *jobs: Raw) -> Build:
    """Of these properties, in a workspace with one datastore."""

    def build(place: Place) -> Tenant:
        ws = workspace(place)
        made = [resource(f"{ws['id']}/jobs/job{n}", _JOBS, one) for n, one in enumerate(jobs)]
        return Tenant([ws, datastore(ws, "data", "account", credentials=credentials), *made])

    return build


def _as(kind: str, **more: Any) -> Raw:
    run = {"status": "Completed", "identity": {"identityType": kind}, **more}
    return run if "jobType" in more else command(**run)


def _pipeline(*steps: str) -> Raw:
    """A pipeline with user identity; `steps` are the identities of its steps."""
    named = {f"step{n}": {"type": "command", "identity": {"type": step}} for n, step in enumerate(steps)}
    return _as("UserIdentity", jobType="Pipeline", jobs=named)


def _feature_store(kind: str) -> Build:
    def build(place: Place) -> Tenant:
        one, blobs = uai(place), storage(place)
        settings = {"offlineStoreConnectionName": "offline"} if kind == "FeatureStore" else {}
        named = {"storageAccount": blobs["id"], "primaryUserAssignedIdentity": one["id"]}
        ws = workspace(place, identity=user(one), kind=kind, featureStoreSettings=settings, **named)
        container = f"{blobs['id']}/blobServices/default/containers/features"
        credentials = {"resourceId": one["id"], "clientId": one["properties"]["clientId"]}
        return Tenant([one, blobs, ws, connection(ws, "offline", "ADLSGen2", container, credentials=credentials)])

    return build


CASES: tuple[Case, ...] = (
    Case(
        "datastore-credential",
        True,
        "a datastore with an account key",
        _store("AccountKey"),
        "az ml datastore create",
        "Finding",
    ),
    Case("datastore-credential", False, "a datastore whose credentialsType is None", _store("None")),
    Case(
        "datastore-type",
        True,
        "a file share datastore without a credential",
        _store("None", "AzureFile"),
        "AzureFile",
        "Finding",
    ),
    Case(
        "datastore-type",
        False,
        "a Data Lake Storage Gen2 datastore without a credential",
        _store("None", "AzureDataLakeGen2"),
    ),
    Case(
        "datastore-type",
        False,
        "a OneLake datastore without a credential",
        _store("None", "OneLake"),
    ),
    Case(
        "cross-tenant-storage",
        True,
        "a datastore on an account in a subscription of another tenant",
        _data_of("", tenant="9d9d0000-0000-4000-8000-00000000000c"),
        "of another tenant",
        "Withheld",
    ),
    Case("cross-tenant-storage", False, "an account in another subscription of the same tenant", _data_of("")),
    Case(
        "compute-reads-data",
        True,
        "a datastore on an account that is on the policy's allow-list",
        _data_of(ALLOWED_GROUP),
        "reads training data",
        "Applied",
    ),
    Case(
        "compute-reads-data",
        True,
        "a datastore on an account that the policy does not allow: withheld",
        _data_of(f"{SUBSCRIPTION}/resourceGroups/foreign"),
        "trust: {allow:",
        "Withheld",
    ),
    Case(
        "compute-reads-data",
        True,
        "a datastore that names the account without its resource group, as CLI and SDK do",
        _data_of(ALLOWED_GROUP, named=False),
        "reads training data",
        "Applied",
    ),
    Case(
        "compute-reads-data",
        True,
        "clusters that people let at the same account, of two: the other one is granted",
        _apart(("0",), ("0",)),
        "reads training data",
        "Applied",
    ),
    Case(
        "compute-reads-data",
        False,
        "a cluster that holds Storage Blob Data Owner there",
        _data_of(ALLOWED_GROUP, BLOB_OWNER),
    ),
    Case(
        "storage-preview",
        True,
        "a storage account with subnet rules on which the workspace's identity holds nothing",
        _storage(**_DENY),
        "previews and profiles",
        "Applied",
    ),
    Case("storage-preview", False, "a storage account without network rules", _storage()),
    Case(
        "storage-private-endpoints",
        True,
        "a storage account with a private endpoint on which the workspace's identity holds nothing",
        _storage(endpoint=True),
        '--role "Reader"',
        "Finding",
    ),
    Case(
        "storage-private-endpoints",
        False,
        "a workspace whose identity holds Reader on the resource group",
        _storage(("mlw", READER, "ServicePrincipal"), endpoint=True),
    ),
    Case(
        "user-identity-jobs",
        True,
        "a job with user identity in a workspace whose datastore keeps an account key",
        _jobs("AccountKey", _as("Managed"), _as("UserIdentity")),
        "job1",
        "Finding",
    ),
    Case(
        "user-identity-jobs",
        False,
        "a job with user identity in a workspace whose datastores keep no credential",
        _jobs("None", _as("UserIdentity")),
    ),
    Case(
        "mixed-identity-jobs",
        True,
        "a pipeline with user identity in which one step uses a managed identity",
        _jobs("None", _pipeline("user_identity", "managed_identity")),
        "partly as managed",
        "Finding",
    ),
    Case(
        "mixed-identity-jobs",
        False,
        "a pipeline whose steps all have user identity",
        _jobs("None", _pipeline("user_identity", "user_identity")),
    ),
    Case(
        "feature-store-materialization",
        True,
        "a feature store whose user-assigned identity holds nothing",
        _feature_store("FeatureStore"),
        "into offline store",
        "Applied",
    ),
    Case("feature-store-materialization", False, "a default workspace", _feature_store("Default")),
)
