"""Random users of a registry, each covered, uncovered or unknown: the admin user goes off when all are covered.

And only then (law 15).

What a user is and how it is covered is put together here; whether the admin user is still on is Azure's answer, after
everything that amlguard would do of its own accord was done.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import raw
from app import App
from fakes import FakeAzure
from hypothesis import given, settings
from hypothesis import strategies as st
from properties.tenants_at_random import container_app, container_group, job
from unit.build import (
    CLUSTER,
    FOREIGN,
    GROUP,
    OTHER_SUBSCRIPTION,
    REGISTRY,
    WORKSPACE,
    assigned,
    guid,
    resource,
    sai,
    terms,
    uai,
    workspace_id,
)

from shared.access.model import Principal
from shared.access.scope import Scope

COVERED, UNCOVERED, UNKNOWN = "covered", "uncovered", "unknown"
HOMES = [GROUP, FOREIGN, OTHER_SUBSCRIPTION.child("resourceGroups", "apps")]

type Add = Callable[[FakeAzure, str, Scope, str], None]


def _holds(azure: FakeAzure, holder: Principal, role: str) -> None:
    azure.automatic.append(assigned(holder, role, REGISTRY))


def _identity(azure: FakeAzure, state: str, name: str, covering: str) -> list[Principal]:
    """Of another team, so that amlguard grants it nothing; that of nobody where the state is unknown."""
    who = uai(name, FOREIGN)
    if state == COVERED:
        _holds(azure, who, covering)
    return [] if state == UNKNOWN else [who]


def cluster(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    azure.have(raw.compute(name, *_identity(azure, state, name, "AcrPull")))


def compute_instance(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    azure.have(raw.compute(name, *_identity(azure, state, name, "Contributor"), kind="ComputeInstance"))


def endpoint(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    azure.have(raw.endpoint(name, *_identity(azure, state, name, "Reader")))


def builder(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    """Another workspace on the registry, whose own identity builds."""
    other = workspace_id(name)
    azure.have(raw.workspace(*_identity(azure, state, name, "Contributor"), on=other), aml=False)


def build_compute(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    other = workspace_id(name)
    azure.have(raw.workspace(sai(name), on=other, imageBuildCompute="builds"))
    if state != UNKNOWN:  # else the compute is not there
        who = _identity(azure, state, f"{name}-builds", "AcrPush")
        azure.have(raw.compute("BUILDS", *who, on=other))
        _holds(azure, who[0], "AcrPull")
        if state == COVERED:
            _holds(azure, who[0], "Container Registry Tasks Contributor")


def serverless(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    other = workspace_id(name)
    azure.have(raw.workspace(sai(name), on=other), raw.compute("cpu", sai(f"{name}/cpu"), on=other))
    azure.have(job("old", None, 100, other), job("new", None if state == UNCOVERED else "c", 1, other))
    _holds(azure, sai(f"{name}/cpu"), "AcrPull")
    if state == UNKNOWN:
        azure.unreadable.add("jobs")


def serverless_settings(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    """Of another workspace, which acts as an identity of its own, or as none that could pull."""
    me, on = uai(name), workspace_id(name)
    primary: raw.Raw = {"primaryUserAssignedIdentity": str(me.resource)} if state == COVERED else {}
    azure.have(raw.workspace(sai(name), me, on=on, serverlessComputeSettings={"x": 1}, **primary), aml=False)
    for who in (sai(name), me):
        _holds(azure, who, "Contributor")
    if state == UNKNOWN:
        azure.have(raw.workspace(me, uai(f"{name}-2"), on=on, serverlessComputeSettings={"x": 1}))


def kubelet(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    scope = resource("Microsoft.ContainerService/managedClusters", name, FOREIGN)
    who = Principal(guid(name), name, CLUSTER)
    azure.have(raw.cluster(scope, name) if state != UNKNOWN else raw.resource(scope, {}))
    mine = sai(f"{name}/k8s")
    azure.have(raw.compute(name, mine, kind="Kubernetes", resourceId=str(scope)))
    _holds(azure, mine, "AcrPull")
    if state == COVERED:
        _holds(azure, who, "AcrPull")


def _sign_in(state: str) -> raw.Raw:
    return {COVERED: {"identity": "system"}, UNCOVERED: {"username": REGISTRY.name}, UNKNOWN: {}}[state]


def app(azure: FakeAzure, name: str, home: Scope, state: str) -> None:
    azure.have(container_app(name, _sign_in(state), home))


def instance(azure: FakeAzure, name: str, home: Scope, state: str) -> None:
    azure.have(container_group(name, _sign_in(state), home))


def pool(azure: FakeAzure, name: str, home: Scope, state: str) -> None:
    account = resource("Microsoft.Batch/batchAccounts", name, home)
    way = {COVERED: {"username": "a-token"}, UNCOVERED: {"userName": "ACRML"}, UNKNOWN: {}}[state]
    registries = [{"registryServer": f"{REGISTRY.name}.azurecr.io", **way}]
    machines = {"virtualMachineConfiguration": {"containerConfiguration": {"containerRegistries": registries}}}
    azure.have(raw.resource(account, {}))
    azure.have(raw.resource(account.child("pools", "one"), {"deploymentConfiguration": machines}))


def site(azure: FakeAzure, name: str, _: Scope, state: str) -> None:
    """Near the workspace: elsewhere Resource Graph would have to know its image."""
    scope = resource("Microsoft.Web/sites", name, FOREIGN)
    azure.have({**raw.resource(scope, {"siteConfig": None}), "kind": "app,linux,container"})
    file = "COMPOSE|not base64" if state == UNKNOWN else f"DOCKER|{REGISTRY.name.upper()}.azurecr.io/app:1"
    config = {"linuxFxVersion": file, "acrUseManagedIdentityCreds": state == COVERED}
    azure.have(raw.resource(scope.child("config", "web"), config))


KINDS: list[Add] = [
    cluster,
    compute_instance,
    endpoint,
    builder,
    build_compute,
    serverless,
    serverless_settings,
    kubelet,
    app,
    instance,
    pool,
    site,
]


@dataclass(frozen=True)
class User:
    kind: Add
    home: Scope
    state: str


# Mostly covered: else hardly any tenant would have nobody left.
users = st.builds(
    User,
    st.sampled_from(KINDS),
    st.sampled_from(HOMES),
    st.sampled_from([COVERED] * 8 + [UNCOVERED, UNKNOWN]),
)


def tenant(said: list[User]) -> FakeAzure:
    azure = FakeAzure()
    azure.have(raw.workspace(sai("mlw")), raw.registry(), raw.storage(), raw.vault())
    for number, user in enumerate(said):
        user.kind(azure, f"user{number}", user.home, user.state)
    return azure


def looked_at(azure: FakeAzure) -> App:
    one = App(terms(settle=timedelta()), azure=azure)

    async def look() -> None:
        assert await one.event(WORKSPACE)
        await one.settle(hours=1)

    asyncio.run(look())
    return one


def ends_with_admin_user(azure: FakeAzure) -> bool:
    return looked_at(azure).azure.admin_user(REGISTRY)


@given(st.lists(users, max_size=5))
@settings(max_examples=60)  # of several at once; each kind alone is tried in every place and state below
def test_the_admin_user_goes_off_when_all_are_covered_and_only_then(said: list[User]) -> None:
    assert ends_with_admin_user(tenant(said)) is any(user.state != COVERED for user in said)


def test_each_kind_alone_decides() -> None:
    for kind in KINDS:
        for home in HOMES:
            for state in (COVERED, UNCOVERED, UNKNOWN):
                stays = ends_with_admin_user(tenant([User(kind, home, state)]))
                assert stays is (state != COVERED), (kind.__name__, home, state)


GUARDS: dict[Add, tuple[str, str]] = {
    cluster: ("uncovered-puller", "compute-identity"),
    compute_instance: ("uncovered-puller", "compute-identity"),
    endpoint: ("uncovered-puller", "endpoint-pull"),
    builder: ("uncovered-builder", "uncovered-builder"),
    build_compute: ("uncovered-builder", "uncovered-builder"),
    serverless: ("serverless-jobs", "serverless-jobs"),
    serverless_settings: ("serverless-pull", "uncovered-builder"),
    kubelet: ("uncovered-puller", "kubelet-identity"),
    app: ("registry-services", "registry-services"),
    instance: ("container-instances", "container-instances"),
    pool: ("registry-services", "registry-services"),
    site: ("registry-services", "registry-services"),
}


def test_each_kind_is_kept_by_the_guard_that_is_about_it() -> None:
    """So that no guard that is lost hides behind another one."""
    assert list(GUARDS) == KINDS
    for kind, guards in GUARDS.items():
        for state, guard in zip((UNCOVERED, UNKNOWN), guards, strict=True):
            rows = looked_at(tenant([User(kind, FOREIGN, state)])).audit.rows("Withheld")
            said = {row["Guard"] for row in rows if row.get("Property") == "adminUserEnabled"}
            assert said == {guard}, (kind.__name__, state)
