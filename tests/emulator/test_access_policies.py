"""Vaults in access-policy mode: our entry is added, and nobody else's is touched (AML-07)."""

from dataclasses import dataclass
from typing import Any

import pytest
from local_azure import FINDINGS, LocalAzure, Start
from tenants import CONTRIBUTOR, TENANT_ID, Tenant, child, group_id, oid, user_assigned

from docs import fidelity
from emulator import tenant_builder

POLICY = "mode: enforce\nrules: {AML-07: {enabled: true}}\n"
VAULTS = "Microsoft.KeyVault/vaults"
_OURS = "RuleId == 'workspace-vault-policies'"


@dataclass(frozen=True)
class World:
    azure: LocalAzure
    vaults: dict[str, str]
    identities: dict[str, str]

    def policies(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.azure.get(self.vaults[name])["properties"]["accessPolicies"]
        return found


def _entry(holder: str, **permissions: list[str]) -> dict[str, Any]:
    return {"tenantId": TENANT_ID, "objectId": holder, "permissions": permissions}


PERSON = _entry(oid("person"), keys=["Get", "Purge"], secrets=["all"])
ROBOT = _entry(oid("robot"), certificates=["List"]) | {"applicationId": oid("app")}
# What the identity of each workspace has to begin with, beside what others have.
BEFORE: dict[str, dict[str, list[str]]] = {
    "nothing": {},
    "some": {"Secrets": ["Get", "LIST", "Purge"], "storage": ["get"]},
    "enough": {"secrets": ["Get", "List", "Set", "Delete", "Recover", "Backup", "Restore"]},
}


@pytest.fixture(scope="module")
def world(start_azure: Start) -> World:
    tenant = Tenant()
    vaults, identities = {}, {}
    for name, permissions in {**BEFORE, "full": {}}.items():
        group = group_id(f"rg-{name}")
        uai = tenant.uai(group, "uami")
        me = uai["properties"]["principalId"]
        mine = [_entry(me.upper(), **permissions)] if permissions else []
        others = [_entry(oid(f"holder {n}"), keys=["get"]) for n in range(1024)] if name == "full" else [PERSON, ROBOT]
        vault = tenant.add(
            tenant_builder.vault(
                child(group, VAULTS, f"kv-{name}"), TENANT_ID, rbac=False, accessPolicies=[*others, *mine]
            )
        )
        kept = {"keyVault": vault["id"].replace("KeyVault", "Keyvault"), "primaryUserAssignedIdentity": uai["id"]}
        tenant.workspace(group, identity=user_assigned(uai), **kept)
        tenant.assign(group, me, CONTRIBUTOR)
        vaults[name], identities[name] = vault["id"], me
    azure = start_azure(tenant.document(), POLICY)
    azure.sweep_all(one["id"] for one in tenant.resources if one["id"].endswith("/workspaces/mlw"))
    azure.until(lambda: azure.rows(FINDINGS, _OURS), "the full vault is found")
    azure.until(lambda: len(azure.rows(where=f"{_OURS} and Outcome == 'Applied'")) == 2, "two policies are added")
    return World(azure, vaults, identities)


@pytest.mark.parametrize("name", BEFORE)
def test_nobody_elses_entry_changes(world: World, name: str) -> None:
    assert world.policies(name)[:2] == [PERSON, ROBOT]
    assert len(world.policies(name)) == 3


def test_the_identity_gets_every_permission_but_purge(world: World) -> None:
    mine = world.policies("nothing")[2]
    assert mine["objectId"] == world.identities["nothing"]
    assert {kind: len(names) for kind, names in mine["permissions"].items()} == {
        "keys": 19,
        "secrets": 7,
        "certificates": 15,
    }
    assert "purge" not in {name.lower() for names in mine["permissions"].values() for name in names}


def test_what_it_had_it_keeps_as_it_was_spelled(world: World) -> None:
    permissions = world.policies("some")[2]["permissions"]
    assert permissions["Secrets"][:3] == ["Get", "LIST", "Purge"]
    assert permissions["storage"] == ["get"]
    assert sorted(name.lower() for name in permissions["Secrets"]) == sorted(
        ["get", "list", "purge", "set", "delete", "recover", "backup", "restore"]
    )


def test_an_identity_with_the_quickstarts_permissions_is_left_alone(world: World) -> None:
    assert world.policies("enough")[2]["permissions"] == BEFORE["enough"]


def test_a_full_vault_is_a_finding(world: World) -> None:
    assert len(world.policies("full")) == 1024
    (row,) = world.azure.rows(FINDINGS, _OURS)
    assert row["ResourceId"].lower() == world.vaults["full"].lower()
    assert "az keyvault update" in row["Remedy"]


def test_an_undo_takes_back_what_was_added_and_no_more(world: World) -> None:
    """It comes last, because it changes what the others look at."""
    runs = {row["RunId"] for row in world.azure.rows(where=f"{_OURS} and Outcome == 'Applied'")}
    for run in runs:
        assert world.azure.run("undo", run, "--yes").code == 0
    assert world.policies("nothing") == [PERSON, ROBOT]
    assert {name.lower(): len(held) for name, held in world.policies("some")[2]["permissions"].items() if held} == {
        "secrets": 3,
        "storage": 1,
    }
    assert fidelity.listed("emulator/test_access_policies.py") <= world.azure.sent()
