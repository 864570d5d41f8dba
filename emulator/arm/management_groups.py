"""Management groups with their children and everything that descends from them.

https://learn.microsoft.com/rest/api/managementgroups/management-groups Whoever may not read a group gets 403. So does
whoever asks for a group that does not exist, because its place in the hierarchy is unknown. Only a right at the root
tells the two apart: https://github.com/Azure/azure-rest-api-specs/issues/9549
"""

from collections.abc import Iterator
from typing import Any

from emulator.arm.authorizer import Authorizer
from emulator.arm.call import Answer, Call, page
from emulator.arm.manners import Manners
from emulator.arm.store import SUCCEEDED
from emulator.errors import AzureError
from emulator.ids import guid_at_end, key_of
from emulator.tenant import Tenant

type Json = dict[str, Any]

# For a list of descendants Azure requires no more: https://github.com/Azure/azure-rest-api-specs/issues/9140
READ = "Microsoft.Management/managementGroups/read"
_TYPE = "Microsoft.Management/managementGroups"
_SCOPE = f"/providers/{_TYPE}/"
_KNOWN_OPTIONS = {"api-version", "$expand", "$recurse", "$top", "$skiptoken"}
_NOT_STARTED = {"status": "NotStarted"}


class ManagementGroups:
    def __init__(self, tenant: Tenant, authorizer: Authorizer, manners: Manners) -> None:
        self._tenant = tenant
        self._authorizer = authorizer
        self._manners = manners

    def get(self, call: Call) -> Answer:
        """One group, or those that the caller may read."""
        _require_known(call)
        if call.path.is_collection:
            seen = (one for one in self._groups() if self._authorizer.may(call.caller, READ, _SCOPE + one))
            return page(call, (self._group(name) for name in seen))
        name = self._found(call.path.name)
        group = self._detailed(name)
        if call.query.get("$expand") == "children":
            deep = call.query.get("$recurse", "false").lower() == "true"
            group["properties"]["children"] = list(self._children((name,), deep=deep))
        return Answer(200, group)

    def put(self, call: Call) -> Answer:
        """Recorded: a new group takes a while, and one that is there is answered with at once."""
        wanted = call.object_body().get("properties") or {}
        parent = ((wanted.get("details") or {}).get("parent") or {}).get("id")
        known = self._named(call.path.name)
        name = known or call.path.name
        self._write(name, {"displayName": wanted.get("displayName"), "parent": parent})
        group = self._detailed(name)
        if known:
            return Answer(200, group)
        manner = self._manners.of(call.path, "create", call.api_version)
        said = {**group, "status": SUCCEEDED}
        return Answer(manner.status, _brief(group), finish=_nothing, manner=manner, created=True, said=said)

    def patch(self, call: Call) -> Answer:
        body, name = call.object_body(), self._found(call.path.name)
        self._write(name, {"displayName": body.get("displayName"), "parent": body.get("parentId")})
        return Answer(200, self._detailed(name))

    def delete(self, call: Call) -> Answer:
        """Only an empty group goes: learn.microsoft.com/azure/governance/management-groups/manage"""
        name = self._found(call.path.name)
        group = self._group(name)
        if next(self._children((name,), deep=False), None) is not None:
            raise AzureError(400, "BadRequest", f"The management group '{name}' still has children.")
        manner = self._manners.of(call.path, "delete", call.api_version)
        self._tenant.management_groups[:] = [one for one in self._tenant.management_groups if one["name"] != name]
        self._tenant.hierarchy.remove(name)
        for held in (self._tenant.role_assignments, self._tenant.locks):
            for key in [key for key in held if key.startswith(f"{call.path.key}/")]:
                del held[key]
        said = {**_brief(group), "status": SUCCEEDED}
        return Answer(manner.status, _brief(group), finish=_nothing, manner=manner, said=said)

    def _write(self, name: str, change: Json) -> None:
        """What is None stays as it is."""
        wanted = {key: value for key, value in change.items() if value is not None}
        if "parent" in wanted:
            wanted["parent"] = self._found(guid_at_end(str(wanted["parent"])))
        groups = self._tenant.management_groups
        held: Json = next((one for one in groups if one["name"] == name), {"name": name})
        groups[:] = [*(one for one in groups if one is not held), {**held, **wanted}]
        self._tenant.hierarchy.place(groups[-1])

    def descendants(self, call: Call) -> Answer:
        """Groups and subscriptions at any depth."""
        _require_known(call)
        scope = _SCOPE + self._found(call.path.names[0])
        below = [one for one in self._all() if key_of(one) != key_of(scope)]
        contains = self._tenant.hierarchy.contains
        return page(call, (self._descendant(one) for one in below if contains(scope, one)))

    def _descendant(self, scope: str) -> Json:
        parent = self._parent(scope)
        return {
            "id": scope,
            "type": _TYPE if scope.startswith(_SCOPE) else f"{_TYPE}/subscriptions",
            "name": scope.rpartition("/")[2],
            "properties": {
                "displayName": self._shown(scope),
                "parent": {"id": parent["id"]} if parent else None,
            },
        }

    def _children(self, path: tuple[str, ...], *, deep: bool) -> Iterator[Json]:
        """The children of the last group on the `path`. In a tenant file groups may contain each other."""
        for scope in self._all():
            parent, name = self._parent(scope), scope.rpartition("/")[2]
            if parent is None or parent["name"] != path[-1] or name in path:
                continue
            group = scope.startswith(_SCOPE)
            below = list(self._children((*path, name), deep=True)) if group and deep else []
            yield {
                "id": scope,
                "type": _TYPE if group else "/subscriptions",
                "name": name,
                "displayName": self._shown(scope),
                **({"children": below} if below else {}),
            }

    def _named(self, wanted: str) -> str | None:
        """The name as the tenant spells it."""
        return next((name for name in self._groups() if name.lower() == wanted.lower()), None)

    def _found(self, wanted: str) -> str:
        name = self._named(wanted)
        if name is None:
            raise AzureError(404, "NotFound", f"'{_SCOPE}{wanted}' not found")
        return name

    def _detailed(self, name: str) -> Json:
        group, parent = self._group(name), self._parent(_SCOPE + name)
        group["properties"]["details"] = {"parent": parent} if parent else {}
        return group

    def _group(self, name: str) -> Json:
        shown = {"tenantId": self._tenant.tenant_id, "displayName": self._shown(_SCOPE + name)}
        return {"id": _SCOPE + name, "type": _TYPE, "name": name, "properties": shown}

    def _groups(self) -> list[str]:
        """Includes the tenant's root group, which a tenant file need not list."""
        listed = [str(group["name"]) for group in self._tenant.management_groups]
        root = self._tenant.tenant_id
        return listed if root.lower() in {name.lower() for name in listed} else [root, *listed]

    def _all(self) -> list[str]:
        return [*(_SCOPE + name for name in self._groups()), *(s["id"] for s in self._tenant.subscriptions.values())]

    def _shown(self, scope: str) -> str:
        name = scope.rpartition("/")[2]
        if not scope.startswith(_SCOPE):
            return str(self._tenant.subscriptions[name.lower()].get("displayName", name))
        groups = (group for group in self._tenant.management_groups if group["name"] == name)
        return str(next(groups, {}).get("displayName", name))

    def _parent(self, scope: str) -> Json | None:
        """None above the root group."""
        above = [one for one in self._tenant.hierarchy.lineage(scope)[1:] if one.startswith(_SCOPE.lower())]
        if not above:
            return None
        name = next(name for name in self._groups() if name.lower() == guid_at_end(above[0]))
        return {"id": _SCOPE + name, "name": name, "displayName": self._shown(_SCOPE + name)}


def _brief(group: Json) -> Json:
    """A group of which something is under way."""
    return {**{key: group[key] for key in ("id", "type", "name")}, **_NOT_STARTED}


def _nothing(_: str) -> None:
    """What is written here is so at once. Only its operation takes a while."""


def _require_known(call: Call) -> None:
    """Refuses what is not known here, rather than leaving it out of the answer."""
    unknown = sorted(call.query.keys() - _KNOWN_OPTIONS)
    if unknown or call.query.get("$expand") not in (None, "children"):
        raise AzureError(
            400, "BadRequest", f"The local Azure does not know {unknown or '$expand'} of management groups."
        )
