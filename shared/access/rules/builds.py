"""Images that AML builds: what still needs a registry's password for that, and what AML cannot build at all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.access import connections, images
from shared.access.asks import Ask, Cover, Found, RegistryUser, Severity, UserKind
from shared.access.model import Connection, Estate, Raw, Registry, Want, Workspace
from shared.access.raw import get, scope_or_none, text
from shared.access.rules.az import at, az, code, itself
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.sdk_v1 import V1_ENDED
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"

# Each costs a request, and ARM refills a subscription's reads by 25 a second
# (learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling).
MOST_ASKED = 500


def _built_with_password(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """AML-24. For the subject, also the workspaces that do not use the registry themselves but may build from it.

    Only ARM lists connections, for each workspace separately: Resource Graph does not have them
    (learn.microsoft.com/azure/governance/resource-graph/reference/supported-tables-resources).
    """
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    if registry is None or not registry.admin_user:
        return
    yield from _signing_in(workspace.connections, registry)
    if workspace is estate.subject:
        yield from _elsewhere(registry, estate)


def _elsewhere(registry: Registry, estate: Estate) -> Iterator[Ask]:
    """The workspaces in the subscriptions of the registry and of the workspaces on it. They are asked last."""
    near = (registry.id, *(one.id for one in estate.workspaces))
    subscriptions = dict.fromkeys(sub for scope in near if (sub := scope.subscription))
    lists = [Want(subscription, _WORKSPACES) for subscription in subscriptions]
    for want in lists:
        yield from _unread([want], f"the workspaces of {want.scope}", registry, estate)
    scopes = [scope_or_none(raw.get("id")) for want in lists for raw in estate.listed(want.scope, want.collection)]
    known = {one.id for one in estate.workspaces}
    others = list(dict.fromkeys(scope for scope in scopes if scope and scope not in known))
    if None in scopes:
        reason = "a workspace has no valid id, so nobody can tell what its connections sign in to"
        yield _user(registry, registry.id, Cover.UNKNOWN, reason)
    if len(others) > MOST_ASKED:
        yield from _too_many(others, registry)
        return
    wants = [Want(other, List.CONNECTIONS.value) for other in others]
    yield from _unread(wants, f"connections of {len(wants)} other workspaces", registry, estate)
    for want in wants:
        listed = estate.listed(want.scope, want.collection)
        yield from _signing_in([connections.connection(raw, _at(raw, want.scope)) for raw in listed], registry)


def _unread(wants: Sequence[Want], what: str, registry: Registry, estate: Estate) -> Iterator[RegistryUser]:
    """One user for everything that was not read yet, and one for each thing that may not be read."""
    later = tuple(want for want in wants if want not in estate.facts)
    if later:
        yield _user(registry, registry.id, Cover.UNKNOWN, f"{what} were not looked at yet", what, later)
    for want in wants:
        if estate.unreadable(want):
            reason = (
                f"amlguard may not read {want.collection.rpartition('/')[2]} of {want.scope.name}, so nobody can tell "
                f"whether images are built from {registry.id.name} with its password: give it Reader there"
            )
            yield _user(registry, want.scope, Cover.UNKNOWN, reason)


def _too_many(others: Sequence[Scope], registry: Registry) -> Iterator[Ask]:
    reason = (
        f"the subscriptions of {registry.id.name} and of the workspaces on it have {len(others)} other workspaces, and "
        f"amlguard asks at most {MOST_ASKED} whether a connection signs in with its password"
    )
    yield _user(registry, registry.id, Cover.UNKNOWN, reason)
    ask = az("ml connection list", **at(others[0]))
    turn_off = az("acr update", **itself(registry.id), admin_enabled="false")
    yield Found(
        registry.id,
        f"The admin user of {registry.id.name} stays on: {reason}.",
        {"list": code(ask), "turn_off": code(turn_off), "registry": registry.id.name},
    )


def _signing_in(found: Iterable[Connection], registry: Registry) -> Iterator[RegistryUser]:
    for one in found:
        if connections.with_password(one) and _signs_in_to(one, registry):
            reason = (
                f"connection {one.id.name} of workspace {one.id.parent.name} signs in to {registry.id.name} with a "
                "password: v2 cannot build images in any other way"
            )
            yield _user(registry, one.id, Cover.UNCOVERED, reason)


def _at(raw: Raw, workspace: Scope) -> Scope:
    """Where the connection is: in the workspace whose list contains it, whatever place it states itself."""
    told = scope_or_none(raw.get("id"))
    return told if told and workspace.contains(told) else workspace.child("connections", "unnamed")


def _user(
    registry: Registry, on: Scope, cover: Cover, reason: str, label: str = "", wants: tuple[Want, ...] = ()
) -> RegistryUser:
    source = on.resource_type
    return RegistryUser(registry.id, UserKind.BUILDER, label or on.name, on, cover, source, reason, wants=wants)


def _signs_in_to(one: Connection, registry: Registry) -> bool:
    """Whether it signs in as the admin user, whose name is that of the registry.

    Tokens and principals have other names.
    """
    server = (registry.login_server or f"{registry.id.name}.azurecr.io").casefold()
    user = connections.username(one)
    as_admin = user is None or user.casefold() == registry.id.name.casefold()
    return as_admin and (one.registry == registry.id or connections.host(one) == server)


def _private_hosts(workspace: Workspace) -> frozenset[str]:
    """Login servers of registries that are pulled from without a password.

    AML can run their images but not build on them.
    """
    own = workspace.registry
    private = [
        one for one in workspace.connections if connections.of_registry(one) and not (own and one.registry == own)
    ]
    hosts = (connections.host(one) for one in private if not connections.with_password(one))
    return frozenset(host for host in hosts if host)


def _environment_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    if _private_hosts(workspace):
        yield Want(workspace.id, "environments")
        yield from (Want(version) for version in latest(workspace, estate))


def latest(workspace: Workspace, estate: Estate) -> list[Scope]:
    return images.latest(estate.listed(workspace.id, "environments"))


def _builds_on_private(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    hosts = _private_hosts(workspace)
    if not hosts:
        return
    yield from unreadable(_environment_wants(workspace, estate), estate)
    for scope in latest(workspace, estate):
        body = get(estate.resource(scope), "properties")
        host = (text(body, "image") or "").casefold().split("/", 1)[0]
        if host in hosts and (text(body, "condaFile") or isinstance(get(body, "build"), Mapping)):
            image = str(text(body, "image"))
            used_as_it_is = az("ml environment create", name=scope.parent.name, image=image, **at(workspace.id))
            yield Found(
                scope,
                f"Environment {scope.parent.name}:{scope.name} adds packages to an image of private registry {host}, "
                "so AML must build it, and cannot pull that image to build.",
                {"create": code(used_as_it_is)},
            )


RULES = (
    Rule(
        name="password-builds",
        requirements=("AML-24",),
        mode=RuleKind.GUARD,
        title="While a workspace builds environments from the registry with its password, the admin user stays on. "
        "amlguard looks for such workspaces in the subscriptions of the registry and of the workspaces on it. If "
        f"these have more than {MOST_ASKED} others, the admin user stays on.",
        source=_SOURCE,
        examine=_built_with_password,
        acts="a workspace elsewhere in the subscription whose connection signs in to the registry with its password",
        leaves="a connection that signs in with the name and password of a token",
        severity=Severity.LOW,
        remedy="Look through the connections of each workspace, as with {list}. If none of them signs in to {registry} "
        "with its password, turn the admin user off: {turn_off}",
        reads=(List.CONNECTIONS,),
        watches=("Microsoft.MachineLearningServices/workspaces/connections", "Microsoft.ContainerRegistry/registries"),
    ),
    Rule(
        name="environment-build",
        requirements=("AML-29",),
        mode=RuleKind.AUDIT,
        title="An environment on an image of a private registry uses the image unchanged. Only v1 could build on one "
        f"with an identity: {V1_ENDED}.",
        source=_SOURCE,
        examine=_builds_on_private,
        acts="an environment that adds a conda file to an image of a private registry",
        leaves="an environment that uses the image unchanged",
        severity=Severity.MEDIUM,
        remedy=f"Put the packages into the image and use it unchanged: {{create}} (an environment of {V1_ENDED}: "
        "user_managed_dependencies = True and no Dockerfile)",
        wants=_environment_wants,
        reads=(List.CONNECTIONS,),
        watches=("Microsoft.MachineLearningServices/workspaces/connections",),
    ),
)
