"""azure-mgmt-resource, and what was split off from it: subscriptions, deployments, locks."""

from typing import Any

from azure.mgmt.resource.deployments.aio import DeploymentsMgmtClient
from azure.mgmt.resource.locks.aio import ManagementLockClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient
from azure.mgmt.resource.subscriptions.aio import SubscriptionClient

from clients.sdks.place import REGION, Operation, Place, done, every, some

_IDENTITIES, _SINCE = "Microsoft.ManagedIdentity/userAssignedIdentities", "2023-01-31"


def operations(place: Place) -> list[Operation]:
    client: Any = ResourceManagementClient(place.credential(), place.subscription, **place.arm_options)
    return [
        *_subscriptions(place),
        *_groups(client),
        *_resources(client, place),
        *_tags(client, place),
        *_locks(place),
        *_deployments(place),
        ("groups delete", lambda: done(client.resource_groups.begin_delete("sdkgroup"))),
    ]


def _subscriptions(place: Place) -> list[Operation]:
    client: Any = SubscriptionClient(place.credential(), **place.arm_options)
    return [
        ("subscriptions list", lambda: some(client.subscriptions.list())),
        ("subscriptions get", lambda: client.subscriptions.get(place.subscription)),
        ("subscriptions locations", lambda: some(client.subscriptions.list_locations(place.subscription))),
        ("tenants list", lambda: some(client.tenants.list())),
    ]


def _groups(client: Any) -> list[Operation]:
    groups, providers = client.resource_groups, client.providers

    async def exists(name: str, *, expected: bool) -> None:
        if await groups.check_existence(name) is not expected:
            raise AssertionError(f"{name} is there: {not expected}")

    return [
        ("groups create", lambda: groups.create_or_update("sdkgroup", {"location": REGION})),
        ("groups get", lambda: groups.get("sdkgroup")),
        ("groups list", lambda: some(groups.list())),
        ("groups update", lambda: groups.update("sdkgroup", {"tags": {"env": "test"}})),
        ("groups list by tag", lambda: some(groups.list(filter="tagName eq 'env' and tagValue eq 'test'"))),
        ("groups check existence", lambda: exists("sdkgroup", expected=True)),
        ("groups check existence of none", lambda: exists("sdknogroup", expected=False)),
        ("providers list", lambda: some(providers.list())),
        ("providers get", lambda: providers.get("Microsoft.MachineLearningServices")),
        ("providers register", lambda: providers.register("Microsoft.ContainerRegistry")),
        ("provider types", lambda: client.provider_resource_types.list("Microsoft.ContainerRegistry")),
    ]


def _resources(client: Any, place: Place) -> list[Operation]:
    ops, since = client.resources, {"api_version": "2023-07-01"}
    one = place.id_of("Microsoft.ContainerRegistry/registries", "sdkbyid")
    made = {"location": REGION, "sku": {"name": "Basic"}, "properties": {}}
    named = (place.group, "Microsoft.ContainerRegistry", "", "registries", "sdkbyid")
    listed = f"resourceType eq '{_IDENTITIES}'"

    async def exists() -> None:
        if not await ops.check_existence_by_id(place.id_of(_IDENTITIES, "sdkswho"), api_version=_SINCE):
            raise AssertionError("the resource is not there")

    return [
        ("resources check existence by id", exists),
        ("resources create by id", lambda: done(ops.begin_create_or_update_by_id(one, made, **since))),
        ("resources get by id", lambda: ops.get_by_id(one, **since)),
        ("resources update by id", lambda: done(ops.begin_update_by_id(one, {"tags": {"a": "b"}}, **since))),
        ("resources get", lambda: ops.get(*named, **since)),
        ("resources list", lambda: some(ops.list())),
        ("resources list by type", lambda: some(ops.list(filter=listed))),
        ("resources list expanded", lambda: some(ops.list(filter=listed, expand="createdTime,changedTime"))),
        ("resources list by group", lambda: some(ops.list_by_resource_group(place.group))),
        ("resources delete by id", lambda: done(ops.begin_delete_by_id(one, **since))),
    ]


def _tags(client: Any, place: Place) -> list[Operation]:
    tags = client.tags
    return [
        (
            "tags create",
            lambda: done(tags.begin_create_or_update_at_scope(place.scope, {"properties": {"tags": {"a": "b"}}})),
        ),
        (
            "tags update",
            lambda: done(
                tags.begin_update_at_scope(place.scope, {"operation": "Merge", "properties": {"tags": {"c": "d"}}})
            ),
        ),
        ("tags get", lambda: tags.get_at_scope(place.scope)),
        ("tags delete", lambda: done(tags.begin_delete_at_scope(place.scope))),
        ("tags list", lambda: every(tags.list())),
    ]


def _locks(place: Place) -> list[Operation]:
    client: Any = ManagementLockClient(place.credential(), place.subscription, **place.arm_options)
    locks, body = client.management_locks, {"properties": {"level": "CanNotDelete"}}
    return [
        ("locks create", lambda: locks.create_or_update_at_resource_group_level("sdkgroup", "sdklock", body)),
        ("locks create by scope", lambda: locks.create_or_update_by_scope(place.scope, "sdklock2", body)),
        ("locks get", lambda: locks.get_at_resource_group_level("sdkgroup", "sdklock")),
        ("locks get by scope", lambda: locks.get_by_scope(place.scope, "sdklock2")),
        ("locks list", lambda: some(locks.list_at_subscription_level())),
        ("locks list by group", lambda: some(locks.list_at_resource_group_level("sdkgroup"))),
        ("locks delete", lambda: locks.delete_at_resource_group_level("sdkgroup", "sdklock")),
        ("locks delete by scope", lambda: locks.delete_by_scope(place.scope, "sdklock2")),
    ]


def _deployments(place: Place) -> list[Operation]:
    client: Any = DeploymentsMgmtClient(place.credential(), place.subscription, **place.arm_options)
    ops, at = client.deployments, ("sdkgroup", "sdkdeployment")
    made = {"type": _IDENTITIES, "apiVersion": _SINCE, "name": "[parameters('name')]", "location": REGION}
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {"name": {"type": "string"}},
        "resources": [made],
    }
    body = {
        "properties": {"mode": "Incremental", "template": template, "parameters": {"name": {"value": "sdkdeployed"}}}
    }
    return [
        ("deployments validate", lambda: done(ops.begin_validate(*at, body))),
        ("deployments create", lambda: done(ops.begin_create_or_update(*at, body))),
        ("deployments get", lambda: ops.get(*at)),
        ("deployments list", lambda: some(ops.list_by_resource_group("sdkgroup"))),
        ("deployments check existence", lambda: ops.check_existence(*at)),
        ("deployment operations list", lambda: some(client.deployment_operations.list(*at))),
        ("deployments export", lambda: ops.export_template(*at)),
        ("deployments delete", lambda: done(ops.begin_delete(*at))),
    ]
