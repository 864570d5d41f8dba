"""Tenant files: what is kept, what is filled in, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from emulator_units.arm_calls import ACR_PULL, REGISTRY, RG, SUB, principal

from emulator.tenant import Tenant, TenantFileError


def test_no_file_is_one_empty_subscription() -> None:
    tenant = Tenant.load(None)
    assert len(tenant.subscriptions) == 1
    assert tenant.resources == {}
    assert tenant.role_definitions[ACR_PULL]["properties"]["roleName"] == "AcrPull"


def test_objects_are_kept_as_they_are() -> None:
    raw = {"id": REGISTRY.upper(), "identity": None, "properties": None, "odd": [1]}
    tenant = Tenant({"resources": [raw]})
    kept = tenant.resources[REGISTRY.lower()]
    assert {key: kept[key] for key in raw} == raw
    assert kept["name"] == "REGML"


ROLE = f"/x/roleDefinitions/{ACR_PULL}"
ID = f"{RG}/providers/Microsoft.Authorization/roleAssignments/{principal(9)}"


@pytest.mark.parametrize(
    "raw",
    [
        {"id": ID, "properties": {"principalId": principal(1), "roleDefinitionId": ROLE}},
        {"id": ID, "principalId": principal(1), "roleDefinitionId": ROLE, "scope": RG},
        {"name": principal(9), "scope": RG, "principalId": principal(1), "roleDefinitionId": ROLE},
        {"properties": {"scope": RG, "principalId": principal(1).upper(), "roleDefinitionId": ROLE}},
    ],
)
def test_role_assignments_in_every_shape(raw: dict[str, Any]) -> None:
    tenant = Tenant({"roleAssignments": [raw]})
    (assignment,) = tenant.role_assignments.values()
    assert assignment["properties"]["scope"] == RG
    assert assignment["name"] in assignment["id"]
    assert list(tenant.role_assignments.where("principal", principal(1))) == [assignment]
    assert set(tenant.subscriptions) == {SUB.rpartition("/")[2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "not a JSON object"),
        ('{"resources": {}}', "resources is not a list"),
        ('{"resources": [{"name": "x"}]}', r"resources\[0\] has no id"),
        ('{"resources": [{"id": "//"}]}', r"resources\[0\].id"),
        ('{"groups": []}', "groups is not an object"),
        ('{"roleAssignments": [{"principalId": "x"}]}', r"roleAssignments\[0\]: neither id nor scope"),
        ('{"roleAssignments": ["x"]}', r"roleAssignments\[0\] is not an object"),
        ('{"roleDefinitions": [{"roleName": "x"}]}', r"roleDefinitions\[0\] has no name"),
        ('{"managementGroups": [{"parent": "x"}]}', r"managementGroups\[0\] has no name"),
    ],
)
def test_what_is_no_tenant(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "tenant.json"
    file.write_text(text)
    with pytest.raises(TenantFileError, match=message):
        Tenant.load(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TenantFileError, match="No such file"):
        Tenant.load(tmp_path / "none.json")


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "tenant.json"
    file.write_text("\ufeff" + json.dumps({"tenantId": "t"}), encoding="utf-8")
    assert Tenant.load(file).tenant_id == "t"
