"""Parallel runs on storage that is reached by identity: they keep their state in tables and queues (AML-87)."""

from collections.abc import Iterator

from shared.access.asks import Ask, RequiredGrant
from shared.access.model import Estate, Principal, Raw, Want, Workspace
from shared.access.needs import WRITE_QUEUES, WRITE_TABLES
from shared.access.raw import scope_or_none, text
from shared.access.rules import keyless
from shared.access.rules.jobs import JOBS, identity, newest, run_by, steps
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_BATCH = "batchEndpoints"
_DEPLOYMENTS = "deployments"


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from keyless.wants(workspace, estate)
    if workspace.storage and keyless.by_identity(workspace, estate) and (workspace.computes or workspace.acts_as_uai):
        yield newest(workspace)
        if workspace.computes:
            yield Want(workspace.id, _BATCH)
            yield from (Want(endpoint, _DEPLOYMENTS) for endpoint in _batch_endpoints(workspace, estate))


def _runs(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    storage = workspace.storage
    if storage is None or not keyless.by_identity(workspace, estate):
        return
    for principal, on in dict(_running(workspace, estate)).items():
        for need, what in ((WRITE_TABLES, "tables"), (WRITE_QUEUES, "queues")):
            reason = f"{principal.label} keeps the state of parallel runs in {what} of {storage.name}"
            yield RequiredGrant(principal, need, storage, on, ("AML-87",), reason)


def _running(workspace: Workspace, estate: Estate) -> Iterator[tuple[Principal, Scope]]:
    """As azure-ai-ml writes pipelines: each step has a type, and its own compute or the pipeline's default.

    Batch deployments of a model are parallel runs on their cluster (how-to-use-batch-model-deployments).
    """
    for job in estate.listed(workspace.id, JOBS, pages=1):
        default = text(job, "properties", "settings", "default_compute") or text(job, "properties", "computeId")
        for step in steps(job):
            kind = (text(step, "type") or "").casefold()
            as_user = (identity(step) or identity(job.get("properties"))) == "user"
            found = run_by(text(step, "computeId") or default, workspace)
            if kind == "parallel" and found and not as_user:
                yield found
    for endpoint in _batch_endpoints(workspace, estate):
        for deployment in estate.listed(endpoint, _DEPLOYMENTS):
            named = text(deployment, "properties", "compute")
            found = run_by(named, workspace) if named and _of_a_model(deployment) else None
            if found:
                yield found


def _batch_endpoints(workspace: Workspace, estate: Estate) -> list[Scope]:
    return [scope for raw in estate.listed(workspace.id, _BATCH) if (scope := scope_or_none(raw.get("id")))]


def _of_a_model(deployment: Raw) -> bool:
    """A model that is scored in mini batches is a parallel run. What a pipeline component does shows in its jobs."""
    kind = text(deployment, "properties", "deploymentConfiguration", "deploymentConfigurationType") or "model"
    return kind.casefold() == "model"


PARALLEL = "parallel-runs"

RULES = (
    Rule(
        name=PARALLEL,
        requirements=("AML-87",),
        mode=RuleKind.OPT_IN,
        title="An identity that runs parallel jobs can write tables and queues of the workspace's storage account if "
        "that is reached by identity.",
        source="learn.microsoft.com/azure/machine-learning/how-to-disable-local-auth-storage",
        examine=_runs,
        acts="a recent pipeline with a parallel step, or a batch deployment, on a cluster that may only write blobs",
        leaves="a recent pipeline without a parallel step, and no batch deployment",
        wants=_wants,
        also=("AML-16",),
        grants=(WRITE_TABLES, WRITE_QUEUES),
        reads=(List.COMPUTES,),
        watches=(
            "Microsoft.MachineLearningServices/workspaces/computes",
            "Microsoft.MachineLearningServices/workspaces/batchEndpoints",
            "Microsoft.Storage/storageAccounts",
        ),
        keeps_apart=True,
    ),
)
