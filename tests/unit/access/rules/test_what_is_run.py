"""Who runs, builds and reads what: jobs, deployments, builders, logs. A grant goes to nobody who does not need it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from unit.build import (
    FOREIGN,
    REGISTRY,
    SUBSCRIPTION,
    WORKSPACE,
    cluster,
    connection,
    datastore,
    endpoint,
    estate,
    registry,
    registry_id,
    resource,
    sai,
    workspace,
)

from shared.access.ask_rules import asks_of
from shared.access.asks import Finding, RequiredGrant
from shared.access.model import Connection, Estate, Fact, Want, Workspace
from shared.access.rules import RULES
from shared.access.scope import Scope

RULE = {rule.name: rule for rule in RULES}
SHARED = resource("Microsoft.MachineLearningServices/registries", "shared", FOREIGN)
JOBS = Want(WORKSPACE, "jobs", pages=1)
AML_REGISTRIES = Want(SUBSCRIPTION, "Microsoft.MachineLearningServices/registries")
C1, EP = cluster("cpu1", sai("cpu1")), endpoint("serve", sai("serve"))
DEPLOYMENTS = Want(EP.id, "deployments")
OF_SHARED = "azureml://registries/shared/environments/e/versions/1"


def seen(subject: Workspace, facts: Mapping[Want, Fact], *parts: Any) -> Estate:
    return replace(estate(subject, *parts), facts=facts)


def grants(rule: str, one: Estate) -> list[tuple[str, str, Scope]]:
    found = (ask for ask in asks_of(RULE[rule], one.subject, one) if isinstance(ask, RequiredGrant))
    return [(ask.principal.label, ask.need.role_name, ask.scope) for ask in found]


def findings(rule: str, one: Estate) -> list[Finding]:
    return [ask for ask in asks_of(RULE[rule], one.subject, one) if isinstance(ask, Finding)]


def shared(behind: Scope) -> Fact:
    details = {"systemCreatedAcrAccount": {"armResourceId": {"resourceId": str(behind)}}}
    return ({"id": str(SHARED), "name": "shared", "properties": {"regionDetails": [{"acrDetails": [details]}]}},)


STEP = {"environmentId": OF_SHARED, "computeId": "cpu1"}
USER = {"identity": {"type": "user_identity"}}


class TestJobs:
    @pytest.mark.parametrize(
        ("body", "asked"),
        [
            ({"jobs": {"one": STEP}}, True),
            ({"jobs": {"one": {**STEP, **USER}}}, False),
            ({"jobs": {"one": STEP}, **USER}, False),
            ({"jobs": {"one": STEP, "two": {**STEP, **USER}}}, True),
            (STEP, True),
            ({**STEP, **USER}, False),
        ],
    )
    def test_what_runs_as_its_user_takes_no_role_of_the_computes(self, body: dict[str, Any], *, asked: bool) -> None:
        facts: dict[Want, Fact] = {JOBS: ({"properties": body},), AML_REGISTRIES: shared(REGISTRY)}
        one = seen(workspace(C1, datastore("d")), facts)
        assert grants("aml-registry-user", one) == ([("cpu1", "AzureML Registry User", SHARED)] if asked else [])


class TestDeployments:
    def seen(self, *deployments: dict[str, Any], behind: Scope | None = None, facts: Any = None) -> Estate:
        listed = tuple({"name": f"d{number}", "properties": one} for number, one in enumerate(deployments))
        known: dict[Want, Fact] = {DEPLOYMENTS: listed, AML_REGISTRIES: shared(behind or REGISTRY)}
        secrets = Connection(WORKSPACE.child("connections", "c"), "customkeys", None, None)
        return seen(workspace(EP, secrets), {**known, **(facts or {})})

    def test_only_those_with_secrets_of_connections_need_to_read_them(self) -> None:
        plain = {"environmentVariables": {"MODE": "fast"}}
        secret = {"environmentVariables": {"KEY": "${{azureml://connections/c/credentials/key}}"}}
        assert grants("connection-secrets", self.seen(plain)) == []
        [(who, _, where)] = grants("connection-secrets", self.seen(plain, secret))
        assert (who, where) == ("serve", WORKSPACE)

    @pytest.mark.parametrize(
        ("kind", "asked"), [("Microsoft.ContainerRegistry/registries", True), ("Microsoft.KeyVault/vaults", False)]
    )
    def test_of_what_an_aml_registry_names_only_registries_are_pulled_from(self, kind: str, *, asked: bool) -> None:
        behind = resource(kind, "behind", FOREIGN)
        raw = {"id": str(behind), "properties": {"loginServer": "behind.azurecr.io"}}
        one = self.seen({"environmentId": OF_SHARED}, behind=behind, facts={Want(behind): raw})
        assert grants("image-registry-pull", one) == ([("serve", "AcrPull", behind)] if asked else [])

    def test_the_environment_of_a_deployment_is_read(self) -> None:
        version = WORKSPACE.child("environments", "env").child("versions", "1")
        one = self.seen({"environmentId": str(version)})
        assert Want(version) in set(RULE["image-registry-pull"].wants(one.subject, one))


class TestBuilders:
    @pytest.mark.parametrize("named", ["CPU1", str(C1.id), str(C1.id).upper()])
    def test_the_compute_that_builds_is_known_by_its_name_or_its_id(self, named: str) -> None:
        subject = workspace(C1, raw={"properties": {"imageBuildCompute": named}})
        one = estate(subject, registry())
        assert {who for who, _, _ in grants("image-builder-role", one)} == {"cpu1"}
        assert findings("image-builder", one) == []

    def test_an_image_of_a_private_registry_cannot_be_built_on(self) -> None:
        base = connection("base", registry_id("base"))
        version = WORKSPACE.child("environments", "env").child("versions", "7")
        listed = {"id": str(version.parent), "properties": {"latestVersion": "7"}}
        raw = {"properties": {"category": "ACR", "authType": "ManagedIdentity"}}
        for added, found in (({"condaFile": "x"}, True), ({}, False)):
            body = {"image": "Base.azurecr.io/a:1", **added}
            facts: dict[Want, Fact] = {Want(WORKSPACE, "environments"): (listed,), Want(version): {"properties": body}}
            said = findings("environment-build", seen(workspace(replace(base, raw=raw)), facts))
            assert [one.resource for one in said] == ([version] if found else [])
            assert all("env:7" in one.message and "base.azurecr.io" in one.message for one in said)

    def test_without_a_private_registry_no_environment_is_read(self) -> None:
        git = Connection(WORKSPACE.child("connections", "git"), "git", "https://git.example.com/repo", None)
        one = estate(workspace(git))
        assert list(RULE["environment-build"].wants(one.subject, one)) == []


class TestTrafficLogs:
    @pytest.mark.parametrize(
        ("log", "recorded"),
        [
            ({"category": "AmlOnlineEndpointTrafficLog", "enabled": True}, True),
            ({"category": "AmlOnlineEndpointTrafficLog", "enabled": False}, False),
            ({"categoryGroup": "allLogs", "enabled": True}, True),
            ({"categoryGroup": "audit", "enabled": True}, False),
            ({"enabled": True}, False),
        ],
    )
    def test_what_records_calls(self, log: dict[str, Any], *, recorded: bool) -> None:
        settings = "Microsoft.Insights/diagnosticSettings"
        facts: dict[Want, Fact] = {
            Want(WORKSPACE, settings): (),
            Want(EP.id, settings): ({"properties": {"logs": [log]}},),
        }
        assert bool(findings("endpoint-traffic-logs", seen(workspace(EP), facts))) is not recorded
