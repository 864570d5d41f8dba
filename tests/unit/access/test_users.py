"""What may choose workspaces. `test_dependencies` has by what they use something."""

import pytest
from unit.build import GROUP, INSIGHTS, MANAGEMENT_GROUP, REGISTRY, STORAGE, SUBSCRIPTION, VAULT, WORKSPACE, identity_id

from shared.access.scope import Scope
from shared.access.users import is_container, is_used, unsuitable, workspace_of

UAI = identity_id("me")


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


@pytest.mark.parametrize("scope", [WORKSPACE, WORKSPACE.child("computes", "cpu"), WORKSPACE.child("a", "b", "c", "d")])
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
        f"{SUBSCRIPTION}/providers/Microsoft.ContainerRegistry/registries/acrml",
        f"{WORKSPACE}/providers/Microsoft.ContainerRegistry/registries/acrml",
        f"{REGISTRY}/providers/Microsoft.MachineLearningServices/workspaces/mlw",
        f"{GROUP}/providers/Microsoft.Management/managementGroups/g",
    ],
)
def test_what_chooses_nothing(text: str) -> None:
    scope = Scope.parse(text)
    assert unsuitable(scope)
    assert not is_container(scope)
    assert not is_used(scope)
    assert workspace_of(scope) is None
