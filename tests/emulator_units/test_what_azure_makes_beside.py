"""What a write brings besides the resource itself, as recorded with the Azure CLI and Azure Service Operator."""

import asyncio
from typing import Any

import pytest
from emulator_units.arm_calls import REGISTRY, RG, STORAGE, SUB, VAULT, Azure, resource

_NETWORK = f"{RG}/providers/Microsoft.Network/virtualNetworks/net"
_ENDPOINT = f"{RG}/providers/Microsoft.Network/privateEndpoints/door"
_CLUSTER = f"{RG}/providers/Microsoft.ContainerService/managedClusters/aks"
_GROUP = f"{RG}/providers/Microsoft.ContainerInstance/containerGroups/scorer"
_NET, _AKS = "?api-version=2024-03-01", "?api-version=2025-08-01"
_READ = {STORAGE: "?api-version=2025-08-01", VAULT: "?api-version=2023-07-01", REGISTRY: "?api-version=2025-11-01"}


def azure() -> Azure:
    subnets = [{"name": "inside", "properties": {"addressPrefix": "10.1.0.0/24"}}]
    owners = [resource(one, tags={}) for one in (STORAGE, VAULT, REGISTRY)]
    return Azure({"resources": [*owners, resource(_NETWORK, properties={"subnets": subnets})]})


async def connect(one: Azure, to: str, *groups: str, name: str = "door", **more: Any) -> dict[str, Any]:
    link = {"name": "link", "properties": {"privateLinkServiceId": to.upper(), "groupIds": list(groups)}}
    subnet = {"id": f"{_NETWORK}/subnets/INSIDE"}
    body = {"location": "westeurope", "properties": {"subnet": subnet, "privateLinkServiceConnections": [link], **more}}
    target = f"{_ENDPOINT.replace('door', name)}{_NET}"
    one.ask("PUT", target, body)
    await asyncio.sleep(0.05)
    properties: dict[str, Any] = one.ask("GET", target).body["properties"]
    return properties


def listed(one: Azure, owner: str) -> list[dict[str, Any]]:
    return list(one.ask("GET", f"{owner}{_READ[owner]}").body["properties"].get("privateEndpointConnections") or [])


@pytest.mark.parametrize(
    ("owner", "group", "names"),
    [
        (STORAGE, "blob", {"sto.blob.core.windows.net": "10.1.0.4"}),
        (STORAGE, "dfs_secondary", {"sto.dfs.core.windows.net": "10.1.0.4"}),
        (VAULT, "vault", {"kvml.vault.azure.net": "10.1.0.4"}),
        (REGISTRY, "registry", {"regml.westeurope.data.azurecr.io": "10.1.0.4", "regml.azurecr.io": "10.1.0.5"}),
    ],
)
async def test_a_private_endpoint_is_listed_by_what_it_leads_to(owner: str, group: str, names: dict[str, str]) -> None:
    one = azure()
    found = (await connect(one, owner, group))["customDnsConfigs"]
    assert {config["fqdn"]: config["ipAddresses"] for config in found} == {name: [ip] for name, ip in names.items()}
    (connection,) = listed(one, owner)
    assert connection["properties"]["privateEndpoint"] == {"id": _ENDPOINT}
    assert connection["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
    others = set(_READ) - {owner}
    assert [listed(one, other) for other in others] == [[], []]


async def test_endpoints_share_a_subnet_and_leave_it() -> None:
    one = azure()
    addresses = []
    for name, owner in (("door", STORAGE), ("gate", STORAGE), ("hatch", VAULT)):
        found = await connect(one, owner, "blob", name=name)
        addresses += [config["ipAddresses"] for config in found["customDnsConfigs"]]
    assert addresses == [["10.1.0.4"], ["10.1.0.5"], ["10.1.0.6"]]
    assert len(listed(one, STORAGE)) == 2
    again = await connect(one, STORAGE, "blob")
    assert [config["ipAddresses"] for config in again["customDnsConfigs"]] == [["10.1.0.4"]]
    assert len(listed(one, STORAGE)) == 2
    for name in ("door", "hatch"):
        one.ask("DELETE", f"{_ENDPOINT.replace('door', name)}{_NET}")
    await asyncio.sleep(0.05)
    assert [len(listed(one, owner)) for owner in (STORAGE, VAULT)] == [1, 0]
    assert "privateEndpointConnections" not in one.ask("GET", f"{VAULT}{_READ[VAULT]}").body["properties"]
    free = await connect(one, REGISTRY, "registry")
    assert [config["ipAddresses"] for config in free["customDnsConfigs"]] == [["10.1.0.4"], ["10.1.0.6"]]


async def test_what_is_not_known_gets_no_names() -> None:
    """An owner of another type or nowhere, and a subnet of another tenant."""
    one = azure()
    assert (await connect(one, f"{RG}/providers/Microsoft.Search/searchServices/none", "searchService"))[
        "customDnsConfigs"
    ] == []
    nowhere: dict[str, Any] = {"subnet": {"id": f"{_NETWORK}x/subnets/inside"}}
    assert (await connect(one, VAULT, "vault", **nowhere))["customDnsConfigs"] == []
    assert len(listed(one, VAULT)) == 1


async def test_replacing_an_owner_keeps_its_connections() -> None:
    one = azure()
    await connect(one, STORAGE, "blob")
    body = {"location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    assert one.ask("PUT", f"{STORAGE}{_READ[STORAGE]}", body).status == 200
    assert len(listed(one, STORAGE)) == 1


@pytest.mark.parametrize(("asked", "current"), [(None, "1.33.5"), ("1.31", "1.31.5"), ("1.30.2", "1.30.2")])
async def test_a_cluster_has_an_identity_for_its_nodes(asked: str | None, current: str) -> None:
    one = azure()
    body: dict[str, Any] = {
        "location": "westeurope",
        "properties": {"agentPoolProfiles": [{"name": "pool", "count": 1}]},
    }
    body["properties"] |= {"kubernetesVersion": asked} if asked else {}
    made = one.ask("PUT", f"{_CLUSTER}{_AKS}", body)
    assert "identityProfile" not in made.body["properties"]
    await asyncio.sleep(0.05)
    properties = one.ask("GET", f"{_CLUSTER}{_AKS}").body["properties"]
    assert properties["currentKubernetesVersion"] == current
    assert properties["agentPoolProfiles"][0]["currentOrchestratorVersion"] == current
    kubelet = properties["identityProfile"]["kubeletidentity"]
    identity = one.ask("GET", f"{kubelet['resourceId']}?api-version=2024-11-30").body
    assert identity["id"].split("/")[4] == properties["nodeResourceGroup"] == "MC_rg_aks_westeurope"
    assert identity["properties"]["principalId"] == kubelet["objectId"]
    one.assign(REGISTRY, "7f951dda-4ed3-4680-a7ca-43fe172d538d", kubelet["objectId"], principalType="ServicePrincipal")
    one.ask("DELETE", f"{_CLUSTER}{_AKS}")
    await asyncio.sleep(0.05)
    group = f"{SUB}/resourceGroups/MC_rg_aks_westeurope?api-version=2021-04-01"
    assert one.refusal("GET", group).status == 404


async def test_a_cluster_with_a_service_principal_has_no_such_identity() -> None:
    one = azure()
    own = {"servicePrincipalProfile": {"clientId": "11111111-1111-4111-8111-111111111111"}}
    one.ask("PUT", f"{_CLUSTER}{_AKS}", {"location": "westeurope", "properties": own})
    await asyncio.sleep(0.05)
    assert "identityProfile" not in one.ask("GET", f"{_CLUSTER}{_AKS}").body["properties"]


@pytest.mark.parametrize("kind", ["Public", "Private", None])
async def test_a_container_group_says_what_happened_and_where_it_is(kind: str | None) -> None:
    one, version = azure(), "?api-version=2023-05-01"
    containers = [{"name": "one", "properties": {"image": "images.azurecr.io/scorer:1", "resources": {}}}]
    address = {"ipAddress": {"type": kind, "ports": [], "dnsNameLabel": "scorer"}} if kind else {}
    body = {"location": "West Europe", "properties": {"osType": "Linux", "containers": containers, **address}}
    one.ask("PUT", f"{_GROUP}{version}", body)
    await asyncio.sleep(0.05)
    properties = one.ask("GET", f"{_GROUP}{version}").body["properties"]
    events = properties["containers"][0]["properties"]["instanceView"]["events"]
    assert [event["name"] for event in events] == ["Pulling", "Pulled", "Started"]
    assert "images.azurecr.io/scorer:1" in events[0]["message"]
    told = properties.get("ipAddress") or {}
    assert ("ip" in told) == (kind == "Public")
    if kind == "Public":
        assert told["ip"].startswith("203.0.113.")
        assert told["fqdn"] == "scorer.westeurope.azurecontainer.io"
