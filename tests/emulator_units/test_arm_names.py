"""The local Azure refuses the names that Azure refuses, and reads those that URLs encode."""

from typing import Any

import pytest
from emulator_units.arm_calls import OPERATOR, RG, SUB, WORKSPACE, Azure, resource

from emulator import tenant_builder as build
from emulator.arm.call import Call
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.names import decoded, encoded
from emulator.tenant import Tenant

VERSIONS = {
    "Microsoft.ContainerRegistry/registries": "2025-11-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.KeyVault/vaults": "2026-02-01",
    "Microsoft.MachineLearningServices/workspaces": "2025-12-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.Storage/storageAccounts": "2025-08-01",
}
BODY: dict[str, Any] = {"location": "westeurope", "properties": {}}


def put(path: str, version: str, *there: dict[str, Any]) -> tuple[int, str]:
    """The status, and the code of an error."""
    one = Azure({"tenantId": "t", "resources": [resource(f"{RG}/providers/Contoso.Things/things/t"), *there]})
    query = {"api-version": version}
    call = Call("PUT", ResourcePath.parse(path), query, BODY, OPERATOR, "correlation", "https://127.0.0.1:1")
    try:
        return one.arm.handle(call).status, ""
    except AzureError as error:
        return error.status, error.code


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("Microsoft.Storage/storageAccounts", "an account", "AccountNameInvalid"),
        ("Microsoft.Storage/storageAccounts", "Account", "AccountNameInvalid"),
        ("Microsoft.KeyVault/vaults", "my'vault", "VaultNameNotValid"),
        ("Microsoft.ContainerRegistry/registries", "my-registry", "InvalidResourceName"),
        ("Microsoft.MachineLearningServices/workspaces", "my workspace", "InvalidResourceName"),
        ("Microsoft.MachineLearningServices/workspaces", "größe", "InvalidResourceName"),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", "me;you", "InvalidResourceName"),
        ("Microsoft.Insights/components", "ends ", "InvalidResourceName"),
        ("Microsoft.Insights/components", "ends.", "InvalidResourceName"),
        ("Microsoft.Insights/components", "a&b", "InvalidResourceName"),
    ],
)
def test_refused(kind: str, name: str, code: str) -> None:
    assert put(f"{RG}/providers/{kind}/{name}", VERSIONS[kind]) == (400, code)


@pytest.mark.parametrize("name", ['it\'s "my": app <1> ;$(x)', "größe ☃", "a#b"])
async def test_a_component_may_be_called_almost_anything(name: str) -> None:
    path = f"{RG}/providers/Microsoft.Insights/components/{name}"
    assert put(path, VERSIONS["Microsoft.Insights/components"])[1] == ""


@pytest.mark.parametrize(
    ("kind", "shortest", "longest"),
    [
        ("Microsoft.ContainerRegistry/registries", "Acr01", "a" * 50),
        ("Microsoft.KeyVault/vaults", "k-1", "v" * 24),
        ("Microsoft.MachineLearningServices/workspaces", "m_1", "m" * 33),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", "1-_", "i" * 128),
        ("Microsoft.Storage/storageAccounts", "st1", "1" * 24),
    ],
)
async def test_lengths(kind: str, shortest: str, longest: str) -> None:
    """What is one sign shorter or longer is refused, and what is in between is not."""
    got = {name: put(f"{RG}/providers/{kind}/{name}", VERSIONS[kind])[1] for name in (shortest, longest)}
    assert set(got.values()) == {""}
    wrong = [put(f"{RG}/providers/{kind}/{name}", VERSIONS[kind]) for name in (shortest[:-1], longest + longest[-1])]
    assert [status for status, _ in wrong] == [400, 400]


@pytest.mark.parametrize(
    ("kind", "name", "allowed"),
    [
        ("AmlCompute", "c1", False),
        ("AmlCompute", "cluster-2", True),
        ("AmlCompute", "x" * 32, True),
        ("AmlCompute", "1st", False),
        ("ComputeInstance", "x" * 25, False),
        ("ComputeInstance", "desk-2", False),
        ("ComputeInstance", "desk-b2", True),
        ("Kubernetes", "k8", True),
        ("Kubernetes", "x" * 17, False),
        (None, "k8", True),
    ],
)
async def test_the_names_of_computes_depend_on_their_kind(kind: str | None, name: str, allowed: bool) -> None:
    """As users report them: microsoft/AzureTRE#3661 and MicrosoftLearning/DP100#50"""
    one = Azure({"resources": [resource(WORKSPACE)]})
    target = f"{WORKSPACE}/computes/{name}?api-version=2025-12-01"
    body = {"location": "westeurope", "properties": {"computeType": kind}}
    if allowed:
        assert one.ask("PUT", target, body).status == 201
    else:
        assert one.refusal("PUT", target, body).code == "InvalidResourceName"


@pytest.mark.parametrize(
    ("below", "message"),
    [
        ("Microsoft.ContainerRegistry/registries/acr", "between 5 and 50 characters"),
        ("Microsoft.ContainerRegistry/registries/acr/webhooks/push", "between 5 and 50 characters"),
        ("Microsoft.MachineLearningServices/workspaces/ws", "3 to 33 letters"),
        ("Microsoft.Storage/storageAccounts/Old", "lower-case letters only"),
    ],
)
def test_a_tenant_says_what_azure_would_not_make(below: str, message: str) -> None:
    """A file may hold it, because Azure may have made it once. Nothing of ours builds it."""
    made = resource(f"{RG}/providers/{below}")
    (odd,) = Tenant({"resources": [resource(WORKSPACE), made]}).odd_names
    assert odd.startswith("resources[1].id: ")
    assert message in odd
    with pytest.raises(AzureError, match=message):
        build.resource(made["id"])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("rg (1)", "InvalidResourceGroup"),
        ("a.", "InvalidResourceGroup"),
        ("x" * 91, "InvalidResourceGroup"),
        ("ñ(1)", ""),
    ],
)
async def test_groups(name: str, code: str) -> None:
    assert put(f"{SUB}/resourceGroups/{name}", "2022-12-01")[1] == code


@pytest.mark.parametrize("path", ["/a/it's%20%22my%22/b", "/gr%C3%B6%C3%9Fe/(x)", "/a%23b/%3C%3E"])
def test_urls_are_read(path: str) -> None:
    assert decoded(encoded(decoded(path))) == decoded(path)
    assert "%" not in decoded(path)


@pytest.mark.parametrize("path", ["/a%2Fb", "/a%5cb", "/%2e%2e/b", "/a%00", "/a%25b", "/a%3Fb", "/a%FF"])
def test_urls_that_hide_something_are_not(path: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        decoded(path)
