"""What jobs and services tell of a registry's users, and what a list of users comes to."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from unit.build import (
    GROUP,
    NOW,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    estate,
    granted,
    guards,
    looked_around,
    registry,
    resource,
    sai,
    settings,
    terms,
    uai_workspace,
    workspace,
)

from shared.access.actions import Deferred
from shared.access.ask_rules import ask_rules
from shared.access.asks import Cover, UserKind
from shared.access.guards import Guard
from shared.access.jobs import is_serverless
from shared.access.model import Estate, Fact, Part, Unreadable, Want
from shared.access.plan import plan
from shared.access.preferences import Builders, Preferences, Serverless
from shared.access.registry_users import registry_users
from shared.access.services import SERVICES, SignIn, sidecar

NOT_READ = Guard.NOT_READ
ON = registry(admin_user=True)
ON_C1: dict[str, Any] = {"computeId": f"{WORKSPACE}/computes/cpu1"}
OFF = ("acrml", "adminUserEnabled", "false")
FIRST = Want(WORKSPACE, "jobs", pages=1)
MORE = Want(WORKSPACE, "jobs", pages=20)


def job(kind: str = "Command", *, days: float = 1, **properties: Any) -> dict[str, Any]:
    created = (NOW - timedelta(days=days)).isoformat()
    return {"properties": {"jobType": kind, **properties}, "systemData": {"createdAt": created}}


class TestJobs:
    @pytest.mark.parametrize(
        ("one", "serverless"),
        [
            (job(), True),
            (job(computeId=None), True),
            (job(computeId=""), True),
            (job(**ON_C1), False),
            (job(computeId="local"), False),
            (job(computeId=f"{WORKSPACE}/computes/Serverless"), True),
            (job("Sweep", trial={"command": "x"}), True),
            (job("Sweep", **ON_C1), False),
            (job("AutoML", resources={"instanceType": "x"}), True),
            (job("Spark", resources={"runtimeVersion": "3.4"}), True),
            (job("Spark", **ON_C1), False),
            (job("SomethingNew"), True),
            (job("Pipeline"), True),
            (job("Pipeline", **ON_C1), False),
            (job("Pipeline", jobs={"a": ON_C1}), False),
            (job("Pipeline", jobs={"a": ON_C1, "b": {}}), True),
            (job("Pipeline", jobs={"a": ON_C1, "b": {"type": "parallel_for"}}), False),
            (job("Pipeline", jobs={"a": {}}, settings={"default_compute": ON_C1["computeId"]}), False),
            (job("Pipeline", jobs={"a": {}}, settings={"defaultCompute": "azureml:cpu1"}), False),
            (job("Pipeline", jobs={"a": {}}, settings={"default_compute": "azureml:serverless"}), True),
            (job("Pipeline", jobs={"a": {"computeId": "azureml:serverless"}}, **ON_C1), True),
            ({}, True),
        ],
    )
    def test_where_they_run(self, one: dict[str, Any], serverless: bool) -> None:
        assert is_serverless(one) is serverless

    @pytest.mark.parametrize(
        ("facts", "guard"),
        [
            ({FIRST: (job(**ON_C1),)}, ""),
            ({FIRST: None}, ""),
            ({FIRST: (job(),)}, "serverless-jobs"),
            ({FIRST: (job(days=31), job(**ON_C1))}, ""),
            ({FIRST: ({"properties": {}},)}, "serverless-jobs"),
            ({FIRST: Unreadable.FORBIDDEN}, "serverless-jobs"),
            ({FIRST: Part([job(**ON_C1), job(days=40)])}, ""),
            ({FIRST: Part([job(**ON_C1)])}, NOT_READ),
            ({FIRST: Part([job(**ON_C1)]), MORE: (job(**ON_C1), job())}, "serverless-jobs"),
            ({FIRST: Part([job(**ON_C1)]), MORE: (job(**ON_C1),)}, ""),
            ({FIRST: Part([job(**ON_C1)]), MORE: Part([job(**ON_C1)])}, "serverless-jobs"),
            ({}, NOT_READ),
        ],
    )
    def test_what_they_say_of_a_workspace(self, facts: dict[Want, Fact], guard: str) -> None:
        seen = estate(workspace(), ON)
        known = {want: fact for want, fact in seen.facts.items() if want.collection != "jobs"}
        made = plan(replace(seen, facts={**known, **facts}), terms())
        assert guards(made) == ({guard} if guard else set())

    @pytest.mark.parametrize(
        ("said", "settings_too", "guard"),
        [
            (Serverless.NEVER, True, ""),
            (Serverless.ALWAYS, False, "serverless-jobs"),
            (Serverless.JOBS, True, "serverless-pull"),
            (Serverless.JOBS, False, ""),
        ],
    )
    def test_the_policy_may_know_better(self, said: Serverless, settings_too: bool, guard: str) -> None:
        seen = estate(workspace(serverless=settings_too), ON, preferences=Preferences(serverless=said))
        assert guards(plan(seen, terms())) == ({guard} if guard else set())

    def test_a_user_assigned_identity_is_granted_what_they_need(self) -> None:
        seen = estate(uai_workspace(storage=None), registry(), facts={FIRST: (job(),)})
        assert ("mlw-id", "AcrPull", "acrml") in granted(plan(seen, terms()))
        assert granted(plan(replace(seen, facts={FIRST: Unreadable.FORBIDDEN}), terms())) == set()


def image(host: str = "acrml.azurecr.io") -> str:
    return f"{host}/app:1"


def compose(text: str) -> str:
    return f"COMPOSE|{base64.b64encode(text.encode()).decode()}"


APP = "Microsoft.App/containerApps"
POOL = "Microsoft.Batch/batchAccounts"
ACI = "Microsoft.ContainerInstance/containerGroups"
SITE = "Microsoft.Web/sites"


def registries(**entry: str) -> dict[str, Any]:
    return {"configuration": {"registries": [{"server": "acrml.azurecr.io", **entry}]}}


def batch(**entry: Any) -> dict[str, Any]:
    containers = {"containerRegistries": [{"registryServer": "ACRML.azurecr.io", **entry}]}
    return {"deploymentConfiguration": {"virtualMachineConfiguration": {"containerConfiguration": containers}}}


@pytest.mark.parametrize(
    ("collection", "properties", "how"),
    [
        (APP, registries(username="ACRML"), SignIn.ADMIN),
        (APP, registries(username="acrml", identity="system"), SignIn.ADMIN),
        (APP, registries(identity="system"), SignIn.IDENTITY),
        (APP, registries(username="token"), SignIn.OTHER),
        (APP, registries(), SignIn.UNCLEAR),
        (APP, registries(server="https://ACRML.azurecr.io/"), SignIn.UNCLEAR),
        (APP, registries(server="acrml2.azurecr.io", username="acrml"), None),
        (APP, {}, None),
        ("Microsoft.App/jobs", registries(username="acrml"), SignIn.ADMIN),
        (POOL, batch(username="acrml"), SignIn.ADMIN),
        (POOL, batch(userName="AcrML"), SignIn.ADMIN),
        (POOL, batch(identityReference={"resourceId": "/x"}), SignIn.IDENTITY),
        (POOL, batch(registryServer="docker.io"), None),
        (ACI, {"imageRegistryCredentials": [{"server": "acrml.azurecr.io", "username": "acrml"}]}, SignIn.ADMIN),
        (ACI, {"imageRegistryCredentials": [{"server": "acrml.azurecr.io", "identity": "/x"}]}, SignIn.IDENTITY),
        (ACI, {"imageRegistryCredentials": [{"server": "acrml.azurecr.io", "username": "sp"}]}, SignIn.OTHER),
        (ACI, {"initContainers": [{"properties": {"image": image("ACRML.azurecr.io")}}]}, SignIn.UNCLEAR),
        (ACI, {"containers": [{"properties": {"image": "acrml"}}, {}]}, None),
        (SITE, {"linuxFxVersion": f"DOCKER|{image()}"}, SignIn.HIDDEN),
        (SITE, {"linuxFxVersion": f"docker|https://{image('ACRML.azurecr.io')}"}, SignIn.HIDDEN),
        (SITE, {"windowsFxVersion": f"DOCKER|{image()}"}, SignIn.HIDDEN),
        (SITE, {"linuxFxVersion": f"DOCKER|{image()}", "acrUseManagedIdentityCreds": True}, SignIn.IDENTITY),
        (SITE, {"linuxFxVersion": f"DOCKER|{image()}", "acrUseManagedIdentityCreds": None}, SignIn.HIDDEN),
        (SITE, {"linuxFxVersion": compose(f"image: {image()}")}, SignIn.HIDDEN),
        (SITE, {"linuxFxVersion": compose("image: nginx")}, None),
        (SITE, {"linuxFxVersion": "COMPOSE|%"}, SignIn.UNCLEAR),
        (SITE, {"linuxFxVersion": "DOCKER|acrml"}, None),
        (SITE, {"linuxFxVersion": "PYTHON|3.13"}, None),
        (SITE, {"linuxFxVersion": None}, None),
    ],
)
def test_how_a_service_signs_in(collection: str, properties: dict[str, Any], how: SignIn | None) -> None:
    (reading,) = (service.reading for service in SERVICES if service.collection == collection)
    assert list(reading({"properties": properties}, ON)) == ([how] if how else [])


@pytest.mark.parametrize(
    ("properties", "how"),
    [
        ({"image": image(), "authType": "UserCredentials", "userName": "acrml"}, SignIn.ADMIN),
        ({"image": image(), "authType": "UserCredentials", "userName": "token"}, SignIn.OTHER),
        ({"image": image(), "authType": "UserCredentials"}, SignIn.HIDDEN),
        ({"image": image(), "authType": "SystemIdentity"}, SignIn.IDENTITY),
        ({"image": image(), "authType": "UserAssigned"}, SignIn.IDENTITY),
        ({"image": image()}, SignIn.UNCLEAR),
        ({"image": "nginx"}, None),
    ],
)
def test_how_a_sidecar_signs_in(properties: dict[str, Any], how: SignIn | None) -> None:
    assert list(sidecar({"properties": properties}, ON)) == ([how] if how else [])


@pytest.mark.parametrize(
    ("site", "may"),
    [
        ({"kind": "app"}, False),
        ({"kind": "functionapp"}, False),
        ({"kind": "app,linux"}, True),
        ({"kind": "app,container,windows"}, True),
        ({"kind": "app", "properties": {"reserved": True}}, True),
        ({"kind": "app", "properties": {"hyperV": True}}, True),
        ({}, True),
    ],
)
def test_which_sites_may_run_a_container(site: dict[str, Any], may: bool) -> None:
    (service,) = (one for one in SERVICES if one.collection == SITE)
    assert service.may(site) is may


class TestBuilders:
    ABAC = registry(abac=True)

    @pytest.mark.parametrize(
        ("abac", "least", "roles"),
        [
            (False, False, {"Contributor"}),
            (False, True, {"AcrPush", "Container Registry Tasks Contributor"}),
            (True, False, {"Contributor", "Container Registry Repository Writer"}),
            (True, True, {"Container Registry Tasks Contributor", "Container Registry Repository Writer"}),
        ],
    )
    def test_what_they_get_once_the_policy_says_so(self, abac: bool, least: bool, roles: set[str]) -> None:
        preferences = Preferences(builders=Builders.LEAST if least else Builders.CONTRIBUTOR)
        for one, name in ((workspace(storage=None), "workspace mlw"), (uai_workspace(storage=None), "mlw-id")):
            label = one.acting.label if one.acting else name
            seen = estate(one, registry(abac=abac), aml=False, preferences=preferences)
            assert granted(plan(seen, terms())) == set()
            for requirement in ("AML-08", "AML-83"):
                made = plan(seen, terms(on=[requirement]))
                assert granted(made) == {(label, role, "acrml") for role in roles}, requirement

    def test_contributor_is_granted_once_for_all_that_asks_for_it(self) -> None:
        (grant,) = plan(estate(uai_workspace(storage=None), registry()), terms(on=["AML-08"])).grants
        assert set(grant.requirements) == {"AML-08", "AML-10", "AML-83"}
        assert grant.rule == "workspace-registry, image-builder-role"

    def test_until_then_a_finding_says_which_role_once(self) -> None:
        made = plan(estate(uai_workspace(storage=None, app_insights=None), registry()), terms(off=["AML-03"]))
        (found,) = made.findings
        assert found.rule == "workspace-registry"
        assert "AML-83" in found.requirements
        assert '--role "Contributor"' in found.remedy

    def test_the_switch_waits_for_a_builders_new_role(self) -> None:
        held = [assigned(sai("mlw"), "Contributor", REGISTRY, on=NOW - timedelta(minutes=5))]
        (one,) = plan(estate(workspace(), ON, aml=False, held=held), terms()).deferred
        assert one.until == NOW + timedelta(minutes=10)
        planned = plan(estate(workspace(), ON, aml=False), terms(on=["AML-83"]))
        assert [type(one) for one in planned.deferred] == [Deferred]
        assert [grant.need.role_name for grant in planned.grants] == ["Contributor"]


class TestTheList:
    def users(self, seen: Estate) -> dict[str, tuple[UserKind, Cover]]:
        asked = [ask_rules(each, seen, terms()) for each in seen.workspaces]
        return {one.label: (one.kind, one.cover) for one in registry_users(REGISTRY, asked, (), seen)}

    def test_has_everybody_with_their_cover(self) -> None:
        app = {"id": str(resource(APP, "chat")), "properties": registries(identity="system")}
        one = workspace(cluster("cpu1", sai("cpu1")), cluster("cpu2", sai("cpu2")), cluster("cpu3"))
        seen = estate(one, ON, held=[assigned(sai("cpu1"), "AcrPull", GROUP)])
        facts = {**seen.facts, Want(SUBSCRIPTION, APP): (app,)}
        assert self.users(replace(seen, facts=facts)) == {
            "cpu1 (cpu1)": (UserKind.PULLER, Cover.COVERED),
            "cpu2 (cpu2)": (UserKind.PULLER, Cover.UNCOVERED),
            "cpu3": (UserKind.PULLER, Cover.UNCOVERED),
            "mlw (mlw)": (UserKind.BUILDER, Cover.COVERED),
            "serverless compute of mlw": (UserKind.SERVERLESS, Cover.COVERED),
            "Container App chat": (UserKind.SERVICE, Cover.COVERED),
            "acrml's own name": (UserKind.SIGN_IN, Cover.COVERED),
        }

    def test_what_was_not_read_is_unknown_and_keeps_it_on(self) -> None:
        seen = replace(estate(workspace(), ON), facts={})
        (one,) = plan(seen, terms()).withheld
        assert one.refusal.guard == NOT_READ
        assert {want.collection for want in one.refusal.wants} >= {APP, SITE, POOL, ACI, "jobs"}
        assert not any(want.query and not want.graph for want in one.refusal.wants), "the logs come last"
        asked = looked_around(seen)
        logs = {want for want in asked.facts if want.query and not want.graph}
        (last,) = plan(replace(asked, facts={w: f for w, f in asked.facts.items() if w not in logs}), terms()).withheld
        assert set(last.refusal.wants) == logs
        assert OFF in settings(plan(asked, terms()))

    def test_nothing_is_asked_for_while_somebody_is_uncovered_anyway(self) -> None:
        (one,) = plan(replace(estate(workspace(cluster("cpu1")), ON), facts={}), terms()).withheld
        assert one.refusal.wants == ()

    @pytest.mark.parametrize("collection", [APP, "Microsoft.App/jobs", POOL, SITE, ACI])
    def test_what_may_not_be_read_is_unknown(self, collection: str) -> None:
        want = Want(SUBSCRIPTION, collection)
        seen = estate(workspace(), ON)
        made = plan(replace(seen, facts={**seen.facts, want: Unreadable.FORBIDDEN}), terms())
        assert len(guards(made)) == 1
        assert collection in made.withheld[0].refusal.reason
        assert OFF in settings(plan(replace(seen, facts={**seen.facts, want: None}), terms()))

    @pytest.mark.parametrize(("age", "off"), [(5, False), (15, True), (60, True)])
    def test_a_registry_that_aml_has_just_made_is_left_alone_for_the_settle_time(self, age: int, off: bool) -> None:
        made = registry(admin_user=True, created_on=NOW - timedelta(minutes=age))
        by_aml = workspace(created_on=NOW - timedelta(days=9))
        assert (OFF in settings(plan(estate(by_aml, made), terms()))) is off
        brought = workspace(created_on=NOW - timedelta(minutes=1))
        assert OFF in settings(plan(estate(brought, made), terms()))
