"""Who else needs a registry's admin user: builders, serverless jobs, kubelets, services (AML-83 to 85, 94).

Each case is a workspace with one covered cluster on a registry whose admin user is on, and one user more. Looked at by
`plan`, by an event and by a sweep: all three must come to the same.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import pytest
from event_grid import event
from held import admin_users
from local_azure import REMEDIATIONS, LocalAzure, Start
from tenants import (
    ACR_PULL,
    ACR_PUSH,
    CONTRIBUTOR,
    OWNER,
    READER,
    REPOSITORY_READER,
    REPOSITORY_WRITER,
    Tenant,
    child,
    group_id,
    oid,
    system_assigned,
    user_assigned,
)
from wire import Json

from docs import fidelity
from emulator import tenant_builder

HOME = "11111111-1111-4111-8111-111111111111"
APPS = "22222222-2222-4222-8222-222222222222"
BARE = "33333333-3333-4333-8333-333333333333"  # of which no provider of services is registered
TASKS_CONTRIBUTOR = "fb382eab-e894-4461-af04-94435c366c3f"
AI_ADMINISTRATOR = "b78c5d69-af96-48a3-bf8d-a8b4d589de94"
_BATCH = 8


@dataclass(frozen=True)
class Place:
    """`group` is the workspace's; `registry` may lie elsewhere."""

    name: str
    group: str
    registry: Json
    workspace: Json

    @property
    def server(self) -> str:
        return str(self.registry["properties"]["loginServer"])


type Build = Callable[[Tenant, Place], None]


@dataclass(frozen=True)
class Case:
    """`guard` keeps the admin user on; empty: it goes off. `workspace` are properties and options of the workspace."""

    name: str
    guard: str
    build: Build = lambda _, __: None
    abac: bool = False
    elsewhere: bool = False
    subscription: str = HOME
    workspace: Callable[[Tenant, str], dict[str, Any]] = lambda _, __: {}


def resource(tenant: Tenant, group: str, kind: str, name: str, properties: Json, /, **more: Any) -> Json:
    return tenant.add(tenant_builder.resource(child(group, kind, name), properties, **more))


def below(tenant: Tenant, parent: Json, path: str, properties: Json, **more: Any) -> Json:
    return tenant.add(tenant_builder.resource(f"{parent['id']}/{path}", properties, **more))


def app(kind: str, group: str = "", **sign_in: str) -> Build:
    def build(tenant: Tenant, place: Place) -> None:
        named = {"server": place.server.upper(), **{key: value.format(place=place) for key, value in sign_in.items()}}
        inside = {"customContainerTemplate": {"registryCredentials": named}}
        when = {"triggerType": "Manual", "replicaTimeout": 300} if kind.endswith("jobs") else {}
        body = inside if kind.endswith("sessionPools") else {"configuration": {"registries": [named], **when}}
        where = group_id(f"apps-{place.name}", group) if group else place.group
        resource(tenant, where, kind, f"app{place.name.replace('-', '')}", body)

    return build


def site(fx: str, *, managed: bool | None = False, slot: bool = False, kind: str = "app,linux,container") -> Build:
    """`fx` names the image; its configuration is a resource of its own, or (None) inside the site."""

    def build(tenant: Tenant, place: Place) -> None:
        version = fx.format(place=place)
        if version.startswith("COMPOSE|"):
            version = "COMPOSE|" + base64.b64encode(version.removeprefix("COMPOSE|").encode()).decode()
        key = "windowsFxVersion" if "windows" in kind else "linuxFxVersion"
        config = {key: version, "acrUseManagedIdentityCreds": bool(managed)}
        made = resource(tenant, place.group, "Microsoft.Web/sites", f"site-{place.name}", {}, kind=kind)
        if slot:
            made = below(tenant, made, "slots/staging", {}, kind=kind, location="westeurope")
        if managed is None:
            made["properties"] = {"siteConfig": config}
        else:
            below(tenant, made, "config/web", config)

    return build


def sidecar(*, slot: bool = False, **properties: str) -> Build:
    def build(tenant: Tenant, place: Place) -> None:
        kind = "app,linux"
        made = resource(tenant, place.group, "Microsoft.Web/sites", f"site-{place.name}", {}, kind=kind)
        if slot:
            made = below(tenant, made, "slots/staging", {}, kind=kind, location="westeurope")
        below(tenant, made, "config/web", {"linuxFxVersion": "sitecontainers"})
        own = {key: value.format(place=place) for key, value in properties.items()}
        below(tenant, made, "sitecontainers/main", {"image": f"{place.server}/app:1", "isMain": True, **own})

    return build


def pool(group: str = "", **sign_in: Any) -> Build:
    def build(tenant: Tenant, place: Place) -> None:
        where = group_id(f"batch-{place.name}", group) if group else place.group
        account = resource(tenant, where, "Microsoft.Batch/batchAccounts", f"batch{len(place.name)}", {})
        way = {key: value.format(place=place) if isinstance(value, str) else value for key, value in sign_in.items()}
        containers = {"type": "DockerCompatible", "containerRegistries": [{"registryServer": place.server, **way}]}
        image = {"imageReference": {"id": "image"}, "nodeAgentSkuId": "batch.node.ubuntu 22.04"}
        machines = {"virtualMachineConfiguration": {**image, "containerConfiguration": containers}}
        below(tenant, account, "pools/one", {"deploymentConfiguration": machines})

    return build


def instance(**sign_in: str) -> Build:
    def build(tenant: Tenant, place: Place) -> None:
        made = tenant.container_group(place.group, f"aci-{place.name}", f"{place.server}/app:1")
        way = {key: value.format(place=place) for key, value in sign_in.items()}
        made["properties"]["imageRegistryCredentials"] = [{"server": place.server, **way}]

    return build


_CURATED = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"
# What Microsoft's published types ask of a job besides.
_TABLE = {"jobInputType": "mltable", "uri": "https://example.org/table"}
_REQUIRED: dict[str, Json] = {
    "AutoML": {"taskDetails": {"taskType": "Classification", "targetColumnName": "y", "trainingData": _TABLE}},
    "Command": {"command": "python train.py", "environmentId": _CURATED},
    "Sweep": {
        "objective": {"goal": "Minimize", "primaryMetric": "loss"},
        "samplingAlgorithm": {"samplingAlgorithmType": "Random"},
        "searchSpace": {},
    },
}


def job(kind: str, days: int = 1, **properties: Any) -> Build:
    """`{ws}` in ids stands for the workspace."""

    def build(tenant: Tenant, place: Place) -> None:
        created = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        filled = _filled(properties, place.workspace["id"])
        body = {"jobType": kind, **_REQUIRED.get(kind, {}), **filled}
        made = below(tenant, place.workspace, f"jobs/job-{kind.lower()}", body)
        made["systemData"] = {"createdAt": created}

    return build


def _filled(value: Any, workspace: str) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, workspace) for key, one in value.items()}
    return value.replace("{ws}", workspace) if isinstance(value, str) else value


def _cluster(tenant: Tenant, place: Place, kubelet: str | None) -> None:
    profile = {"identityProfile": {"kubeletidentity": {"objectId": oid(kubelet)}}} if kubelet else {}
    kind = "Microsoft.ContainerService/managedClusters"
    made = resource(tenant, place.group, kind, f"aks-{place.name}", profile)
    k8s = tenant.compute(place.workspace, "k8s", kind="Kubernetes", identity=system_assigned(f"k8s-{place.name}"))
    k8s["properties"]["resourceId"] = made["id"]
    tenant.assign(place.registry["id"], oid(f"k8s-{place.name}"), ACR_PULL)


def covered_kubelet(tenant: Tenant, place: Place) -> None:
    _cluster(tenant, place, f"kubelet-{place.name}")
    tenant.assign(place.registry["id"], oid(f"kubelet-{place.name}"), ACR_PULL)


def hidden_kubelet(tenant: Tenant, place: Place) -> None:
    _cluster(tenant, place, None)


def own(*roles: str, at: str = "registry") -> Build:
    """What the workspace's own identity holds."""

    def build(tenant: Tenant, place: Place) -> None:
        scope = place.registry["id"] if at == "registry" else place.group
        block = place.workspace["identity"]
        known: Json = next(iter(block.get("userAssignedIdentities", {}).values()), {})
        for role in roles:
            tenant.assign(scope, known.get("principalId") or block["principalId"], role)

    return build


def builds_on(name: str, *roles: str, identity: bool = True) -> Build:
    def build(tenant: Tenant, place: Place) -> None:
        place.workspace["properties"]["imageBuildCompute"] = "Builds"
        who = f"{name}-{place.name}"
        tenant.compute(place.workspace, name, identity=system_assigned(who) if identity else None)
        for role in roles:
            tenant.assign(place.registry["id"], oid(who), role)

    return build


def without_grants(_: Tenant, __: str) -> dict[str, Any]:
    return {"aml": False}


def acting_as_uai(tenant: Tenant, group: str) -> dict[str, Any]:
    one = tenant.uai(group, "mlw-id")
    return {"identity": user_assigned(one), "primaryUserAssignedIdentity": one["id"]}


def uai_with_a_job(tenant: Tenant, place: Place) -> None:
    own(CONTRIBUTOR)(tenant, place)
    job("Command")(tenant, place)


CLUSTER, DOCKER = "{ws}/computes/cluster", "DOCKER|{place.server}/app:1"

CASES = (
    Case("nobody else", ""),
    # AML-83
    Case("ai administrator", "", own(AI_ADMINISTRATOR, at="group"), workspace=without_grants),
    Case("owner above", "", own(OWNER, at="group"), workspace=without_grants),
    Case("push and tasks", "", own(ACR_PUSH, TASKS_CONTRIBUTOR), workspace=without_grants),
    Case("sai holds nothing", "uncovered-builder", workspace=without_grants),
    Case("push without tasks", "uncovered-builder", own(ACR_PUSH), workspace=without_grants),
    Case("reader", "uncovered-builder", own(READER), workspace=without_grants),
    Case("registry elsewhere", "uncovered-builder", elsewhere=True),
    Case("registry elsewhere held", "", own(CONTRIBUTOR), elsewhere=True),
    Case("uai without", "uncovered-builder", workspace=acting_as_uai),
    Case("uai contributor", "", own(CONTRIBUTOR), workspace=acting_as_uai),
    Case("abac contributor", "uncovered-builder", abac=True),
    Case("abac writer", "", own(REPOSITORY_WRITER), abac=True),
    Case("abac writer without tasks", "uncovered-builder", own(REPOSITORY_WRITER), abac=True, workspace=without_grants),
    Case("build compute", "", builds_on("builds", ACR_PUSH, TASKS_CONTRIBUTOR), workspace=without_grants),
    Case("build compute pulls", "uncovered-builder", builds_on("BUILDS", ACR_PULL)),
    Case("build compute gone", "uncovered-builder", builds_on("other", CONTRIBUTOR)),
    Case("build compute bare", "compute-identity", builds_on("builds", identity=False)),
    # AML-84
    Case("job on cluster", "", job("Command", computeId=CLUSTER)),
    Case("job nowhere", "serverless-jobs", job("Command", resources={"instanceType": "STANDARD_D4S_V3"})),
    Case("old job nowhere", "", job("Command", days=31)),
    Case("sweep nowhere", "serverless-jobs", job("Sweep", trial={"command": "true", "environmentId": _CURATED})),
    Case("automl nowhere", "serverless-jobs", job("AutoML")),
    Case("job on the word", "serverless-jobs", job("Command", computeId="azureml:serverless")),
    Case("pipeline default", "", job("Pipeline", settings={"default_compute": CLUSTER}, jobs={"a": {"type": "spark"}})),
    Case(
        "pipeline steps",
        "",
        job("Pipeline", jobs={"a": {"type": "command", "computeId": CLUSTER}, "b": {"type": "if_else"}}),
    ),
    Case(
        "pipeline step nowhere",
        "serverless-jobs",
        job("Pipeline", jobs={"a": {"type": "command", "computeId": CLUSTER}, "b": {"type": "command"}}),
    ),
    Case("uai job nowhere", "", uai_with_a_job, workspace=acting_as_uai),
    Case("jobs unreadable", "serverless-jobs"),
    # AML-85
    Case("container app", "registry-services", app("Microsoft.App/containerApps", username="{place.registry[name]}")),
    Case("container app token", "", app("Microsoft.App/containerApps", username="token")),
    Case("container app identity", "", app("Microsoft.App/containerApps", identity="system")),
    Case("container app unclear", "registry-services", app("Microsoft.App/containerApps")),
    Case("app job", "registry-services", app("Microsoft.App/jobs", username="{place.registry[name]}")),
    Case("session pool", "registry-services", app("Microsoft.App/sessionPools", username="{place.registry[name]}")),
    Case("app abroad", "registry-services", app("Microsoft.App/jobs", APPS, username="{place.registry[name]}")),
    Case("app abroad identity", "", app("Microsoft.App/jobs", APPS, identity="system")),
    Case("site", "registry-services", site(DOCKER)),
    Case("site inside", "registry-services", site("docker|https://{place.server}/app", managed=None)),
    Case("site identity", "", site(DOCKER, managed=True)),
    Case("site of others", "", site("DOCKER|mcr.microsoft.com/app:1")),
    Case("site compose", "registry-services", site("COMPOSE|services: {{a: {{image: {place.server}/app}}}}")),
    Case("site windows", "registry-services", site(DOCKER, kind="app,container,windows")),
    Case("function", "registry-services", site(DOCKER, kind="functionapp,linux,container")),
    Case("slot", "registry-services", site(DOCKER, slot=True)),
    Case("slot identity", "", site(DOCKER, slot=True, managed=True)),
    Case("sidecar", "registry-services", sidecar(authType="UserCredentials", userName="{place.registry[name]}")),
    Case("sidecar identity", "", sidecar(authType="SystemIdentity")),
    Case("sidecar of a slot", "registry-services", sidecar(slot=True, authType="UserCredentials")),
    Case("pool", "registry-services", pool(username="{place.registry[name]}")),
    Case("pool identity", "", pool(identityReference={"resourceId": "/subscriptions/x"})),
    Case("pool abroad", "registry-services", pool(APPS, username="{place.registry[name]}")),
    Case("instance", "container-instances", instance(username="{place.registry[name]}")),
    Case("instance token", "", instance(username="token")),
    Case("instance identity", "", instance(identity="/subscriptions/x/y")),
    Case("nothing registered", "", subscription=BARE),
    # AML-94
    Case("kubelet", "", covered_kubelet),
    Case("kubelet hidden", "kubelet-identity", hidden_kubelet),
)
BY_NAME = {case.name: case for case in CASES}
_UNREGISTERED = {"status": 409, "code": "MissingSubscriptionRegistration"}
FAULTS = [
    {"path": f"/subscriptions/{BARE}/providers/Microsoft\\.(App|Batch|Web|ContainerInstance)/", **_UNREGISTERED},
    {"path": "jobs-unreadable/.*/jobs", "status": 403, "code": "AuthorizationFailed"},
]


def places(tenant: Tenant) -> dict[str, Place]:
    found = {}
    for number, case in enumerate(CASES):
        name = case.name.replace(" ", "-")
        group = group_id(f"rg-{name}", case.subscription)
        where = group_id(f"acrml-{name}", case.subscription) if case.elsewhere else group
        registry = tenant.registry(where, f"acrml{number}users", admin=True, abac=case.abac)
        ws = tenant.workspace(group, containerRegistry=registry["id"], **case.workspace(tenant, group))
        tenant.compute(ws, "cluster", identity=system_assigned(f"cluster-{name}"))
        tenant.assign(registry["id"], oid(f"cluster-{name}"), REPOSITORY_READER if case.abac else ACR_PULL)
        found[case.name] = Place(name, group, registry, ws)
        case.build(tenant, found[case.name])
    return found


@dataclass
class Seen:
    """By case: whether the admin user is on, or would stay on; and what the record, or the plan, says of it."""

    on: dict[str, bool]
    guard: dict[str, str]
    azure: LocalAzure
    places: dict[str, Place]


@pytest.fixture(scope="module", params=["plan", "event", "sweep"])
def seen(request: pytest.FixtureRequest, start_azure: Start) -> Seen:
    tenant = Tenant()
    there = places(tenant)
    allowed = [group_id(f"acrml-{there[case.name].name}", case.subscription) for case in CASES if case.elsewhere]
    trusted = ", ".join(allowed)
    policy = f"mode: enforce\nsettle_minutes: 0\ntrust: {{allow: [{trusted}]}}\n"
    azure = start_azure(tenant.document(), policy, functions=request.param != "plan")
    azure.faults(*FAULTS)
    if request.param == "plan":
        return _planned(azure, there)
    if request.param == "event":
        for batch in batched(there.values(), _BATCH, strict=False):
            assert azure.deliver(*(event(place.workspace["id"]) for place in batch)).ok
    else:
        azure.sweep()
    azure.until(lambda: len(_outcomes(azure)) == len(CASES), "every registry is decided about", 300)
    azure.until_quiet()
    are_on, said = admin_users(azure), _outcomes(azure)
    on = {name: are_on[place.registry["id"].lower()] for name, place in there.items()}
    guard = {name: said[place.registry["id"].lower()] for name, place in there.items()}
    return Seen(on, guard, azure, there)


def _outcomes(azure: LocalAzure) -> dict[str, str]:
    """Polled for, so it asks for no more of a row than it needs."""
    chosen = "where Property == 'adminUserEnabled' and Outcome in ('Withheld', 'Applied') | project Scope, Guard"
    rows = azure.query(f"{REMEDIATIONS} | {chosen}")
    return {row["Scope"].lower(): row["Guard"] for row in rows}


def _planned(azure: LocalAzure, there: dict[str, Place]) -> Seen:
    ran = azure.run("plan", "--format", "json", "--policy", str(azure.folder / "policy.yaml"))
    assert ran.code == 2, ran.err
    assert ran.document["errors"] == []
    off = {one["resourceId"].lower() for one in ran.document["settings"]}
    kept = {one["action"].get("resourceId", "").lower(): one["guard"] for one in ran.document["withheld"]}
    ids = {name: place.registry["id"].lower() for name, place in there.items()}
    on = {name: scope not in off for name, scope in ids.items()}
    return Seen(on, {name: kept.get(scope, "") for name, scope in ids.items()}, azure, there)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_admin_user_stays_on_for_whoever_still_needs_it(seen: Seen, name: str) -> None:
    case = BY_NAME[name]
    assert (seen.on[name], seen.guard[name]) == (bool(case.guard), case.guard)


def test_it_asks_for_what_the_papers_list(seen: Seen) -> None:
    assert fidelity.listed("emulator/test_registry_users.py") <= seen.azure.sent()
