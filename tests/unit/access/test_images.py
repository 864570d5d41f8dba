"""AML-90 and AML-97: whose images and assets a workspace uses, and who needs a role for it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from unit.build import (
    FOREIGN,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    assigned,
    cluster,
    compute,
    connection,
    datastore,
    endpoint,
    estate,
    granted,
    guards,
    registry,
    registry_id,
    resource,
    sai,
    terms,
    workspace,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import Finding
from shared.access.images import Asset, as_it_is, assets, container_registry, of_microsoft
from shared.access.model import ComputeType, Estate, Fact, Unreadable, Want, Workspace
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
BASE = registry_id("base", FOREIGN)
BEHIND = registry_id("behind", FOREIGN)
SHARED = resource("Microsoft.MachineLearningServices/registries", "Shared", FOREIGN)
ENVIRONMENTS = Want(WORKSPACE, "environments")
REGISTRIES = Want(SUBSCRIPTION, "Microsoft.ContainerRegistry/registries")
AML_REGISTRIES = Want(SUBSCRIPTION, "Microsoft.MachineLearningServices/registries")
C1 = cluster("cpu1", sai("cpu1"))
EP = endpoint("infer", sai("infer"))
DEPLOYMENTS = Want(EP.id, "deployments")


def acr(scope: Scope, *, abac: bool = False) -> dict[str, Any]:
    mode = "AbacRepositoryPermissions" if abac else "LegacyRegistryPermissions"
    return {"id": str(scope), "properties": {"loginServer": f"{scope.name}.azurecr.io", "roleAssignmentMode": mode}}


def container(name: str) -> dict[str, Any]:
    at = WORKSPACE.child("environments", name)
    return {"id": str(at), "name": name, "properties": {"latestVersion": "1"}}


def version(name: str, **body: Any) -> tuple[Want, Fact]:
    at = WORKSPACE.child("environments", name).child("versions", "1")
    return Want(at), {"id": str(at), "properties": body}


def seen(one: Workspace, facts: Mapping[Want, Fact], *parts: Any, **more: Any) -> Estate:
    return replace(estate(one, registry(), *parts, **more), facts=dict(facts))


LISTED = (acr(BASE),)


def running(image: str, *, registries: Fact = LISTED, **body: Any) -> dict[Want, Fact]:
    return dict([version("env", image=image, **body)]) | {ENVIRONMENTS: (container("env"),), REGISTRIES: registries}


def deployed(environment: str = "", model: object = None, **facts: Fact) -> dict[Want, Fact]:
    body = {"environmentId": environment or None, "model": model}
    listed: Fact = facts.get("aml", ({"id": str(SHARED), "name": "Shared", "properties": behind(BEHIND)},))
    return {
        DEPLOYMENTS: ({"name": "blue", "properties": body},),
        AML_REGISTRIES: listed,
        REGISTRIES: (acr(BASE),),
        Want(BEHIND): acr(BEHIND),
    }


def behind(scope: Scope, made: str = "systemCreatedAcrAccount") -> dict[str, Any]:
    return {"regionDetails": [{"acrDetails": [{made: {"armResourceId": {"resourceId": str(scope).upper()}}}]}]}


def findings(name: str, one: Estate) -> list[Finding]:
    return [ask for ask in asks_of(RULE[name], one.subject, one) if isinstance(ask, Finding)]


ALLOWED = terms(on=["AML-97"], allow=(FOREIGN,))


@pytest.mark.parametrize(
    ("image", "host"),
    [
        ("base.azurecr.io/a/b:1", "base.azurecr.io"),
        ("BASE.AzureCR.io/a@sha256:0", "base.azurecr.io"),
        ("base-x1.westeurope.data.azurecr.cn/a", "base-x1.westeurope.data.azurecr.cn"),
        ("https://base.azurecr.us/a", "base.azurecr.us"),
        ("mcr.microsoft.com/azureml/openmpi", None),
        ("ubuntu:22.04", None),
        ("docker.io/library/ubuntu", None),
        ("base.azurecr.io", None),
        ("evil.com/base.azurecr.io/a", None),
        ("evil.com?base.azurecr.io/a", None),
        ("", None),
        (None, None),
    ],
)
def test_where_an_image_comes_from(image: str | None, host: str | None) -> None:
    assert container_registry(image) == host
    assert as_it_is({"properties": {"image": image}}) == host
    assert as_it_is({"properties": {"image": image, "condaFile": "a"}}) is None
    assert as_it_is({"properties": {"image": image, "build": {"contextUri": "a"}}}) is None


OWN = WORKSPACE.child("environments", "env").child("versions", "1")


@pytest.mark.parametrize(
    ("name", "asset"),
    [
        ("azureml://registries/Shared/environments/e/versions/1", Asset("environments", "Shared")),
        ("AzureML://Registries/azureml/environments/e/labels/latest", Asset("environments", "azureml")),
        (str(OWN), Asset("environments", "", OWN)),
        (f"azureml:{OWN}", Asset("environments", "", OWN)),
        ("azureml:env:1", None),
        ("", None),
    ],
)
def test_what_a_deployment_names(name: str, asset: Asset | None) -> None:
    assert list(assets({"properties": {"environmentId": name}})) == ([asset] if asset else [])


def test_microsofts_own_registries() -> None:
    assert [of_microsoft(name) for name in ("azureml", "AzureML", "azureml-meta", "azuremlx", "mine")] == [
        True,
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("runner", "gets"),
    [
        (C1, True),
        (compute("i", ComputeType.COMPUTE_INSTANCE, sai("cpu1")), True),
        (compute("k", ComputeType.KUBERNETES, sai("cpu1")), True),
        (compute("d", ComputeType.DATABRICKS, sai("cpu1")), False),
        (cluster("cpu1"), False),
    ],
    ids=["cluster", "instance", "kubernetes", "databricks", "without identity"],
)
def test_who_runs_an_image_pulls_it(runner: Any, *, gets: bool) -> None:
    one = seen(workspace(runner), running("base.azurecr.io/a:1"))
    assert (("cpu1", "AcrPull", "base") in granted(plan(one, ALLOWED))) is gets


def test_in_abac_mode_it_is_the_readers_role() -> None:
    one = seen(workspace(C1), running("base.azurecr.io/a:1", registries=(acr(BASE, abac=True),)))
    assert ("cpu1", "Container Registry Repository Reader", "base") in granted(plan(one, ALLOWED))


def test_where_the_policy_does_not_allow_it_it_is_withheld() -> None:
    one = seen(workspace(C1), running("base.azurecr.io/a:1"))
    assert guards(plan(one, terms())) == {"target-outside-boundary"}
    near = registry_id("base")
    one = seen(workspace(C1), running("base.azurecr.io/a:1", registries=(acr(near),)))
    assert guards(plan(one, terms())) == {"target-outside-boundary"}


@pytest.mark.parametrize(
    "facts",
    [
        running("mcr.microsoft.com/a"),
        running(f"{REGISTRY.name}.azurecr.io/a"),
        running("base.azurecr.io/a", condaFile="x"),
        {ENVIRONMENTS: ()},
        {ENVIRONMENTS: Unreadable.FORBIDDEN},
    ],
    ids=["Microsoft's", "its own", "built", "no environments", "closed"],
)
def test_what_needs_nothing_or_is_not_known(facts: Mapping[Want, Fact]) -> None:
    one = seen(workspace(C1), facts)
    assert not [name for _, _, name in granted(plan(one, ALLOWED)) if name == "base"]
    assert [f.message for f in findings("image-registries", one) if "may be read" in f.message] == []
    assert bool(findings("image-registries", one)) == (facts[ENVIRONMENTS] is Unreadable.FORBIDDEN)


def test_held_through_anything_is_held() -> None:
    held = [assigned(sai("cpu1"), "Reader", FOREIGN), assigned(sai("cpu1"), "AcrPull", REGISTRY)]
    one = seen(workspace(C1), running("base.azurecr.io/a:1"), held=held)
    assert granted(plan(one, ALLOWED)) == set()


def test_a_registry_elsewhere_is_known_by_a_connection_or_not_at_all() -> None:
    facts = running("base.azurecr.io/a:1", registries=())
    (found,) = findings("image-registries", seen(workspace(C1), facts))
    assert "base.azurecr.io" in found.message
    one = seen(workspace(C1, connection("base", BASE)), facts, registry(BASE))
    assert findings("image-registries", one) == []
    assert ("cpu1", "AcrPull", "base") in granted(plan(one, ALLOWED))


def test_what_was_not_looked_at_is_said() -> None:
    many = tuple(container(f"env{number}") for number in range(21))
    one = seen(workspace(C1), {ENVIRONMENTS: many})
    (found,) = findings("image-registries", one)
    assert "21 environments" in found.message
    assert "--name ENVIRONMENT" in found.remedy
    assert findings("image-registries", seen(workspace(C1), {ENVIRONMENTS: many[:20]})) == []
    archived = {**many[20], "properties": {"isArchived": True}}
    assert findings("image-registries", seen(workspace(C1), {ENVIRONMENTS: (*many[:20], archived)})) == []


class TestWhatIsRead:
    def wants(self, one: Estate) -> set[Want]:
        return set(RULE["image-registry-pull"].wants(one.subject, one))

    def test_nothing_where_nobody_could_run_it(self) -> None:
        assert self.wants(seen(workspace(cluster("cpu1"), endpoint("infer")), {})) == set()

    def test_one_thing_leads_to_the_next(self) -> None:
        assert self.wants(seen(workspace(C1), {})) == {ENVIRONMENTS}
        facts = running("base.azurecr.io/a:1")
        (at, _) = version("env")
        assert self.wants(seen(workspace(C1), {ENVIRONMENTS: facts[ENVIRONMENTS]})) == {ENVIRONMENTS, at}
        assert self.wants(seen(workspace(C1), facts)) == {ENVIRONMENTS, at, REGISTRIES}
        assert self.wants(seen(workspace(C1), running("mcr.microsoft.com/a"))) == {ENVIRONMENTS, at}

    def test_an_endpoint_leads_to_what_its_deployments_name(self) -> None:
        assert self.wants(seen(workspace(EP), {})) == {DEPLOYMENTS}
        facts = deployed("azureml://registries/azureml/environments/e/versions/1")
        assert self.wants(seen(workspace(EP), facts)) == {DEPLOYMENTS}
        facts = deployed("azureml://registries/shared/environments/e/versions/1")
        assert self.wants(seen(workspace(EP), facts)) == {DEPLOYMENTS, AML_REGISTRIES, Want(BEHIND)}


class TestDeployments:
    def test_an_environment_of_the_workspace(self) -> None:
        facts = deployed(str(OWN).upper().replace("/SUB", "/sub")) | dict([version("env", image="base.azurecr.io/a")])
        assert ("infer", "AcrPull", "base") in granted(plan(seen(workspace(EP), facts), ALLOWED))

    def test_an_environment_of_an_aml_registry_lies_in_its_own(self) -> None:
        facts = deployed("azureml://registries/SHARED/environments/e/versions/1")
        made = granted(plan(seen(workspace(EP), facts), ALLOWED))
        assert {("infer", "AzureML Registry User", "Shared")} <= made
        assert [name.casefold() for _, role, name in made if role == "AcrPull" and name != "acrml"] == ["behind"]

    @pytest.mark.parametrize(
        "model", [{"assetId": "azureml://registries/shared/models/m/versions/1"}, f"{SHARED}/models/m/versions/1"]
    )
    def test_a_model_of_an_aml_registry_pulls_nothing(self, model: object) -> None:
        made = granted(plan(seen(workspace(EP), deployed(model=model)), ALLOWED))
        assert {("infer", "AzureML Registry User", "Shared")} <= made
        assert not [name for _, role, name in made if role == "AcrPull" and name != "acrml"]

    def test_off_and_not_allowed(self) -> None:
        one = seen(workspace(EP), deployed(model="azureml://registries/shared/models/m/versions/1"))
        assert "aml-registry-user" in {f.rule for f in plan(one, terms()).findings}
        assert guards(plan(one, terms(on=["AML-97"]))) == {"target-outside-boundary"}

    @pytest.mark.parametrize("aml", [(), Unreadable.FORBIDDEN], ids=["elsewhere", "closed"])
    def test_a_registry_that_nobody_finds(self, aml: Fact) -> None:
        one = seen(workspace(EP), deployed("azureml://registries/shared/environments/e/versions/1", aml=aml))
        assert not [name for _, _, name in granted(plan(one, ALLOWED)) if name in ("Shared", "behind")]
        assert len(findings("aml-registries", one)) == 1

    def test_microsofts_needs_nothing(self) -> None:
        one = seen(workspace(EP), deployed("azureml://registries/azureml/environments/e/versions/1"))
        assert not [name for _, _, name in granted(plan(one, ALLOWED)) if name not in ("acrml", "store")]
        assert findings("aml-registries", one) == []


class TestJobs:
    MODEL: ClassVar[dict[str, Any]] = {"model": {"uri": "azureml://registries/shared/models/m/versions/1"}}
    ON_C1 = f"{WORKSPACE}/computes/cpu1"

    def made(self, *bodies: dict[str, Any]) -> set[tuple[str, str, str]]:
        one = workspace(C1, datastore("d", identity_based=False))
        jobs: dict[Want, Fact] = {Want(WORKSPACE, "jobs", pages=1): tuple({"properties": body} for body in bodies)}
        listed = deployed("azureml://registries/shared/environments/e/versions/1")
        return granted(plan(seen(one, jobs | listed), ALLOWED))

    @pytest.mark.parametrize(
        "body",
        [
            {"computeId": ON_C1, "inputs": MODEL},
            {"computeId": ON_C1, "environmentId": "azureml://registries/Shared/environments/e/versions/1"},
            {"computeId": ON_C1, "componentId": f"{SHARED}/components/train/versions/1"},
            {"settings": {"default_compute": ON_C1}, "jobs": {"a": {"type": "command", "inputs": MODEL}}},
        ],
        ids=["input", "environment", "component", "step"],
    )
    def test_who_runs_them_uses_the_registry(self, body: dict[str, Any]) -> None:
        assert ("cpu1", "AzureML Registry User", "Shared") in self.made(body)

    @pytest.mark.parametrize(
        "body",
        [
            {"computeId": ON_C1, "inputs": MODEL, "identity": {"identityType": "UserIdentity"}},
            {"computeId": ON_C1, "environmentId": "azureml://registries/azureml/environments/e/versions/1"},
            {"computeId": ON_C1, "inputs": {"a": {"uri": "azureml://datastores/d/paths/x"}, "b": None}},
            {"computeId": f"{WORKSPACE}/computes/gone", "inputs": MODEL},
            {"inputs": MODEL},
            {},
        ],
        ids=["as the user", "microsofts", "a datastore", "a compute that is gone", "serverless", "nothing"],
    )
    def test_nobody_else_does(self, body: dict[str, Any]) -> None:
        assert not [one for one in self.made(body) if one[1] == "AzureML Registry User"]

    def test_an_environment_is_pulled_from_the_registrys_own(self) -> None:
        body = {"computeId": self.ON_C1, "environmentId": "azureml://registries/shared/environments/e/versions/1"}
        assert {name.casefold() for _, role, name in self.made(body) if role == "AcrPull"} >= {"behind"}

    def test_no_list_is_read_for_it_that_others_do_not_read(self) -> None:
        jobs, rule = Want(WORKSPACE, "jobs", pages=1), RULE["aml-registry-user"]
        for one, asked in ((workspace(C1), False), (workspace(datastore("d")), False)):
            assert (jobs in set(rule.wants(one, seen(one, {})))) is asked
