"""azure-mgmt-storage."""

from typing import Any

from azure.mgmt.storage.aio import StorageManagementClient

from clients.sdks.place import REGION, Operation, Place, done, every, some

_NAME = "sdkstore"


# long: one entry for each operation
def operations(place: Place) -> list[Operation]:
    client: Any = StorageManagementClient(place.credential(), place.subscription, **place.arm_options)
    accounts, containers, group = client.storage_accounts, client.blob_containers, place.group
    below = (group, _NAME)
    account = {"location": REGION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    closed = {"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"}}}
    rule = {
        "name": "old",
        "enabled": True,
        "type": "Lifecycle",
        "definition": {
            "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 90}}},
            "filters": {"blobTypes": ["blockBlob"]},
        },
    }
    return [
        (
            "accounts check name",
            lambda: accounts.check_name_availability({"name": _NAME, "type": "Microsoft.Storage/storageAccounts"}),
        ),
        ("accounts create", lambda: done(accounts.begin_create(*below, account))),
        ("accounts get", lambda: accounts.get_properties(*below)),
        ("accounts list", lambda: some(accounts.list())),
        ("accounts list by group", lambda: some(accounts.list_by_resource_group(group))),
        ("accounts keys", lambda: accounts.list_keys(*below)),
        ("accounts new key", lambda: accounts.regenerate_key(*below, {"keyName": "key1"})),
        (
            "accounts update: no shared keys",
            lambda: accounts.update(*below, {"properties": {"allowSharedKeyAccess": False}}),
        ),
        ("accounts update: network", lambda: accounts.update(*below, closed)),
        ("accounts update: tags", lambda: accounts.update(*below, {"tags": {"env": "test"}})),
        ("blob service get", lambda: client.blob_services.get_service_properties(*below)),
        (
            "blob service set",
            lambda: client.blob_services.set_service_properties(*below, {"properties": {"isVersioningEnabled": True}}),
        ),
        ("blob service list", lambda: some(client.blob_services.list(*below))),
        ("containers create", lambda: containers.create(*below, "models", {})),
        ("containers get", lambda: containers.get(*below, "models")),
        ("containers list", lambda: some(containers.list(*below))),
        ("containers update", lambda: containers.update(*below, "models", {"properties": {"metadata": {"a": "b"}}})),
        ("containers delete", lambda: containers.delete(*below, "models")),
        ("file service get", lambda: client.file_services.get_service_properties(*below)),
        ("shares create", lambda: client.file_shares.create(*below, "code", {})),
        ("shares get", lambda: client.file_shares.get(*below, "code")),
        ("shares list", lambda: some(client.file_shares.list(*below))),
        ("shares delete", lambda: client.file_shares.delete(*below, "code")),
        ("queues create", lambda: client.queue.create(*below, "work", {})),
        ("queues list", lambda: some(client.queue.list(*below))),
        ("queues delete", lambda: client.queue.delete(*below, "work")),
        ("tables create", lambda: client.table.create(*below, "runs")),
        ("tables list", lambda: some(client.table.list(*below))),
        ("tables delete", lambda: client.table.delete(*below, "runs")),
        (
            "lifecycle create",
            lambda: client.management_policies.create_or_update(
                *below, "default", {"properties": {"policy": {"rules": [rule]}}}
            ),
        ),
        ("lifecycle get", lambda: client.management_policies.get(*below, "default")),
        ("lifecycle delete", lambda: client.management_policies.delete(*below, "default")),
        ("private endpoint connections list", lambda: every(client.private_endpoint_connections.list(*below))),
        ("private link resources", lambda: client.private_link_resources.list_by_storage_account(*below)),
        ("skus", lambda: some(client.skus.list())),
        ("usages", lambda: some(client.usages.list_by_location(REGION))),
        ("accounts delete", lambda: accounts.delete(*below)),
    ]
