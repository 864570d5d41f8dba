"""Datastores and connections that keep no credential: Microsoft's own examples, and those that AML cannot read."""

from typing import Any

from catalogue.build import BLOB_READER, datastore, storage
from catalogue.case import ALLOWED_GROUP, Place, Raw, Tenant
from reports.report import Build, Grant, Report, beside, team

_ABOUT = frozenset(("datastore-type", "datastore-credential", "unknown-kind", "compute-reads-data"))
_ONELAKE: Raw = {
    "accountName": None,
    "containerName": None,
    "oneLakeWorkspaceName": "fabric",
    "endpoint": "onelake.dfs.fabric.microsoft.com",
    "artifact": {"artifactType": "LakeHouse", "artifactName": "lake"},
}
_GEN1: Raw = {"accountName": None, "containerName": None, "storeName": "old"}


def _store(
    kind: str, credentials: str = "None", *, account: str = "other", group: str = "", there: bool = True, **more: Any
) -> Build:
    """A datastore beside the workspace's own, on an account of the allow-list's group."""

    def build(place: Place) -> Tenant:
        name = f"{account}{place.unique}"
        _, ws, tenant = team(place, admin=False)
        other = storage(place, name)
        other["id"] = f"{group or ALLOWED_GROUP}/providers/Microsoft.Storage/storageAccounts/{name}"
        home = {"subscriptionId": other["id"].split("/")[2], "resourceGroup": other["id"].split("/")[4]}
        known = {} if kind.lower() == "onelake" else home
        one = datastore(ws, "data", name, kind=kind, credentials=credentials, **{**known, **more})
        return beside(tenant, one, *([other] if there else []))

    return build


def _without(build: Build, *keys: str) -> Build:
    def made(place: Place) -> Tenant:
        tenant = build(place)
        for one in tenant.resources:
            if one["type"].endswith("/datastores"):
                for key in keys:
                    one["properties"].pop(key, None)
        return tenant

    return made


def _report(
    variant: str, build: Build, rule: str = "", says: str = "", *grants: Grant, also: str = "", **more: Any
) -> Report:
    finds = {name: says for name in (rule, also) if name}
    return Report("data", variant, build, grants=frozenset(grants), finds=finds, about=_ABOUT, **more)


_READS = ("cluster", BLOB_READER, "other")

REPORTS = (
    _report("onelake", _store("OneLake", **_ONELAKE), never=("datastore create",)),
    _report("onelake in another spelling", _store("ONELAKE", "none", **_ONELAKE)),
    _report(
        "onelake by a service principal",
        _store("OneLake", "ServicePrincipal", **_ONELAKE),
        "datastore-credential",
        "Fabric",
    ),
    _report("data lake", _store("AzureDataLakeGen2", filesystem="data"), "", "", _READS),
    _report("blobs in another spelling", _store("AZUREBLOB", "NONE"), "", "", _READS),
    _report(
        "blobs of nobody",
        _without(_store("AzureBlob", there=False), "subscriptionId", "resourceGroup"),
        "compute-reads-data",
        "shows none of that name",
    ),
    _report(
        "blobs of somebody else",
        _store("AzureBlob", group="/subscriptions/0b9a4c1e-0000-4000-8000-000000000002/resourceGroups/x"),
        withheld=frozenset(["target-outside-boundary"]),
    ),
    _report("blobs with a key", _store("AzureBlob", "AccountKey"), "datastore-credential", "Storage Blob Data Reader"),
    _report("blobs with a signature", _store("AzureBlob", "Sas"), "datastore-credential", "(Sas)"),
    _report(
        "data lake of the first generation",
        _store("AzureDataLakeGen1", **_GEN1),
    ),
    _report("file share", _store("AzureFile", fileShareName="share"), "datastore-type", "AzureFile"),
    _report("file share with a key", _store("AzureFile", "AccountKey"), "datastore-credential", "with a key only"),
    _report("hdfs", _store("Hdfs", nameNodeAddress="host"), "unknown-kind", "dfs", also="datastore-type"),
    _report("stores nobody may list", _store("AzureBlob"), cannot_read=("/datastores",), fails=True),
)
