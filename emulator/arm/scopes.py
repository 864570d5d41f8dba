"""Subscriptions and resource groups."""

import re
from collections.abc import Iterator
from typing import Any

from emulator.arm.authorizer import Authorizer
from emulator.arm.call import Answer, Call, page
from emulator.arm.filters import OF_GROUPS, expanded, resource_filter
from emulator.arm.manners import Manners
from emulator.arm.store import ResourceStore
from emulator.errors import AzureError
from emulator.identity.rbac import Rbac
from emulator.identity.tokens import Caller
from emulator.ids import ResourcePath, key_of
from emulator.names import require_group
from emulator.tenant import Tenant, group_scope

type Json = dict[str, Any]

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP_TYPE = "Microsoft.Resources/resourceGroups"
# Tracked resources below others. The list of all resources includes them, too.
_BELOW = ("microsoft.web/sites/slots",)


class Scopes:
    def __init__(
        self, tenant: Tenant, rbac: Rbac, authorizer: Authorizer, store: ResourceStore, manners: Manners
    ) -> None:
        self._tenant = tenant
        self._rbac = rbac
        self._authorizer = authorizer
        self._store = store
        self._manners = manners

    def require(self, path: ResourcePath) -> None:
        """Refuses with 404 for an unknown subscription, and with 400 for what is not the id of one.

        Both as users report them, the second at https://github.com/hashicorp/terraform-provider-azurerm/issues/25954
        """
        if path.subscription is not None and path.subscription.lower() not in self._tenant.subscriptions:
            if not _GUID.fullmatch(path.subscription):
                message = f"The provided subscription identifier '{path.subscription}' is malformed or invalid."
                raise AzureError(400, "InvalidSubscriptionId", message)
            message = f"The subscription '{path.subscription}' could not be found."
            raise AzureError(404, "SubscriptionNotFound", message)

    def require_group(self, path: ResourcePath) -> None:
        if path.resource_group is not None and not self._tenant.resource_group_exists(group_scope(path.key)):
            message = f"Resource group '{path.resource_group}' could not be found."
            raise AzureError(404, "ResourceGroupNotFound", message)

    def subscriptions(self, call: Call) -> Answer:
        if not call.path.is_collection:
            return Answer(200, self._tenant.subscriptions[call.path.name.lower()])
        seen = (item for item in self._tenant.subscriptions.values() if self._sees(call.caller, key_of(item["id"])))
        return page(call, seen)

    def groups(self, call: Call) -> Answer:
        if not call.path.is_collection:
            return Answer(200, self._group(call.path.key))
        within = key_of(call.path.parent) + "/resourcegroups/"
        keys = sorted(key for key in self._tenant.resource_groups() if key.startswith(within))
        action = "Microsoft.Resources/subscriptions/resourceGroups/read"
        wanted = resource_filter(call.query.get("$filter"), OF_GROUPS)
        seen = (self._group(key) for key in keys if self._authorizer.may(call.caller, action, key))
        return page(call, (group for group in seen if wanted(group)))

    def put_group(self, call: Call) -> Answer:
        """One that only its resources in the tenant file imply is made by its first PUT."""
        body = call.object_body()
        if not isinstance(body.get("location"), str):
            raise AzureError(400, "LocationRequired", "The location property is required for this definition.")
        require_group(call.path.name)
        existed = call.path.key in self._tenant.resources
        kept: Json = {key: body[key] for key in ("location", "tags", "managedBy") if key in body}
        named = {"id": call.path.text, "name": call.path.name, "type": _GROUP_TYPE}
        group = {**named, **kept, "properties": {"provisioningState": "Succeeded"}}
        self._tenant.resources[call.path.key] = group
        return Answer(200 if existed else 201, group, created=not existed)

    def patch_group(self, call: Call) -> Answer:
        body = call.object_body()
        changed: Json = {key: body[key] for key in ("tags", "managedBy") if key in body}
        group = {**self._group(call.path.key), **changed}
        self._tenant.resources[call.path.key] = group
        return Answer(200, group)

    def found(self, path: ResourcePath) -> Json | None:
        """The group or the subscription at the path. None if it is neither."""
        match [kind.lower() for kind in path.types] if path.namespace == "Microsoft.Resources" else []:
            case ["subscriptions"]:
                return self._tenant.subscriptions[path.name.lower()]
            case ["subscriptions", "resourcegroups"]:
                return self._group(path.key)
        return None

    def delete_group(self, call: Call) -> Answer:
        """Everything in it is gone when the operation is done."""
        manner = self._manners.of(call.path, "delete", call.api_version)
        self._group(call.path.key)
        finish = self._store.remove_slowly(call.path, manner.state or "Deleting")
        return Answer(manner.status, finish=finish, manner=manner)

    def resources(self, call: Call) -> Answer:
        """Top-level resources of a subscription or a group."""
        wanted = resource_filter(call.query.get("$filter"))
        held = self._resources(call.caller, key_of(call.path.parent))
        # this list leaves the properties out
        shown = (_without_properties(one) | expanded(call.query.get("$expand"), one) for one in held if wanted(one))
        return page(call, shown)

    def _sees(self, caller: Caller, subscription: str) -> bool:
        """A subscription is listed for everybody who holds any role in it or above it."""
        if caller.operator:
            return True
        lineage = set(self._tenant.hierarchy.lineage(subscription))
        held = (
            key_of(assignment["properties"]["scope"])
            for identity in self._rbac.identities(caller.object_id)
            for assignment in self._tenant.role_assignments.where("principal", identity)
        )
        return any(scope in lineage or scope.startswith(subscription + "/") for scope in held)

    def _resources(self, caller: Caller, within: str) -> Iterator[Json]:
        for key, resource in self._tenant.resources.items():
            path = ResourcePath.parse(key)
            if (
                key.startswith(within + "/")
                and (len(path.types) == 1 or path.type in _BELOW)
                and path.extends == "/".join(key.split("/")[:5])
                and self._authorizer.may(caller, f"{path.type}/read", key)
            ):
                yield resource

    def _group(self, key: str) -> Json:
        own = self._tenant.resources.get(key)
        if own is not None:
            return {**own, "type": _GROUP_TYPE}
        inside = next(self._tenant.resources.where("group", key), {})
        _, _, subscription, _, name, *_ = (inside.get("id") or key).split("/")
        return {
            "id": f"/subscriptions/{subscription}/resourceGroups/{name}",
            "name": name,
            "type": _GROUP_TYPE,
            "location": inside.get("location", "westeurope"),
            "properties": {"provisioningState": "Succeeded"},
        }


def _without_properties(resource: Json) -> Json:
    return {key: value for key, value in resource.items() if key != "properties"}
