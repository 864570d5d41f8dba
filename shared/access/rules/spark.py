"""Spark: what the identity of a job needs on the storage that it reads and writes (AML-89).

An attached Synapse pool runs jobs as the identity of its compute. Serverless Spark runs jobs as whoever submits them,
or as a user-assigned identity of the workspace if the job says so (apache-spark-environment-configuration, "Ensuring
resource access for Spark jobs").
"""

import re
from collections.abc import Iterator, Mapping

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import ComputeType, Estate, Principal, Raw, Want, Workspace
from shared.access.needs import CONTROL_STORAGE, WRITE_BLOBS
from shared.access.raw import flag, get, text
from shared.access.rules.accounts import account, account_wants, containers
from shared.access.rules.az import code, to_users
from shared.access.rules.identity_change import update_compute
from shared.access.rules.jobs import JOBS, identity, newest, run_by, steps
from shared.access.rules.keyless_people import people_on
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_SPARK = "learn.microsoft.com/azure/machine-learning/how-to-submit-spark-jobs"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces", "Microsoft.MachineLearningServices/workspaces/computes")
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_DATASTORE = re.compile(r"azureml:(?://|.*/)datastores/([^/]+)", re.IGNORECASE)
_BLOB_WRITERS = frozenset((WRITE_BLOBS.role_id, "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"))  # and Storage Blob Data Owner
_CONTROLLERS = frozenset(
    (
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",  # Owner
        "b24988ac-6180-42a0-ab88-20f7382dd24c",  # Contributor
        "b78c5d69-af96-48a3-bf8d-a8b4d589de94",  # Azure AI Administrator
        "17d1049b-9a84-46fb-8f53-869881c3d3ab",  # Storage Account Contributor
    )
)
# The principal, whose identity it is, the account, and the containers there (empty for all of it).
type _User = tuple[Principal, Scope, Scope, tuple[Scope, ...]]


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    pools = any(one.type is ComputeType.SYNAPSE_SPARK for one in workspace.computes)
    ready = flag(workspace.raw, "properties", "managedNetwork", "status", "sparkReady")
    if pools or ready or workspace.identity.user or workspace.datastores:
        yield newest(workspace)
    if _jobs(workspace, estate):
        yield from account_wants(workspace)


def _jobs(workspace: Workspace, estate: Estate) -> list[Raw]:
    """Spark jobs and Spark steps of pipelines, among the newest jobs."""
    found: list[Raw] = []
    for job in estate.listed(workspace.id, JOBS, pages=1):
        body = get(job, "properties")
        if (text(body, "jobType") or "").casefold() == "spark":
            found.append(body)
        found += [
            one for one in steps(job) if isinstance(one, dict) and (text(one, "type") or "").casefold() == "spark"
        ]
    return found


def _as_user(job: Raw) -> bool:
    """Unless the job says otherwise, serverless Spark runs as its user, and an attached pool as itself."""
    return (identity(job) or ("managed" if text(job, "computeId") else "user")) == "user"


def _runs_as(job: Raw, workspace: Workspace) -> tuple[Principal, Scope] | None:
    if text(job, "computeId"):
        return run_by(text(job, "computeId"), workspace)
    named = (text(job, "identity", "resourceId") or "").casefold()
    attached = workspace.identity.user
    found = next((one for one in attached if one.resource and one.resource.key == named), None)
    mine = workspace.acting if workspace.acts_as_uai else next(iter(attached), None)
    principal = found or mine
    return (principal, workspace.id) if principal else None


def _stores(job: Raw, workspace: Workspace, estate: Estate) -> Iterator[tuple[Scope, tuple[Scope, ...]]]:
    """The accounts of datastores that inputs and outputs name and that keep no credential."""
    known = {one.id.name.casefold(): one for one in workspace.datastores if one.identity_based}
    for kind in ("inputs", "outputs"):
        named = get(job, kind)
        for one in named.values() if isinstance(named, Mapping) else ():
            found = _DATASTORE.match(text(one, "uri") or "")
            store = known.get(found[1].casefold()) if found else None
            where = account(store, workspace, estate) if store else None
            if store and where:
                yield where, () if where == workspace.storage else containers([store], where)


def _users(workspace: Workspace, estate: Estate) -> Iterator[_User]:
    """Who reads and writes where. Every job has its code on the workspace's own account."""
    for compute in workspace.computes:
        if compute.type is ComputeType.SYNAPSE_SPARK and compute.identity.default and workspace.storage:
            yield compute.identity.default, compute.id, workspace.storage, ()
    for job in _jobs(workspace, estate):
        running = None if _as_user(job) else _runs_as(job, workspace)
        if running:
            own = ((workspace.storage, ()),) if workspace.storage else ()
            yield from ((*running, *where) for where in (*own, *_stores(job, workspace, estate)))


def _storage(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    for principal, on, where, about in dict.fromkeys(_users(workspace, estate)):
        for need, parts in ((CONTROL_STORAGE, ()), (WRITE_BLOBS, about)):
            reason = f"{principal.label} runs Spark jobs on data in {where.name}, and must {need.name}"
            named = where != workspace.storage
            yield RequiredGrant(principal, need, where, on, ("AML-89",), reason, explicit=named, about=parts)


def _identity_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from _wants(workspace, estate)
    if workspace.storage and any(map(_as_user, _jobs(workspace, estate))):
        yield Want(workspace.storage, _ASSIGNMENTS)


def _identities(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    wants = tuple(_identity_wants(workspace, estate))
    yield from unreadable(wants, estate)
    for compute in workspace.computes:
        if compute.type is ComputeType.SYNAPSE_SPARK and compute.identity.empty and compute.ready:
            yield Found(
                compute.id,
                f"Spark pool {compute.id.name} is attached without an identity: its jobs cannot reach their data "
                "unless they run as their user.",
                {"change": update_compute(compute)},
                kind="pool without identity",
            )
    storage = workspace.storage
    want = Want(storage, _ASSIGNMENTS) if storage else None
    if storage is None or want not in wants or want not in estate.facts or estate.unreadable(want):
        return
    roles: dict[str, set[str]] = {}
    for who, role in people_on(storage, estate):
        roles.setdefault(who, set()).add(role)
    if not any(one & _BLOB_WRITERS and one & _CONTROLLERS for one in roles.values()):
        yield _nobody(workspace, storage)


def _nobody(workspace: Workspace, storage: Scope) -> Found:
    return Found(
        workspace.id,
        f"Spark jobs of workspace {workspace.id.name} run as their user, and no user or group is both Contributor and "
        f"Storage Blob Data Contributor on {storage.name}, where they read and write.",
        {"grants": code(to_users("Storage Blob Data Contributor", storage), to_users("Contributor", storage))},
        kind="nobody holds both roles",
    )


STORAGE = "spark-storage"
IDENTITIES = "spark-identity"

RULES = (
    Rule(
        name=STORAGE,
        requirements=("AML-89",),
        mode=RuleKind.OPT_IN,
        title="The identity that Spark jobs use holds Contributor and Storage Blob Data Contributor on the storage "
        "that they read and write.",
        source=_SPARK,
        examine=_storage,
        acts="an attached Spark pool whose identity holds Storage Blob Data Reader",
        leaves="a Spark pool whose identity holds Owner and Storage Blob Data Contributor there",
        wants=_wants,
        also=("AML-16",),
        grants=(CONTROL_STORAGE, WRITE_BLOBS),
        reads=(List.COMPUTES, List.DATASTORES),
        watches=_WATCHES,
        keeps_apart=True,
    ),
    Rule(
        name=IDENTITIES,
        requirements=("AML-89",),
        mode=RuleKind.AUDIT,
        title="An attached Spark pool has an identity. If Spark jobs run as their user, somebody may run them.",
        source=_SPARK,
        examine=_identities,
        acts="a serverless Spark job of a workspace on whose storage no user or group holds Storage Blob Data "
        "Contributor",
        leaves="a serverless Spark job, and a group that holds Contributor and Storage Blob Data Contributor",
        findings={
            "nobody holds both roles": FindingKind(Severity.MEDIUM, "{grants}"),
            "pool without identity": FindingKind(Severity.MEDIUM, "Give it an identity: {change}"),
        },
        wants=_identity_wants,
        reads=(List.COMPUTES, List.DATASTORES),
        watches=_WATCHES,
    ),
)
