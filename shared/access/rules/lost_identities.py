"""Identities that are gone although something still has them, and workspaces that are being deleted (AML-98)."""

from collections.abc import Iterator

from shared.access.asks import Ask, Cover, Found, RegistryUser, Severity, UserKind
from shared.access.losses import Loss, Lost
from shared.access.lost import attached, holders
from shared.access.model import Compute, ComputeType, Estate, Identity, Want, Workspace
from shared.access.rules.az import at, az, code, itself
from shared.access.rules.identity_change import ROLES_FIRST, patch_workspace, update_compute, update_workspace
from shared.access.rules.recreate import recreate
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_SOURCE = "learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identities-faq"
_WATCHES = (
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.MachineLearningServices/workspaces/computes",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
)
_NEVER_PULLING = (
    ComputeType.DATABRICKS,
    ComputeType.DATA_FACTORY,
    ComputeType.DATA_LAKE_ANALYTICS,
    ComputeType.SYNAPSE_SPARK,
)


def _identities(workspace: Workspace, _: Estate) -> Iterator[Want]:
    yield from dict.fromkeys(Want(scope) for _, one in holders(workspace) for scope in attached(one))


def _gone(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if workspace.leaving:
        yield _leaving(workspace)
        return
    yield from unreadable(_identities(workspace, estate), estate)
    for scope, identity in holders(workspace):
        if identity.lost:
            yield _finding(scope, identity, workspace)


def _leaving(workspace: Workspace) -> Found:
    return Found(
        workspace.id,
        f"Workspace {workspace.id.name} is being deleted, so amlguard grants nothing to it or for it.",
        {"delete": code(az("ml workspace delete", **itself(workspace.id)))},
        kind="being deleted",
    )


def _finding(scope: Scope, identity: Identity, workspace: Workspace) -> Found:
    kinds = {"computes": "Compute", "onlineendpoints": "Online endpoint"}
    what = kinds.get(scope.resource_type.rpartition("/")[2], "Workspace")
    told = "; ".join(map(_told, identity.lost))
    return Found(
        scope,
        f"{what} {scope.name} has a user-assigned identity that is gone: {told}. It cannot sign in as that identity, "
        "and amlguard grants it nothing.",
        {"steps": _remedy(scope, workspace)},
        kind="identity gone",
    )


def _told(one: Lost) -> str:
    if one.how is Loss.DELETED:
        return f"{one.id.name} was deleted"
    return f"{one.id.name} was deleted and made anew, and the object id of the old one is recorded"


def _remedy(scope: Scope, workspace: Workspace) -> str:
    compute = next((one for one in workspace.computes if one.id == scope), None)
    if compute:
        return _for_compute(compute)
    if scope != workspace.id:
        made = code(az("ml online-endpoint create", file="ENDPOINT.yml", **at(workspace.id)))
        return (
            "An endpoint keeps the identity that it was made with. Make another endpoint with an identity that exists, "
            f"move the calls to it, then delete this endpoint:  {made}"
        )
    return _for_workspace(workspace)


def _for_compute(compute: Compute) -> str:
    if compute.type is not ComputeType.AML_COMPUTE:
        return f"Only a cluster can change its identities. {_anew(compute)}"
    if compute.identity.user:
        return f"Keep the other identities, and attach another one if it is needed: {update_compute(compute)}"
    return f"Give it an identity that exists: {update_compute(compute, 'IDENTITY-ID')}"


def _anew(compute: Compute) -> str:
    if compute.type is ComputeType.COMPUTE_INSTANCE:
        return recreate(compute, changed={"identity_type": "UserAssigned", "user_assigned_identities": "IDENTITY-ID"})
    where = {"name": compute.id.name, **at(compute.id.parent)}
    again = {"type": compute.type_name, "resource_id": compute.attached or "CLUSTER-ID"}
    identity = {"identity_type": "UserAssigned", "user_assigned_identities": "IDENTITY-ID"}
    steps = (az("ml compute detach", **where, yes=True), az("ml compute attach", **where, **again, **identity))
    return f"Attach this one anew with an identity that exists: {code(*steps)}"


def _for_workspace(workspace: Workspace) -> str:
    """One identity at a time, because Azure refuses an update that names an identity that does not exist."""
    lost = {one.id for one in workspace.identity.lost}
    if workspace.primary in lost or not (workspace.identity.user or workspace.identity.system):
        change = update_workspace(workspace, "IDENTITY-ID", primary="IDENTITY-ID")
        return f"{ROLES_FIRST}Then attach it and make it primary: {change}"
    body = {"identity": {"userAssignedIdentities": {str(one): None for one in sorted(lost, key=str)}}}
    return f"Detach it, and attach it again only if it was made anew: {code(patch_workspace(workspace, body))}"


def _may_need_the_admin_user(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """Law 15: a puller that cannot sign in as itself may depend on the admin user."""
    if workspace.registry is None:
        return
    if workspace.leaving:
        reason = f"workspace {workspace.id.name} is being deleted: amlguard does not know what still pulls for it"
        yield _user(workspace.registry, workspace.id, Cover.UNKNOWN, reason)
        return
    never = {one.id for one in workspace.computes if one.type in _NEVER_PULLING}
    for scope, identity in holders(workspace):
        why = "" if scope in never else _why(identity, estate)
        if why:
            reason = f"{scope.resource_type.rpartition('/')[2]} {scope.name} can pull only as the admin user: {why}"
            cover = Cover.UNCOVERED if identity.default is None else Cover.UNKNOWN
            yield _user(workspace.registry, scope, cover, reason)


def _user(registry: Scope, on: Scope, cover: Cover, reason: str) -> RegistryUser:
    return RegistryUser(registry, UserKind.PULLER, on.name, on, cover, on.resource_type, reason)


def _why(identity: Identity, estate: Estate) -> str:
    me = identity.default
    if me is None:
        return "; ".join(map(_told, identity.lost))
    if me.resource and estate.unreadable(Want(me.resource)):
        return f"amlguard does not know whether {me.label} still exists, because it may not read it"
    return ""


LOST_IDENTITY = "lost-identity"

RULES = (
    Rule(
        name=LOST_IDENTITY,
        requirements=("AML-98",),
        mode=RuleKind.AUDIT,
        title="The user-assigned identities of workspaces, computes and endpoints exist, and are the ones that are "
        "recorded.",
        source=_SOURCE,
        examine=_gone,
        acts="a cluster whose user-assigned identity was deleted",
        leaves="a cluster with a user-assigned identity that exists",
        findings={
            "being deleted": FindingKind(
                Severity.LOW, "Wait until it is gone. If it stays like this for hours, delete it again: {delete}"
            ),
            "identity gone": FindingKind(Severity.HIGH, "{steps}"),
        },
        wants=_identities,
        each=(List.COMPUTES, List.ENDPOINTS),
        watches=_WATCHES,
        of_leaving=True,
    ),
    Rule(
        name="lost-identity-pulls",
        requirements=("AML-98",),
        mode=RuleKind.GUARD,
        title="While a puller's identity is gone, or a workspace is being deleted, the registry's admin user stays on.",
        source=_SOURCE,
        examine=_may_need_the_admin_user,
        acts="a cluster whose identity was made anew, on a registry whose admin user is on",
        leaves="a cluster whose identity exists and can pull",
        wants=_identities,
        each=(List.COMPUTES, List.ENDPOINTS),
        watches=_WATCHES,
        of_leaving=True,
    ),
)
