"""Feature sets: what the people and identities need that develop and use them (AML-96).

Any kind of principal may be one: a user, a group or a service principal. Whoever holds AzureML Data Scientist on the
feature store reads the data there as themselves.
"""

from collections.abc import Iterator

from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Datastore, Estate, Principal, Want, Workspace
from shared.access.needs import MATERIALIZE, READ_BLOBS
from shared.access.raw import principal_id, text
from shared.access.rules.accounts import account_wants, containers, elsewhere
from shared.access.rules.az import code, to_users
from shared.access.rules.feature_store import container_of, offline, store
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_ASSIGNED = "Microsoft.Authorization/roleAssignments?$filter=atScope()"


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.kind == "featurestore":
        yield Want(workspace.id, _ASSIGNED)
        yield from account_wants(workspace)


def _consumers(workspace: Workspace, estate: Estate) -> list[Principal]:
    """Not the identities of the feature store itself: AML-82 says what these need."""
    own = {one.id for one in (workspace.identity.system, *workspace.identity.user) if one}
    found: dict[str, Principal] = {}
    for one in estate.listed(workspace.id, _ASSIGNED):
        role = (text(one, "properties", "roleDefinitionId") or "").rpartition("/")[2].casefold()
        who = principal_id(one, "properties", "principalId") or ""
        if who and who not in own and role == MATERIALIZE.role_id and not text(one, "properties", "condition"):
            kind = text(one, "properties", "principalType") or ""
            found[who] = Principal(who, f"{kind.casefold() or 'principal'} {who}", type=kind)
    return list(found.values())


def _sources(workspace: Workspace, estate: Estate) -> dict[Scope, tuple[str, tuple[Scope, ...]]]:
    """The accounts that feature sets are read from: what each is, and which containers are named there."""
    connection = offline(workspace)
    kept = store(connection, workspace) if connection else None
    named: dict[Scope, list[Datastore]] = {}
    for one, where in elsewhere(workspace, estate):
        if where:
            named.setdefault(where, []).append(one)
    found = {where: (f"source {where.name}", containers(stores, where)) for where, stores in named.items()}
    if connection and kept:
        about = container_of(connection)
        if kept in found:
            _, also = found[kept]
            about = (*about, *also) if about and also else ()
        found[kept] = f"offline store {kept.name}", about
    return found


def _used(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if workspace.kind != "featurestore":
        return
    yield from unreadable(_wants(workspace, estate), estate)
    want = Want(workspace.id, _ASSIGNED)
    if want not in estate.facts or estate.unreadable(want):
        return
    consumers = _consumers(workspace, estate)
    if not consumers:
        yield Found(
            workspace.id,
            f"Nobody holds AzureML Data Scientist on feature store {workspace.id.name}: its feature sets can be "
            "neither developed nor used.",
            {"grants": code(to_users("AzureML Data Scientist", workspace.id))},
        )
    for where, (what, about) in _sources(workspace, estate).items():
        for one in consumers:
            reason = f"{one.label} uses feature sets of {workspace.id.name}, and reads {what} as itself"
            yield RequiredGrant(one, READ_BLOBS, where, workspace.id, ("AML-96",), reason, about=about)


USERS = "feature-set-users"

RULES = (
    Rule(
        name=USERS,
        requirements=("AML-96",),
        mode=RuleKind.AUDIT,
        title="Whoever develops or uses feature sets holds AzureML Data Scientist on the feature store and can read "
        "blobs of its sources and its offline store.",
        source="learn.microsoft.com/azure/machine-learning/how-to-setup-access-control-feature-store",
        examine=_used,
        acts="a group that holds AzureML Data Scientist on the feature store and may not read its offline store",
        leaves="a group that holds both",
        advises=True,
        severity=Severity.LOW,
        remedy="{grants}",
        wants=_wants,
        keeps_apart=True,
        reads=(List.CONNECTIONS, List.DATASTORES),
        watches=(
            "Microsoft.MachineLearningServices/workspaces",
            "Microsoft.MachineLearningServices/workspaces/connections",
        ),
    ),
)
