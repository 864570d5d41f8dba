"""What may choose workspaces, and by which names a workspace is a user of something."""

from typing import Any

import pytest
from unit.build import GROUP, INSIGHTS, MANAGEMENT_GROUP, REGISTRY, STORAGE, SUBSCRIPTION, VAULT, WORKSPACE, identity_id

from shared.access.scope import Scope
from shared.access.users import is_container, is_used, named_by, unsuitable, workspace_of

UAI = identity_id("me")


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"properties": {"containerRegistry": f"{REGISTRY}/"}}, {REGISTRY}),
        ({"properties": {"storageAccount": str(STORAGE).upper()}}, {STORAGE}),
        ({"properties": {"keyVault": str(VAULT), "applicationInsights": str(INSIGHTS)}}, {VAULT, INSIGHTS}),
        ({"properties": {"primaryUserAssignedIdentity": str(UAI)}}, {UAI}),
        ({"properties": {"encryption": {"keyVaultProperties": {"keyVaultArmId": str(VAULT)}}}}, {VAULT}),
        ({"properties": {"encryption": {"identity": {"userAssignedIdentity": str(UAI)}}}}, {UAI}),
        (
            {
                "properties": {
                    "managedNetwork": {
                        "outboundRules": {
                            "a": {"type": "PrivateEndpoint", "destination": {"serviceResourceId": str(STORAGE)}},
                            "b": {"type": "FQDN", "destination": "pypi.org"},
                        }
                    }
                }
            },
            {STORAGE},
        ),
        ({"identity": {"type": "UserAssigned", "userAssignedIdentities": {str(UAI): {}}}}, {UAI}),
        ({"properties": {"containerRegistry": "no id", "keyVault": None, "storageAccount": 5}}, set()),
        ({"properties": {"managedNetwork": {"outboundRules": None}}, "identity": None}, set()),
        ({"identity": {"userAssignedIdentities": [str(UAI)]}}, set()),
        ({"properties": {"managedNetwork": {"outboundRules": ["odd"]}}}, set()),
        (None, set()),
    ],
)
def test_what_is_named(raw: Any, named: set[Scope]) -> None:
    assert named_by(raw) == named


@pytest.mark.parametrize("scope", [MANAGEMENT_GROUP, SUBSCRIPTION, GROUP])
def test_containers(scope: Scope) -> None:
    assert is_container(scope)
    assert not is_used(scope)
    assert unsuitable(scope) is None


@pytest.mark.parametrize("scope", [REGISTRY, STORAGE, VAULT, INSIGHTS, UAI])
def test_what_is_used(scope: Scope) -> None:
    assert is_used(scope)
    assert not is_container(scope)
    assert unsuitable(scope) is None


@pytest.mark.parametrize("scope", [WORKSPACE, WORKSPACE.child("computes", "c"), WORKSPACE.child("a", "b", "c", "d")])
def test_workspaces_and_their_children(scope: Scope) -> None:
    assert workspace_of(scope) == WORKSPACE
    assert unsuitable(scope) is None


@pytest.mark.parametrize(
    "text",
    [
        "/",
        f"{MANAGEMENT_GROUP}/subscriptions/{SUBSCRIPTION.name}",
        f"{MANAGEMENT_GROUP}/providers/Microsoft.Authorization/roleAssignments/x",
        f"{REGISTRY}/scopeMaps/all",
        f"{STORAGE}/blobServices/default",
        f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net",
        f"{GROUP}/providers/Microsoft.MachineLearningServices/registries/shared",
        f"{WORKSPACE}/providers/Microsoft.Authorization/roleAssignments/x",
        f"{SUBSCRIPTION}/providers/Microsoft.ContainerRegistry/registries/acr",
        f"{WORKSPACE}/providers/Microsoft.ContainerRegistry/registries/acr",
        f"{REGISTRY}/providers/Microsoft.MachineLearningServices/workspaces/ws",
        f"{GROUP}/providers/Microsoft.Management/managementGroups/g",
    ],
)
def test_what_chooses_nothing(text: str) -> None:
    scope = Scope.parse(text)
    assert unsuitable(scope)
    assert not is_container(scope)
    assert not is_used(scope)
    assert workspace_of(scope) is None
