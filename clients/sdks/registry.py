"""azure-mgmt-containerregistry."""

from typing import Any

from azure.mgmt.containerregistry.aio import ContainerRegistryManagementClient

from clients.sdks.place import REGION, Operation, Place, done, every, some

_NAME = "sdkregistry"


# long: one entry for each operation
def operations(place: Place) -> list[Operation]:
    client: Any = ContainerRegistryManagementClient(place.credential(), place.subscription, **place.arm_options)
    acr, group = client.registries, place.group
    below = (group, _NAME)
    registry = {"location": REGION, "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": True}}
    hook = {"serviceUri": "https://example.com/hook", "actions": ["push"], "status": "enabled"}
    pull = {"properties": {"actions": ["repositories/models/content/read"]}}
    return [
        (
            "registries check name",
            lambda: acr.check_name_availability({"name": _NAME, "type": "Microsoft.ContainerRegistry/registries"}),
        ),
        ("registries create", lambda: done(acr.begin_create(*below, registry))),
        ("registries get", lambda: acr.get(*below)),
        ("registries list", lambda: some(acr.list())),
        ("registries list by group", lambda: some(acr.list_by_resource_group(group))),
        ("registries credentials", lambda: acr.list_credentials(*below)),
        ("registries new credential", lambda: acr.regenerate_credential(*below, {"name": "password"})),
        ("registries update tags", lambda: done(acr.begin_update(*below, {"tags": {"env": "test"}}))),
        (
            "registries turn the admin user off",
            lambda: done(acr.begin_update(*below, {"properties": {"adminUserEnabled": False}})),
        ),
        ("registries usages", lambda: acr.list_usages(*below)),
        ("registries private link resources", lambda: some(acr.list_private_link_resources(*below))),
        ("private endpoint connections list", lambda: every(client.private_endpoint_connections.list(*below))),
        (
            "replications create",
            lambda: done(client.replications.begin_create(*below, "northeurope", {"location": "northeurope"})),
        ),
        ("replications get", lambda: client.replications.get(*below, "northeurope")),
        ("replications list", lambda: some(client.replications.list(*below))),
        ("replications delete", lambda: done(client.replications.begin_delete(*below, "northeurope"))),
        ("scope maps create", lambda: done(client.scope_maps.begin_create(*below, "pull", pull))),
        ("scope maps get", lambda: client.scope_maps.get(*below, "pull")),
        ("scope maps list", lambda: some(client.scope_maps.list(*below))),
        (
            "tokens create",
            lambda: done(
                client.tokens.begin_create(
                    *below,
                    "reader",
                    {
                        "properties": {
                            "scopeMapId": place.id_of(
                                "Microsoft.ContainerRegistry/registries", f"{_NAME}/scopeMaps/pull"
                            ),
                            "status": "enabled",
                        }
                    },
                )
            ),
        ),
        ("tokens list", lambda: some(client.tokens.list(*below))),
        ("tokens delete", lambda: done(client.tokens.begin_delete(*below, "reader"))),
        ("scope maps delete", lambda: done(client.scope_maps.begin_delete(*below, "pull"))),
        (
            "webhooks create",
            lambda: done(client.webhooks.begin_create(*below, "pushed", {"location": REGION, "properties": hook})),
        ),
        ("webhooks get", lambda: client.webhooks.get(*below, "pushed")),
        ("webhooks list", lambda: some(client.webhooks.list(*below))),
        ("webhooks delete", lambda: done(client.webhooks.begin_delete(*below, "pushed"))),
        ("cache rules list", lambda: every(client.cache_rules.list(*below))),
        ("registries delete", lambda: done(acr.begin_delete(*below))),
    ]
