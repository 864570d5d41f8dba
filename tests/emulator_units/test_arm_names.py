"""The local Azure refuses the names that Azure refuses, and reads those that URLs encode."""

from typing import Any

import pytest
from emulator_units.arm_calls import OPERATOR, RG, SUB, Azure, resource

from emulator.arm.call import Call
from emulator.errors import AzureError
from emulator.ids import ResourcePath
from emulator.names import decoded, encoded

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


async def test_what_is_there_may_be_written_whatever_it_is_called() -> None:
    there = resource(f"{RG}/providers/Microsoft.Storage/storageAccounts/Old", type="Microsoft.Storage/storageAccounts")
    assert put(there["id"], VERSIONS["Microsoft.Storage/storageAccounts"], there)[1] == ""


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
