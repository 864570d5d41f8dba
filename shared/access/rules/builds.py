"""Images that AML builds: what still needs a registry's password for it, and what AML cannot build at all."""

from collections.abc import Iterator, Mapping

from shared.access import connections, images
from shared.access.asks import Ask, Cover, Found, RegistryUser, Severity, UserKind
from shared.access.model import Connection, Estate, Registry, Want, Workspace
from shared.access.raw import get, scope_or_none, text
from shared.access.rules.az import at, az, code
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.rules.sdk_v1 import V1_ENDED
from shared.access.rules.unreadable import unreadable
from shared.access.scope import Scope

_SOURCE = "learn.microsoft.com/azure/machine-learning/how-to-identity-based-service-authentication"
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"


def _groups(workspace: Workspace, estate: Estate) -> set[Scope]:
    """Where other workspaces may lie that build from this one's registry, while its admin user is on."""
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    if registry is None or not registry.admin_user:
        return set()
    return {group for group in (registry.id.resource_group, workspace.id.resource_group) if group}


def _others(workspace: Workspace, estate: Estate) -> Iterator[Scope]:
    known = {one.id for one in estate.workspaces}
    for group in _groups(workspace, estate):
        for raw in estate.listed(group, _WORKSPACES):
            scope = scope_or_none(raw.get("id"))
            if scope and scope not in known:
                yield scope


def _builder_wants(workspace: Workspace, estate: Estate) -> Iterator[Want]:
    yield from (Want(group, _WORKSPACES) for group in _groups(workspace, estate))
    yield from (Want(other, List.CONNECTIONS.value) for other in _others(workspace, estate))


def _built_with_password(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    """AML-24. Looks at the workspaces on the registry and at those beside it or beside one of them."""
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    if registry is None:
        return
    for want in (Want(other, List.CONNECTIONS.value) for other in _others(workspace, estate)):
        if estate.unreadable(want):
            reason = (
                f"{want.collection} of {want.scope.name} may not be read, so nobody can tell whether images are built "
                f"from {registry.id.name} with its password"
            )
            yield _user(registry, want.scope, Cover.UNKNOWN, reason)
    others = [raw for other in _others(workspace, estate) for raw in estate.listed(other, List.CONNECTIONS.value)]
    for one in (*workspace.connections, *map(connections.connection, others)):
        if connections.with_password(one) and _signs_in_to(one, registry):
            reason = (
                f"connection {one.id.name} of workspace {one.id.parent.name} signs in to {registry.id.name} with a "
                "password: v2 cannot build images in any other way"
            )
            yield _user(registry, one.id, Cover.UNCOVERED, reason)


def _user(registry: Registry, on: Scope, cover: Cover, reason: str) -> RegistryUser:
    return RegistryUser(registry.id, UserKind.BUILDER, on.name, on, cover, on.resource_type, reason)


def _signs_in_to(one: Connection, registry: Registry) -> bool:
    """As the admin user, as far as ARM says: that one is called like the registry; a token or a principal is not."""
    server = (registry.login_server or f"{registry.id.name}.azurecr.io").casefold()
    user = connections.username(one)
    as_admin = user is None or user.casefold() == registry.id.name.casefold()
    return as_admin and (one.registry == registry.id or connections.host(one) == server)


def _private_hosts(workspace: Workspace) -> frozenset[str]:
    """Of registries that are pulled from without a password: AML can run their images, but build nothing on them."""
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
        title="While a workspace builds environments from the registry with its password, the admin user stays on.",
        source=_SOURCE,
        examine=_built_with_password,
        acts="a workspace in the same resource group whose connection signs in to the registry with its password",
        leaves="a connection that signs in with the name and password of a token",
        wants=_builder_wants,
        reads=(List.CONNECTIONS,),
        watches=("Microsoft.MachineLearningServices/workspaces/connections", "Microsoft.ContainerRegistry/registries"),
    ),
    Rule(
        name="environment-build",
        requirements=("AML-29",),
        mode=RuleKind.AUDIT,
        title="An environment on an image of a private registry uses the image as it is. Only v1 could build on one "
        f"with an identity: {V1_ENDED}.",
        source=_SOURCE,
        examine=_builds_on_private,
        acts="an environment that adds a conda file to an image of a private registry",
        leaves="an environment that uses the image as it is",
        severity=Severity.MEDIUM,
        remedy=f"Put the packages into the image and use it as it is: {{create}} (an environment of {V1_ENDED}: "
        "user_managed_dependencies = True and no Dockerfile)",
        wants=_environment_wants,
        reads=(List.CONNECTIONS,),
        watches=("Microsoft.MachineLearningServices/workspaces/connections",),
    ),
)
