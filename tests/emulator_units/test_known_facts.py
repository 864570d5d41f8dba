"""What product and local Azure know by heart of Azure: the same, and what Microsoft's own compiler knows."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import batched
from pathlib import Path
from typing import Any

import pytest

import emulator
import shared.azure
from infra.compiler import AGE, Bicep
from shared.azure.arm import API_VERSIONS

type Json = dict[str, Any]

_EMULATOR, _PRODUCT = Path(emulator.__file__).parent / "data", Path(shared.azure.__file__).parent
_KINDS = ("actions", "notActions", "dataActions", "notDataActions")

# No template makes these, so the compiler has no types of them; their api-versions are those of the REST reference
# (learn.microsoft.com/rest/api: authorization/deny-assignments, azureml, managementgroups, resourcegraph, resources).
_OF_THE_REST_REFERENCE = {
    "Microsoft.Authorization/denyAssignments",
    "Microsoft.Authorization/permissions",
    "Microsoft.ContainerInstance/containerGroups/containers/logs",
    "Microsoft.ContainerInstance/locations/usages",
    "Microsoft.ContainerRegistry/checkNameAvailability",
    "Microsoft.ContainerRegistry/registries/listUsages",
    "Microsoft.Insights/eventtypes",
    "Microsoft.Insights/eventtypes/values",
    "Microsoft.KeyVault/checkNameAvailability",
    "Microsoft.KeyVault/deletedManagedHSMs",
    "Microsoft.KeyVault/deletedVaults",
    "Microsoft.KeyVault/locations/deletedVaults",
    "Microsoft.KeyVault/locations/deletedVaults/purge",
    "Microsoft.KeyVault/vaults/privateLinkResources",
    "Microsoft.MachineLearningServices/locations/vmSizes",
    "Microsoft.MachineLearningServices/registries/privateLinkResources",
    "Microsoft.MachineLearningServices/workspaces/privateLinkResources",
    "Microsoft.Management/managementGroups/descendants",
    "Microsoft.ResourceGraph/resources",
    "Microsoft.Resources/deployments/operations",
    "Microsoft.Resources/deployments/validate",
    "Microsoft.Resources/providers",
    "Microsoft.Resources/subscriptions",
    "Microsoft.Resources/subscriptions/locations",
    "Microsoft.Resources/subscriptions/providers",
    "Microsoft.Resources/subscriptions/resourceGroups",
    "Microsoft.Resources/subscriptions/resources",
    "Microsoft.Resources/subscriptions/resourceGroups/resources",
    "Microsoft.Resources/tenants",
    "Microsoft.Storage/checkNameAvailability",
    "Microsoft.Storage/locations/usages",
    "Microsoft.Storage/storageAccounts/privateLinkResources",
}
# Served for others: amlguard reads none of these, and their provider's api-version is none of theirs.
_NOT_READ = {
    "Microsoft.ContainerInstance/containerGroupProfiles",
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/activityLogAlerts",
    "Microsoft.Insights/dataCollectionEndpoints",
    "Microsoft.Insights/dataCollectionRuleAssociations",
    "Microsoft.Insights/dataCollectionRules",
    "Microsoft.Insights/eventtypes",
    "Microsoft.Insights/eventtypes/values",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.MachineLearningServices/workspaces/labelingJobs",
    "Microsoft.Resources/deployments",
    "Microsoft.Resources/deployments/operations",
    "Microsoft.Resources/deployments/validate",
    "Microsoft.Resources/tags",
}


def _served() -> Iterator[tuple[str, list[str]]]:
    """Every type that the local Azure knows, and its api-versions."""
    for namespace, groups in json.loads((_EMULATOR / "providers.json").read_text("utf-8")).items():
        for group in groups:
            for name in group["types"]:
                yield f"{namespace}/{name}", group["versions"]


def _sent(kind: str) -> str | None:
    """What the product sends for a type: that of the closest type that has one of its own."""
    parts = kind.casefold().split("/")
    closest = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((API_VERSIONS[one] for one in closest if one in API_VERSIONS), None)


def _permissions(role: Json) -> list[Json]:
    return [
        {kind: sorted(block.get(kind, ()), key=str.casefold) for kind in _KINDS} | {"condition": block.get("condition")}
        for block in role["permissions"]
    ]


def _roles(file: Path) -> dict[str, Json]:
    return {role["name"]: role for role in json.loads(file.read_text("utf-8"))}


def test_a_role_holds_the_same_for_the_product_and_for_the_local_azure() -> None:
    """The two never import one another: a copy that is wrong would make a grant that acts in tests alone."""
    product, local = _roles(_PRODUCT / "built_in_roles.json"), _roles(_EMULATOR / "roles.json")
    assert product.keys() == local.keys()
    for guid, role in product.items():
        assert (role["roleName"], _permissions(role)) == (local[guid]["roleName"], _permissions(local[guid]))


@pytest.mark.parametrize("key", API_VERSIONS)
def test_what_the_product_sends_is_about_something_that_the_local_azure_serves(key: str) -> None:
    assert any(f"{kind.casefold()}/".startswith(f"{key}/") for kind, _ in _served())


def test_every_api_version_that_the_product_sends_is_one_that_azure_answers() -> None:
    unknown = {
        kind: sent
        for kind, versions in _served()
        if kind not in _NOT_READ and (sent := _sent(kind)) is not None and sent not in versions
    }
    assert unknown == {}


def test_newest_first_and_each_once() -> None:
    """As an error of Azure's lists them."""
    for kind, versions in _served():
        assert versions, kind
        assert versions == sorted(set(versions), key=lambda one: (one[:10], len(one) == 10), reverse=True), kind


# This rule looks into the compiler's list of types and api-versions, which takes no time. To declare a resource loads
# all that is known of its properties: forty milliseconds for each api-version.
_LOOKS_UP = {AGE: {"level": "warning", "maxAgeInDays": 0}, "use-resource-symbol-reference": {"level": "off"}}
_LOOKED_UP = {"analyzers": {"core": {"rules": _LOOKS_UP}}}
_NOT_FOUND = f"Warning {AGE}: Could not find "
_NO_TYPES = "Warning BCP081: "
_AT_ONCE = 300
_AT_LINE = re.compile(r"\((\d+),")


def _looked_up(kind: str, version: str) -> str:
    names = ", ".join("'x'" for _ in range(kind.count("/")))
    return f"var v = reference(resourceId('{kind}', {names}), '{version}')"


def _declared(kind: str, version: str) -> str:
    return f"resource v '{kind}@{version}' existing = {{ name: '{'/'.join('x' * kind.count('/'))}' }}"


def _unknown(bicep: Bicep, folder: Path, asked: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """A template for some at a time: the compiler's time grows with the square of what one holds."""
    template = folder / "some.bicep"
    for some in batched(asked, _AT_ONCE, strict=False):
        lines = [_declared(*one) if one[0] in _OF_THE_REST_REFERENCE else _looked_up(*one) for one in some]
        template.write_text("\n".join(line.replace(" v ", f" v{n} ", 1) for n, line in enumerate(lines)), "utf-8")
        said = [line for line in bicep.compile(template).findings if _NOT_FOUND in line or _NO_TYPES in line]
        yield from {some[int(at[1]) - 1] for line in said if (at := _AT_LINE.search(line))}


def test_every_api_version_is_one_of_microsofts_published_types(tmp_path: Path, bicep: Bicep) -> None:
    """Of types that the compiler does not know it says so at once, but only where one is declared."""
    made_up = [("Microsoft.Storage/storageAccounts", "2025-08-02"), ("Microsoft.Storage/storageAcounts", "2025-08-01")]
    asked = [*((kind, version) for kind, versions in _served() for version in versions), *made_up]
    (tmp_path / "bicepconfig.json").write_text(json.dumps(_LOOKED_UP), "utf-8")
    unknown = set(_unknown(bicep, tmp_path, asked))
    assert {kind for kind, _ in unknown} == {*_OF_THE_REST_REFERENCE, *(kind for kind, _ in made_up)}
    assert sorted(one for one in unknown if one[0] not in _OF_THE_REST_REFERENCE) == made_up
