"""What clients ask besides resources: az and the management SDKs ask most of this before each command."""

import asyncio
from typing import Any

import pytest
from emulator_units.arm_calls import OWNER, READER, REGISTRY, RG, STORAGE, SUB, VAULT, Azure, held, principal, resource

from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath
from emulator.names import decoded

RES = "?api-version=2021-04-01"
SUBS = "?api-version=2022-12-01"
ROLES = "?api-version=2022-04-01"
ME = principal(1)
CUSTOM = f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{principal(7)}"


def azure(*resources: dict[str, Any], **more: Any) -> Azure:
    known = resource(REGISTRY, tags={"env": "prod"}), resource(STORAGE), resource(f"{RG}2/providers/a.b/c/d")
    return Azure({"resources": [*known, *resources], **more})


def names(one: Azure, target: str) -> list[str]:
    return sorted(found["name"] for found in one.ask("GET", target).body["value"])


def test_a_provider_and_its_versions() -> None:
    one = azure()
    body = one.ask("GET", f"{SUB}/providers/microsoft.containerregistry{RES}").body
    assert (body["id"], body["registrationState"]) == (f"{SUB}/providers/Microsoft.ContainerRegistry", "Registered")
    [registries] = [kind for kind in body["resourceTypes"] if kind["resourceType"] == "registries"]
    assert registries["apiVersions"][0] >= "2025-11-01"
    assert one.ask("POST", f"{SUB}/providers/Microsoft.ContainerRegistry/register{RES}").body == body
    assert body["namespace"] in [found["namespace"] for found in one.ask("GET", f"{SUB}/providers{RES}").body["value"]]
    assert one.refusal("GET", f"{SUB}/providers/Microsoft.Nothing{RES}").code == "InvalidResourceNamespace"


def test_locations_and_tenants() -> None:
    one = azure()
    assert "westeurope" in names(one, f"{SUB}/locations{SUBS}")
    [tenant] = one.ask("GET", f"/tenants{SUBS}").body["value"]
    assert tenant["tenantId"] == one.tenant.tenant_id


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        ("Microsoft.Storage", "free", None),
        ("Microsoft.Storage", "sto", "AlreadyExists"),
        ("Microsoft.Storage", "Not-Legal", "AccountNameInvalid"),
        ("Microsoft.ContainerRegistry", "REGML", "AlreadyExists"),
        ("Microsoft.KeyVault", "free", None),
    ],
)
def test_names_that_are_free(kind: str, name: str, reason: str | None) -> None:
    version = "2025-08-01" if kind == "Microsoft.Storage" else "2023-07-01"
    target = f"{SUB}/providers/{kind}/checkNameAvailability?api-version={version}"
    body = azure().ask("POST", target, {"name": name, "type": "x"}).body
    assert (body["nameAvailable"], body.get("reason")) == (reason is None, reason)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("resourceType eq 'microsoft.containerregistry/registries'", ["regml"]),
        ("resourceType eq 'Microsoft.Storage/storageAccounts' and name eq 'STO'", ["sto"]),
        ("resourceType eq 'Microsoft.Storage/storageAccounts' and name eq 'other'", []),
        ("resourceGroup eq 'rg2'", ["d"]),
        ("tagName eq 'env' and tagValue eq 'prod'", ["regml"]),
        ("substringof('t', name)", ["sto"]),
        ("name eq 'd' or name eq 'regml'", ["d", "regml"]),
        ("resourceGroup ne 'rg'", ["d"]),
    ],
)
def test_filters_of_resources(wanted: str, found: list[str]) -> None:
    assert names(azure(), f"{SUB}/resources{RES}&$filter={wanted}") == found


@pytest.mark.parametrize("wanted", ["colour eq 'red'", "name gt 'a'", "name eq 'a' and", "contains(name, 'a')"])
def test_a_filter_that_is_not_known_is_refused(wanted: str) -> None:
    refused = azure().refusal("GET", f"{SUB}/resources{RES}&$filter={wanted}")
    assert (refused.status, refused.code) == (400, "InvalidFilterInQueryString")
    assert azure().refusal("GET", f"{SUB}/resourcegroups{RES}&$filter=name eq 'rg'").status == 400


def test_a_group_is_changed() -> None:
    one = azure()
    assert one.ask("PATCH", f"{RG}{RES}", {"tags": {"env": "prod"}}).body["tags"] == {"env": "prod"}
    assert names(one, f"{SUB}/resourcegroups{RES}&$filter=tagName eq 'env' and tagValue eq 'prod'") == ["rg"]
    assert names(one, f"{SUB}/resourcegroups{RES}&$filter=tagName eq 'other'") == []


def test_what_a_list_of_resources_is_asked_to_show() -> None:
    one = azure(resource(VAULT, properties={"provisioningState": "Succeeded"}))
    listed = one.ask("GET", f"{SUB}/resources{RES}&$filter=name eq 'kvml'&$expand=provisioningState").body["value"]
    assert [found["provisioningState"] for found in listed] == ["Succeeded"]
    assert "properties" not in listed[0]
    assert one.refusal("GET", f"{SUB}/resources{RES}&$expand=colour").status == 400


@pytest.mark.parametrize(
    ("operation", "after"),
    [("Merge", {"env": "prod", "a": "b"}), ("Replace", {"a": "b"}), ("Delete", {"env": "prod"})],
)
def test_tags(operation: str, after: dict[str, str]) -> None:
    one, target = azure(), f"{REGISTRY}/providers/Microsoft.Resources/tags/default{RES}"
    answer = one.ask("PATCH", target, {"operation": operation, "properties": {"tags": {"a": "b"}}})
    assert answer.body["properties"]["tags"] == after
    assert one.ask("GET", f"{REGISTRY}?api-version=2025-11-01").body["tags"] == after
    assert one.ask("GET", target).body["properties"]["tags"] == after


def test_a_custom_role_is_written_held_and_deleted() -> None:
    one = azure(principals=[{"id": ME, "type": "User"}])
    block = {"actions": ["Microsoft.ContainerRegistry/registries/read"]}
    body = {"properties": {"roleName": "Looks", "assignableScopes": [SUB], "permissions": [block]}}
    made = one.ask("PUT", f"{CUSTOM}{ROLES}", body)
    assert (made.status, made.body["properties"]["type"], made.body["properties"]["description"]) == (
        201,
        "CustomRole",
        None,
    )
    reader = Caller(ME, ME, "reader")
    assert one.refusal("GET", f"{REGISTRY}?api-version=2025-11-01", caller=reader).status == 403
    name = principal(8)
    assignment = f"{RG}/providers/Microsoft.Authorization/roleAssignments/{name}{ROLES}"
    one.ask("PUT", assignment, {"properties": {"principalId": ME, "roleDefinitionId": CUSTOM}})
    assert one.ask("GET", f"{REGISTRY}?api-version=2025-11-01", caller=reader).status == 200
    assert one.refusal("DELETE", f"{CUSTOM}{ROLES}").code == "RoleDefinitionHasAssignments"
    one.ask("DELETE", assignment)
    assert one.ask("DELETE", f"{CUSTOM}{ROLES}").status == 200
    assert one.ask("DELETE", f"{CUSTOM}{ROLES}").status == 204


def test_a_built_in_role_stays_as_it_is() -> None:
    built_in = f"{SUB}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}{ROLES}"
    body = {"properties": {"roleName": "Owner", "assignableScopes": [SUB], "permissions": [{"actions": []}]}}
    one = azure()
    assert one.refusal("PUT", built_in, body).status == 400
    assert one.refusal("DELETE", built_in).status == 400


def test_what_a_caller_may_do() -> None:
    one = azure(roleAssignments=[held(RG, READER, ME)])
    target = f"{REGISTRY}/providers/Microsoft.Authorization/permissions{ROLES}"
    mine = one.ask("GET", target, caller=Caller(ME, ME, "reader")).body["value"]
    assert [block["actions"] for block in mine] == [["*/read"]]
    assert [block["actions"] for block in one.ask("GET", target).body["value"]] == [["*"]]


def test_the_activity_log() -> None:
    one = azure()
    one.ask("PATCH", f"{RG}{RES}", {"tags": {}})
    since = "eventTimestamp ge '2020-01-01T00:00:00Z' and resourceGroupName eq"
    target = f"{SUB}/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01&$filter={since}"
    [event] = one.ask("GET", f"{target} 'RG'").body["value"]
    assert event["operationName"]["value"] == "Microsoft.Resources/subscriptions/resourceGroups/write"
    assert one.ask("GET", f"{target} 'rg2'").body["value"] == []
    assert one.refusal("GET", target.partition("&")[0]).status == 400


async def test_a_vault_that_was_deleted_is_recovered_or_purged() -> None:
    one = azure(resource(VAULT, properties={"tenantId": "t", "mark": 1}))
    version = "?api-version=2023-07-01"
    place = f"{SUB}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kvml"
    one.ask("DELETE", f"{VAULT}{version}")
    assert names(one, f"{SUB}/providers/Microsoft.KeyVault/deletedVaults{version}") == ["kvml"]
    assert one.ask("GET", f"{place}{version}").body["properties"]["vaultId"] == VAULT
    body = {"location": "westeurope", "properties": {}}
    assert one.refusal("PUT", f"{VAULT}{version}", body).code == "ConflictError"
    recover = {"location": "westeurope", "properties": {"createMode": "recover"}}
    assert one.ask("PUT", f"{VAULT}{version}", recover).body["properties"]["mark"] == 1
    assert one.refusal("GET", f"{place}{version}").code == "DeletedVaultNotFound"
    await asyncio.sleep(0.05)
    one.ask("DELETE", f"{VAULT}{version}")
    assert one.ask("POST", f"{place}/purge{version}").status == 202
    await asyncio.sleep(0.05)
    assert one.refusal("GET", f"{place}{version}").code == "DeletedVaultNotFound"


async def test_a_subnet_is_in_its_network_and_by_itself() -> None:
    network = f"{RG}/providers/Microsoft.Network/virtualNetworks/net"
    one = azure(resource(network, properties={"subnets": [{"name": "first", "properties": {"a": 1}}]}))
    version = "?api-version=2024-05-01"
    assert one.ask("GET", f"{network}/subnets/First{version}").body["properties"] == {"a": 1}
    one.ask("PUT", f"{network}/subnets/second{version}", {"properties": {"a": 2}})
    await asyncio.sleep(0.05)
    inside = one.ask("GET", f"{network}{version}").body["properties"]["subnets"]
    assert [subnet["name"] for subnet in inside] == ["first", "second"]
    assert one.refusal("GET", f"{network}/subnets/third{version}").code == "ResourceNotFound"


@pytest.mark.parametrize(
    ("path", "same"),
    [
        ("//subscriptions/s//resourceGroups/g", "/subscriptions/s/resourceGroups/g"),
        (
            "/%2Fsubscriptions%2Fs%2FresourceGroups%2Fg/providers/Microsoft.Authorization/locks/l",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Authorization/locks/l",
        ),
    ],
)
def test_paths_that_azure_takes(path: str, same: str) -> None:
    assert ResourcePath.parse(decoded(path)).text == same


@pytest.mark.parametrize("path", ["/subscriptions/s%2Ft", "/subscriptions/s/resourceGroups/..", "/a/%00"])
def test_paths_that_it_does_not(path: str) -> None:
    with pytest.raises(ValueError, match="in no name"):
        decoded(path)


def test_a_password_stays_until_it_is_renewed() -> None:
    one = azure(resource(VAULT))
    one.ask("PATCH", f"{REGISTRY}?api-version=2025-11-01", {"properties": {"adminUserEnabled": True}})

    def passwords() -> dict[str, str]:
        shown = one.ask("POST", f"{REGISTRY}/listCredentials?api-version=2025-11-01").body["passwords"]
        return {password["name"]: password["value"] for password in shown}

    before = passwords()
    assert passwords() == before
    one.ask("POST", f"{REGISTRY}/regenerateCredential?api-version=2025-11-01", {"name": "password2"})
    assert passwords()["password"] == before["password"]
    assert passwords()["password2"] != before["password2"]


def test_what_is_in_every_storage_account() -> None:
    one, version = azure(), "?api-version=2023-01-01"
    service = f"{STORAGE}/blobServices/default"
    assert one.ask("GET", f"{service}{version}").body["properties"]["deleteRetentionPolicy"]["enabled"] is False
    assert one.ask("PUT", f"{service}/containers/models{version}", {}).status == 201
    assert one.refusal("GET", f"{STORAGE}2/blobServices/default{version}").status == 404


async def test_what_is_filled_in_and_what_is_kept() -> None:
    one = Azure({"resources": [resource(f"{RG}2/providers/a.b/c/d"), resource(VAULT)]})
    body = {"location": "westeurope", "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": True}}
    target = f"{REGISTRY}?api-version=2025-11-01"
    made = one.ask("PUT", target, body).body
    assert made["sku"] == {"name": "Premium", "tier": "Premium"}
    assert made["properties"]["adminUserEnabled"] is True
    assert made["properties"]["networkRuleSet"] == {"defaultAction": "Allow", "ipRules": []}
    assert made["properties"]["loginServer"] == "regml.azurecr.io"
    again = one.ask("PUT", target, body).body["properties"]
    assert again["creationDate"] == made["properties"]["creationDate"]
