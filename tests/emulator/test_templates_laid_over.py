"""`plan --template FILE --scope ID`: what is there, with the template laid over it. What is said comes true.

That a deployment replaces what it names and removes nothing: https://learn.microsoft.com/azure/azure-resource-manager/
templates/deployment-modes (incremental). That a PUT without `adminUserEnabled` turns the admin user off, and that the
identities of a PUT are all that stay attached: docs/azure-facts.md.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from forked import Ran
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, TENANT_ID, Tenant, child, group_id, oid, user_assigned
from wire import Json, is_write

from docs import fidelity
from emulator.tenant_builder import role_definition, vault

_AML = "Microsoft.MachineLearningServices/workspaces"
_READER = "b93aa761-3e63-49ed-ac28-beffa264f7ac"
POLICY = (
    "rules: {AML-07: {enabled: true}, managed-network: {enabled: false}, compute-settings: {enabled: false}, "
    "workspace-group-role: {enabled: false}}\n"
    f"trust: {{allow: ['{group_id('rg-shared')}']}}\n"
)
SHARED = child(group_id("rg-shared"), "Microsoft.ContainerRegistry/registries", "crshared")


PULLER = role_definition("Puller", group_id("rg-known"), {"actions": ["Microsoft.ContainerRegistry/registries/*"]})


@dataclass(frozen=True)
class Team:
    """One resource group, with a workspace whose cluster `old` has the identity `puller`, which may pull."""

    name: str

    @property
    def group(self) -> str:
        return group_id(f"rg-{self.name}")

    def at(self, kind: str, name: str) -> str:
        return child(self.group, kind, name)

    @property
    def registry(self) -> str:
        return self.at("Microsoft.ContainerRegistry/registries", f"cr{self.name}")

    @property
    def vault(self) -> str:
        return self.at("Microsoft.KeyVault/vaults", f"kv-{self.name}")

    @property
    def workspace(self) -> str:
        return self.at(_AML, "mlw")

    def identity(self, name: str) -> str:
        return self.at("Microsoft.ManagedIdentity/userAssignedIdentities", name)

    def built(self, tenant: Tenant, registry: str) -> None:
        storage = tenant.storage(self.group, f"st{self.name}")
        own = tenant.uai(self.group, "own")
        puller, _ = tenant.uai(self.group, "puller"), tenant.uai(self.group, "bare")
        entry = {"tenantId": TENANT_ID, "objectId": oid(own["id"]), "permissions": _every(["all"])}
        tenant.add(vault(self.vault, TENANT_ID, rbac=False, accessPolicies=[entry]))
        named = {"storageAccount": storage["id"], "keyVault": self.vault, "containerRegistry": registry}
        workspace = tenant.workspace(
            self.group, identity=user_assigned(own), primaryUserAssignedIdentity=own["id"], **named
        )
        for scope in (self.group, registry):
            tenant.assign(scope, oid(own["id"]), "8e3af657-a8ff-443c-a75c-2fe8c4bcb635")
        tenant.assign(storage["id"], oid(own["id"]), "ba92f5b4-2d11-453d-a403-e96b0029c9fe")
        tenant.compute(workspace, "old", identity=user_assigned(puller))
        tenant.assign(registry, oid(puller["id"]), ACR_PULL)


def _every(permissions: list[str]) -> Json:
    return dict.fromkeys(("keys", "secrets", "certificates"), permissions)


TEAMS = ("known", "shared", "detached", "policies", "admin", "kept", "new", "failing")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    tenant.role_definitions.append(PULLER)
    tenant.registry(group_id("rg-shared"), "crshared", abac=True)
    for name in TEAMS:
        one = Team(name)
        if name != "shared":
            tenant.registry(one.group, f"cr{name}")
        one.built(tenant, SHARED if name == "shared" else one.registry)
    return start_azure(tenant.document(), POLICY, functions=False)


def resource(scope: str, properties: Json | None = None, **more: Any) -> Json:
    parts = scope.rpartition("/providers/")[2].split("/")
    kind = "/".join((parts[0], *parts[1::2]))
    made = {"id": scope, "type": kind, "name": parts[-1], "location": "westeurope", "properties": properties or {}}
    return {**made, **more}


def cluster(team: Team, name: str, *identities: str) -> Json:
    identity = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in identities}}
    inner = {"computeType": "AmlCompute", "properties": {"vmSize": "STANDARD_DS3_V2"}}
    block = {"identity": identity} if identities else {}
    return resource(f"{team.workspace}/computes/{name}", inner, **block)


def run(azure: LocalAzure, scope: str, *made: Json, **document: Any) -> Ran:
    file = azure.folder / "main.snapshot.json"
    file.write_text(json.dumps({"predictedResources": made, "diagnostics": [], **document}), encoding="utf-8")
    azure.forget_requests()
    ran = azure.run("plan", "--template", str(file), "--scope", scope, "--format", "json")
    assert not any(is_write(one) for one in azure.asked())
    return ran


def after(azure: LocalAzure, team: Team, *made: Json) -> Json:
    """The plan of what will be there. Then it is deployed, and the plan of what is there is the same."""
    ran = run(azure, team.group, *made)
    assert ran.code in (0, 2), ran.err
    foretold: Json = ran.document
    assert foretold["errors"] == []
    for one in made:
        azure.put(one["id"], {name: one[name] for name in ("location", "identity", "properties") if name in one})
    ran = azure.run("plan", "--scope", team.group, "--format", "json")
    assert _said(ran.document) == _said(foretold)
    return foretold


def _said(document: Json) -> Json:
    """What a plan says, without what only an identity that exists has."""
    grants = sorted((one["principal"].lower(), one["roleName"], one["scope"].lower()) for one in document["grants"])
    settings = sorted((one["resourceId"].lower(), one["property"]) for one in document["settings"])
    waiting = sorted(
        (one["action"]["resourceId"].lower(), one["action"].get("property", ""))
        for name in ("deferred", "withheld")
        for one in document[name]
    )
    return {"grants": grants, "settings": settings, "waiting": waiting, "satisfied": document["satisfied"]}


def missing(document: Json) -> set[tuple[str, str | None, str]]:
    return {(one["principal"], one["principalId"], one["scope"]) for one in document["grants"]}


def test_identities_that_are_there_hold_what_azure_shows(azure: LocalAzure) -> None:
    team = Team("known")
    made = cluster(team, "fine", team.identity("puller")), cluster(team, "lacking", team.identity("bare"))
    found = after(azure, team, *made)
    assert missing(found) == {(team.identity("bare"), oid(team.identity("bare")), team.registry)}
    assert found["unknown"] == []


def test_registries_that_are_there_are_known_with_their_settings(azure: LocalAzure) -> None:
    team = Team("shared")
    found = after(azure, team, cluster(team, "lacking", team.identity("bare")))
    assert {(one["scope"], one["roleDefinitionId"].rpartition("/")[2]) for one in found["grants"]} == {
        (SHARED, _READER)
    }
    assert found["unknown"] == []


def test_an_identity_that_is_left_out_is_detached(azure: LocalAzure) -> None:
    team = Team("detached")
    bare, puller = team.identity("bare"), team.identity("puller")
    lacking = {(bare, oid(bare), team.registry)}
    assert missing(after(azure, team, cluster(team, "old", bare))) == lacking
    assert missing(run(azure, team.group, cluster(team, "old")).document) == set()
    assert missing(after(azure, team, cluster(team, "old", puller))) == set()


def test_access_policies_that_are_written_as_a_whole_are_replaced(azure: LocalAzure) -> None:
    team = Team("policies")
    sku = {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}}

    def vault(*policies: Json) -> Json:
        return resource(team.vault, {**sku, "enableRbacAuthorization": False, "accessPolicies": list(policies)})

    mine = {"tenantId": TENANT_ID, "objectId": oid(team.identity("own")), "permissions": _every(["all"])}
    theirs = mine | {"objectId": oid("somebody")}
    assert after(azure, team, vault(mine))["settings"] == []
    assert [one["resourceId"] for one in after(azure, team, vault(theirs))["settings"]] == [team.vault]
    added = resource(f"{team.vault}/accessPolicies/add", {"accessPolicies": [mine]})
    assert run(azure, team.group, added).document["settings"] == []


def test_an_admin_user_comes_on_again(azure: LocalAzure) -> None:
    team = Team("admin")

    def registry(**properties: Any) -> Json:
        return resource(team.registry, properties, sku={"name": "Standard"})

    def turned_off(document: Json) -> bool:
        every = [*document["settings"], *(one["action"] for one in (*document["deferred"], *document["withheld"]))]
        return any(one.get("property") == "adminUserEnabled" for one in every)

    assert not turned_off(run(azure, team.group, registry()).document)
    assert turned_off(run(azure, team.group, registry(adminUserEnabled=True)).document)
    azure.patch(team.registry, {"properties": {"adminUserEnabled": True}})
    assert turned_off(run(azure, team.group).document)
    assert not turned_off(run(azure, team.group, registry(adminUserEnabled=False)).document)
    assert not turned_off(run(azure, team.group, registry()).document)


def test_nothing_is_removed(azure: LocalAzure) -> None:
    team = Team("kept")
    azure.put(f"{team.workspace}/computes/bare", cluster(team, "bare", team.identity("bare")))
    expected = {(team.identity("bare"), oid(team.identity("bare")), team.registry)}
    assert missing(run(azure, team.group).document) == expected
    assert missing(run(azure, team.group, resource(team.identity("other"))).document) == expected


def test_what_is_new_has_no_object_id_yet(azure: LocalAzure) -> None:
    team = Team("new")
    workspace = team.at(_AML, "next")
    named = {"storageAccount": team.at("Microsoft.Storage/storageAccounts", "stnew"), "keyVault": team.vault}
    made = resource(
        workspace, {**named, "containerRegistry": team.registry}, identity={"type": "SystemAssigned"}, kind="Default"
    )
    train = resource(f"{workspace}/computes/train", {"computeType": "AmlCompute"}, identity={"type": "SystemAssigned"})
    for scope in (team.group, workspace, team.registry):
        found = run(azure, scope, made, train)
        assert found.code == 2, found.err
        own = [one for one in found.document["grants"] if one["principal"].endswith("/computes/train")]
        assert [(one["principalId"], one["scope"], one["amlMayAdd"]) for one in own] == [(None, team.registry, True)]


def test_what_the_scope_does_not_name_is_not_looked_at(azure: LocalAzure) -> None:
    team, other = Team("new"), Team("kept")
    made = cluster(team, "lacking", team.identity("bare"))
    assert missing(run(azure, team.group, made).document)
    assert missing(run(azure, other.workspace, made).document) == missing(run(azure, other.workspace).document)


def test_a_new_resource_group_may_be_the_scope(azure: LocalAzure) -> None:
    team = Team("later")
    made = resource(team.workspace, {}, identity={"type": "SystemAssigned"})
    ran = run(azure, team.group, made)
    assert ran.code == 2, ran.err
    assert {one["resourceId"] for one in ran.document["unknown"]} == {team.workspace}
    assert run(azure, team.group, resource(team.registry)).code == 1
    assert run(azure, Team("nowhere").group, made).code == 1


def test_what_may_not_be_read_is_unknown_and_never_missing(azure: LocalAzure) -> None:
    team = Team("failing")
    made = cluster(team, "new", team.identity("puller"))
    try:
        azure.faults({"path": f"{team.identity('puller')}\\?", "status": 403, "code": "AuthorizationFailed"})
        found = run(azure, team.group, made)
        assert found.document["grants"] == []
        said = {one["resourceId"]: one["reason"] for one in found.document["unknown"]}
        assert "may not be read" in said[f"{team.workspace}/computes/new"]
        azure.faults({"path": f"{team.workspace}/computes\\?", "status": 403, "code": "AuthorizationFailed"})
        assert run(azure, team.group, made).code == 1
    finally:
        azure.faults()


def test_roles_and_settings_that_are_there_are_known(azure: LocalAzure) -> None:
    """A custom role that the template assigns and does not make; the registry that the workspace has already."""
    team = Team("known")
    name = f"{team.registry}/providers/Microsoft.Authorization/roleAssignments/{oid('custom')}"
    role = {"roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{PULLER['name']}"}
    grant = resource(name, {**role, "principalId": f"[reference('{team.identity('bare')}', '2023-01-31').principalId]"})
    new = cluster(team, "custom", team.identity("bare"))
    workspace = resource(team.workspace, {"friendlyName": "x"})
    found = run(azure, team.group, grant, new, workspace)
    assert [one for one in found.document["grants"] if one["resourceId"] == new["id"]] == []
    assert found.document["unknown"] == []


def test_a_snapshot_that_does_not_show_all_is_an_error(azure: LocalAzure) -> None:
    team = Team("known")
    ran = run(
        azure, team.group, cluster(team, "train", team.identity("bare")), diagnostics=[{"message": "it vanished"}]
    )
    assert ran.code == 1
    assert ran.document["grants"] == []
    assert "it vanished" in ran.document["errors"][0]
    assert fidelity.listed("emulator/test_templates_laid_over.py") <= azure.sent()
