"""Parallel runs on storage that is reached by identity: they keep their state in tables and queues (AML-87)."""

from collections.abc import Iterator

from shared.access.asks import Ask, RequiredGrant
from shared.access.model import Estate, Principal, Want, Workspace
from shared.access.needs import WRITE_QUEUES, WRITE_TABLES
from shared.access.raw import text
from shared.access.rules import keyless
from shared.access.rules.jobs import JOBS, identity, newest, run_by, steps
from shared.access.rules.rule import List, Mode, Rule
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from keyless.wants(workspace, estate)
    if workspace.storage and keyless.by_identity(workspace, estate) and (workspace.computes or workspace.acts_as_uai):
        yield newest(workspace)


def _runs(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(PARALLEL, ("AML-87",), _wants(workspace, estate), estate)
    storage = workspace.storage
    if storage is None or not keyless.by_identity(workspace, estate):
        return
    for principal, on in dict(_running(workspace, estate)).items():
        for need, what in ((WRITE_TABLES, "tables"), (WRITE_QUEUES, "queues")):
            reason = f"{principal.label} keeps the state of parallel runs in {what} of {storage.name}"
            yield RequiredGrant(principal, need, storage, on, ("AML-87",), reason)


def _running(workspace: Workspace, estate: Estate) -> Iterator[tuple[Principal, Scope]]:
    """As azure-ai-ml writes pipelines: each step has a type, and its compute or the pipeline's default."""
    for job in estate.listed(workspace.id, JOBS, pages=1):
        default = text(job, "properties", "settings", "default_compute") or text(job, "properties", "computeId")
        for step in steps(job):
            kind = (text(step, "type") or "").casefold()
            as_user = (identity(step) or identity(job.get("properties"))) == "user"
            found = run_by(text(step, "computeId") or default, workspace)
            if kind == "parallel" and found and not as_user:
                yield found


PARALLEL = "parallel-runs"

RULES = (
    Rule(
        PARALLEL,
        ("AML-87",),
        Mode.OPT_IN,
        "Whoever runs parallel jobs writes tables and queues of the workspace's storage account where that is reached "
        "by identity.",
        "learn.microsoft.com/azure/machine-learning/how-to-disable-local-auth-storage",
        _runs,
        "a recent pipeline with a parallel step, on a cluster that may only write blobs",
        "a recent pipeline without a parallel step",
        wants=_wants,
        also=("AML-16",),
        grants=(WRITE_TABLES, WRITE_QUEUES),
        reads=(List.COMPUTES,),
        watches=("Microsoft.MachineLearningServices/workspaces/computes", "Microsoft.Storage/storageAccounts"),
        keeps_apart=True,
    ),
)
