"""Tenants hold what Azure and people have put there over years: any casing, missing keys, unknown kinds.

Each odd workspace has a cluster that is not odd. It gets what it needs, whatever is beside it, and nothing else is
granted.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from event_grid import event
from local_azure import FINDINGS, LocalAzure, Start
from tenants import ACR_PULL, READER, Tenant, child, group_id, oid, system_assigned, user_assigned
from wire import Json


@dataclass
class Odd:
    """One case's things in the tenant. `wanted` are the grants that the cluster `good` is to have in the end.

    `malformed` are resources that are to be said to hold something else in the place of an id.
    """

    name: str
    number: int
    tenant: Tenant
    wanted: set[tuple[str, str]] = field(default_factory=set)
    malformed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.group = group_id(f"rg-{self.name.replace('_', '-')}", f"{self.number:08}-aBcD-4000-8000-00000000000F")
        self.registry = self.tenant.registry(self.group, f"Acr{self.name.replace('_', '')}")
        self.workspace = self.tenant.workspace(self.group, containerRegistry=self.registry["id"])
        self.good = self.tenant.compute(self.workspace, "good", identity=system_assigned(self.name))
        self.wanted = {(self.registry["id"].lower(), ACR_PULL)}

    @property
    def properties(self) -> Json:
        found: Json = self.workspace["properties"]
        return found

    def compute(self, which: str, /, **changes: Any) -> Json:
        return self._changed(self.tenant.compute(self.workspace, which), changes)

    def _changed(self, resource: Json, changes: Json) -> Json:
        for key, value in changes.items():
            if value is MISSING:
                resource.pop(key, None)
            else:
                resource[key] = value
        return resource


MISSING = object()
CASES: dict[str, Callable[[Odd], None]] = {}


def _case(build: Callable[[Odd], None]) -> Callable[[Odd], None]:
    CASES[build.__name__] = build
    return build


@_case
def shouted_ids(odd: Odd) -> None:
    odd.properties["containerRegistry"] = odd.registry["id"].upper()
    odd.good["id"] = odd.good["id"].upper()


@_case
def whispered_ids(odd: Odd) -> None:
    odd.properties["containerRegistry"] = odd.registry["id"].lower()
    odd.workspace["id"] = odd.workspace["id"].lower()


@_case
def mixed_ids(odd: Odd) -> None:
    odd.properties["containerRegistry"] = odd.registry["id"].replace("resourceGroups", "resourcegroups") + "/"
    odd.properties["keyVault"] = child(odd.group, "Microsoft.Keyvault/vaults", "vault").swapcase()
    odd.properties["applicationInsights"] = child(odd.group, "microsoft.insights/components", "i")
    odd.registry["id"] = odd.registry["id"].swapcase().replace("/SUBSCRIPTIONS", "/subscriptions")


@_case
def no_registry_key(odd: Odd) -> None:
    del odd.properties["containerRegistry"]
    odd.wanted = set()


@_case
def registry_is_null(odd: Odd) -> None:
    odd.properties["containerRegistry"] = None
    odd.wanted = set()


@_case
def registry_is_empty(odd: Odd) -> None:
    odd.properties["containerRegistry"] = ""
    odd.wanted = set()


@_case
def registry_is_gone(odd: Odd) -> None:
    odd.properties["containerRegistry"] = child(odd.group, "Microsoft.ContainerRegistry/registries", "acrgone")
    odd.wanted = set()


@_case
def everything_else_is_gone(odd: Odd) -> None:
    odd.properties["storageAccount"] = child(odd.group, "Microsoft.Storage/storageAccounts", "gone")
    odd.properties["keyVault"] = child(odd.group, "Microsoft.KeyVault/vaults", "gone")
    odd.properties["hubResourceId"] = child(odd.group, "Microsoft.MachineLearningServices/workspaces", "gone")


@_case
def workspace_without_identity(odd: Odd) -> None:
    del odd.workspace["identity"]


@_case
def workspace_identity_is_null(odd: Odd) -> None:
    odd.workspace["identity"] = None


@_case
def workspace_identity_of_an_unknown_type(odd: Odd) -> None:
    odd.workspace["identity"] = {"type": "Delegated", "principalId": None}


@_case
def workspace_without_most_keys(odd: Odd) -> None:
    for key in ("name", "type", "location", "kind", "sku", "tags", "systemData"):
        del odd.workspace[key]
    odd.workspace["properties"] = {"containerRegistry": odd.registry["id"]}


@_case
def workspace_of_an_unknown_kind(odd: Odd) -> None:
    odd.workspace["kind"] = "Quantum"
    odd.properties.update({"provisioningState": "Pondering", "newThing": {"deep": [1, None, {"x": True}]}})


@_case
def registry_without_most_keys(odd: Odd) -> None:
    odd.registry["properties"] = {"adminUserEnabled": None, "roleAssignmentMode": "SomethingNew"}


@_case
def registry_without_properties(odd: Odd) -> None:
    del odd.registry["properties"]


@_case
def computes_with_little_to_them(odd: Odd) -> None:
    odd.compute("odd-a", properties=None)
    odd.compute("odd-b", properties=MISSING)
    odd.compute("cpu", properties={})
    odd.compute("odd-d", properties={"computeType": None, "properties": None})
    odd.compute("odd-e", identity=None)
    odd.compute("odd-f", identity={})
    odd.compute("odd-g", identity={"type": "None"})
    odd.compute("odd-h", location=MISSING, name=MISSING, type=MISSING)


@_case
def computes_of_unknown_types(odd: Odd) -> None:
    odd.compute(
        "odd-a", properties={"computeType": "Quantum", "properties": {"qubits": 7}}, identity=system_assigned("q")
    )
    odd.compute("odd-b", properties={"computeType": 7})
    odd.compute("cpu", properties={"computeType": "AMLCOMPUTE", "provisioningState": "Resting"})
    odd.malformed.append(odd.compute("odd-d", properties=[{"computeType": "AmlCompute"}])["id"])


@_case
def identities_that_are_half_there(odd: Odd) -> None:
    odd.compute("odd-a", identity={"type": "SystemAssigned", "principalId": None, "tenantId": None})
    odd.compute("odd-b", identity={"type": "UserAssigned", "userAssignedIdentities": None})
    odd.compute("cpu", identity={"type": "UserAssigned", "userAssignedIdentities": {}})
    gone = child(odd.group, "Microsoft.ManagedIdentity/userAssignedIdentities", "gone")
    odd.compute("odd-d", identity={"type": "UserAssigned", "userAssignedIdentities": {gone: None}})
    odd.compute("odd-e", identity={"type": "systemassigned, userassigned", "userAssignedIdentities": {gone: {}}})


@_case
def datastores_and_connections_of_all_kinds(odd: Odd) -> None:
    account = odd.tenant.storage(odd.group, "stodd")
    odd.properties["storageAccount"] = account["id"]
    for kind, bodies in {
        "datastores": (
            {},
            {"datastoreType": "Moon", "credentials": None},
            {"datastoreType": "AzureBlob", "accountName": None, "credentials": {"credentialsType": "None"}},
            {"datastoreType": "AzureBlob", "accountName": "elsewhere", "credentials": {"credentialsType": "NONE"}},
        ),
        "connections": ({}, {"category": "ACR", "metadata": None}, {"category": None, "target": 7}),
    }.items():
        for number, body in enumerate(bodies):
            odd.tenant.add({"id": f"{odd.workspace['id']}/{kind}/odd{number}", "properties": body})
        odd.tenant.add({"id": f"{odd.workspace['id']}/{kind}/nothing"})


@_case
def role_assignments_with_little_to_them(odd: Odd) -> None:
    """None of them gives the cluster the pull, and none of them may be in the way."""
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{uuid.UUID(int=99)}"
    odd.tenant.role_assignments += [
        {"scope": odd.group, "principalId": oid(odd.name), "roleDefinitionId": role},
        {"properties": {"scope": odd.group, "principalId": oid(odd.name).upper(), "roleDefinitionId": role.upper()}},
    ]


@_case
def held_in_an_odd_spelling(odd: Odd) -> None:
    role = f"/SUBSCRIPTIONS/{uuid.UUID(int=1)}/providers/microsoft.authorization/ROLEDEFINITIONS/{READER.upper()}"
    scope = odd.group.upper()
    odd.tenant.role_assignments.append({"scope": scope, "principalId": oid(odd.name).upper(), "roleDefinitionId": role})
    odd.wanted = {(scope.lower(), READER)}


@_case
def dependencies_that_are_no_ids(odd: Odd) -> None:
    odd.malformed.append(odd.workspace["id"])
    odd.properties.update(
        {
            "storageAccount": f"{odd.group}/../rg/providers/Microsoft.Storage/storageAccounts/x",
            "keyVault": 7,
            "applicationInsights": ["<script>alert(1)</script>"],
            "hubResourceId": odd.registry["id"],
            "primaryUserAssignedIdentity": "x' or '1'=='1",
            "encryption": {"status": "Enabled", "keyVaultProperties": {"keyVaultArmId": {"id": "x"}}},
            "serverlessComputeSettings": {"serverlessComputeCustomSubnet": "/subscriptions//x"},
            "managedNetwork": {"outboundRules": {"\x00": {"destination": {"serviceResourceId": "x" * 5000}}}},
        }
    )


@_case
def identities_that_are_no_ids(odd: Odd) -> None:
    broken = {"type": "UserAssigned", "userAssignedIdentities": {"..": {}, odd.registry["id"]: {}, "": {}}}
    odd.malformed += [
        odd.compute("odd-a", identity=broken)["id"],
        odd.compute("odd-b", identity="SystemAssigned")["id"],
    ]
    odd.workspace["identity"] = broken
    odd.malformed.append(odd.workspace["id"])


@_case
def children_that_name_no_ids(odd: Odd) -> None:
    subnet = {"subnet": {"id": f"{odd.group}//providers/x"}}
    odd.malformed += [
        odd.compute("odd-a", properties={"computeType": "AKS", "resourceId": odd.registry["id"]})["id"],
        odd.compute("odd-b", properties={"computeType": "AmlCompute", "properties": subnet})["id"],
    ]
    store = {"datastoreType": "AzureBlob", "accountName": "../x", "credentials": {"credentialsType": "None"}}
    image = {"category": "ACR", "authType": "ManagedIdentity", "metadata": {"ResourceId": f"{odd.group}/.."}}
    for kind, body in {"datastores": store, "connections": image}.items():
        odd.malformed.append(f"{odd.workspace['id']}/{kind}/one")
        odd.tenant.add({"id": odd.malformed[-1], "properties": body})


@_case
def insights_with_a_blank_in_its_name(odd: Odd) -> None:
    """Azure allows that: nothing is said of it."""
    odd.properties["applicationInsights"] = child(odd.group, "Microsoft.Insights/components", "my insights (old)")


@_case
def insights_with_a_name_that_cannot_be_seen(odd: Odd) -> None:
    odd.malformed.append(odd.workspace["id"])
    odd.properties["applicationInsights"] = child(odd.group, "Microsoft.Insights/components", "my\u200binsights")


@_case
def resources_that_nobody_knows(odd: Odd) -> None:
    odd.tenant.add({"id": child(odd.group, "Contoso.Things/things", "thing"), "properties": {"a": 1}})
    odd.tenant.add({"id": f"{odd.workspace['id']}/marvels/marvel", "kind": "Marvel"})


@_case
def user_assigned_in_an_odd_spelling(odd: Odd) -> None:
    identity = odd.tenant.uai(odd.group, "Puller")
    block = user_assigned(identity)
    block["userAssignedIdentities"] = {identity["id"].upper(): {}}
    odd.compute("by-uai", identity=block)


@pytest.fixture(scope="module")
def odds() -> dict[str, Odd]:
    tenant = Tenant()
    made = {name: Odd(name, number, tenant) for number, name in enumerate(CASES)}
    for name, build in CASES.items():
        build(made[name])
    return made


@pytest.fixture(scope="module")
def azure(start_azure: Start, odds: dict[str, Odd]) -> LocalAzure:
    document = next(iter(odds.values())).tenant.document()
    broken = group_id("rg-broken")
    document["resources"].append(
        {
            "id": f"{broken}/providers/Microsoft.MachineLearningServices/workspaces/mlw",
            "properties": {"containerRegistry": "acrml"},
        }
    )
    return start_azure(json.loads(json.dumps(document)), "mode: enforce\n")


@pytest.mark.parametrize("name", CASES)
def test_an_odd_workspace(azure: LocalAzure, odds: dict[str, Odd], name: str) -> None:
    odd = odds[name]
    before = _assignments(azure, odd.group)
    told = event(odd.workspace["id"].swapcase().replace("/SUBSCRIPTIONS", "/subscriptions"))
    answer = azure.deliver(told)
    assert answer.status_code == 202, answer.text
    assert {pair for pair in azure.grants(oid(odd.name), odd.group) if pair[1] in {ACR_PULL, READER}} == odd.wanted
    made = _assignments(azure, odd.group) - before
    expected = {(oid(odd.name), *pair) for pair in odd.wanted if pair[1] == ACR_PULL}
    if name == "user_assigned_in_an_odd_spelling":
        identity = child(odd.group, "Microsoft.ManagedIdentity/userAssignedIdentities", "Puller")
        expected |= {(oid(identity), odd.registry["id"].lower(), ACR_PULL)}
    if name == "computes_of_unknown_types":
        assert oid("q") not in {principal for principal, _, _ in made}
    assert made == expected


def test_the_whole_tenant_is_planned(azure: LocalAzure, odds: dict[str, Odd], tmp_path: Path) -> None:
    """Of the workspace whose registry is no id it is said so, and the others do not suffer from it."""
    out = tmp_path / "plan.json"
    ran = azure.run("plan", "--format", "json", "--out", str(out))
    assert ran.code == 2, ran.err
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["errors"] == []
    (said,) = [one for one in document["findings"] if "/rg-broken/" in one["resourceId"] and _malformed(one)]
    assert "properties.containerRegistry" in said["message"]
    told = {one["resourceId"].lower() for one in document["findings"] if _malformed(one)}
    assert told == {said["resourceId"].lower(), *(one.lower() for odd in odds.values() for one in odd.malformed)}
    assert not any(text in str(document) for text in ("<script>", "' or '", "\u0000"))


def _malformed(finding: Json) -> bool:
    return bool(finding["rule"] == "malformed-id")


def test_a_registry_that_is_no_id_is_not_no_registry(azure: LocalAzure) -> None:
    workspace = f"{group_id('rg-broken')}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
    writes = len(azure.writes())
    assert azure.deliver(event(workspace)).status_code == 202
    assert len(azure.writes()) == writes
    azure.until(lambda: azure.rows(FINDINGS, "RuleId == 'malformed-id' and ResourceId has 'rg-broken'"), "it is said")


def _assignments(azure: LocalAzure, group: str) -> set[tuple[str, str, str]]:
    found = azure.get(f"{group}/providers/Microsoft.Authorization/roleAssignments")["value"]
    bodies = [one["properties"] for one in found if one["properties"].get("roleDefinitionId")]
    return {
        (one["principalId"].lower(), one["scope"].lower(), one["roleDefinitionId"].rpartition("/")[2].lower())
        for one in bodies
    }
