"""Services outside AML that sign in to the workspace's registry as its admin user (AML-85, AML-23).

ARM's lists cover the subscriptions of the registry and of the workspaces on it. For other subscriptions Resource Graph
only says where to look, because it is late. All of this is read only if nothing else keeps the admin user on.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from shared.access.asks import Ask, Cover, RegistryUser, UserKind
from shared.access.model import ComputeType, Estate, Raw, Registry, Unreadable, Want, Workspace
from shared.access.quoting import kql
from shared.access.raw import get, scope_or_none, text
from shared.access.rules.rule import List, Rule, RuleKind
from shared.access.scope import Scope
from shared.access.services import CONTAINER_GROUPS, SERVICES, Service, SignIn, has_sidecars, server, sidecar

_DOCS = "learn.microsoft.com/azure/"
_WATCHES = ("Microsoft.MachineLearningServices/workspaces", "Microsoft.ContainerRegistry/registries")
_SIDECARS = "sitecontainers"
_HOST = re.compile(r"[a-z0-9.-]+")
_BY_KIND = {service.kind: service for service in SERVICES}
_COVERS = {
    SignIn.ADMIN: Cover.UNCOVERED,
    SignIn.HIDDEN: Cover.UNCOVERED,
    SignIn.UNCLEAR: Cover.UNKNOWN,
    SignIn.OTHER: Cover.COVERED,
    SignIn.IDENTITY: Cover.COVERED,
}

type _Mine = Callable[[Service], bool]


@dataclass(frozen=True, slots=True)
class _Look:
    """The users of one registry, as far as they were read."""

    registry: Registry
    estate: Estate

    def rows(self, want: Want) -> tuple[Raw, ...]:
        fact = self.estate.facts.get(want)
        return fact if isinstance(fact, tuple) else ()

    def unread(self, want: Want) -> Iterator[RegistryUser]:
        """Empty if it was read, or if it does not exist."""
        what = f"{want.collection.partition('?')[0] or want.scope.resource_type} of {want.scope}"
        if want.graph:
            what = "Container Apps, App Service, Batch and Container Instances of other subscriptions"
        if want not in self.estate.facts:
            yield self._user(what, want.scope, Cover.UNKNOWN, "", f"{what} were not looked at yet", want)
        elif isinstance(self.estate.facts[want], Unreadable):
            reason = (
                f"amlguard may not read {what}, so nobody can tell whether they sign in to {self.registry.id.name} as "
                "its admin user: give it Reader there"
            )
            yield self._user(what, want.scope, Cover.UNKNOWN, "", reason)

    def signing_in(self, service: Service, scope: Scope, how: SignIn, source: str) -> RegistryUser:
        reason = f"{service.words} {scope.name} ({scope}) {how.value}"
        return self._user(f"{service.words} {scope.name}", scope, _COVERS[how], source, reason)

    def _user(self, label: str, scope: Scope, cover: Cover, source: str, reason: str, *wants: Want) -> RegistryUser:
        return RegistryUser(
            self.registry.id, UserKind.SERVICE, label, scope, cover, source or label, reason, wants=wants
        )


def _container_instances(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    look = _at(workspace, estate)
    if look is None:
        return
    for compute in workspace.computes:
        if compute.type is ComputeType.CONTAINER_INSTANCE:
            name = compute.id.name
            reason = f"Container Instances of compute {name} pull from {look.registry.id.name} as the admin user"
            yield RegistryUser(
                look.registry.id,
                UserKind.SERVICE,
                name,
                compute.id,
                Cover.UNCOVERED,
                compute.id.resource_type,
                reason,
            )
    yield from _found(workspace, look, lambda service: service.collection == CONTAINER_GROUPS)


def _services(workspace: Workspace, estate: Estate) -> Iterator[Ask]:
    look = _at(workspace, estate)
    if look:
        yield from _found(workspace, look, lambda service: service.collection != CONTAINER_GROUPS)


def _at(workspace: Workspace, estate: Estate) -> _Look | None:
    registry = estate.registries.get(workspace.registry) if workspace.registry else None
    return _Look(registry, estate) if registry and registry.admin_user else None


def _found(workspace: Workspace, look: _Look, mine: _Mine) -> Iterator[RegistryUser]:
    near = dict.fromkeys(sub for scope in (look.registry.id, workspace.id) if (sub := scope.subscription))
    for subscription in near:
        for service in filter(mine, SERVICES):
            want = Want(subscription, service.collection)
            yield from look.unread(want)
            for raw in look.rows(want):
                yield from _each(service, raw, f"{service.kind} of {subscription}", look)
    elsewhere = _elsewhere(look)
    yield from look.unread(elsewhere)
    for raw in look.rows(elsewhere):
        known = _BY_KIND.get((text(raw, "type") or "").casefold())
        if known and mine(known):
            yield from _each(known, raw, "Resource Graph", look)


def _elsewhere(look: _Look) -> Want:
    """Resource Graph has only accounts of Batch, and not always the image of App Service. These are read one by one."""
    near = (look.registry.id, *(one.id for one in look.estate.workspaces))
    subscriptions = sorted({sub.name.casefold() for scope in near if (sub := scope.subscription)})
    host = server(look.registry)
    named = host if _HOST.fullmatch(host) else look.registry.id.name.casefold()
    says = f"tostring(properties) contains {kql(named)}"
    return Want(
        look.registry.id,
        query=f"resources | where subscriptionId !in~ ({_listed(subscriptions)})"
        f" | where (type in~ ({_listed(s.kind for s in SERVICES if not s.below)}) and {says})"
        f" or type in~ ({_listed(s.kind for s in SERVICES if s.below and not s.single)})"
        f" or (type in~ ({_listed(s.kind for s in SERVICES if s.single)}) and (kind contains 'container' or {says}))"
        " | project id, name, type, kind, properties | order by id asc",
        graph=True,
    )


def _each(service: Service, raw: Raw, source: str, look: _Look) -> Iterator[RegistryUser]:
    """How each of them signs in, if it names the registry at all."""
    told = scope_or_none(get(raw, "id"))
    if not service.may(raw):
        return
    if told is None and service.below:  # it exists, and nobody may look below it
        yield look.signing_in(service, look.registry.id, SignIn.UNCLEAR, source)
        return
    scope = told or look.registry.id
    details: tuple[Raw, ...] = (raw,)
    if service.below:
        want = Want(scope.child(*service.below.split("/"))) if service.single else Want(scope, service.below)
        yield from look.unread(want)
        details = _details(raw, want, look)
    how = [found for one in details for found in service.reading(one, look.registry)]
    if service.single and any(map(has_sidecars, details)):
        beside = Want(scope, _SIDECARS)
        yield from look.unread(beside)
        how += [found for one in look.rows(beside) for found in sidecar(one, look.registry)]
    yield from (look.signing_in(service, scope, found, source) for found in dict.fromkeys(how))


def _details(raw: Raw, want: Want, look: _Look) -> tuple[Raw, ...]:
    """What was read about it. If a site's own configuration is not served, what the site itself shows."""
    fact = look.estate.facts.get(want)
    if isinstance(fact, Mapping):
        return (fact,)
    own = get(raw, "properties", "siteConfig")
    gone = want in look.estate.facts and fact is None and not want.collection
    return ({"properties": own},) if gone and own else look.rows(want)


def _listed(texts: Iterator[str] | list[str]) -> str:
    return ", ".join(map(kql, texts))


RULES = (
    Rule(
        name="container-instances",
        requirements=("AML-23",),
        mode=RuleKind.GUARD,
        title="While Container Instances pull from the registry as its admin user, it stays on.",
        source=_DOCS + "container-instances/container-instances-using-azure-container-registry",
        examine=_container_instances,
        acts="a container group that signs in to the registry under the registry's own name",
        leaves="a container group that pulls from the registry with a managed identity",
        reads=(List.COMPUTES,),
        watches=_WATCHES,
    ),
    Rule(
        name="registry-services",
        requirements=("AML-85",),
        mode=RuleKind.GUARD,
        title="While Container Apps, App Service, Functions or Batch sign in to the registry as its admin user, it "
        "stays on.",
        source=_DOCS + "container-registry/container-registry-authentication",
        examine=_services,
        acts="a Container App whose registry user name is the registry's own",
        leaves="a Container App that pulls from the registry with its managed identity",
        watches=_WATCHES,
    ),
)
