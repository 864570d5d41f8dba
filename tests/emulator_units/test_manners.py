"""Each type answers writes as it was recorded to answer real clients."""

import asyncio
from typing import Any

import pytest
from emulator_units.arm_calls import REGISTRY, RG, STORAGE, SUB, UAI, VAULT, WORKSPACE, Azure, resource

_HERE = "https://127.0.0.1:1"
_BODY = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
_NETWORK = f"{RG}/providers/Microsoft.Network/virtualNetworks/net"
_ADDRESS = f"{RG}/providers/Microsoft.Network/publicIPAddresses/out"
_GROUP = f"{RG}/providers/Microsoft.ContainerInstance/containerGroups/one"
_ZONE = f"{RG}/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"

# What is made, with which version; the status, whether there is a body, its state, and the headers
_MADE: list[tuple[str, str, int, str | None, set[str]]] = [
    (STORAGE, "2022-09-01", 202, None, {"Location", "Retry-After"}),
    (WORKSPACE, "2021-07-01", 202, None, {"Location", "Azure-AsyncOperation"}),
    (VAULT, "2023-07-01", 200, "RegisteringDns", set()),
    (REGISTRY, "2017-10-01", 200, "Succeeded", set()),
    (REGISTRY, "2020-11-01-preview", 200, "Succeeded", set()),
    (REGISTRY, "2022-02-01-preview", 201, "Creating", {"Azure-AsyncOperation"}),
    (REGISTRY, "2023-07-01", 200, "Succeeded", set()),
    (REGISTRY, "2025-03-01-preview", 201, "Creating", {"Azure-AsyncOperation"}),
    (_NETWORK, "2022-01-01", 201, "Updating", {"Azure-AsyncOperation"}),
    (_ADDRESS, "2020-05-01", 201, "Updating", {"Azure-AsyncOperation"}),
    (_GROUP, "2018-10-01", 201, "Pending", {"Azure-AsyncOperation"}),
    (UAI, "2023-01-31", 201, None, {"Location"}),
]


def _poll(one: Azure, url: str) -> Any:
    return one.ask("GET", url.removeprefix(_HERE))


@pytest.mark.parametrize(("made", "version", "status", "state", "headers"), _MADE)
async def test_what_a_creation_answers(
    made: str, version: str, status: int, state: str | None, headers: set[str]
) -> None:
    one = Azure({"resources": [resource(f"{RG}/providers/Microsoft.Sql/servers/other")]})
    answer = one.ask("PUT", f"{made}?api-version={version}", _BODY)
    assert (answer.status, set(answer.headers)) == (status, headers)
    assert ((answer.body or {}).get("properties") or {}).get("provisioningState") == state
    await asyncio.sleep(0.05)
    after = one.ask("GET", f"{made}?api-version={version}").body
    assert after["properties"].get("provisioningState") in ("Succeeded", None)
    for name in headers & {"Azure-AsyncOperation"}:
        assert _poll(one, answer.headers[name]).body["status"] == "Succeeded"


async def test_the_location_of_a_storage_account_ends_with_the_account() -> None:
    one = Azure({"resources": [resource(f"{RG}/providers/Microsoft.Sql/servers/other")]})
    location = one.ask("PUT", f"{STORAGE}?api-version=2022-09-01", _BODY).headers["Location"]
    assert "/locations/local/asyncoperations/" in location
    assert "?monitor=true&api-version=2022-09-01" in location
    assert _poll(one, location).status == 202
    await asyncio.sleep(0.05)
    assert _poll(one, location).body["id"] == STORAGE


async def test_an_account_has_no_keys_before_it_is_there() -> None:
    """Recorded with Azure Service Operator, CreateStorageAccountWithSkipReconcile (2021-04-01)."""
    one, version = Azure({"resources": [resource(f"{RG}/providers/Microsoft.Sql/servers/other")]}), "2024-01-01"
    one.ask("PUT", f"{STORAGE}?api-version={version}", _BODY)
    error = one.refusal("POST", f"{STORAGE}/listKeys?api-version={version}")
    assert (error.status, error.code) == (409, "StorageAccountIsNotProvisioned")
    await asyncio.sleep(0.05)
    assert len(one.ask("POST", f"{STORAGE}/listKeys?api-version={version}").body["keys"]) == 2


async def test_a_zone_answers_with_nothing_until_it_is_there() -> None:
    one = Azure({"resources": [resource(f"{RG}/providers/Microsoft.Sql/servers/other")]})
    answer = one.ask("PUT", f"{_ZONE}?api-version=2020-06-01", {"location": "global"})
    assert (answer.status, answer.body) == (202, {})
    await asyncio.sleep(0.05)
    assert _poll(one, answer.headers["Location"]).body["id"] == _ZONE


@pytest.mark.parametrize(
    ("deleted", "version", "status", "end"),
    [
        (_NETWORK, "2022-01-01", 202, 204),
        (_ADDRESS, "2020-05-01", 202, 204),
        (REGISTRY, "2023-07-01", 202, 200),
        (REGISTRY, "2022-02-01-preview", 200, None),
        (STORAGE, "2022-09-01", 200, None),
        (VAULT, "2023-07-01", 200, None),
        (RG, "2021-04-01", 202, 200),
    ],
)
async def test_what_a_deletion_answers(deleted: str, version: str, status: int, end: int | None) -> None:
    one = Azure({"resources": [resource(deleted), resource(f"{RG}2/providers/Microsoft.Sql/servers/other")]})
    answer = one.ask("DELETE", f"{deleted}?api-version={version}")
    assert answer.status == status
    if end is None:
        assert deleted.lower() not in one.tenant.resources
        assert one.ask("DELETE", f"{deleted.replace('rg', 'rg2')}x?api-version={version}").status == 204
        return
    assert one.ask("GET", f"{deleted}?api-version={version}").body["properties"].get("provisioningState") != "Succeeded"
    assert _poll(one, answer.headers["Location"]).status == 202
    await asyncio.sleep(0.05)
    assert _poll(one, answer.headers["Location"]).status == end
    assert one.refusal("GET", f"{deleted}?api-version={version}").status == 404


@pytest.mark.parametrize(
    ("change", "status", "state"),
    [
        ({"properties": {"zoneRedundancy": "Enabled"}}, 201, "Creating"),
        ({"properties": {"encryption": {"keyVaultProperties": {"keyIdentifier": "https://kvml"}}}}, 201, "Creating"),
        ({"properties": {"zoneRedundancy": "Disabled", "encryption": {"status": "disabled"}}}, 200, "Succeeded"),
        ({"identity": {"type": "SystemAssigned"}}, 200, "Succeeded"),
    ],
)
async def test_which_registries_took_a_while_before_2021(change: dict[str, Any], status: int, state: str) -> None:
    """Recorded with the Azure CLI: acr_encryption_with_cmk and acr_with_zone_redundancy (2020-11-01-preview)."""
    one = Azure({"resources": [resource(f"{RG}/providers/Microsoft.Sql/servers/other")]})
    answer = one.ask("PUT", f"{REGISTRY}?api-version=2020-11-01-preview", {**_BODY, **change})
    assert (answer.status, answer.body["properties"]["provisioningState"]) == (status, state)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"identity": {"type": "SystemAssigned"}}, 201),
        ({"identity": {"type": "None"}}, 200),
        ({"properties": {"encryption": {"keyVaultProperties": {"keyIdentifier": "https://kvml/2"}}}}, 201),
        ({"properties": {"encryption": {"status": "disabled"}}}, 200),
        ({"properties": {"anonymousPullEnabled": False}}, 200),
        ({"tags": {"a": "b"}}, 200),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_which_changes_of_a_registry_take_a_while(method: str, change: dict[str, Any], status: int) -> None:
    """Recorded with the Azure CLI: acr_identity and acr_encryption_with_cmk (2020-11-01-preview)."""
    one = Azure({"resources": [resource(REGISTRY, sku={"name": "Premium"})]})
    answer = one.ask(method, f"{REGISTRY}?api-version=2020-11-01-preview", {**_BODY, **change})
    assert (answer.status, answer.body["properties"]["provisioningState"] == "Updating") == (status, status == 201)


async def test_a_registry_with_replications_is_not_gone_at_once() -> None:
    """Recorded with the Azure CLI: acr_create_replication (2017-10-01 and 2020-11-01-preview)."""
    registry = resource(REGISTRY, properties={"provisioningState": "Succeeded"})
    one = Azure({"resources": [registry, resource(f"{REGISTRY}/replications/eastus")]})
    answer = one.ask("DELETE", f"{REGISTRY}?api-version=2020-11-01-preview")
    assert (answer.status, answer.body["properties"]["provisioningState"]) == (202, "Deleting")
    await asyncio.sleep(0.05)
    assert one.refusal("GET", f"{REGISTRY}?api-version=2020-11-01-preview").status == 404


async def test_a_subnet_that_was_written_in_its_network_can_be_deleted() -> None:
    """Recorded with the Azure CLI: network_vnet (2020-06-01)."""
    subnets = [{"name": name, "properties": {"addressPrefix": "10.0.0.0/24"}} for name in ("one", "two")]
    one = Azure({"resources": [resource(_NETWORK, properties={"subnets": subnets})]})
    version = "?api-version=2020-06-01"
    assert one.ask("DELETE", f"{_NETWORK}/subnets/ONE{version}").status == 202
    await asyncio.sleep(0.05)
    assert one.refusal("GET", f"{_NETWORK}/subnets/one{version}").status == 404
    assert [subnet["name"] for subnet in one.ask("GET", f"{_NETWORK}{version}").body["properties"]["subnets"]] == [
        "two"
    ]
    assert one.ask("DELETE", f"{_NETWORK}/subnets/one{version}").status == 204


@pytest.mark.parametrize(
    ("kind", "again"), [("policyAssignments", 201), ("policyDefinitions", 201), ("policySetDefinitions", 200)]
)
def test_a_policy_that_is_written_again(kind: str, again: int) -> None:
    """Recorded with the Azure CLI: resource_policy and resource_policyset (2016-12-01 to 2021-06-01)."""
    one = Azure({"resources": [resource(REGISTRY)]})
    target = f"{SUB}/providers/Microsoft.Authorization/{kind}/mine?api-version=2021-06-01"
    statuses = [one.ask("PUT", target, {"properties": {"displayName": name}}).status for name in ("a", "b")]
    gone = one.ask("DELETE", target)
    assert (statuses, gone.status, gone.body["properties"]["displayName"]) == ([201, again], 200, "b")


def test_a_group_that_only_its_resources_imply_is_made_once() -> None:
    """A tenant file need not list groups. A client that makes one sees it made, as in an empty subscription."""
    one = Azure({"resources": [resource(REGISTRY)]})
    target = f"{RG}?api-version=2021-04-01"
    assert one.ask("GET", target).status == 200
    assert [one.ask("PUT", target, {"location": "westus"}).status for _ in range(2)] == [201, 200]
    assert one.ask("GET", f"{REGISTRY}?api-version=2025-11-01").status == 200


def test_whether_something_exists() -> None:
    one = Azure({"resources": [resource(VAULT)]})
    assert one.ask("HEAD", f"{RG}?api-version=2021-04-01").status == 204
    assert one.refusal("HEAD", f"{RG}2?api-version=2021-04-01").status == 404
