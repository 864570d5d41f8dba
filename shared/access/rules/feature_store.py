"""Feature stores: what the identity needs that materializes feature sets (AML-82)."""

from collections.abc import Iterator

from shared.access import connections
from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Connection, Estate, Principal, Want, Workspace
from shared.access.needs import MATERIALIZE, READ_BLOBS, WRITE_BLOBS
from shared.access.raw import principal_id, scope_or_none, text
from shared.access.rules.accounts import account_wants, containers, elsewhere
from shared.access.rules.az import at, az, code
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope

_STORAGE = "microsoft.storage/storageaccounts"
_CONTAINER = f"{_STORAGE}/blobservices/containers"


def offline(workspace: Workspace) -> Connection | None:
    name = text(workspace.raw, "properties", "featureStoreSettings", "offlineStoreConnectionName")
    same = (one for one in workspace.connections if name and one.id.name.casefold() == name.casefold())
    return next(same, None)


def _named(workspace: Workspace) -> Scope | None:
    connection = offline(workspace)
    return connections.identity(connection) if connection else None


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    if workspace.kind == "featurestore":
        yield from account_wants(workspace)
    named = _named(workspace) if workspace.kind == "featurestore" else None
    if named and named not in {one.resource for one in workspace.identity.user}:
        yield Want(named)


def _materializing(workspace: Workspace, estate: Estate) -> Principal | None:
    """The identity that the offline store's connection names, or else the store's own user-assigned identity."""
    named = _named(workspace)
    if named is None:
        return workspace.acting if workspace.acts_as_uai else next(iter(workspace.identity.user), None)
    known = next((one for one in workspace.identity.user if one.resource == named), None)
    holder = principal_id(estate.resource(named), "properties", "principalId")
    return known or (Principal(holder, named.name, named) if holder else None)


def store(connection: Connection, workspace: Workspace) -> Scope | None:
    """The account of the offline store.

    A connection names a container's id, or the URL of the workspace's own account.
    """
    scope = scope_or_none(connection.target)
    if scope:
        return scope.ancestor(_STORAGE)
    account = (connections.host(connection) or "").split(".", 1)[0]
    return workspace.storage if workspace.storage and workspace.storage.name.casefold() == account else None


def container_of(connection: Connection) -> tuple[Scope, ...]:
    """The container that the connection names by its id, if it does."""
    scope = scope_or_none(connection.target)
    return (scope,) if scope and scope.resource_type == _CONTAINER else ()


def _materializes(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    if workspace.kind != "featurestore":
        return
    connection, me = offline(workspace), _materializing(workspace, estate)
    if me is None:
        return
    needs = f"{me.label} materializes feature sets of {workspace.id.name}"
    yield RequiredGrant(me, MATERIALIZE, workspace.id, workspace.id, ("AML-82",), needs)
    if connection:
        where = store(connection, workspace)
        yield _writes(me, where, connection, workspace, needs) if where else _unknown(connection, workspace)
    for one, source in elsewhere(workspace, estate):
        if source:
            reason = f"{needs} from source {source.name} (datastore {one.id.name})"
            about = containers([one], source)
            yield RequiredGrant(me, READ_BLOBS, source, workspace.id, ("AML-82",), reason, explicit=True, about=about)


def _writes(me: Principal, where: Scope, connection: Connection, workspace: Workspace, needs: str) -> RequiredGrant:
    reason, ours = f"{needs} into offline store {where.name}", where == workspace.storage
    about = container_of(connection)
    return RequiredGrant(me, WRITE_BLOBS, where, workspace.id, ("AML-82",), reason, explicit=not ours, about=about)


def _unknown(connection: Connection, workspace: Workspace) -> Found:
    return Found(
        connection.id,
        f"Connection {connection.id.name} of feature store {workspace.id.name} does not say by id which storage "
        "account the offline store is on: nobody can tell whether materialization may write there.",
        {
            "change": code(
                az(
                    "ml connection update",
                    name=connection.id.name,
                    **at(workspace.id),
                    set="target=CONTAINER-RESOURCE-ID",
                )
            )
        },
    )


RULES = (
    Rule(
        name="feature-store-materialization",
        requirements=("AML-82",),
        mode=RuleKind.OPT_IN,
        title="A feature store's materialization identity holds AzureML Data Scientist on the store, can write its "
        "offline store and can read its sources.",
        source="learn.microsoft.com/azure/machine-learning/how-to-setup-access-control-feature-store",
        examine=_materializes,
        acts="a feature store whose user-assigned identity holds nothing",
        leaves="a default workspace",
        severity=Severity.LOW,
        remedy="{change}",
        wants=_wants,
        grants=(MATERIALIZE, WRITE_BLOBS, READ_BLOBS),
        keeps_apart=False,
        reads=(List.CONNECTIONS, List.DATASTORES),
        watches=(
            "Microsoft.MachineLearningServices/workspaces",
            "Microsoft.MachineLearningServices/workspaces/connections",
        ),
    ),
)
