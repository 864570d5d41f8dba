"""Who may do what: groups, scopes, wildcards, notActions, conditions and denies."""

from typing import Any

import pytest
from emulator_units.arm_calls import (
    ACR_PULL,
    BLOB_READER,
    OWNER,
    READER,
    REGISTRY,
    RG,
    STORAGE,
    SUB,
    held,
    principal,
    resource,
)

from emulator.identity.conditions import Attributes
from emulator.identity.rbac import EVERYONE, Rbac
from emulator.identity.wildcards import matches
from emulator.tenant import Tenant

ME, OTHER, GROUP, OUTER = principal(1), principal(2), principal(11), principal(12)
PULL = "Microsoft.ContainerRegistry/registries/pull/read"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/ml"
CUSTOM = "cccccccc-0000-0000-0000-000000000001"


def rbac(*assignments: dict[str, Any], **more: Any) -> Rbac:
    document = {"resources": [resource(REGISTRY), resource(STORAGE)], "roleAssignments": list(assignments), **more}
    return Rbac(Tenant(document))


@pytest.mark.parametrize("scope", [REGISTRY, REGISTRY.upper(), RG, SUB, "/"])
@pytest.mark.parametrize("role", [ACR_PULL, READER, OWNER])
def test_held_at_the_scope_or_above(scope: str, role: str) -> None:
    assert rbac(held(scope, role, ME.upper())).allowed(ME, PULL, REGISTRY)


@pytest.mark.parametrize("scope", [f"{RG}-prod", f"{REGISTRY}/x/y", STORAGE, RG[:-1]])
def test_not_held_elsewhere(scope: str) -> None:
    assert not rbac(held(scope, ACR_PULL, ME)).allowed(ME, PULL, REGISTRY)


def test_not_held_by_another() -> None:
    assert not rbac(held(REGISTRY, ACR_PULL, OTHER)).allowed(ME, PULL, REGISTRY)


def test_management_groups() -> None:
    groups = [{"name": "ml", "subscriptions": [SUB.rpartition("/")[2]]}]
    assert rbac(held(MANAGEMENT_GROUP, READER, ME), managementGroups=groups).allowed(ME, PULL, REGISTRY)
    assert not rbac(held(MANAGEMENT_GROUP, READER, ME), managementGroups=[{"name": "ml"}]).allowed(ME, PULL, REGISTRY)


def test_nested_groups_even_in_a_circle() -> None:
    groups = {OUTER: [GROUP], GROUP: [ME, OUTER]}
    assert rbac(held(RG, ACR_PULL, OUTER), groups=groups).allowed(ME, PULL, REGISTRY)
    assert not rbac(held(RG, ACR_PULL, OUTER), groups=groups).allowed(OTHER, PULL, REGISTRY)


def test_owner_has_no_data_plane() -> None:
    assert not rbac(held(SUB, OWNER, ME)).allowed(ME, BLOBS, STORAGE, data=True)
    assert rbac(held(SUB, BLOB_READER, ME)).allowed(ME, BLOBS, STORAGE, data=True)
    assert not rbac(held(SUB, BLOB_READER, ME)).allowed(ME, BLOBS, STORAGE)


def custom(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"name": CUSTOM, "roleName": "Custom", "permissions": list(blocks), "assignableScopes": [SUB]}


def test_not_actions_take_from_their_own_block_only() -> None:
    block = {"actions": ["*"], "notActions": ["Microsoft.ContainerRegistry/*"]}
    assert not rbac(held(RG, CUSTOM, ME), roleDefinitions=[custom(block)]).allowed(ME, PULL, REGISTRY)
    both = [held(RG, CUSTOM, ME), held(RG, ACR_PULL, ME)]
    assert rbac(*both, roleDefinitions=[custom(block)]).allowed(ME, PULL, REGISTRY)
    other = {"actions": ["*/pull/read"]}
    assert rbac(held(RG, CUSTOM, ME), roleDefinitions=[custom(block, other)]).allowed(ME, PULL, REGISTRY)


def test_role_definitions_as_rest_gives_them() -> None:
    role = {"id": f"/x/{CUSTOM}", "name": CUSTOM, "properties": {"permissions": [{"actions": [PULL]}]}}
    assert rbac(held(RG, CUSTOM, ME), roleDefinitions=[role]).allowed(ME, PULL, REGISTRY)


def test_conditions_of_assignment_and_of_role() -> None:
    unmet = "@Request[a/b:c] StringEquals 'x'"
    assert not rbac(held(RG, ACR_PULL, ME, condition=unmet)).allowed(ME, PULL, REGISTRY)
    met = Attributes(request={"a/b:c": ["x"]})
    assert rbac(held(RG, ACR_PULL, ME, condition=unmet)).allowed(ME, PULL, REGISTRY, attributes=met)
    block = {"actions": [PULL], "condition": unmet}
    assert not rbac(held(RG, CUSTOM, ME), roleDefinitions=[custom(block)]).allowed(ME, PULL, REGISTRY)
    assert rbac(held(RG, ACR_PULL, ME, condition=unmet), held(RG, READER, ME)).allowed(ME, PULL, REGISTRY)


def deny(scope: str, who: str, **properties: Any) -> dict[str, Any]:
    given = {"permissions": [{"actions": [PULL]}], "principals": [{"id": who}], **properties}
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/denyAssignments/{principal(77)}",
        "properties": {"scope": scope, **given},
    }


@pytest.mark.parametrize("who", [ME, GROUP, EVERYONE])
@pytest.mark.parametrize("scope", [REGISTRY, RG, SUB])
def test_denies_win(scope: str, who: str) -> None:
    held_by_me = held(REGISTRY, ACR_PULL, ME)
    assert not rbac(held_by_me, denyAssignments=[deny(scope, who)], groups={GROUP: [ME]}).allowed(ME, PULL, REGISTRY)


@pytest.mark.parametrize(
    "harmless",
    [
        deny(REGISTRY, OTHER),
        deny(f"{RG}-prod", ME),
        deny(RG, EVERYONE, excludePrincipals=[{"id": ME}]),
        deny(RG, EVERYONE, excludePrincipals=[{"id": GROUP}]),
        deny(RG, ME, doNotApplyToChildScopes=True),
        deny(RG, ME, permissions=[{"actions": ["*"], "notActions": ["*/read"]}]),
        deny(RG, ME, permissions=[{"dataActions": ["*"]}]),
    ],
)
def test_denies_that_do_not_apply(harmless: dict[str, Any]) -> None:
    one = rbac(held(REGISTRY, ACR_PULL, ME), denyAssignments=[harmless], groups={GROUP: [ME]})
    assert one.allowed(ME, PULL, REGISTRY)


def test_can_read() -> None:
    assert rbac(held(RG, READER, ME)).can_read(ME, REGISTRY)
    assert not rbac(held(RG, ACR_PULL, ME)).can_read(ME, REGISTRY)


def test_can_read_follows_changes() -> None:
    mine = held(SUB, READER, ME)
    tenant = Tenant({"resources": [resource(REGISTRY)], "roleAssignments": [mine]})
    one = Rbac(tenant)
    assert one.can_read(ME, REGISTRY)
    del tenant.role_assignments[mine["id"].lower()]
    assert not one.can_read(ME, REGISTRY)
    tenant.role_assignments[mine["id"].lower()] = mine | {"type": "x"}
    assert one.can_read(ME, REGISTRY)
    tenant.deny_assignments["x"] = deny(RG, ME, permissions=[{"actions": ["*"]}])
    assert not one.can_read(ME, REGISTRY)


@pytest.mark.parametrize(
    ("pattern", "action", "expected"),
    [
        ("*", "a/b/read", True),
        ("*/read", "A/b/READ", True),
        ("*/read", "a/b/write", False),
        ("M.ML/workspaces/*/write", "M.ML/workspaces/write", True),
        ("M.MI/userAssignedIdentities/*/assign/action", "M.MI/userAssignedIdentities/assign/action", True),
        ("M.ML/workspaces/*/write", "M.ML/workspacesx/write", False),
        ("M.ML/workspaces/*", "M.ML/workspaces/computes/write", True),
        ("a.b/c", "axb/c", False),
    ],
)
def test_wildcards(pattern: str, action: str, *, expected: bool) -> None:
    assert matches(pattern, action) is expected
