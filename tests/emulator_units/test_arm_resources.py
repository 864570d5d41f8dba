"""Resources of any type through ARM: reads, lists, writes, actions, and what it refuses."""

import asyncio
from typing import Any

import pytest
from emulator_units.arm_calls import (
    OWNER,
    READER,
    REGISTRY,
    RG,
    STORAGE,
    SUB,
    UAI,
    VAULT,
    WORKSPACE,
    Azure,
    caller,
    held,
    principal,
    resource,
)

ACR, AML, KV, MI, RES = (
    f"?api-version={version}" for version in ("2025-11-01", "2025-12-01", "2026-02-01", "2024-11-30", "2021-04-01")
)
ME = principal(1)
SERVER = f"{RG}/providers/Microsoft.Sql/servers/server"
SQL = "?api-version=2023-08-01"
TENANT = "aaaaaaaa-0000-0000-0000-000000000000"


def azure(*more: dict[str, Any], **document: Any) -> Azure:
    registry = resource(
        REGISTRY, properties={"adminUserEnabled": True, "roleAssignmentMode": "AbacRepositoryPermissions"}
    )
    return Azure({"tenantId": TENANT, "resources": [registry, resource(WORKSPACE), *more], **document})


def test_served_as_given_whatever_the_casing() -> None:
    odd: dict[str, Any] = {"id": f"{RG.lower()}/providers/Microsoft.Odd/things/T", "kind": "odd", "extra": {"a": None}}
    one = azure(odd)
    body = one.ask("GET", f"{odd['id'].upper()}?api-version=2020-01-01").body
    assert body == {"name": "T", "type": "Microsoft.Odd/things", **odd}
    assert [
        item["name"]
        for item in one.ask("GET", f"{RG}/providers/microsoft.odd/things?api-version=2020-01-01").body["value"]
    ] == ["T"]


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        (f"{REGISTRY}2{ACR}", 404, "ResourceNotFound"),
        (f"{RG}2/providers/Microsoft.ContainerRegistry/registries/another{ACR}", 404, "ResourceGroupNotFound"),
        (f"/subscriptions/aaaaaaaa-0000-0000-0000-000000000002{RES}", 404, "SubscriptionNotFound"),
        (f"/subscriptions/other/resourceGroups/rg{RES}", 400, "InvalidSubscriptionId"),
        (REGISTRY, 400, "MissingApiVersionParameter"),
        (f"{REGISTRY}?api-version=2031-01-01", 400, "NoRegisteredProviderFound"),
        (f"{REGISTRY}?api-version=latest", 400, "InvalidApiVersionParameter"),
        (f"{RG}/providers/Microsoft.Nonsense/things/x?api-version=2020-01-01", 404, "InvalidResourceNamespace"),
        (f"{RG}/providers/Microsoft.ContainerRegistry/things/x{ACR}", 404, "InvalidResourceType"),
        (f"{WORKSPACE}2/computes{AML}", 404, "ResourceNotFound"),
        (f"/nonsense{RES}", 404, "InvalidResourceType"),
    ],
)
def test_what_is_not_there(target: str, status: int, code: str) -> None:
    error = azure().refusal("GET", target)
    assert (error.status, error.code) == (status, code)


def test_lists() -> None:
    elsewhere = f"{SUB}/resourceGroups/other/providers/Microsoft.ContainerRegistry/registries/faraway"
    nested = [resource(f"{WORKSPACE}/computes/cpu{number}") for number in range(3)]
    one = azure(resource(elsewhere), *nested)
    at = "{}/providers/Microsoft.ContainerRegistry/registries" + ACR

    def names(target: str) -> set[str]:
        return {item["name"] for item in one.ask("GET", target).body["value"]}

    assert names(at.format(SUB)) == {"regml", "faraway"}
    assert names(at.format(RG)) == {"regml"}
    assert names(f"{WORKSPACE}/computes{AML}") == {"cpu0", "cpu1", "cpu2"}
    assert names(f"{WORKSPACE}/datastores{AML}") == set()
    assert names(f"{SUB}/resources{RES}&$filter=resourceType eq 'Microsoft.ContainerRegistry/registries'") == {
        "regml",
        "faraway",
    }
    assert names(f"{RG}/resources{RES}") == {"regml", "mlw"}
    assert names(f"{SUB}/resourceGroups{RES}") == {"rg", "other"}
    subscriptions = one.ask("GET", f"/subscriptions{RES}").body["value"]
    assert [item["id"] for item in subscriptions] == [SUB]


def test_lists_hold_what_the_caller_may_read() -> None:
    far = f"{SUB}/resourceGroups/other/providers/Microsoft.ContainerRegistry/registries/faraway"
    one = azure(resource(far), roleAssignments=[held(far, READER, ME)])
    url = f"{SUB}/providers/Microsoft.ContainerRegistry/registries{ACR}"
    assert [item["name"] for item in one.ask("GET", url, caller=caller(ME)).body["value"]] == ["faraway"]
    assert one.refusal("GET", url, caller=caller(principal(2))).code == "AuthorizationFailed"
    assert one.refusal("GET", f"{WORKSPACE}/computes{AML}", caller=caller(ME)).code == "AuthorizationFailed"


def test_pages() -> None:
    one = azure(*(resource(f"{WORKSPACE}/computes/cpu{number}") for number in range(230)))
    url, seen, pages = f"{WORKSPACE}/computes{AML}", [], 0
    while url:
        body = one.ask("GET", url.removeprefix("https://127.0.0.1:1")).body
        seen += [item["name"] for item in body["value"]]
        url, pages = body.get("nextLink", ""), pages + 1
    assert len(seen) == len(set(seen)) == 230
    assert pages == 3
    assert one.refusal("GET", f"{WORKSPACE}/computes{AML}&$skipToken=!").code == "InvalidSkipToken"


def test_reads_and_writes_need_their_permission() -> None:
    one = azure(roleAssignments=[held(RG, READER, ME)])
    assert one.ask("GET", f"{REGISTRY}{ACR}", caller=caller(ME)).status == 200
    error = one.refusal("PATCH", f"{REGISTRY}{ACR}", {"properties": {"adminUserEnabled": False}}, caller=caller(ME))
    assert error.status == 403
    assert f"'{ME}'" in error.message
    assert "'Microsoft.ContainerRegistry/registries/write' over scope" in error.message
    assert one.ask("GET", f"{REGISTRY}{ACR}").body["properties"]["adminUserEnabled"] is True


def test_patch_merges_properties() -> None:
    one = azure()
    body = {"properties": {"adminUserEnabled": False, "policies": {"retentionPolicy": {"days": 3}}}, "tags": {"a": "b"}}
    assert one.ask("PATCH", f"{REGISTRY}{ACR}", body).status == 200
    after = one.ask("GET", f"{REGISTRY}{ACR}").body
    assert after["properties"]["adminUserEnabled"] is False
    assert after["properties"]["roleAssignmentMode"] == "AbacRepositoryPermissions"
    assert after["tags"] == {"a": "b"}
    assert after["location"] == "westeurope"
    assert one.refusal("PATCH", f"{REGISTRY}{ACR}", ["x"]).code == "InvalidRequestContent"


def test_old_versions_know_no_role_assignment_mode() -> None:
    one = azure()
    for version in ("2023-07-01", "2024-11-01-preview", "2025-04-01"):
        assert "roleAssignmentMode" not in one.ask("GET", f"{REGISTRY}?api-version={version}").body["properties"]
    for version in ("2025-03-01-preview", "2025-11-01"):
        assert "roleAssignmentMode" in one.ask("GET", f"{REGISTRY}?api-version={version}").body["properties"]


async def test_slow_creations() -> None:
    one, target = azure(), f"{RG}/providers/Microsoft.Search/searchServices/search?api-version=2025-05-01"
    created = one.ask("PUT", target, {"location": "westeurope", "properties": {}})
    assert created.status == 201
    assert created.body["properties"]["provisioningState"] == "Creating"
    status = created.headers["Azure-AsyncOperation"].removeprefix("https://127.0.0.1:1")
    assert one.ask("GET", status).body["status"] == "InProgress"
    assert one.ask("GET", created.headers["Location"].removeprefix("https://127.0.0.1:1")).status == 202
    await asyncio.sleep(0.05)
    assert one.ask("GET", status).body["status"] == "Succeeded"
    assert one.ask("GET", created.headers["Location"].removeprefix("https://127.0.0.1:1")).body["name"] == "search"
    assert one.ask("GET", target).body["properties"]["provisioningState"] == "Succeeded"
    assert one.ask("PUT", target, {"location": "westeurope"}).status == 200


async def test_deleting_takes_what_is_below() -> None:
    below = f"{WORKSPACE}/computes/cpu"
    one = azure(resource(below), roleAssignments=[held(WORKSPACE, READER, ME), held(RG, READER, ME)])
    assert one.ask("DELETE", f"{WORKSPACE}{AML}").status == 200
    assert one.ask("DELETE", f"{WORKSPACE}{AML}").status == 204
    assert below.lower() not in one.tenant.resources
    assert one.roles_of(ME, WORKSPACE) == set()
    assert one.roles_of(ME, RG) == {READER}


async def test_a_lock_below_blocks_deleting_the_group() -> None:
    lock = {"id": f"{REGISTRY}/providers/Microsoft.Authorization/locks/l", "properties": {"level": "CanNotDelete"}}
    one = azure(locks=[lock])
    assert one.refusal("DELETE", f"{RG}{RES}").code == "ScopeLocked"
    assert one.ask("DELETE", f"{lock['id']}?api-version=2020-05-01").status == 200
    deleting = one.ask("DELETE", f"{RG}{RES}")
    assert (deleting.status, deleting.body) == (202, None)
    location = deleting.headers["Location"].removeprefix("https://127.0.0.1:1")
    assert one.ask("GET", location).status == 202
    assert one.tenant.resources != {}
    await asyncio.sleep(0.05)
    assert one.ask("GET", location).status == 200
    assert one.tenant.resources == {}


def test_a_lock_lies_on_what_is_there() -> None:
    """Also on what lies below something that the tenant file leaves out. Recorded on a collection of a database."""
    below = f"{RG}/providers/Microsoft.DocumentDB/databaseAccounts/cosmos/mongodbDatabases/one"
    lock = "providers/Microsoft.Authorization/locks/l?api-version=2016-09-01"
    one = azure(resources=[resource(below)])
    body = {"properties": {"level": "CanNotDelete"}}
    assert one.ask("PUT", f"{below}/{lock}", body).status == 201
    assert one.refusal("PUT", f"{below.replace('/cosmos/', '/none/')}/{lock}", body).code == "ResourceNotFound"


def test_what_cannot_be_written() -> None:
    one = azure()
    assert one.refusal("PUT", f"{WORKSPACE}2/computes/cpu{AML}", {}).code == "ParentResourceNotFound"
    assert one.refusal("PUT", f"{RG}/providers/Microsoft.ContainerRegistry/registries{ACR}", {}).status == 405
    assert one.refusal("PATCH", f"{REGISTRY}{ACR}", {"properties": "x"}).code == "InvalidRequestContent"
    assert one.refusal("POST", f"{REGISTRY}/explode{ACR}").code == "InvalidResourceType"
    missing = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {UAI: {}}}}
    assert one.refusal("PUT", f"{STORAGE}?api-version=2025-08-01", missing).code == "FailedIdentityOperation"
    assert STORAGE.lower() not in one.tenant.resources


def test_identities() -> None:
    one = azure(roleAssignments=[held(WORKSPACE, OWNER, ME)])
    uai = one.ask("PUT", f"{UAI}{MI}", {"location": "westeurope"})
    assert uai.status == 201
    attached = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {UAI.upper(): {}}}}
    linked = one.refusal("PATCH", f"{WORKSPACE}{AML}", attached, caller=caller(ME))
    assert linked.code == "LinkedAuthorizationFailed"
    identity = one.ask("PATCH", f"{WORKSPACE}{AML}", attached).body["identity"]
    expected = {key: uai.body["properties"][key] for key in ("principalId", "clientId")}
    assert identity["userAssignedIdentities"] == {UAI.upper(): expected}
    assert one.ask("DELETE", f"{UAI}{MI}").status == 200
    assert uai.body["properties"]["principalId"] not in one.tenant.principals


async def test_actions() -> None:
    one = azure(roleAssignments=[held(RG, READER, ME)])
    assert one.ask("POST", f"{REGISTRY}/listCredentials{ACR}").body["username"] == "regml"
    one.ask("PATCH", f"{REGISTRY}{ACR}", {"properties": {"adminUserEnabled": False}})
    assert one.refusal("POST", f"{REGISTRY}/listCredentials{ACR}").code == "UnAuthorizedForCredentialOperations"
    forbidden = one.refusal("POST", f"{WORKSPACE}/resynckeys{AML}", caller=caller(ME))
    assert "'Microsoft.MachineLearningServices/workspaces/resyncKeys/action'" in forbidden.message
    assert one.tenant.synced_keys == {}
    assert one.ask("POST", f"{WORKSPACE}/resyncKeys{AML}").status == 202
    await asyncio.sleep(0.05)
    assert list(one.tenant.synced_keys) == [WORKSPACE.lower()]


def _policy(holder: str, **permissions: list[str]) -> dict[str, Any]:
    return {"objectId": holder, "tenantId": TENANT, "permissions": permissions}


def test_access_policies_merge() -> None:
    one = azure(resource(VAULT, properties={"accessPolicies": [_policy(ME, secrets=["Get"], keys=["list"])]}))
    more = _policy(ME.upper(), Secrets=["get", "list"])
    answer = one.ask("PUT", f"{VAULT}/accessPolicies/add{KV}", {"properties": {"accessPolicies": [more]}})
    assert answer.status == 200
    assert answer.body == {
        "id": f"{VAULT}/accessPolicies/",
        "type": "Microsoft.KeyVault/vaults/accessPolicies",
        "properties": {"accessPolicies": [more]},
    }
    vault = one.ask("GET", f"{VAULT}{KV}").body["properties"]
    assert vault["accessPolicies"][0]["permissions"] == {"secrets": ["Get", "list"], "keys": ["list"]}
    assert one.refusal("PUT", f"{VAULT}/accessPolicies/other{KV}", {"properties": {}}).status == 400


def test_only_what_is_spelled_as_the_vault_has_it_is_removed() -> None:
    one = azure(resource(VAULT, properties={"accessPolicies": [_policy(ME, secrets=["Get", "list"], keys=["list"])]}))

    def left_after(**permissions: list[str]) -> Any:
        body = {"properties": {"accessPolicies": [_policy(ME, **permissions), _policy("nobody", keys=["get"])]}}
        assert one.ask("PUT", f"{VAULT}/accessPolicies/remove{KV}", body).status == 200
        return [each["permissions"] for each in one.ask("GET", f"{VAULT}{KV}").body["properties"]["accessPolicies"]]

    assert left_after(secrets=["get"]) == [{"secrets": ["Get", "list"], "keys": ["list"]}]
    assert left_after(secrets=["Get"], keys=["get"]) == [{"secrets": ["list"], "keys": ["list"]}]
    assert left_after(secrets=["list"], Keys=["list"]) == []


def test_no_update_changes_the_access_policies_of_others() -> None:
    held = [_policy(f"holder-{number}", keys=["get"]) for number in range(2)]
    one = azure(resource(VAULT, properties={"accessPolicies": held}))

    def after(kind: str, *names: str) -> Any:
        body = {"properties": {"accessPolicies": [_policy(ME, keys=list(names))]}}
        one.ask("PUT", f"{VAULT.replace('KeyVault', 'Keyvault')}/accessPolicies/{kind}{KV}", body)
        found = one.ask("GET", f"{VAULT}{KV}").body["properties"]["accessPolicies"]
        assert found[:2] == held
        return [each["permissions"]["keys"] for each in found[2:]]

    assert after("Add", "get", "list") == [["get", "list"]]
    assert after("replace", "sign") == [["sign"]]
    assert after("remove", "sign") == []


def test_a_vault_takes_1024_access_policies() -> None:
    held = [_policy(f"holder-{number}", keys=["get"]) for number in range(1024)]
    one = azure(resource(VAULT, properties={"accessPolicies": held}))

    def add(policy: dict[str, Any]) -> dict[str, Any]:
        return {"properties": {"accessPolicies": [policy]}}

    assert one.refusal("PUT", f"{VAULT}/accessPolicies/add{KV}", add(_policy(ME, keys=["get"]))).status == 400
    one.ask("PUT", f"{VAULT}/accessPolicies/add{KV}", add(_policy("Holder-7", keys=["Sign"])))
    after = one.ask("GET", f"{VAULT}{KV}").body["properties"]["accessPolicies"]
    assert (len(after), after[7]["permissions"]) == (1024, {"keys": ["get", "Sign"]})


@pytest.mark.parametrize(
    "policy",
    [
        {"tenantId": TENANT, "permissions": {"keys": ["get"]}},
        {"objectId": ME, "tenantId": "another", "permissions": {"keys": ["get"]}},
        {"objectId": ME, "tenantId": TENANT},
        _policy(ME, keys=["fly"]),
        _policy(ME, planes=["get"]),
    ],
)
def test_access_policies_that_key_vault_refuses(policy: dict[str, Any]) -> None:
    one = azure(resource(VAULT))
    assert (
        one.refusal("PUT", f"{VAULT}/accessPolicies/add{KV}", {"properties": {"accessPolicies": [policy]}}).status
        == 400
    )


async def test_events_of_every_success_and_of_no_failure() -> None:
    one = azure(roleAssignments=[held(RG, READER, ME)])
    one.refusal("PATCH", f"{REGISTRY}{ACR}", {}, caller=caller(ME))
    one.ask("GET", f"{REGISTRY}{ACR}")
    one.ask("DELETE", f"{STORAGE}?api-version=2025-08-01")
    assert one.events == []
    one.ask("PATCH", f"{REGISTRY.lower()}{ACR}", {})
    one.ask("POST", f"{WORKSPACE}/listKeys{AML}")
    one.ask("DELETE", f"{REGISTRY}?api-version=2022-12-01")
    assert [(event["eventType"], event["data"]["operationName"]) for event in one.events] == [
        ("Microsoft.Resources.ResourceWriteSuccess", "Microsoft.ContainerRegistry/registries/write"),
        ("Microsoft.Resources.ResourceActionSuccess", "Microsoft.MachineLearningServices/workspaces/listKeys/action"),
        ("Microsoft.Resources.ResourceDeleteSuccess", "Microsoft.ContainerRegistry/registries/delete"),
    ]
    first = one.events[0]["data"]
    assert first["resourceUri"] == one.events[0]["subject"] == REGISTRY.lower()
    claim = "http://schemas.microsoft.com/identity/claims/objectidentifier"
    assert first["claims"][claim].replace("-", "") == first["authorization"]["evidence"]["principalId"]


async def test_a_slow_creation_is_announced_when_accepted_and_when_done() -> None:
    one = azure()
    one.ask("PUT", f"{VAULT}{KV}", {"location": "westeurope"})
    assert len(one.events) == 1
    await asyncio.sleep(0.05)
    assert len(one.events) == 2
    assert len({event["id"] for event in one.events}) == 2
    assert {event["data"]["correlationId"] for event in one.events} == {"correlation"}


def test_hubs_have_operations_of_their_own() -> None:
    hub = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/hub"
    one = azure(resource(hub, kind="Hub"))
    one.ask("PATCH", f"{hub}{AML}", {"tags": {}})
    one.ask("PATCH", f"{WORKSPACE}{AML}", {"tags": {}})
    assert [event["data"]["operationName"].rpartition("Services/")[2] for event in one.events] == [
        "workspaces/hubs/write",
        "workspaces/write",
    ]


def test_only_get_callback_config_says_where_a_webhook_calls() -> None:
    """Recorded with the Azure CLI, acr_create_webhook (2020-11-01-preview): the headers may hold a secret."""
    one, target = azure(), f"{REGISTRY}/webhooks/hook"
    calls = {"serviceUri": "https://example.org", "customHeaders": {"key": "value"}}
    body = {"location": "westeurope", "properties": {**calls, "actions": ["push"]}}
    answers = [one.ask(method, f"{target}{ACR}", sent).body for method, sent in (("PUT", body), ("GET", None))]
    answers += one.ask("GET", f"{REGISTRY}/webhooks{ACR}").body["value"]
    assert [answer["properties"] for answer in answers] == [{"actions": ["push"]}] * 3
    assert one.ask("POST", f"{target}/getCallbackConfig{ACR}").body == calls


@pytest.mark.parametrize(
    ("version", "name"), [("2024-04-01", "userStorageResourceId"), ("2025-12-01", "userStorageArmId")]
)
def test_the_keys_of_a_workspace_name_its_account_as_the_version_does(version: str, name: str) -> None:
    """Microsoft's types, asked through its compiler for each version."""
    keys = azure().ask("POST", f"{WORKSPACE}/listKeys?api-version={version}").body
    assert keys.keys() == {name, "userStorageKey"}


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        ("Microsoft.Web/sites", "2024-04-01"),
        ("Microsoft.Sql/servers", "2021-11-01"),
        ("Microsoft.DBforMySQL/flexibleServers", "2023-12-30"),
    ],
)
async def test_some_types_have_no_provisioning_state(kind: str, version: str) -> None:
    """Neither in Microsoft's types nor in its models, whether they are made slowly or not."""
    one, target = azure(), f"{RG}/providers/{kind}/some?api-version={version}"
    assert one.ask("PUT", target, {"location": "westeurope", "properties": {}}).status == 201
    assert "provisioningState" not in one.ask("GET", target).body["properties"]
    await asyncio.sleep(0.05)
    assert "provisioningState" not in one.ask("GET", target).body["properties"]
