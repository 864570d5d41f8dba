"""People on storage that is reached by identity: for blobs, and for the file share of notebooks and instances.

They read or write there as themselves, so each person needs a role for blobs and one for files. amlguard cannot see who
is in which group. The most that it can tell is whether some user or group holds both roles, or both Readers.
"""

from collections.abc import Iterator, Mapping

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import ComputeType, Estate, Principal, Raw, Want, Workspace
from shared.access.needs import READ_BLOBS, READ_FILES, WRITE_BLOBS, WRITE_FILES, Need
from shared.access.permissions import PermissionBlock
from shared.access.preferences import People
from shared.access.raw import get, principal_id, rows, scope_or_none, text
from shared.access.rules import keyless
from shared.access.rules.az import code, to_users
from shared.access.rules.people import meant
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_KEYS = "learn.microsoft.com/azure/machine-learning/how-to-disable-local-auth-storage"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces", "Microsoft.Storage/storageAccounts")
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_CUSTOM = "Microsoft.Authorization/roleDefinitions?$filter=type%20eq%20'CustomRole'"
_BOTH = {True: (WRITE_BLOBS, WRITE_FILES), False: (READ_BLOBS, READ_FILES)}
_BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"
# Which built-in roles give which of the four needs. The definitions of custom roles are read.
_GIVES: Mapping[str, tuple[Need, ...]] = {
    _BLOB_OWNER: (WRITE_BLOBS, READ_BLOBS),
    WRITE_BLOBS.role_id: (WRITE_BLOBS, READ_BLOBS),
    READ_BLOBS.role_id: (READ_BLOBS,),
    WRITE_FILES.role_id: (WRITE_FILES, READ_FILES),
    READ_FILES.role_id: (READ_FILES,),
}
# What holders of the role on a workspace do with its storage: run jobs and notebooks, or look at them.
_WRITERS = (
    "f6c7c914-8db3-469d-8ca1-694a8f32e121",  # AzureML Data Scientist
    "b24988ac-6180-42a0-ab88-20f7382dd24c",  # Contributor
    "b78c5d69-af96-48a3-bf8d-a8b4d589de94",  # Azure AI Administrator
    "64702f94-c441-49e6-a78b-ef80e0188fee",  # Azure AI Developer
)
_READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def _needs(people: People) -> tuple[Need, ...]:
    """None for a role of which only the GUID is known, because its holders may do no more than score."""
    if people.role_id in _WRITERS:
        return _BOTH[True]
    return _BOTH[False] if people.role_id == _READER else ()


def _roles(people: People) -> tuple[str, ...]:
    return tuple(need.role_id for need in _needs(people))


def _groups(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(keyless.wants(workspace, estate), estate)
    storage = workspace.storage
    if storage is None or not keyless.by_identity(workspace, estate):
        return
    for people in (one for one in estate.people if meant(one, workspace)):
        for group in people.groups:
            principal = Principal(group, f"group {group}", type="Group")
            for need in _needs(people):
                reason = f"group {group}, which the policy wants on {workspace.id.name}, must {need.name} there"
                yield RequiredGrant(principal, need, storage, workspace.id, ("AML-88",), reason)


def _group_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    if any(meant(one, workspace) for one in estate.people):
        yield from keyless.wants(workspace, estate)


def _wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from keyless.wants(workspace, estate)
    storage = workspace.storage
    if storage and _as_themselves(workspace, estate):
        yield Want(storage, _ASSIGNMENTS)
        if storage.subscription and _unknown_roles(workspace, storage, estate):
            yield Want(storage.subscription, _CUSTOM)


def people_on(storage: Scope, estate: Estate) -> Iterator[tuple[str, str]]:
    """(user or group, role) of assignments that apply to the whole account and carry no condition."""
    for one in estate.listed(storage, _ASSIGNMENTS):
        kind = (text(one, "properties", "principalType") or "user").casefold()
        scope = scope_or_none(get(one, "properties", "scope"))
        reaches = scope is None or not storage.contains(scope) or scope == storage
        if kind in ("user", "group") and reaches and not text(one, "properties", "condition"):
            who = principal_id(one, "properties", "principalId") or ""
            yield who, (text(one, "properties", "roleDefinitionId") or "").rpartition("/")[2].casefold()


def _unknown_roles(workspace: Workspace, storage: Scope, estate: Estate) -> bool:
    """Whether a custom role might give what no built-in role gives."""
    return bool(_lacking(workspace, storage, estate)) and any(
        role not in _GIVES for _, role in people_on(storage, estate)
    )


def _held(storage: Scope, estate: Estate) -> dict[str, set[Need]]:
    """What each user and group holds on the account."""
    custom = {
        str(role.get("name") or "").casefold(): _given(role)
        for role in (estate.listed(storage.subscription, _CUSTOM) if storage.subscription else ())
    }
    held: dict[str, set[Need]] = {}
    for who, role in people_on(storage, estate):
        held.setdefault(who, set()).update(_GIVES.get(role, custom.get(role, ())))
    return held


def _given(role: Raw) -> tuple[Need, ...]:
    blocks = [
        PermissionBlock((), (), tuple(map(str, rows(one, "dataActions"))), tuple(map(str, rows(one, "notDataActions"))))
        for one in rows(role, "properties", "permissions")
    ]
    every = (*_BOTH[True], *_BOTH[False])
    return tuple(need for need in every if all(any(b.allows(p) for b in blocks) for p in need.permissions))


def _as_themselves(workspace: Workspace, estate: Estate) -> bool:
    return keyless.refuses_keys(workspace, estate) or keyless.by_identity(workspace, estate)


def _lacking(workspace: Workspace, storage: Scope, estate: Estate) -> tuple[Need, ...]:
    """What the user or group lacks that comes closest. Instances mount the file share to write (AML-77).

    User delegation SAS are for blobs only. Whoever has them still opens files as themselves.
    """
    blobs, files = _BOTH[False]
    instances = any(one.type is ComputeType.COMPUTE_INSTANCE for one in workspace.computes)
    wanted: tuple[Need, ...] = (WRITE_FILES if instances else files,)
    wanted = (blobs, *wanted) if keyless.by_identity(workspace, estate) else wanted
    held = _held(storage, estate).values()
    return min((tuple(need for need in wanted if need not in one) for one in held), key=len, default=wanted)


def _nobody(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    wants = tuple(_wants(workspace, estate))
    yield from unreadable(wants, estate)
    storage = workspace.storage
    if storage is None or not _as_themselves(workspace, estate):
        return
    if any(want not in estate.facts or estate.unreadable(want) for want in wants):
        return
    if estate.resource(storage) is None:  # it is gone, so nobody can get a role there
        return
    lacking = _lacking(workspace, storage, estate)
    if not lacking:
        return
    roles = [need for need in _BOTH[True] if any(set(one.permissions) <= set(need.permissions) for one in lacking)]
    files = WRITE_FILES in roles
    refuses = keyless.refuses_keys(workspace, estate)
    how = "refuses shared keys" if refuses else "is reached by identity"
    yield Found(
        storage,
        f"Storage account {storage.name} of workspace {workspace.id.name} {how}, and no user or group holds all that "
        f"people need there: missing is {' and '.join(need.role_name for need in roles)} (for whoever only reads, the "
        f"Reader of the same name). Without it people cannot {_cannot(roles)}.",
        {"grants": code(*(to_users(need.role_name, storage) for need in roles))},
        kind="keys are refused" if refuses else "keys are not used",
        requirements=("AML-77", "AML-88") if files else ("AML-88",),
    )


def _cannot(roles: list[Need]) -> str:
    files = "use notebooks and compute instances" if WRITE_FILES in roles else ""
    blobs = "see or register data and models" if WRITE_BLOBS in roles else ""
    return " or ".join(filter(None, (blobs, files)))


PEOPLE = "storage-without-keys"
GROUPS = "people-storage"

RULES = (
    Rule(
        name=PEOPLE,
        requirements=("AML-77", "AML-88"),
        mode=RuleKind.AUDIT,
        title="If the storage account is reached by identity, users hold Storage Blob Data Contributor and Storage "
        "File Data Privileged Contributor on it, or the Reader of each.",
        source=_KEYS,
        examine=_nobody,
        acts="a storage account without shared keys on which no user or group holds a role for blobs and one for files",
        leaves="a storage account without shared keys on which one group holds both",
        findings={
            "keys are refused": FindingKind(Severity.MEDIUM, "{grants}"),
            "keys are not used": FindingKind(Severity.LOW, "{grants}"),
        },
        wants=_wants,
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
    Rule(
        name=GROUPS,
        requirements=("AML-88",),
        mode=RuleKind.OPT_IN,
        title="Groups that the policy names as data scientists can write blobs and files of a storage account that is "
        "reached by identity. Those that it names as Reader can read both.",
        source=_KEYS,
        examine=_groups,
        acts="a storage account without shared keys, of a workspace on which the policy wants a group",
        leaves="a storage account whose keys the workspace uses",
        wants=_group_wants,
        grants=(WRITE_BLOBS, WRITE_FILES, READ_BLOBS, READ_FILES),
        keeps_apart=False,
        to_groups=_roles,
        watches=_WATCHES,
    ),
)
