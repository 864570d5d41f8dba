"""Requirements that other rules carry out: the example of each, seen in the rules that act for it."""

from collections.abc import Callable

from catalogue.build import (
    ACR_PULL,
    BLOB_READER,
    assign,
    compute,
    datastore,
    endpoint,
    registry,
    resource,
    storage,
    system,
    uai,
    user,
    workspace,
)
from catalogue.case import Case, Place, Tenant

type Build = Callable[[Place], Tenant]

_AML = "Microsoft.MachineLearningServices/workspaces"
_UAI = "Microsoft.ManagedIdentity/userAssignedIdentities"
_REPOSITORY_WRITER = "2a1e307c-b015-4ebd-883e-5b7698a07328"


def _plain(place: Place) -> Tenant:
    return Tenant([workspace(place)])


def _not_attached(place: Place) -> Tenant:
    """`one` and `two` are attached; the primary identity is `three`."""
    ids = [uai(place, name) for name in ("one", "two", "three")]
    primary = place.id(_UAI, "three")
    return Tenant([*ids, workspace(place, identity=user(*ids[:2]), primaryUserAssignedIdentity=primary)])


def _customer_provided(*, by_uai: bool) -> Build:
    def build(place: Place) -> Tenant:
        blobs, one = storage(place), uai(place)
        if not by_uai:
            return Tenant([blobs, workspace(place, storageAccount=blobs["id"])])
        primary = {"primaryUserAssignedIdentity": one["id"]}
        return Tenant([blobs, one, workspace(place, identity=user(one), storageAccount=blobs["id"], **primary)])

    return build


def _two_identities(held_by: str) -> Build:
    """A cluster with identities `first` and `second`, of which `held_by` may pull."""

    def build(place: Place) -> Tenant:
        acr, first, second = registry(place), uai(place, "first"), uai(place, "second")
        ws = workspace(place, containerRegistry=acr["id"])
        one = compute(ws, "cpu1", identity=user(first, second))
        return Tenant([acr, first, second, ws, one], [assign(acr["id"], place.object_id(held_by), ACR_PULL)])

    return build


def _pulling(role: str | None = None, *, abac: bool = False, by_uai: bool = False) -> Build:
    def build(place: Place) -> Tenant:
        acr, own = registry(place, abac=abac), uai(place, "cpu1")
        ws = workspace(place, containerRegistry=acr["id"])
        one = compute(ws, "cpu1", identity=user(own) if by_uai else system(place.object_id("cpu1")))
        held = [assign(acr["id"], place.object_id("cpu1"), role)] if role else []
        return Tenant([acr, own, ws, one], held)

    return build


def _batch(*roles: str) -> Build:
    """`roles` are those of the cluster's identity on the storage account."""

    def build(place: Place) -> Tenant:
        blobs = storage(place)
        ws = workspace(place, storageAccount=blobs["id"])
        store = datastore(ws, "workspaceblobstore", blobs["name"])
        cluster = compute(ws, "cpu1", identity=system(place.object_id("cpu1")))
        batch = resource(f"{ws['id']}/batchEndpoints/batch", f"{_AML}/batchEndpoints", {"authMode": "AADToken"})
        held = [assign(blobs["id"], place.object_id("cpu1"), role) for role in roles]
        return Tenant([blobs, ws, store, cluster, batch], held)

    return build


def _called_with(mode: str) -> Build:
    def build(place: Place) -> Tenant:
        ws = workspace(place)
        return Tenant([ws, endpoint(ws, "infer", identity=system(place.object_id("infer")), authMode=mode)])

    return build


CASES: tuple[Case, ...] = (
    Case(
        "workspace-identity-one-way",
        True,
        "a workspace with a user-assigned identity: every remedy keeps it",
        _not_attached,
        "userAssignedIdentities/one",
        "Finding",
    ),
    Case("workspace-identity-one-way", False, "a workspace with a system-assigned identity only", _plain),
    Case(
        "workspace-identities-resent",
        True,
        "a primary identity that is not attached: the command that attaches it also names the attached ones",
        _not_attached,
        "userAssignedIdentities/two",
        "Finding",
    ),
    Case("workspace-identities-resent", False, "a workspace with a system-assigned identity only", _plain),
    Case(
        "brought-along-dependencies",
        True,
        "a UAI workspace: AML grants its identity nothing",
        _customer_provided(by_uai=True),
        "AML grants it nothing there",
        "Applied",
    ),
    Case(
        "brought-along-dependencies",
        False,
        "a workspace that acts as its system-assigned identity and whose dependencies lie beside it",
        _customer_provided(by_uai=False),
    ),
    Case(
        "default-identity",
        True,
        "a cluster with two user-assigned identities: the first one needs the roles",
        _two_identities("second"),
        "first",
        "Applied",
    ),
    Case("default-identity", False, "the second of them", _two_identities("first")),
    Case(
        "compute-identity-name",
        True,
        "a cluster with a system-assigned identity",
        _pulling(),
        "mlw/computes/cpu1",
        "Applied",
    ),
    Case(
        "compute-identity-name",
        False,
        "a cluster with a user-assigned identity, which has a name of its own",
        _pulling(ACR_PULL, by_uai=True),
    ),
    Case(
        "abac-registry",
        True,
        "a cluster that holds only AcrPull on a registry in ABAC mode",
        _pulling(ACR_PULL, abac=True),
        "ABAC mode",
        "Applied",
    ),
    Case(
        "abac-registry",
        False,
        "a cluster that holds Container Registry Repository Writer there",
        _pulling(_REPOSITORY_WRITER, abac=True),
    ),
    Case(
        "batch-endpoint-storage",
        True,
        "a batch endpoint on a cluster that holds nothing on the storage account",
        _batch(),
        "cpu1 reads",
        "Applied",
    ),
    Case(
        "batch-endpoint-storage",
        False,
        "a batch endpoint whose cluster holds Storage Blob Data Reader there",
        _batch(BLOB_READER),
    ),
    Case(
        "token-audience",
        True,
        "a remedy that asks callers to use Microsoft Entra tokens",
        _called_with("Key"),
        "aad_token",
        "Finding",
    ),
    Case("token-audience", False, "an endpoint that already accepts only these", _called_with("AADToken")),
)
