"""A workspace whose storage account is reached by identity: the mode, and what computes and endpoints write there.

Microsoft has a table of what the identities of an identity-based workspace need (`_KEYS`, "Scenarios for role
assignments"). What identities need that only read is in `shared.access.rules.storage`.
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Compute, ComputeType, Estate, Want, Workspace
from shared.access.needs import WRITE_BLOBS, WRITE_FILES
from shared.access.raw import flag, text
from shared.access.rules.az import az, code, itself
from shared.access.rules.datastores import let_sign_in
from shared.access.rules.recreate import recreate
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable

_DOCS = "learn.microsoft.com/azure/machine-learning/"
_KEYS = _DOCS + "how-to-disable-local-auth-storage"
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_WATCHES = (_WORKSPACES, "Microsoft.Storage/storageAccounts")
_WITH_KEY = "accesskey"
_IDENTITY = "identity"
_AS_UAI = {"identity_type": "UserAssigned", "user_assigned_identities": "IDENTITY-ID"}
_MODES = (_WITH_KEY, _IDENTITY, "userdelegationsas")
_WRITING = (ComputeType.AML_COMPUTE, ComputeType.KUBERNETES, ComputeType.COMPUTE_INSTANCE)


def wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """What says how the storage account is reached."""
    if workspace.storage:
        yield Want(workspace.storage)
        if workspace.hub and _said(workspace.raw) is None:
            yield Want(workspace.hub)


def _said(raw: object) -> str | None:
    mode = text(raw, "properties", "systemDatastoresAuthMode")
    return mode.casefold() if mode else None


def mode(workspace: Workspace, estate: Estate) -> str:
    """In lower case.

    A project that says nothing follows its hub. A workspace that says nothing at all uses the account's key.
    """
    said = _IDENTITY if workspace.storage_by_identity else _said(workspace.raw)
    return said or _said(estate.resource(workspace.hub)) or _WITH_KEY


def refuses_keys(workspace: Workspace, estate: Estate) -> bool:
    """In Azure, an absent allowSharedKeyAccess means true."""
    return flag(estate.resource(workspace.storage), "properties", "allowSharedKeyAccess") is False


def by_identity(workspace: Workspace, estate: Estate) -> bool:
    """Whether computes and people reach the storage account as themselves, or will once the mode is corrected."""
    how = mode(workspace, estate)
    return how == _IDENTITY or (how == _WITH_KEY and refuses_keys(workspace, estate))


def _broken(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(wants(workspace, estate), estate)
    storage, how = workspace.storage, mode(workspace, estate)
    if storage is None or not refuses_keys(workspace, estate) or _hub_is_unknown(workspace, estate):
        return
    if how == _WITH_KEY:
        owner = workspace.hub if workspace.hub and _said(workspace.raw) is None else workspace.id
        yield Found(
            workspace.id,
            f"Storage account {storage.name} refuses shared keys, but workspace {workspace.id.name} signs in to it "
            "with them (systemDatastoresAuthMode is accessKey): jobs, notebooks and studio cannot reach their data.",
            {"owner": owner.name, "change": let_sign_in(owner)},
            kind="signs in with keys",
        )
    elif how not in _MODES:
        yield Found(
            workspace.id,
            f"Storage account {storage.name} refuses shared keys, and how workspace {workspace.id.name} signs in to it "
            f"is not known to amlguard (systemDatastoresAuthMode is {how}).",
            {"show": code(az("ml workspace show", **itself(workspace.id)))},
            kind="unknown way to sign in",
        )


def _hub_is_unknown(workspace: Workspace, estate: Estate) -> bool:
    return bool(workspace.hub) and _said(workspace.raw) is None and estate.resource(workspace.hub) is None


def _compute_writes(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(wants(workspace, estate), estate)
    if workspace.storage is None or not by_identity(workspace, estate):
        return
    for compute in workspace.computes:
        principal = compute.identity.default
        if principal and compute.type in _WRITING and not _unsupported(compute):
            reason = f"{principal.label} writes models, runs and job outputs to {workspace.storage.name} as itself"
            yield RequiredGrant(principal, WRITE_BLOBS, workspace.storage, compute.id, ("AML-87",), reason)


def _unsupported(compute: Compute) -> bool:
    return compute.type is ComputeType.COMPUTE_INSTANCE and compute.identity.system is not None


def _endpoint_writes(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(wants(workspace, estate), estate)
    if workspace.storage is None or not by_identity(workspace, estate):
        return
    for endpoint in workspace.endpoints:
        principal = endpoint.identity.default
        if principal and principal.resource:
            reason = (
                f"{principal.label} needs on {workspace.storage.name} what AML gives a system-assigned identity of an "
                "endpoint where keys are off, and gives no user-assigned one"
            )
            yield RequiredGrant(principal, WRITE_BLOBS, workspace.storage, endpoint.id, ("AML-87",), reason)


def _instances(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(wants(workspace, estate), estate)
    if workspace.storage is None or not by_identity(workspace, estate):
        return
    for compute in workspace.computes:
        principal = compute.identity.default
        if _unsupported(compute):
            yield Found(
                compute.id,
                f"Compute instance {compute.id.name} has a system-assigned identity, with which instances mount "
                f"nothing of workspace {workspace.id.name}, whose storage is reached by identity.",
                {"recreate": recreate(compute, changed=_AS_UAI)},
            )
        elif principal and compute.type is ComputeType.COMPUTE_INSTANCE:
            reason = f"{principal.label} mounts the file share of {workspace.storage.name} as itself"
            yield RequiredGrant(principal, WRITE_FILES, workspace.storage, compute.id, ("AML-87",), reason)


MODE = "keys-refused"
COMPUTE_WRITES = "compute-writes-blobs"
ENDPOINT_WRITES = "endpoint-writes-blobs"
INSTANCES = "instance-file-share"

RULES = (
    Rule(
        name=MODE,
        requirements=("AML-86",),
        mode=RuleKind.AUDIT,
        title="A workspace whose storage account refuses shared keys does not sign in with them.",
        source=_KEYS,
        examine=_broken,
        acts="a storage account without shared keys, of a workspace that says nothing of systemDatastoresAuthMode",
        leaves="a storage account without shared keys, of a workspace with UserDelegationSAS",
        findings={
            "signs in with keys": FindingKind(
                Severity.HIGH,
                "First grant the roles there: the rules compute-writes-blobs (AML-87) and storage-without-keys "
                "(AML-88) say which are missing. Then let {owner} sign in by identity: {change}",
            ),
            "unknown way to sign in": FindingKind(
                Severity.LOW, "Look it up ({show}), and look for a newer version of amlguard that knows it."
            ),
        },
        wants=wants,
        watches=_WATCHES,
    ),
    Rule(
        name=COMPUTE_WRITES,
        requirements=("AML-87",),
        mode=RuleKind.OPT_IN,
        title="A compute's identity can write the workspace's storage account if that is reached by identity.",
        source=_KEYS,
        examine=_compute_writes,
        acts="a cluster that holds Storage Blob Data Reader on the account, where models and outputs are written as "
        "itself",
        leaves="a cluster of a workspace whose datastores keep a key",
        wants=wants,
        also=("AML-16",),
        grants=(WRITE_BLOBS,),
        keeps_apart=True,
        reads=(List.COMPUTES,),
        watches=(*_WATCHES, f"{_WORKSPACES}/computes"),
    ),
    Rule(
        name=ENDPOINT_WRITES,
        requirements=("AML-87",),
        mode=RuleKind.OPT_IN,
        title="An online endpoint's user-assigned identity can write the workspace's storage account if that is "
        "reached by identity, as AML allows a system-assigned one.",
        source=_KEYS,
        examine=_endpoint_writes,
        acts="an endpoint with a user-assigned identity on an account without shared keys",
        leaves="an endpoint with a system-assigned identity there: AML grants the role, and asks people not to",
        wants=wants,
        grants=(WRITE_BLOBS,),
        keeps_apart=True,
        reads=(List.ENDPOINTS,),
        watches=(*_WATCHES, f"{_WORKSPACES}/onlineEndpoints"),
    ),
    Rule(
        name=INSTANCES,
        requirements=("AML-87",),
        mode=RuleKind.AUDIT,
        title="A compute instance of a workspace whose storage is reached by identity has a user-assigned identity "
        "that holds Storage File Data Privileged Contributor there.",
        source=_KEYS,
        examine=_instances,
        acts="an instance with a system-assigned identity",
        leaves="an instance without an identity: it mounts as its user",
        advises=True,
        severity=Severity.MEDIUM,
        remedy="An instance cannot change its identity, so it must be recreated. {recreate}",
        wants=wants,
        reads=(List.COMPUTES,),
        watches=(*_WATCHES, f"{_WORKSPACES}/computes"),
    ),
)
