"""Storage without keys on which users hold a role for files only, or for blobs only (AML-77, 86, 88)."""

from typing import Any

from catalogue.build import BLOB_CONTRIBUTOR, BLOB_OWNER, BLOB_READER, OWNER, assign, compute, storage, workspace
from catalogue.case import Place, Raw, Tenant
from reports.report import Build, Report

_FILES = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
_FILES_READER = "b8eda974-7b85-4f76-af95-65846b26df6d"
_SMB = "0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb"
_ABOUT = frozenset(("storage-without-keys", "keys-refused", "people-storage"))
_UNREAD = "could not be read"
_BLOB_ROLE, _FILE_ROLE = '--role "Storage Blob Data Contributor"', '--role "Storage File Data Privileged Contributor"'


def _keyless(
    *roles: str,
    kind: str = "Group",
    who: str = "users",
    at: str = "account",
    mode: str | None = "identity",
    keys: bool | None = False,
    there: bool = True,
    instance: bool = False,
    condition: str | None = None,
    **more: Any,
) -> Build:
    """`roles` are held `at` account, container, group or subscription."""

    def build(place: Place) -> Tenant:
        refuses: Raw = {} if keys is None else {"allowSharedKeyAccess": keys}
        blobs = storage(place, **refuses)
        if keys is None:
            del blobs["properties"]["allowSharedKeyAccess"]
        said: Raw = {} if mode is None else {"systemDatastoresAuthMode": mode}
        ws = workspace(place, storageAccount=blobs["id"], **said, **more)
        scope = {
            "account": blobs["id"],
            "container": f"{blobs['id']}/blobServices/default/containers/data",
            "group": place.group,
            "subscription": place.subscription,
        }[at]
        under: Raw = {"condition": condition, "conditionVersion": "2.0"} if condition else {}
        held = [assign(scope, place.object_id(f"{who}{n}"), role, kind=kind, **under) for n, role in enumerate(roles)]
        if who == "users":  # all to one
            held = [assign(scope, place.object_id(who), role, kind=kind, **under) for role in roles]
        instances = [compute(ws, "ci1", "ComputeInstance")] if instance else []
        return Tenant([*([blobs] if there else []), ws, *instances], held)

    return build


def _project(place: Place) -> Tenant:
    """On the hub's account, whose mode and refusal it does not repeat."""
    blobs = storage(place, allowSharedKeyAccess=False)
    hub = workspace(place, name="hub", kind="Hub", storageAccount=blobs["id"], systemDatastoresAuthMode="identity")
    project = workspace(place, kind="Project", storageAccount=blobs["id"], hubResourceId=hub["id"])
    held = [assign(blobs["id"], place.object_id("users"), _FILES, kind="Group")]
    return Tenant([blobs, hub, project], held)


def _feature_store(place: Place) -> Tenant:
    blobs = storage(place)
    ws = workspace(place, kind="FEATURESTORE", storageAccount=blobs["id"], systemDatastoresAuthMode="identity")
    return Tenant([blobs, ws], [assign(place.group, place.object_id("users"), _FILES, kind="Group")])


def _report(variant: str, build: Build, says: str = "", **more: Any) -> Report:
    finds = {"storage-without-keys": says} if says else {}
    finds |= {"keys-refused": mode} if (mode := more.pop("mode", "")) else {}
    return Report("people", variant, build, finds=finds, about=_ABOUT, **more)


REPORTS = (
    _report("who hold files only", _keyless(_FILES), _BLOB_ROLE, never=(_FILE_ROLE,)),
    _report("who hold blobs only", _keyless(BLOB_CONTRIBUTOR), _FILE_ROLE, never=(_BLOB_ROLE,)),
    _report("who hold both", _keyless(_FILES, BLOB_CONTRIBUTOR)),
    _report("who read both", _keyless(_FILES_READER, BLOB_READER)),
    _report("who read both and have instances", _keyless(_FILES_READER, BLOB_READER, instance=True), _FILE_ROLE),
    _report("who hold one each", _keyless(_FILES, BLOB_OWNER, who="team"), " Contributor"),
    _report("who hold both by the group", _keyless(_FILES, BLOB_OWNER, at="group", kind="User")),
    _report("who hold both by the subscription", _keyless(_FILES, BLOB_CONTRIBUTOR, at="subscription")),
    _report("who hold both on a container", _keyless(_FILES, BLOB_CONTRIBUTOR, at="container"), _BLOB_ROLE),
    _report("who hold both under a condition", _keyless(_FILES, BLOB_CONTRIBUTOR, condition="(1)"), _FILE_ROLE),
    _report("who own the account", _keyless(OWNER), _BLOB_ROLE),
    _report("who hold it over smb", _keyless(_SMB, BLOB_CONTRIBUTOR), _FILE_ROLE),
    _report("who are robots", _keyless(_FILES, BLOB_CONTRIBUTOR, kind="ServicePrincipal"), _BLOB_ROLE),
    _report("of a mode in another spelling", _keyless(_FILES, mode="IDENTITY"), _BLOB_ROLE),
    _report("of a project", _project, _BLOB_ROLE),
    _report("of a feature store", _feature_store, _BLOB_ROLE),
    _report("of an account that says nothing", _keyless(_FILES, keys=None), _BLOB_ROLE),
    _report("with signatures", _keyless(_FILES, mode="UserDelegationSAS")),
    _report("of an account with keys", _keyless(_FILES, mode=None, keys=None)),
    _report("of a workspace that wants keys", _keyless(_FILES, mode="accessKey"), _BLOB_ROLE, mode="accessKey"),
    _report("of a workspace that says no mode", _keyless(_FILES, mode=None), _BLOB_ROLE, mode="accessKey"),
    _report(
        "whose roles nobody may read",
        _keyless(_FILES),
        _UNREAD,
        cannot_read=(r"storageAccounts/[^/]*/providers/Microsoft\.Authorization",),
    ),
    _report(
        "whose account nobody may read",
        _keyless(_FILES),
        _UNREAD,
        mode=_UNREAD,
        cannot_read=(r"storageAccounts/[^/]*\?",),
    ),
    _report("whose account is gone", _keyless(there=False)),
)
