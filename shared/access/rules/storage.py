"""Who reads blobs of the workspace's default storage account."""

from collections.abc import Iterator

from shared.access.asks import Ask, RequiredGrant
from shared.access.model import Estate, Workspace
from shared.access.needs import READ_BLOBS, WRITE_METRICS
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_NO_BLOBS = ("azurefile", "azuredatalakegen1")
_ENDPOINTS = _DOCS + "how-to-access-resources-from-endpoints-managed-identities"


def _compute_reads_blobs(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    storage = workspace.storage
    if storage is None or not _read_by_identity(workspace, storage):
        return
    for compute in workspace.computes:
        principal = compute.identity.default
        if principal:
            reason = f"{principal.label} reads {storage.name} as itself: its datastores keep no credential"
            yield RequiredGrant(principal, READ_BLOBS, storage, compute.id, ("AML-32",), reason)


def _read_by_identity(workspace: Workspace, storage: Scope) -> bool:
    """Whether the workspace or a datastore reaches the default account with the caller's identity."""
    return workspace.storage_by_identity or any(
        store.identity_based
        and store.type not in _NO_BLOBS
        and store.account is not None
        and store.account.casefold() == storage.name.casefold()
        for store in workspace.datastores
    )


def _endpoint_reads_blobs(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for endpoint, principal in ((e, e.identity.default) for e in workspace.endpoints):
        if principal and workspace.storage:
            reason = f"{principal.label} reads models and code from {workspace.storage.name}"
            yield RequiredGrant(principal, READ_BLOBS, workspace.storage, endpoint.id, ("AML-42",), reason)


def _endpoint_writes_metrics(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    for endpoint, principal in ((e, e.identity.default) for e in workspace.endpoints):
        if principal:
            reason = f"{principal.label} writes metrics to {workspace.id.name}"
            yield RequiredGrant(principal, WRITE_METRICS, workspace.id, endpoint.id, ("AML-42",), reason)


RULES = (
    Rule(
        name="compute-reads-blobs",
        requirements=("AML-32",),
        mode=RuleKind.FIX,
        title="A compute's identity can read the workspace's storage if datastores keep no credential.",
        source=_DOCS + "how-to-identity-based-service-authentication",
        examine=_compute_reads_blobs,
        acts="a cluster of a workspace whose system datastores use identity",
        leaves="a workspace whose datastores keep a key: the compute reads with the key",
        keeps_apart=True,
        also=("AML-16", "AML-81"),
        grants=(READ_BLOBS,),
        reads=(List.COMPUTES, List.DATASTORES),
        watches=(
            "Microsoft.MachineLearningServices/workspaces/datastores",
            "Microsoft.MachineLearningServices/workspaces/computes",
            "Microsoft.MachineLearningServices/workspaces/batchEndpoints",
            "Microsoft.Storage/storageAccounts",
        ),
    ),
    Rule(
        name="endpoint-reads-blobs",
        requirements=("AML-42",),
        mode=RuleKind.FIX,
        title="An online endpoint's identity can read blobs of the workspace's storage account.",
        source=_ENDPOINTS,
        examine=_endpoint_reads_blobs,
        acts="an endpoint with a user-assigned identity: AML grants it nothing",
        leaves="an endpoint whose identity holds Storage Blob Data Owner on the account",
        keeps_apart=True,
        grants=(READ_BLOBS,),
        reads=(List.ENDPOINTS,),
        watches=("Microsoft.MachineLearningServices/workspaces/onlineEndpoints",),
    ),
    Rule(
        name="endpoint-writes-metrics",
        requirements=(),
        mode=RuleKind.OPT_IN,
        title="An online endpoint's identity can write metrics to the workspace.",
        source=_ENDPOINTS,
        examine=_endpoint_writes_metrics,
        acts="an endpoint with a user-assigned identity, when the policy turns the rule on",
        leaves="an endpoint whose identity holds Contributor on the workspace",
        grants=(WRITE_METRICS,),
        keeps_apart=False,
        reads=(List.ENDPOINTS,),
        watches=("Microsoft.MachineLearningServices/workspaces/onlineEndpoints",),
        optional=True,
    ),
)
