"""v1: private base images that builds pull as a user-assigned identity, which a connection names (AML-25 to 27).

Support for SDK v1 ended on 2026-06-30. amlguard still serves workspaces that have such connections, and tells people
that support has ended.
"""

from collections.abc import Iterator

from shared.access import connections
from shared.access.asks import Ask, Found, RequiredGrant, Severity
from shared.access.model import Connection, Estate, Principal, Registry, Want, Workspace
from shared.access.needs import ASSIGN_IDENTITY, PULL, PULL_ABAC
from shared.access.raw import principal_id, scope_or_none, text
from shared.access.registries import registry as registry_of
from shared.access.rules.az import at, az, code
from shared.access.rules.pull import PULLS
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.sdk_v1 import V1_ENDED
from shared.access.rules.unreadable import unreadable

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces/connections",)
_REGISTRIES = "Microsoft.ContainerRegistry/registries"


def _signing_in(workspace: Workspace) -> list[Connection]:
    """Connections to a registry that pull as a user-assigned identity."""
    return [one for one in workspace.connections if connections.with_identity(one)]


def _wants(workspace: Workspace, _: Estate) -> Iterator[Want]:
    for one in _signing_in(workspace):
        uai = connections.identity(one)
        if uai:
            yield Want(uai)
        if one.registry is None and workspace.id.subscription:
            yield Want(workspace.id.subscription, _REGISTRIES)


def _private(one: Connection, workspace: Workspace, estate: Estate) -> Registry | None:
    """The registry that the connection pulls from: by its id, or else by its login server in this subscription."""
    if one.registry:
        return estate.registries.get(one.registry)
    home, host = workspace.id.subscription, connections.host(one)
    listed = estate.listed(home, _REGISTRIES) if home else ()
    found = (registry_of(raw, scope) for raw in listed if (scope := scope_or_none(raw.get("id"))))
    return next((each for each in found if host and (each.login_server or "").casefold() == host), None)


def _identity(one: Connection, estate: Estate) -> Principal | None:
    scope = connections.identity(one)
    holder = principal_id(estate.resource(scope), "properties", "principalId")
    return Principal(holder, scope.name, scope) if scope and holder else None


def _identity_pulls(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    for one in _signing_in(workspace):
        registry, principal = _private(one, workspace, estate), _identity(one, estate)
        if registry and principal:
            need = PULL_ABAC if registry.abac else PULL
            ids = ("AML-25", "AML-70") if registry.abac else ("AML-25",)
            reason = (
                f"{principal.label} pulls base images from {registry.id.name} for connection {one.id.name} ({V1_ENDED})"
            )
            yield RequiredGrant(principal, need, registry.id, one.id, ids, reason, explicit=True)


def _workspace_assigns(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    me = workspace.identity.system or workspace.acting
    for one in _signing_in(workspace):
        uai = _identity(one, estate)
        if me and uai and uai.resource:
            reason = (
                f"{me.label} assigns {uai.label}, as which connection {one.id.name} pulls, to image builds ({V1_ENDED})"
            )
            yield RequiredGrant(me, ASSIGN_IDENTITY, uai.resource, one.id, ("AML-26",), reason, explicit=True)


_COMPLETE = (
    "target=REGISTRY.azurecr.io",
    "credentials.type=managed_identity",
    "credentials.resource_id=IDENTITY-ID",
    "credentials.client_id=CLIENT-ID",
)


def _incomplete(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    yield from unreadable(_wants(workspace, estate), estate)
    for one in _signing_in(workspace):
        wrong = list(_wrong(one, workspace, estate))
        if wrong:
            yield Found(
                one.id,
                f"Connection {one.id.name} cannot pull base images with its identity: {'; '.join(wrong)}. Builds pull "
                f"so in v1 only: {V1_ENDED}.",
                {"change": code(az("ml connection update", name=one.id.name, **at(workspace.id), set=_COMPLETE))},
            )


def _wrong(one: Connection, workspace: Workspace, estate: Estate) -> Iterator[str]:
    yield from _wrong_registry(one, workspace, estate)
    scope, client = connections.identity(one), connections.client_id(one)
    if client is None:
        yield "it names no client id (ClientId)"
    if scope is None:
        yield "it names no user-assigned identity (ResourceId)"
        return
    known = text(estate.resource(scope), "properties", "clientId")
    if estate.facts.get(Want(scope), {}) is None:
        yield f"identity {scope.name} does not exist"
    elif client and known and client.casefold() != known.casefold():
        yield f"its client id is not that of identity {scope.name}"


def _wrong_registry(one: Connection, workspace: Workspace, estate: Estate) -> Iterator[str]:
    host, home = connections.host(one), workspace.id.subscription
    if one.registry is not None:
        if one.registry in estate.missing:
            yield f"registry {one.registry.name} does not exist"
    elif host is None:
        yield "it names no registry"
    elif home and Want(home, _REGISTRIES) in estate.facts and _private(one, workspace, estate) is None:
        yield f"registry {host} is not in the workspace's subscription; otherwise put its id into the metadata"


RULES = (
    Rule(
        name="base-image-pull",
        requirements=("AML-25",),
        mode=RuleKind.FIX,
        title=f"The user-assigned identity that a registry connection names can pull base images from that registry "
        f"({V1_ENDED}).",
        source=_SOURCE,
        examine=_identity_pulls,
        acts="a connection to a registry on the policy's allow-list, with an identity that holds nothing there",
        leaves="an identity that is Reader on a classic registry",
        wants=_wants,
        also=("AML-70",),
        grants=PULLS,
        reads=(List.CONNECTIONS,),
        watches=_WATCHES,
        allow_listed=True,
        keeps_apart=True,
    ),
    Rule(
        name="base-image-identity",
        requirements=("AML-26",),
        mode=RuleKind.FIX,
        title=f"The workspace's identity holds Managed Identity Operator on the identity that a registry connection "
        f"names ({V1_ENDED}).",
        source=_SOURCE,
        examine=_workspace_assigns,
        acts="a connection with an identity on the policy's allow-list that the workspace may not assign",
        leaves="a workspace whose identity holds Managed Identity Operator on the identity's resource group",
        wants=_wants,
        grants=(ASSIGN_IDENTITY,),
        keeps_apart=False,
        reads=(List.CONNECTIONS,),
        watches=_WATCHES,
        allow_listed=True,
    ),
    Rule(
        name="registry-connection",
        requirements=("AML-27",),
        mode=RuleKind.AUDIT,
        title="A connection that pulls with an identity names its registry, the identity and its client id "
        f"({V1_ENDED}).",
        source=_SOURCE,
        examine=_incomplete,
        acts="a connection whose client id is that of another identity",
        leaves="a v1 connection with ResourceId and ClientId of one identity",
        severity=Severity.MEDIUM,
        remedy="{change}",
        wants=_wants,
        reads=(List.CONNECTIONS,),
        watches=_WATCHES,
    ),
)
