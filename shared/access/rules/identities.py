"""Which identity a workspace, compute or endpoint has, and who attached it."""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, Objection, Property, RequiredGrant, Severity
from shared.access.ids import PRIMARY
from shared.access.model import Estate, Identity, Want, Workspace
from shared.access.needs import ASSIGN_IDENTITY
from shared.access.rules.identity_change import ROLES_FIRST, attached, update_workspace
from shared.access.rules.rule import FindingKind, List, Rule, RuleKind, no_asks
from shared.access.scope import Scope

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
_WORKSPACES = ("Microsoft.MachineLearningServices/workspaces",)
_COMPUTES = ("Microsoft.MachineLearningServices/workspaces/computes",)
_ENDPOINTS = ("Microsoft.MachineLearningServices/workspaces/onlineEndpoints",)


def _has_one(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    if workspace.ready and workspace.identity.empty:
        yield Found(
            workspace.id,
            f"Workspace {workspace.id.name} has no managed identity: AML reaches none of its dependencies.",
            {"change": update_workspace(workspace)},
        )


def _one_way(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    if attached(workspace.identity):
        reason = f"workspace {workspace.id.name} has user-assigned identities, and AML cannot change that back"
        yield Objection(workspace.id, Property.IDENTITY, reason)


def _resent(workspace: Workspace, _: Estate) -> Iterator[Ask]:
    """See `identity_change` for what the remedies must name."""
    ids = attached(workspace.identity)
    if ids:
        reason = f"an identity update of workspace {workspace.id.name} that leaves one of these out detaches it: "
        yield Objection(workspace.id, Property.IDENTITY, reason + ", ".join(ids))


def primary(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    identity, named = workspace.identity, workspace.primary
    ids = attached(identity)
    if identity.unclear or workspace.unclear(PRIMARY):
        return  # malformed-id reports it, and nobody can tell what is attached
    if named in {one.resource for one in identity.user} or not (named or ids):
        return
    if named in {one.id for one in identity.lost}:  # AML-98 reports it
        return
    if named and named in identity.unresolved:
        what = f"primary identity {named.name} is attached, but ARM does not show its object id"
        remedy = f"See whether amlguard may read it, or make another one primary. {ROLES_FIRST}Then: "
        remedy += update_workspace(workspace, "IDENTITY-ID", primary="IDENTITY-ID")
    elif named:
        what = f"primary identity {named.name} is not among those attached ({_names(identity) or 'none is'})"
        gone = estate.facts.get(Want(named), {}) is None
        remedy = _another(workspace) if gone else _attach(workspace, named, known=estate.resource(named) is not None)
    elif identity.system is None and len(ids) > 1:
        what = (
            f"identities are {_names(identity)} and none of them is primary: so it is not defined which one AML acts as"
        )
        remedy = f"Choose the one that AML is to act as. {_another(workspace)}"
    else:
        return
    yield Found(
        workspace.id,
        f"The workspace's {what}.",
        {"steps": remedy},
        kind="primary not attached" if named else "none is primary",
    )


def _attach(workspace: Workspace, primary: Scope, *, known: bool) -> str:
    seen = "" if known else "If it still exists (Azure refuses one that does not), attach it. "
    return f"{seen}{ROLES_FIRST}Then attach it, too: {update_workspace(workspace, primary, primary=primary)}"


def _another(workspace: Workspace) -> str:
    ids = attached(workspace.identity)
    which = "one of those attached" if ids else "one that exists"
    chosen = "ATTACHED-IDENTITY-ID" if ids else "IDENTITY-ID"
    change = update_workspace(workspace, *(() if ids else (chosen,)), primary=chosen)
    return f"Take {which}. {ROLES_FIRST}Then: {change}"


def _primary_wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    """Only an identity that is not attached: whether it exists at all."""
    if workspace.primary and str(workspace.primary).casefold() not in map(str.casefold, attached(workspace.identity)):
        yield Want(workspace.primary)


def _names(identity: Identity) -> str:
    return ", ".join(one.rpartition("/")[2] for one in attached(identity))


def _attached_by(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """Only if an event says who wrote the resource. ARM keeps no object id of a person."""
    if estate.caller is None or estate.changed is None:
        return
    for scope, identity in _with_identity(workspace):
        for one in identity.user:
            if scope == estate.changed and one.resource:
                reason = f"{estate.caller.label} wrote {scope.name}, which {one.label} is attached to"
                yield RequiredGrant(estate.caller, ASSIGN_IDENTITY, one.resource, one.resource, ("AML-14",), reason)


def _with_identity(workspace: Workspace) -> Iterator[tuple[Scope, Identity]]:
    yield workspace.id, workspace.identity
    yield from ((one.id, one.identity) for one in workspace.computes)
    yield from ((one.id, one.identity) for one in workspace.endpoints)


WORKSPACE_IDENTITY = "workspace-identity"
PRIMARY_IDENTITY = "workspace-primary-identity"
_ADVISED_BY = (WORKSPACE_IDENTITY, PRIMARY_IDENTITY, "serverless-identity", "compute-identity-kinds")

RULES = (
    Rule(
        name=WORKSPACE_IDENTITY,
        requirements=("AML-01",),
        mode=RuleKind.AUDIT,
        title="A workspace has a managed identity.",
        source=_SOURCE,
        examine=_has_one,
        acts="a workspace whose identity is of type None",
        leaves="a workspace with its system-assigned identity",
        severity=Severity.HIGH,
        remedy="Give it a system-assigned identity: {change}",
        watches=_WORKSPACES,
    ),
    Rule(
        name="workspace-identity-one-way",
        requirements=("AML-02",),
        mode=RuleKind.GUARD,
        title="No remedy takes a workspace's user-assigned identities away, because AML cannot go back to none.",
        source=_SOURCE,
        examine=_one_way,
        acts="a workspace with a user-assigned identity: every remedy keeps it",
        leaves="a workspace with a system-assigned identity only",
        watches=_WORKSPACES,
        through=_ADVISED_BY,
    ),
    Rule(
        name="workspace-identities-resent",
        requirements=("AML-11",),
        mode=RuleKind.GUARD,
        title="A remedy that changes an identity names every user-assigned one again, as AML detaches all others.",
        source=_SOURCE,
        examine=_resent,
        acts="a primary identity that is not attached: the command that attaches it also names the attached ones",
        leaves="a workspace with a system-assigned identity only",
        watches=_WORKSPACES,
        through=_ADVISED_BY,
    ),
    Rule(
        name=PRIMARY_IDENTITY,
        requirements=("AML-12",),
        mode=RuleKind.AUDIT,
        title="A workspace's primary user-assigned identity is one of those attached to it.",
        source=_SOURCE,
        examine=primary,
        acts="a primaryUserAssignedIdentity that is not attached",
        leaves="a primaryUserAssignedIdentity that is one of two attached ones",
        findings={
            "primary not attached": FindingKind(Severity.HIGH, "{steps}"),
            "none is primary": FindingKind(Severity.MEDIUM, "{steps}"),
        },
        wants=_primary_wants,
        watches=_WORKSPACES,
    ),
    Rule(
        name="identity-attached-by",
        requirements=("AML-14",),
        mode=RuleKind.AUDIT,
        title="Whoever attaches a user-assigned identity holds Managed Identity Operator on it.",
        source=_SOURCE,
        examine=_attached_by,
        acts="an event whose caller wrote a UAI workspace and holds nothing on its identity",
        leaves="an event whose caller is Owner of the identity's resource group; a sweep, which has no caller",
        advises=True,
        each=(List.COMPUTES, List.ENDPOINTS),
        watches=(*_WORKSPACES, *_COMPUTES, *_ENDPOINTS),
    ),
    Rule(
        name="brought-along-dependencies",
        requirements=("AML-10",),
        mode=RuleKind.FIX,
        title="For a UAI workspace, and for dependencies that the customer provided, somebody grants what AML does "
        "not.",
        source=_SOURCE,
        examine=no_asks,
        acts="a UAI workspace: AML grants its identity nothing",
        leaves="a workspace that acts as its system-assigned identity and whose dependencies lie beside it",
        watches=_WORKSPACES,
        through=(
            "workspace-control",
            "workspace-storage",
            "workspace-blobs",
            "workspace-vault",
            "workspace-vault-policies",
            "workspace-registry",
            "workspace-insights",
        ),
    ),
    Rule(
        name="default-identity",
        requirements=("AML-16",),
        mode=RuleKind.INPUT,
        title="A compute mounts storage, pulls images and opens datastores as its system-assigned identity, or else as "
        "the first of its user-assigned ones.",
        source=_SOURCE,
        examine=no_asks,
        acts="a cluster with two user-assigned identities: the first one needs the roles",
        leaves="the second of them",
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
        through=("compute-pull", "compute-reads-blobs", "compute-reads-secrets", "compute-reads-data"),
    ),
    Rule(
        name="compute-identity-name",
        requirements=("AML-38",),
        mode=RuleKind.INPUT,
        title="A compute's system-assigned identity is called <workspace>/computes/<compute> in Microsoft Entra ID, "
        "and amlguard's messages use that name.",
        source=_SOURCE,
        examine=no_asks,
        acts="a cluster with a system-assigned identity",
        leaves="a cluster with a user-assigned identity, which has a name of its own",
        reads=(List.COMPUTES,),
        watches=_COMPUTES,
        through=("compute-pull", "compute-reads-blobs", "compute-reads-secrets", "compute-reads-data"),
    ),
)
