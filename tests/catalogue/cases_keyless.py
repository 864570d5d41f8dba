"""Storage that is reached by identity: the mode, who writes there, people, Spark; and feature sets."""

from collections.abc import Callable, Sequence
from typing import Any

from catalogue.build import (
    BLOB_CONTRIBUTOR,
    BLOB_OWNER,
    BLOB_READER,
    CONTRIBUTOR,
    OWNER,
    assign,
    compute,
    connection,
    endpoint,
    resource,
    storage,
    system,
    uai,
    user,
    workspace,
)
from catalogue.case import PEOPLE_TAG, Case, Place, Raw, Tenant
from catalogue.documented import acts, leaves

type Part = Callable[[Raw, Place], Sequence[Raw]]
type Build = Callable[[Place], Tenant]
type Held = tuple[str, str, str]

_JOBS = "Microsoft.MachineLearningServices/workspaces/jobs"
_FILE_CONTRIBUTOR = "69566ab7-960f-475b-8e7c-b3118f30c6bd"
_FILE_READER = "b8eda974-7b85-4f76-af95-65846b26df6d"
_SMB_CONTRIBUTOR = "0c867c2a-1d8c-454a-a3db-ab2ea1bdc8bb"
_DATA_SCIENTIST = "f6c7c914-8db3-469d-8ca1-694a8f32e121"
_BOTH = (("users", BLOB_CONTRIBUTOR, "Group"), ("users", _FILE_CONTRIBUTOR, "Group"))


def _on_storage(
    *parts: Part, mode: str | None = "identity", keys: bool = False, held: Sequence[Held] = (), **more: Any
) -> Build:
    """A workspace and its storage account; `held` are (who, role, principal type), on the account."""

    def build(place: Place) -> Tenant:
        blobs = storage(place, allowSharedKeyAccess=keys)
        said: dict[str, Any] = {"systemDatastoresAuthMode": mode} if mode else {}
        ws = workspace(place, storageAccount=blobs["id"], **said, **more)
        grants = [assign(blobs["id"], place.object_id(who), role, kind=kind) for who, role, kind in held]
        return Tenant([blobs, ws, *(one for part in parts for one in part(ws, place))], grants)

    return build


def _cluster(kind: str = "AmlCompute") -> Part:
    return lambda ws, place: [compute(ws, "cpu1", kind, identity=system(place.object_id("cpu1")))]


def _compute_as(kind: str) -> Part:
    """With a user-assigned identity `uami`."""

    def part(ws: Raw, place: Place) -> Sequence[Raw]:
        one = uai(place)
        return [one, compute(ws, "cpu1", kind, identity=user(one))]

    return part


def _bare(kind: str) -> Part:
    return lambda ws, _: [compute(ws, "cpu1", kind)]


def _endpoint(*, own: bool) -> Part:
    def part(ws: Raw, place: Place) -> Sequence[Raw]:
        one = uai(place)
        return [one, endpoint(ws, "serve1", identity=system(place.object_id("serve1")) if own else user(one))]

    return part


def _job(**properties: Any) -> Part:
    return lambda ws, _: [resource(f"{ws['id']}/jobs/job1", _JOBS, {"status": "Completed", **properties})]


def _pipeline(kind: str) -> Part:
    """With one step, on cluster cpu1."""

    def part(ws: Raw, place: Place) -> Sequence[Raw]:
        step = {"type": kind, "computeId": f"{ws['id']}/computes/cpu1"}
        return _job(jobType="Pipeline", jobs={"score": step})(ws, place)

    return part


def _batch(kind: str = "Model") -> Part:
    """A batch endpoint with a deployment on cluster cpu1."""

    def part(ws: Raw, _: Place) -> Sequence[Raw]:
        kinds = "Microsoft.MachineLearningServices/workspaces/batchEndpoints"
        one = resource(f"{ws['id']}/batchEndpoints/nightly", kinds, {"authMode": "AADToken"})
        body = {
            "compute": f"{ws['id']}/computes/cpu1",
            "miniBatchSize": 10,
            "deploymentConfiguration": {"deploymentConfigurationType": kind},
        }
        return [one, resource(f"{one['id']}/deployments/default", f"{kinds}/deployments", body)]

    return part


def _project(hub_mode: str) -> Build:
    """Below a hub whose mode it does not repeat."""

    def build(place: Place) -> Tenant:
        blobs = storage(place, allowSharedKeyAccess=False)
        hub = workspace(place, name="hub", kind="Hub", storageAccount=blobs["id"], systemDatastoresAuthMode=hub_mode)
        project = workspace(place, kind="Project", storageAccount=blobs["id"], hubResourceId=hub["id"])
        return Tenant([blobs, hub, project])

    return build


def _feature_store(*held: Held) -> Build:
    """Its offline store is a container of the account on which `held` is held besides."""

    def build(place: Place) -> Tenant:
        blobs = storage(place)
        settings = {"offlineStoreConnectionName": "offline"}
        ws = workspace(place, kind="FeatureStore", storageAccount=blobs["id"], featureStoreSettings=settings)
        container = f"{blobs['id']}/blobServices/default/containers/features"
        users = assign(ws["id"], place.object_id("users"), _DATA_SCIENTIST, kind="Group")
        reads = [assign(blobs["id"], place.object_id(who), role, kind=kind) for who, role, kind in held]
        return Tenant([blobs, ws, connection(ws, "offline", "ADLSGen2", container)], [users, *reads])

    return build


_SPARK_JOB = _job(jobType="Spark", codeId="code", entry={"sparkJobEntryType": "SparkJobPythonEntry", "file": "main.py"})
_READY: Raw = {"managedNetwork": {"isolationMode": "AllowInternetOutbound", "status": {"sparkReady": True}}}

CASES: tuple[Case, ...] = (
    acts("keys-refused", _on_storage(mode=None), "systemDatastoresAuthMode is accessKey", outcome="Finding"),
    acts("keys-refused", _on_storage(mode="AccessKey"), "auth-mode identity", "the mode in another spelling"),
    acts("keys-refused", _project("accessKey"), "--name hub", "a project whose hub signs in with keys"),
    leaves("keys-refused", _on_storage(mode="UserDelegationSAS")),
    leaves("keys-refused", _on_storage(mode="Identity"), "a workspace that signs in by identity"),
    leaves("keys-refused", _on_storage(mode="accessKey", keys=True), "an account that takes shared keys"),
    leaves("keys-refused", _project("identity"), "a project whose hub signs in by identity"),
    acts(
        "compute-writes-blobs",
        _on_storage(_cluster(), held=[("cpu1", BLOB_READER, "ServicePrincipal")]),
        "writes models",
        outcome="Applied",
    ),
    acts(
        "compute-writes-blobs",
        _on_storage(_compute_as("Kubernetes"), keys=True),
        "writes models",
        "a Kubernetes compute with a user-assigned identity",
        outcome="Applied",
    ),
    leaves("compute-writes-blobs", _on_storage(_cluster(), mode="accessKey", keys=True)),
    leaves(
        "compute-writes-blobs",
        _on_storage(_cluster(), held=[("cpu1", BLOB_OWNER, "ServicePrincipal")]),
        "a cluster that holds Storage Blob Data Owner there",
    ),
    acts("endpoint-writes-blobs", _on_storage(_endpoint(own=False)), "gives no user-assigned one", outcome="Applied"),
    leaves("endpoint-writes-blobs", _on_storage(_endpoint(own=True))),
    acts("instance-file-share", _on_storage(_cluster("ComputeInstance")), "--identity-type UserAssigned"),
    acts(
        "instance-file-share",
        _on_storage(_compute_as("ComputeInstance"), held=[("uami", _SMB_CONTRIBUTOR, "ServicePrincipal")]),
        '--role "Storage File Data Privileged Contributor"',
        "an instance whose user-assigned identity may use the share over SMB only",
    ),
    leaves("instance-file-share", _on_storage(_bare("ComputeInstance"))),
    acts(
        "parallel-runs",
        _on_storage(_cluster(), _pipeline("parallel"), held=[("cpu1", BLOB_CONTRIBUTOR, "ServicePrincipal")]),
        "in queues",
        outcome="Applied",
    ),
    leaves("parallel-runs", _on_storage(_cluster(), _pipeline("command"))),
    acts(
        "parallel-runs",
        _on_storage(_cluster(), _batch(), held=[("cpu1", BLOB_CONTRIBUTOR, "ServicePrincipal")]),
        "in tables",
        "a batch deployment of a model",
        outcome="Applied",
    ),
    leaves(
        "parallel-runs",
        _on_storage(_cluster(), _batch("PipelineComponent")),
        "a batch deployment of a pipeline component without parallel steps",
    ),
    acts(
        "storage-without-keys",
        _on_storage(held=[("robot", _FILE_CONTRIBUTOR, "ServicePrincipal")]),
        "Storage File Data Privileged Contributor",
        outcome="Finding",
    ),
    acts(
        "storage-without-keys",
        _on_storage(held=_BOTH[1:]),
        '--role "Storage Blob Data Contributor"',
        "a group that holds the role for files only",
    ),
    acts(
        "storage-without-keys",
        _on_storage(_bare("ComputeInstance"), held=[("users", BLOB_READER, "Group"), ("users", _FILE_READER, "Group")]),
        "Storage File Data Privileged Contributor",
        "a group that only reads, where there are instances: they mount the share to write",
    ),
    leaves("storage-without-keys", _on_storage(held=_BOTH)),
    leaves(
        "storage-without-keys",
        _on_storage(held=[("users", BLOB_READER, "Group"), ("users", _FILE_READER, "Group")]),
        "a group that is Reader of both",
    ),
    leaves("storage-without-keys", _on_storage(mode="accessKey", keys=True), "an account that takes shared keys"),
    acts("people-storage", _on_storage(tags={PEOPLE_TAG: "data-science"}), "must read and write", outcome="Applied"),
    leaves("people-storage", _on_storage(mode="accessKey", keys=True, tags={PEOPLE_TAG: "data-science"})),
    leaves("people-storage", _on_storage(), "a workspace on which the policy wants no group"),
    acts(
        "spark-storage",
        _on_storage(_cluster("SynapseSpark"), held=[("cpu1", BLOB_READER, "ServicePrincipal")]),
        "runs Spark jobs",
        outcome="Applied",
    ),
    leaves(
        "spark-storage",
        _on_storage(
            _cluster("SynapseSpark"),
            held=[("cpu1", OWNER, "ServicePrincipal"), ("cpu1", BLOB_CONTRIBUTOR, "ServicePrincipal")],
        ),
    ),
    acts("spark-identity", _on_storage(_SPARK_JOB, held=[("users", CONTRIBUTOR, "Group")], **_READY), "as their user"),
    acts("spark-identity", _on_storage(_bare("SynapseSpark")), "without an identity", "a pool without an identity"),
    leaves("spark-identity", _on_storage(_SPARK_JOB, held=[*_BOTH, ("users", CONTRIBUTOR, "Group")], **_READY)),
    acts("feature-set-users", _feature_store(), "reads offline store", outcome="Finding"),
    leaves("feature-set-users", _feature_store(("users", BLOB_READER, "Group"))),
)
