"""azure-mgmt-keyvault."""

from typing import Any

from azure.mgmt.keyvault.aio import KeyVaultManagementClient

from clients.sdks.place import REGION, Operation, Place, done, every, some

_NAME = "sdkvault"


# long: one entry for each operation
def operations(place: Place) -> list[Operation]:
    client: Any = KeyVaultManagementClient(place.credential(), place.subscription, **place.arm_options)
    vaults, group = client.vaults, place.group
    below, tenant = (group, _NAME), place.sign_in["tenantId"]
    vault = {
        "location": REGION,
        "properties": {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []},
    }
    entry = {"tenantId": tenant, "objectId": place.principal, "permissions": {"secrets": ["get", "list"]}}
    policies = {"properties": {"accessPolicies": [entry]}}
    return [
        (
            "vaults check name",
            lambda: vaults.check_name_availability({"name": _NAME, "type": "Microsoft.KeyVault/vaults"}),
        ),
        ("vaults create", lambda: done(vaults.begin_create_or_update(*below, vault))),
        ("vaults get", lambda: vaults.get(*below)),
        ("vaults list", lambda: some(vaults.list())),
        ("vaults list by subscription", lambda: some(vaults.list_by_subscription())),
        ("vaults list by group", lambda: some(vaults.list_by_resource_group(group))),
        (
            "vaults update",
            lambda: vaults.update(*below, {"properties": {"enableRbacAuthorization": False}, "tags": {"env": "test"}}),
        ),
        ("vaults add a policy", lambda: vaults.update_access_policy(*below, "add", policies)),
        ("vaults replace policies", lambda: vaults.update_access_policy(*below, "replace", policies)),
        ("vaults remove a policy", lambda: vaults.update_access_policy(*below, "remove", policies)),
        ("secrets create", lambda: client.secrets.create_or_update(*below, "token", {"properties": {"value": "one"}})),
        ("secrets get", lambda: client.secrets.get(*below, "token")),
        ("secrets list", lambda: some(client.secrets.list(*below))),
        ("secrets update", lambda: client.secrets.update(*below, "token", {"properties": {"value": "other"}})),
        ("keys create", lambda: client.keys.create_if_not_exist(*below, "cmk", {"properties": {"kty": "RSA"}})),
        ("keys get", lambda: client.keys.get(*below, "cmk")),
        ("keys list", lambda: some(client.keys.list(*below))),
        ("keys list versions", lambda: some(client.keys.list_versions(*below, "cmk"))),
        (
            "private endpoint connections list",
            lambda: every(client.private_endpoint_connections.list_by_resource(*below)),
        ),
        ("private link resources", lambda: client.private_link_resources.list_by_vault(*below)),
        ("vaults delete", lambda: vaults.delete(*below)),
        ("vaults list deleted", lambda: some(vaults.list_deleted())),
        ("vaults get deleted", lambda: vaults.get_deleted(_NAME, REGION)),
        ("vaults purge", lambda: done(vaults.begin_purge_deleted(_NAME, REGION))),
    ]
