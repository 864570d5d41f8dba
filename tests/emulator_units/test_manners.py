"""Each type answers writes as it was recorded to answer real clients."""

import asyncio
from typing import Any

import pytest
from emulator_units.arm_calls import REGISTRY, RG, STORAGE, UAI, VAULT, WORKSPACE, Azure, resource

_HERE = "https://127.0.0.1:1"
_BODY = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
_NETWORK = f"{RG}/providers/Microsoft.Network/virtualNetworks/net"
_GROUP = f"{RG}/providers/Microsoft.ContainerInstance/containerGroups/one"
_ZONE = f"{RG}/providers/Microsoft.Network/privateDnsZones/privatelink.azurecr.io"

# What is made, with which version; the status, whether there is a body, its state, and the headers
_MADE: list[tuple[str, str, int, str | None, set[str]]] = [
    (STORAGE, "2022-09-01", 202, None, {"Location", "Retry-After"}),
    (WORKSPACE, "2021-07-01", 202, None, {"Location", "Azure-AsyncOperation"}),
    (VAULT, "2023-07-01", 200, "RegisteringDns", set()),
    (REGISTRY, "2022-02-01-preview", 201, "Creating", {"Azure-AsyncOperation"}),
    (REGISTRY, "2023-07-01", 200, "Succeeded", set()),
    (_NETWORK, "2022-01-01", 201, "Updating", {"Azure-AsyncOperation"}),
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


def test_whether_something_exists() -> None:
    one = Azure({"resources": [resource(VAULT)]})
    assert one.ask("HEAD", f"{RG}?api-version=2021-04-01").status == 204
    assert one.refusal("HEAD", f"{RG}2?api-version=2021-04-01").status == 404
