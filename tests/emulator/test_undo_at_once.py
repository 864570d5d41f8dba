"""`amlguard undo` right after `amlguard apply`: everything is as it was, and what somebody else came to need stays."""

from dataclasses import dataclass

import pytest
from local_azure import LocalAzure, Start
from tenants import (
    ACR_PULL,
    BLOB_READER,
    CONTRIBUTOR,
    GRANTS_ONLY,
    SUBSCRIPTION,
    TENANT_ID,
    Tenant,
    child,
    group_id,
    oid,
    system_assigned,
    user_assigned,
)
from wire import Json

from demo.tenant import POLICY as DEMO_POLICY
from demo.tenant import tenant as demo_tenant
from docs import fidelity
from emulator import tenant_builder as build

WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
IN_ONE_GO = f"mode: enforce\nsettle_minutes: 0\n{GRANTS_ONLY}"


def state(azure: LocalAzure) -> dict[str, Json]:
    """Role assignments and registries of the subscription, as ARM gives them, but not who wrote last; and what vaults
    give to whom, whose spelling an entry that is written anew does not keep.
    """
    found: dict[str, Json] = {}
    link = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments"
    while link:
        page = azure.get(link)
        found |= {one["id"].lower(): one for one in page["value"]}
        link = page.get("nextLink", "").partition(azure.ready["arm"])[2].replace("api-version=", "x=")
    for one in azure.get(f"/subscriptions/{SUBSCRIPTION}/resources")["value"]:
        if one["type"].lower() == "microsoft.containerregistry/registries":
            whole = azure.get(one["id"])
            found[one["id"].lower()] = {key: whole[key] for key in whole if key != "systemData"}
        if one["type"].lower() == "microsoft.keyvault/vaults":
            entries = azure.get(one["id"])["properties"].get("accessPolicies", ())
            found[one["id"].lower()] = {entry["objectId"]: _permissions(entry) for entry in entries}
    return found


def _permissions(entry: Json) -> set[str]:
    return {f"{kind}/{name}".lower() for kind, names in entry["permissions"].items() for name in names}


def apply(azure: LocalAzure, *scopes: str, changes: bool = True) -> str:
    """The run's id."""
    before = state(azure)
    ran = azure.run("apply", "--yes", "--format", "json", *(part for scope in scopes for part in ("--scope", scope)))
    assert ran.code in {0, 2}, ran.err
    assert (state(azure) != before) == changes
    return str(ran.document["run"])


def workspace_id(name: str, group: str) -> str:
    return child(group_id(group), WORKSPACES, name)


@dataclass
class World:
    """A tenant of a few groups that know nothing of each other."""

    azure: LocalAzure
    other: Json


def _cluster(identity: Json) -> Json:
    inner = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": {"vmSize": "S"}}
    return {"location": "westeurope", "identity": identity, "properties": inner}


def _plain(tenant: Tenant, group: str, name: str, registry: Json, account: Json) -> Json:
    named = {"containerRegistry": registry["id"], "storageAccount": account["id"]}
    return tenant.workspace(group_id(group), name, systemDatastoresAuthMode="identity", **named)


@pytest.fixture(scope="module")
def world(start_azure: Start) -> World:
    """In `rg-many` more workspaces than are looked at at once share everything; in `rg-two` two share an identity."""
    tenant = Tenant()
    many, two = group_id("rg-many"), group_id("rg-two")
    registry, account = tenant.registry(many, "acrmany", admin=True), tenant.storage(many, "stmany")
    shared, other = tenant.uai(many, "shared"), tenant.uai(two, "other")
    for number in range(5):
        workspace = _plain(tenant, "rg-many", f"mlw{number}", registry, account)
        tenant.compute(workspace, "one", identity=user_assigned(shared))
        tenant.compute(workspace, "two", identity=user_assigned(shared))
        tenant.compute(workspace, "own", identity=system_assigned(f"many{number}"))
    registry, account = tenant.registry(two, "acrtwo"), tenant.storage(two, "sttwo")
    for name in ("mine", "theirs"):
        tenant.compute(_plain(tenant, "rg-two", name, registry, account), "one", identity=user_assigned(other))
    for name in ("steps", "both", "person"):
        registry = tenant.registry(group_id(f"rg-{name}"), f"acrml{name}", admin=True)
        workspace = tenant.workspace(group_id(f"rg-{name}"), containerRegistry=registry["id"])
        tenant.compute(workspace, "one", identity=system_assigned(name))
    return World(start_azure(tenant.document(), IN_ONE_GO, functions=False), other)


def test_everything_that_one_run_did_in_all_workspaces_at_once(world: World) -> None:
    """Shared identities, a registry whose admin user goes off, one where it was off before, resyncs."""
    azure = world.azure
    before = state(azure)
    run = apply(azure)
    assert not azure.admin_user(child(group_id("rg-many"), "Microsoft.ContainerRegistry/registries", "acrmany"))
    taken = azure.run("undo", run, "--yes", "--format", "json")
    assert taken.code == 0, taken.out + taken.err
    assert state(azure) == before
    assert [one["reliedOnBy"] for one in taken.document["steps"] if one["reliedOnBy"]] == []
    assert taken.document["refused"] == []
    assert fidelity.listed("emulator/test_undo_at_once.py") <= azure.sent()


def test_what_a_workspace_outside_the_run_needs_stays_until_forced(world: World) -> None:
    azure = world.azure
    before = state(azure)
    run = apply(azure, workspace_id("mine", "rg-two"))
    asked = azure.run("undo", run)
    assert "would stay" in asked.err
    assert "--force" in asked.err
    taken = azure.run("undo", run, "--yes")
    assert taken.code == 2
    assert "others rely on it" in taken.out
    assert "--force" in taken.out
    held = azure.grants(world.other["properties"]["principalId"], group_id("rg-two"))
    assert {role for _, role in held} == {ACR_PULL, BLOB_READER}
    assert azure.run("undo", run, "--yes", "--force").code == 0
    assert state(azure) == before


def test_what_came_to_need_it_after_the_run_stays(world: World) -> None:
    """In the very workspace that the run was about."""
    azure = world.azure
    run = apply(azure, workspace_id("mine", "rg-two"), workspace_id("theirs", "rg-two"))
    late = f"{workspace_id('mine', 'rg-two')}/computes/late"
    azure.put(late, _cluster(user_assigned(world.other)))
    taken = azure.run("undo", run, "--yes")
    assert taken.code == 2
    assert "--force" in taken.out
    azure.delete(late + "?underlyingResourceAction=Delete")
    taken = azure.run("undo", run, "--yes")
    assert taken.code == 0, taken.out


def registry_of(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.ContainerRegistry/registries", f"acrml{name}")


def _granted(azure: LocalAzure, name: str) -> str:
    """A run that may grant and, as its grants have to settle, do no more."""
    policy = azure.folder / "waits.yaml"
    policy.write_text(f"settle_minutes: 600\n{GRANTS_ONLY}", encoding="utf-8")
    ran = azure.run("apply", "--yes", "--format", "json", "--scope", registry_of(name), "--policy", str(policy))
    assert azure.admin_user(registry_of(name))
    assert {role for _, role in azure.grants(oid(name), registry_of(name))} == {ACR_PULL}
    return str(ran.document["run"])


def _granted_then_switched_off(azure: LocalAzure, name: str) -> tuple[str, str]:
    first, second = _granted(azure, name), apply(azure, registry_of(name))
    assert not azure.admin_user(registry_of(name))
    return first, second


def test_a_grant_stays_while_the_admin_user_that_a_later_run_turned_off_is_off(world: World) -> None:
    azure = world.azure
    before = state(azure)
    first, second = _granted_then_switched_off(azure, "steps")
    alone = azure.run("undo", first, "--yes")
    assert alone.code == 2
    assert "the admin user of acrmlsteps is off" in alone.out
    assert "--force" in alone.out
    for run in (second, first):
        taken = azure.run("undo", run, "--yes")
        assert taken.code == 0, taken.out
    assert state(azure) == before


def test_both_runs_together(world: World) -> None:
    azure = world.azure
    before = state(azure)
    first, second = _granted_then_switched_off(azure, "both")
    taken = azure.run("undo", first, second, "--yes")
    assert taken.code == 0, taken.out
    assert state(azure) == before


def test_when_a_person_turned_the_admin_user_off_after_the_grant(world: World) -> None:
    azure, registry = world.azure, registry_of("person")
    run = _granted(azure, "person")
    azure.patch(registry, {"properties": {"adminUserEnabled": False}})
    taken = azure.run("undo", run, "--yes")
    assert taken.code == 2
    assert "the admin user of acrmlperson is off" in taken.out
    azure.patch(registry, {"properties": {"adminUserEnabled": True}})
    assert azure.run("undo", run, "--yes").code == 0
    assert azure.grants(oid("person"), registry) == set()


def test_the_demos_tenant(start_own_azure: Start) -> None:
    policy = DEMO_POLICY.replace("settle_minutes: 15", "settle_minutes: 0")
    azure = start_own_azure(demo_tenant(), policy, functions=False)
    before = state(azure)
    run = apply(azure)
    taken = azure.run("undo", run, "--yes")
    assert taken.code == 0, taken.out + taken.err
    assert state(azure) == before


@pytest.fixture(scope="module")
def acting(start_azure: Start) -> LocalAzure:
    """Two workspaces act as one identity: in the vault by access policy, and as Contributor, which covers pulls."""
    tenant = Tenant()
    group = group_id("rg-vault")
    uai, registry = tenant.uai(group, "acting"), tenant.registry(group, "acrvault")
    me = uai["properties"]["principalId"]
    policies = [
        {"tenantId": TENANT_ID, "objectId": oid("person"), "permissions": {"keys": ["Get", "Purge"]}},
        {"tenantId": TENANT_ID, "objectId": me, "permissions": {"Secrets": ["Get", "LIST"]}},
    ]
    scope = child(group, build.VAULTS, "kv-undone")
    vault = tenant.add(build.vault(scope, TENANT_ID, rbac=False, accessPolicies=policies))
    for name in ("mine", "theirs"):
        named = {"keyVault": vault["id"], "containerRegistry": registry["id"]}
        tenant.workspace(group, name, identity=user_assigned(uai), primaryUserAssignedIdentity=uai["id"], **named)
    rules = "rules: {AML-07: {enabled: true}, AML-08: {enabled: true}, managed-network: {enabled: false}}\n"
    return start_azure(tenant.document(), rules, functions=False)


class TestVaultsAndBroadRoles:
    def test_both_workspaces_in_one_run(self, acting: LocalAzure) -> None:
        before = state(acting)
        run = apply(acting)
        taken = acting.run("undo", run, "--yes")
        assert taken.code == 0, taken.out + taken.err
        assert state(acting) == before

    def test_one_of_them(self, acting: LocalAzure) -> None:
        before = state(acting)
        run = apply(acting, workspace_id("mine", "rg-vault"))
        after = state(acting)
        taken = acting.run("undo", run, "--yes", "--format", "json")
        assert taken.code == 2
        assert {one["outcome"] for one in taken.document["steps"]} == {"Withheld"}
        assert state(acting) == after
        assert acting.run("undo", run, "--yes", "--force").code == 0
        assert state(acting) == before

    def test_a_broad_role_through_which_a_new_cluster_pulls(self, acting: LocalAzure) -> None:
        uai = acting.get(child(group_id("rg-vault"), "Microsoft.ManagedIdentity/userAssignedIdentities", "acting"))
        run = apply(acting)
        acting.put(f"{workspace_id('mine', 'rg-vault')}/computes/late", _cluster(user_assigned(uai)))
        taken = acting.run("undo", run, "--yes")
        assert taken.code == 2
        assert "pulls images from acrvault" in taken.out
        held = acting.grants(uai["properties"]["principalId"], group_id("rg-vault"))
        assert CONTRIBUTOR in {role for scope, role in held if scope.endswith("/acrvault")}
