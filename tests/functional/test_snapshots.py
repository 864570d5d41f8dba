"""Snapshots over the fakes: what is not known in them stays unknown, no file is taken for another, and what changed."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import raw
from app import App
from fakes import FakeAzure
from unit.build import GROUP, REGISTRY, STORAGE, WORKSPACE, assigned, guid, sai, terms, uai

from handlers.cli.console import UsageError
from handlers.cli.desk import Where, planned
from handlers.cli.difference import difference
from handlers.cli.explain import explained_by
from handlers.cli.from_snapshot import opened, played
from handlers.cli.main import main
from handlers.cli.snapshot import taken_by
from handlers.runtime import Runtime
from shared.access.permissions import EVERYONE, DenyAssignment, PermissionBlock
from shared.access.scope import Scope
from shared.snapshot.kept import HIDDEN, Keeping
from shared.template.snapshot import SnapshotError, snapshot

OTHER = GROUP.child("providers", "Microsoft.MachineLearningServices", "workspaces", "other")
C0 = sai("mlw/computes/cpu0")


def _tenant() -> FakeAzure:
    azure = FakeAzure(logged=True)
    azure.have(raw.storage(), raw.vault(), raw.registry(admin_user=True))
    azure.have(raw.workspace(sai("mlw")), raw.compute("cpu0", C0), raw.endpoint("serve", uai("one")))
    azure.have(raw.workspace(sai("other"), on=OTHER, registry=REGISTRY))
    azure.groups = {guid("pullers"): {uai("one").id}}
    azure.assignments = [assigned(uai("one"), "AcrPull", REGISTRY)]
    block = PermissionBlock(("*/delete",))
    azure.denies = [DenyAssignment("/d", "no", WORKSPACE, (block,), frozenset({EVERYONE}), groups=frozenset())]
    return azure


def _services(azure: FakeAzure) -> Runtime:
    return replace(App(terms(), azure).services, own_object_id="me")


def _taken(azure: FakeAzure, tmp_path: Path, name: str = "tenant.json", where: Where | None = None) -> Path:
    file = tmp_path / name
    file.write_text(asyncio.run(taken_by(_services(azure), where or Where(), None)).text(), encoding="utf-8")
    return file


def _plan(services: Runtime) -> dict[str, Any]:
    report = asyncio.run(planned(Where(empty_is_fine=True, fresh=True), services))
    return {name: value for name, value in report.document().items() if name != "lookedAt"}


def _again(file: Path) -> Runtime:
    return replace(opened(played(file), None), terms=terms())


def test_plan_and_explanations_are_those_of_the_connection(tmp_path: Path) -> None:
    azure = _tenant()
    then = _again(_taken(azure, tmp_path))
    there = _services(azure)
    assert _plan(there) == _plan(then)
    assert _plan(then)["grants"], "something is missing"
    resources = [*azure.resources, *(one.resource for one in (uai("one"),) if one.resource)]
    for one in resources:
        live = asyncio.run(explained_by(one, there)).document()
        assert asyncio.run(explained_by(one, then)).document() == live, one


@pytest.mark.parametrize("part", ["computes", "onlineEndpoints", "Microsoft.Authorization/roleAssignments"])
def test_a_forbidden_part_is_unknown_where_the_connection_says_so(tmp_path: Path, part: str) -> None:
    azure = _tenant()
    azure.unreadable = {part}
    live, then = _plan(_services(azure)), _plan(_again(_taken(azure, tmp_path)))
    assert then == live
    azure.unreadable = set()
    assert _plan(_services(azure)) != then, "it made a difference"


def test_what_was_not_asked_is_unknown(tmp_path: Path) -> None:
    file = _taken(_tenant(), tmp_path)
    document = json.loads(file.read_text(encoding="utf-8"))
    asked = document["snapshot"]["asked"]
    document["snapshot"]["asked"] = [one for one in asked if one.get("for") != "computes"]
    file.write_text(json.dumps(document), encoding="utf-8")
    made = _plan(_again(file))
    assert {one["what"] for one in made["unknown"]} == {"the workspace"}
    assert not made["grants"]


def test_it_holds_who_took_it_and_when_and_by_which_policy(tmp_path: Path) -> None:
    azure = _tenant()
    about = json.loads(_taken(azure, tmp_path).read_text(encoding="utf-8"))["snapshot"]
    assert about["takenBy"] == "me"
    assert about["time"] == azure.now().isoformat()
    assert "policy" in about


def test_the_same_state_makes_the_same_bytes(tmp_path: Path) -> None:
    azure = _tenant()
    assert _taken(azure, tmp_path, "a.json").read_bytes() == _taken(azure, tmp_path, "b.json").read_bytes()


def test_each_option_refuses_the_others_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, bicep, tenant = _taken(_tenant(), tmp_path), tmp_path / "main.snapshot.json", tmp_path / "file.json"
    bicep.write_text(json.dumps({"predictedResources": [], "diagnostics": []}), encoding="utf-8")
    tenant.write_text(json.dumps({"resources": []}), encoding="utf-8")
    with pytest.raises(UsageError, match="`bicep snapshot` writes: give it with --template"):
        played(bicep)
    with pytest.raises(UsageError, match="emulate --tenant"):
        played(tenant)
    with pytest.raises(SnapshotError, match="give it with --snapshot"):
        snapshot(json.loads(ours.read_text(encoding="utf-8")), str(ours))
    assert main(["plan", "--snapshot", str(ours), "--template", str(bicep)]) == 1
    assert "do not go together" in capsys.readouterr().err


def test_diff_says_what_changed_and_nothing_else(tmp_path: Path) -> None:
    azure = _tenant()
    old = _taken(azure, tmp_path, "old.json")
    azure.assignments = [assigned(C0, "AcrPull", REGISTRY)]
    new = _taken(azure, tmp_path, "new.json")
    found = asyncio.run(difference(old, new, None))
    told = found.document()
    assert [one["principalId"] for one in told["holds"]["gone"]] == [uai("one").id]
    assert [one["principalId"] for one in told["holds"]["added"]] == [C0.id]
    changed = {(one["from"]["principalId"], one["to"]["verdict"]) for one in told["needs"]["changed"]}
    assert (C0.id, "held") in changed
    assert found.exit_code == 2
    assert f"+ {C0.id} holds AcrPull" in found.text()
    assert asyncio.run(difference(old, old, None)).exit_code == 0


@pytest.mark.parametrize(
    "body",
    [
        {"environmentVariables": {"A": "canary"}},
        {"containers": [{"env": [{"name": "A", "value": "canary"}]}]},
        {"credentials": {"secrets": {"key": "canary"}}},
        {"properties": {"siteConfig": {"appSettings": [{"name": "x", "value": "canary"}]}}},
        {"target": "https://u:canary@x.example/y?sig=canary"},
        {"connectionString": "AccountKey=canary"},
        {"any": "Endpoint=sb://x/;SharedAccessKey=canary"},
        {"commandLine": "login --password canary"},
        {"description": "canary"},
        {"createdBy": "canary@contoso.example"},
        {"deep": [{"adminUserPassword": "canary"}]},
        {"linuxFxVersion": "COMPOSE|c2VydmljZXM6CiAgYToKICAgIGltYWdlOiB4L3kKICAgIGVudjogUFc9Y2FuYXJ5Cg=="},
        {"tags": {"owner": "canary"}},
        {"imageRegistryCredentials": [{"server": "x.azurecr.io", "username": "canary", "password": "canary"}]},
        {"diagnostics": {"logAnalytics": {"workspaceId": "x", "workspaceKey": "canary"}}},
        {"queryKeys": ["canary"], "api-key": "canary", "Client_Secret": "canary", "authKey2": "canary"},
        {"systemKeys": {"one": "canary"}, "sasUri": "canary", "protectedSettings": {"x": "canary"}},
        {"headers": {"x": "canary"}, "environment": {"variables": {"A": "canary"}}, "sparkConf": {"x": "canary"}},
        {"any": json.dumps({"password": "canary"}), "deep": json.dumps(json.dumps({"api-key": "canary"}))},
        {"any": "{'accountKey': 'canary'}"},
        {"any": "password:canary"},
        {"any": "account-key=canary"},
        {"any": "--password canary"},
        {"any": "<adminPassword>canary</adminPassword>"},
        {"any": "Authorization: Basic canary"},
        {"any": "https%3A%2F%2Fx%3Fsv%3D1%26sig%3Dcanary"},
        {"any": "Ocp-Apim-Subscription-Key: canary"},
        {"any": "https://hooks.slack.com/services/T0/B0/canary"},
        {"any": "ghp_canary0123456789canary0123456789"},
        {"any": "sk-proj-canary0123456789canary0123456789"},
        {"any": "abc8Q~canary.0123456789-canary~01234567"},
        {"any": f"{'canary0123' * 8}canary=="},
    ],
)
def test_a_secret_is_left_out_wherever_it_stands(body: dict[str, Any]) -> None:
    kept = json.dumps(Keeping().of({"id": str(STORAGE), "type": "Microsoft.Storage/storageAccounts", **body}))
    assert "canary" not in kept
    assert "PW" not in kept


@pytest.mark.parametrize("name", ["password", "adminPassword", "InstrumentationKey", "sdkTelemetryAppInsightsKey"])
@pytest.mark.parametrize("value", [guid("canary"), 12345678, str(WORKSPACE)])
def test_a_password_is_none_that_looks_like_something_else(name: str, value: str | int) -> None:
    assert Keeping().of({"properties": {name: value}}) == {"properties": {name: HIDDEN}}


def test_what_rules_read_stays() -> None:
    body = {
        "id": str(REGISTRY),
        "tags": {"amlguard": "off", "team": "x", "Cost": "y"},
        "properties": {
            "credentials": {"credentialsType": "None", "resourceId": str(WORKSPACE), "clientId": guid("c")},
            "registries": [{"server": "acrml.azurecr.io", "username": "acrml"}],
            "image": "acrml.azurecr.io/team/token:3",
            "images": ["acrml.azurecr.io/password:3", "acrml.azurecr.io/sk-learn-of-the-whole-team-2026:1"],
            "networkAcls": {"bypass": "AzureServices"},
            "customerManagedKey": {"keyIdentifier": "https://kvml.vault.azure.net/keys/one/0123456789abcdef"},
            "encryption": {"keyvaultproperties": {"keyname": "one", "keyvaulturi": "https://kvml.vault.azure.net"}},
            "enforced": {"passwordAuthentication": False, "passwordDays": None},
            "accessPolicies": [{"permissions": {"keys": ["get"], "secrets": ["list"]}}],
            "environmentVariables": {"S": "${{azureml://connections/con/credentials/key}}"},
        },
    }
    assert Keeping({"team"}, {"acrml"}).of(body) == body | {"tags": {"amlguard": "off", "team": "x", "Cost": HIDDEN}}


def test_of_a_connection_in_its_old_shape_the_identity_stays_and_no_secret() -> None:
    told = {"ClientId": guid("c"), "ResourceId": str(WORKSPACE), "other": "canary"}
    properties = {"authType": "ManagedIdentity", "value": json.dumps(told)}
    kept = Keeping().of({"properties": properties})["properties"]
    assert json.loads(kept["value"]) == told | {"other": HIDDEN}
    assert Keeping().of({"properties": properties | {"value": "canary"}})["properties"]["value"] == HIDDEN


@pytest.mark.parametrize("name", ["createdBy", "lastModifiedBy", "updatedBy"])
def test_who_made_it_stays_by_object_id_only(name: str) -> None:
    """An object id without dashes is one as well; a name of 32 other letters is a person's."""
    ids = (guid("somebody"), guid("somebody").replace("-", ""))
    for said, kept in (*((one, one) for one in ids), ("Jane Doe", HIDDEN), ("jane@example.com", HIDDEN)):
        assert Keeping().of({"systemData": {name: said}}) == {"systemData": {name: kept}}


def test_a_scope_outside_it_is_not_known(tmp_path: Path) -> None:
    then = _again(_taken(_tenant(), tmp_path))
    elsewhere = Scope.parse("/subscriptions/99999999-9999-4999-8999-999999999999/resourceGroups/rg")
    with pytest.raises(Exception, match="it was not asked when the snapshot was taken"):
        asyncio.run(explained_by(elsewhere, then))
