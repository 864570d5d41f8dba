"""azure-mgmt-authorization."""

import uuid
from typing import Any

from azure.mgmt.authorization.aio import AuthorizationManagementClient

from clients.sdks.place import Operation, Place, every, some

_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
_ASSIGNMENTS, _ROLES = "Microsoft.Authorization/roleAssignments", "Microsoft.Authorization/roleDefinitions"


# long: one entry for each operation
def operations(place: Place) -> list[Operation]:
    client: Any = AuthorizationManagementClient(place.credential(), place.subscription, **place.arm_options)
    assignments, roles, scope, group = client.role_assignments, client.role_definitions, place.scope, place.group
    subscription = f"/subscriptions/{place.subscription}"
    first, second, role = (str(uuid.uuid4()) for _ in range(3))
    identity = (group, "Microsoft.ManagedIdentity", "", "userAssignedIdentities", "sdkswho")
    who = place.id_of("Microsoft.ManagedIdentity/userAssignedIdentities", "sdkswho")
    by_id = f"{who}/providers/{_ASSIGNMENTS}/{second}"
    pull = f"{subscription}/providers/{_ROLES}/{_PULL}"

    given = {
        "properties": {
            "roleDefinitionId": pull,
            "principalId": place.principal,
            "principalType": "ServicePrincipal",
        }
    }
    custom = {
        "properties": {
            "roleName": "sdk puller",
            "type": "CustomRole",
            "assignableScopes": [scope],
            "permissions": [{"actions": ["Microsoft.ContainerRegistry/registries/pull/read"]}],
        }
    }
    mine = f"principalId eq '{place.principal}'"
    return [
        ("role assignments create", lambda: assignments.create(scope, first, given)),
        (
            "role assignments create by id",
            lambda: assignments.create_by_id(by_id, given),
        ),
        ("role assignments get", lambda: assignments.get(scope, first)),
        ("role assignments get by id", lambda: assignments.get_by_id(f"{scope}/providers/{_ASSIGNMENTS}/{first}")),
        ("role assignments list", lambda: some(assignments.list_for_subscription())),
        ("role assignments list by group", lambda: some(assignments.list_for_resource_group(group))),
        (
            "role assignments list by resource",
            lambda: some(
                assignments.list_for_resource(group, "Microsoft.ManagedIdentity", "userAssignedIdentities", "sdkswho")
            ),
        ),
        ("role assignments list at a scope", lambda: some(assignments.list_for_scope(scope, filter="atScope()"))),
        ("role assignments of a principal", lambda: some(assignments.list_for_scope(scope, filter=mine))),
        (
            "role assignments, groups followed",
            lambda: some(assignments.list_for_subscription(filter=f"assignedTo('{place.principal}')")),
        ),
        ("role definitions list", lambda: some(roles.list(scope))),
        ("role definitions by name", lambda: some(roles.list(scope, filter="roleName eq 'AcrPull'"))),
        ("role definitions get", lambda: roles.get(subscription, _PULL)),
        ("role definitions get by id", lambda: roles.get_by_id(pull)),
        ("role definitions create", lambda: roles.create_or_update(scope, role, custom)),
        ("role definitions custom", lambda: some(roles.list(scope, filter="type eq 'CustomRole'"))),
        ("role definitions delete", lambda: roles.delete(scope, role)),
        ("deny assignments list", lambda: every(client.deny_assignments.list())),
        ("deny assignments list by group", lambda: every(client.deny_assignments.list_for_resource_group(group))),
        ("deny assignments list at a scope", lambda: every(client.deny_assignments.list_for_scope(scope))),
        ("permissions of a group", lambda: some(client.permissions.list_for_resource_group(group))),
        ("permissions of a resource", lambda: some(client.permissions.list_for_resource(*identity))),
        ("provider operations get", lambda: client.provider_operations_metadata.get("Microsoft.ContainerRegistry")),
        ("provider operations list", lambda: some(client.provider_operations_metadata.list())),
        ("role assignments delete", lambda: assignments.delete(scope, first)),
        (
            "role assignments delete by id",
            lambda: assignments.delete_by_id(by_id),
        ),
    ]
