"""Jobs: whose identity they use.

The number of jobs grows without bound, so only the first page, the newest jobs, is read.

ARM gives only the name of the person who submitted a job. So amlguard does not check what that person may read. It
checks whether AML would read as that person at all.
"""

from collections.abc import Iterator, Mapping

from shared.access.asks import Ask, Found, Severity
from shared.access.model import Datastore, Estate, Principal, Raw, Want, Workspace
from shared.access.raw import get, scope_or_none, text
from shared.access.rules.az import at, az, code, to_users
from shared.access.rules.datastores import credential, register
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
JOBS = "jobs"
_DATA = ("azureblob", "azuredatalakegen1", "azuredatalakegen2", "onelake")
_NAMED = 5


def newest(workspace: Workspace) -> Want:
    """The first page of the jobs."""
    return Want(workspace.id, JOBS, pages=1)


def run_by(named: str | None, workspace: Workspace) -> tuple[Principal, Scope] | None:
    """Whose identity a job on that compute (an id, or a name) uses, and of which resource.

    Without a compute it is serverless.

    None if the compute is gone or has no known identity.
    """
    name = (named or "serverless").rpartition("/")[2].casefold()
    if name == "serverless":
        return (workspace.acting, workspace.id) if workspace.acting and workspace.acts_as_uai else None
    compute = next((one for one in workspace.computes if one.id.name.casefold() == name), None)
    return (compute.identity.default, compute.id) if compute and compute.identity.default else None


def _data(workspace: Workspace) -> list[Datastore]:
    return [store for store in workspace.datastores if store.type in _DATA]


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if _data(workspace):
        yield newest(workspace)


def _jobs(workspace: Workspace, estate: Estate) -> tuple[Raw, ...]:
    return estate.listed(workspace.id, JOBS, pages=1) if _data(workspace) else ()


def identity(job: object) -> str:
    """`user`, `managed` or `amltoken`; empty if the job leaves it to AML. Steps of pipelines spell it in snake case."""
    named = text(job, "identity", "identityType") or text(job, "identity", "type") or ""
    return named.casefold().replace("_", "").removesuffix("identity")


def steps(job: Raw) -> list[object]:
    found = get(job, "properties", "jobs")
    return list(found.values()) if isinstance(found, Mapping) else []


def _identities(job: Raw) -> set[str]:
    return {found for one in (job.get("properties"), *steps(job)) if (found := identity(one))}


def _cached(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    keeping = [store for store in _data(workspace) if credential(store)]
    as_user = [job for job in _jobs(workspace, estate) if "user" in _identities(job)]
    if keeping and as_user:
        stores = ", ".join(store.id.name for store in keeping)
        yield Found(
            workspace.id,
            f"Jobs of workspace {workspace.id.name} run as their user ({_names(as_user)}), but these datastores keep a "
            f"credential, with which AML reads instead: {stores}.",
            {
                "grants": code(to_users("Storage Blob Data Reader", "STORAGE-ACCOUNT-ID")),
                "register": register(workspace.id),
            },
        )


def _names(jobs: list[Raw]) -> str:
    names = [str(job.get("name") or "a job") for job in jobs]
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def _mixed(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    for job in _jobs(workspace, estate):
        found = _identities(job)
        others = " and ".join(sorted(found - {"user"}))
        if "user" in found and others:
            yield Found(
                scope_or_none(job.get("id")) or workspace.id,
                f"Job {job.get('name')} runs partly as its user and partly as {others}: AML does not mix user "
                "and compute identity in one job.",
                {"submit": code(az("ml job create", file="JOB.yml", **at(workspace.id)))},
            )


RULES = (
    Rule(
        name="user-identity-jobs",
        requirements=("AML-39",),
        mode=RuleKind.AUDIT,
        title="If jobs run as their user, datastores keep no credential that AML would use instead.",
        source=_SOURCE,
        examine=_cached,
        acts="a job with user identity in a workspace whose datastore keeps an account key",
        leaves="a job with user identity in a workspace whose datastores keep no credential",
        severity=Severity.MEDIUM,
        remedy="First give their users a role to read (those who write need Storage Blob Data Contributor): {grants}. "
        "Then register them again, without credentials: {register}",
        wants=_wants,
        reads=(List.DATASTORES,),
        watches=("Microsoft.MachineLearningServices/workspaces/datastores",),
    ),
    Rule(
        name="mixed-identity-jobs",
        requirements=("AML-40",),
        mode=RuleKind.AUDIT,
        title="A job runs as its user or as the compute, not as both.",
        source=_SOURCE,
        examine=_mixed,
        acts="a pipeline with user identity in which one step uses a managed identity",
        leaves="a pipeline whose steps all have user identity",
        severity=Severity.LOW,
        remedy="Give the job one identity (identity: {{type: user_identity}} at its top, none in its steps) and "
        "submit it again: {submit}",
        wants=_wants,
        reads=(List.DATASTORES,),
        watches=("Microsoft.MachineLearningServices/workspaces/datastores",),
    ),
)
