"""The store: everything that the local Azure knows about a tenant, loaded from a tenant file.

The file has raw ARM objects. They are stored and served unchanged. Only an object without an id, name, type or scope of
its own gets these from what it does have.
"""

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from emulator import names
from emulator.errors import AzureError
from emulator.identities import principals_of
from emulator.ids import Hierarchy, ResourcePath, guid_at_end, key_of, object_key, parent_of, segments
from emulator.indexed import Indexed
from emulator.roles import as_resource, built_in

type Json = dict[str, Any]

_TENANT_ID = "00000000-0000-0000-0000-0000000000aa"
_SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
_LISTS = (
    "resources",
    "roleAssignments",
    "roleDefinitions",
    "denyAssignments",
    "locks",
    "managementGroups",
    "principals",
)
_MAPS = ("groups", "logs")
_NEEDED = {
    "resources": ("id",),
    "principals": ("id",),
    "managementGroups": ("name", "id"),
    "roleDefinitions": ("name", "id"),
}
_BELOW_SCOPE = "/providers/microsoft.authorization/"


class TenantFileError(Exception):
    """The tenant file cannot be used. The message names the place in it."""


class Tenant:
    """Everything is keyed by lower-cased id or GUID. Values keep their casing."""

    def __init__(self, document: Json | None = None) -> None:
        document = _checked({} if document is None else document)
        self.tenant_id: str = document.get("tenantId") or _TENANT_ID
        self.management_groups = _management_groups(document.get("managementGroups") or [], self.tenant_id)
        self.hierarchy = Hierarchy(self.tenant_id, self.management_groups)
        self.groups = {
            object_key(group): [object_key(member) for member in members]
            for group, members in (document.get("groups") or {}).items()
        }
        self._memberships: dict[str, list[str]] = {}
        for group, members in self.groups.items():
            for member in members:
                self._memberships.setdefault(member, []).append(group)
        self.synced_keys: dict[str, datetime] = {}
        """When each workspace (lower-cased id) last read its keys anew."""
        self.deployments: dict[str, Json] = {}
        """Of templates, each with its operations. By lower-cased id. No list of resources has them."""
        self.logs: dict[str, list[Json]] = document.get("logs") or {}
        self.role_definitions = built_in()
        for role in document.get("roleDefinitions") or []:
            custom = as_resource(role, "CustomRole")
            self.role_definitions[custom["name"].lower()] = custom
        self.resources = _resources()
        self.role_assignments = _role_assignments()
        self.deny_assignments = Indexed()
        self.locks = Indexed(scope=lambda key, _: key.rpartition(_BELOW_SCOPE)[0] or "/")
        self.odd_names: list[str] = []
        """What Azure gives no resource today. It may have once, and pseudonyms may be longer than names."""
        self._load(document)
        self.subscriptions = self._all_subscriptions()
        """By lower-case GUID, whether the tenant lists it or only something inside it does."""
        self.principals = {object_key(principal["id"]): principal for principal in document.get("principals") or []}
        for group in self.groups:
            self.principals.setdefault(group, {"id": group, "type": "Group"})
        for principal in self._implied_principals():
            self.principals.setdefault(principal["id"], principal)

    @classmethod
    def load(cls, file: Path | None) -> Self:
        if file is None:
            return cls()
        try:
            return cls(json.loads(file.read_text(encoding="utf-8-sig")))
        except OSError as error:
            raise TenantFileError(f"{file}: {error.strerror}") from error
        except ValueError as error:
            raise TenantFileError(f"{file} is not JSON: {error}") from error
        except TenantFileError as error:
            raise TenantFileError(f"{file}: {error}") from error

    def document(self) -> Json:
        """A tenant file of everything as it is now."""
        custom = [one for one in self.role_definitions.values() if one["properties"].get("type") != "BuiltInRole"]
        return {
            "tenantId": self.tenant_id,
            "resources": list(self.resources.values()),
            "roleAssignments": list(self.role_assignments.values()),
            "roleDefinitions": custom,
            "denyAssignments": list(self.deny_assignments.values()),
            "locks": list(self.locks.values()),
            "managementGroups": self.management_groups,
            "groups": self.groups,
            "principals": list(self.principals.values()),
            "logs": self.logs,
        }

    def groups_of(self, principal: str) -> set[str]:
        """Every group (lower-case id) that the principal is in, directly or through other groups."""
        found: set[str] = set()
        seeking = set(self._memberships.get(object_key(principal), ()))
        while seeking:
            found |= seeking
            seeking = {group for known in seeking for group in self._memberships.get(known, ())} - found
        return found

    def resource_groups(self) -> set[str]:
        """The lower-cased ids of the resource groups of all resources and role assignments."""
        known = self.resources.values_of("group") | self.role_assignments.values_of("group")
        return {key for key in known if key.count("/") == 4}

    def resource_group_exists(self, key: str) -> bool:
        return self.resources.count("group", key) > 0 or self.role_assignments.count("group", key) > 0

    def _all_subscriptions(self) -> dict[str, Json]:
        named = {guid_at_end(name) for group in self.management_groups for name in group.get("subscriptions") or ()}
        for key in (*self.resources.values_of("group"), *self.role_assignments.values_of("scope")):
            parts = segments(key)
            if parts[:1] == ("subscriptions",) and len(parts) > 1:
                named.add(parts[1])
        return {name: self._subscription(name) for name in sorted(named or {_SUBSCRIPTION})}

    def _subscription(self, name: str) -> Json:
        return {
            "id": f"/subscriptions/{name}",
            "subscriptionId": name,
            "tenantId": self.tenant_id,
            "displayName": name,
            "state": "Enabled",
            **self.resources.get(f"/subscriptions/{name}", {}),
        }

    def _load(self, document: Json) -> None:
        for place, resource in enumerate(document.get("resources") or []):
            try:
                path = ResourcePath.parse(resource["id"])
            except ValueError as error:
                raise TenantFileError(f"resources[{place}].id: {error}") from error
            try:
                names.require_all(path, resource)
            except AzureError as error:
                self.odd_names.append(f"resources[{place}].id: {error.message}")
            given = {key: value for key, value in resource.items() if key not in ("name", "type") or value}
            self.resources[key_of(resource["id"])] = {"name": path.name, "type": path.type, **given}
        for kind, store in (
            ("roleAssignments", self.role_assignments),
            ("denyAssignments", self.deny_assignments),
            ("locks", self.locks),
        ):
            for place, item in enumerate(document.get(kind) or []):
                try:
                    whole = _completed(item, kind)
                except (KeyError, ValueError) as error:
                    raise TenantFileError(f"{kind}[{place}]: {error}") from error
                store[key_of(whole["id"])] = whole

    def _implied_principals(self) -> Iterable[Json]:
        """Everybody who is named anywhere exists. A type is only given if it is known."""
        for resource in self.resources.values():
            for identifier in principals_of(resource):
                yield {"id": identifier, "type": "ServicePrincipal"}
        for assignment in self.role_assignments.values():
            kind = assignment["properties"].get("principalType")
            yield {"id": principal_id(assignment)} | ({"type": kind} if kind else {})
        for members in self.groups.values():
            for identifier in members:
                yield {"id": identifier}


def _management_groups(listed: list[Json], tenant_id: str) -> list[Json]:
    """Each with a name, including those that are only named as a parent."""
    groups = [{**group, "name": str(group.get("name") or group["id"]).rpartition("/")[2]} for group in listed]
    known = {group["name"].lower() for group in groups} | {tenant_id.lower()}
    parents = [str(group["parent"]).rpartition("/")[2] for group in groups if group.get("parent")]
    implied = {parent.lower(): parent for parent in parents if parent.lower() not in known}
    return [*groups, *({"name": name} for name in implied.values())]


def _resources() -> Indexed:
    return Indexed(
        type=lambda key, _: ResourcePath.parse(key).type,
        collection=lambda key, _: parent_of(key),
        group=lambda key, _: group_scope(key),
    )


def _role_assignments() -> Indexed:
    return Indexed(
        name=lambda _, assignment: assignment["name"].lower(),
        scope=lambda _, assignment: key_of(assignment["properties"]["scope"]),
        group=lambda _, assignment: group_scope(key_of(assignment["properties"]["scope"])),
        principal=lambda _, assignment: principal_id(assignment),
        limited=lambda _, assignment: limited_scope(assignment["properties"]["scope"]),
        holding=lambda _, assignment: holding(key_of(assignment["properties"]["scope"]), principal_id(assignment)),
    )


def principal_id(assignment: Json) -> str:
    return object_key(assignment["properties"].get("principalId", ""))


def holding(scope_key: str, principal: str) -> str:
    """The key under which `role_assignments.where("holding", …)` finds what a principal holds at exactly one scope."""
    return f"{scope_key}|{principal}"


def group_scope(key: str) -> str:
    return "/".join(key.split("/")[:5])


def limited_scope(scope: str) -> str:
    """The subscription or management group that limits the number of role assignments."""
    key = key_of(scope)
    return "/".join(key.split("/")[:3]) if key.startswith("/subscriptions/") else key


def _completed(item: Json, kind: str) -> Json:
    """An authorization object with id, name, type and, except for locks, properties.scope."""
    properties = item.get("properties")
    if not isinstance(properties, dict):
        properties = {key: value for key, value in item.items() if key not in ("id", "name", "type")}
        item = {key: value for key, value in item.items() if key in ("id", "name", "type")}
    scope = properties.get("scope") or _scope_in(item.get("id"))
    if scope is None:
        raise ValueError("neither id nor scope says where it holds")
    name = item.get("name") or (guid_at_end(item["id"]) if item.get("id") else _name_of(scope, properties))
    identifier = item.get("id") or f"{scope.rstrip('/')}/providers/Microsoft.Authorization/{kind}/{name}"
    if kind != "locks":
        properties = {**properties, "scope": scope}
    return {"type": f"Microsoft.Authorization/{kind}", **item, "id": identifier, "name": name, "properties": properties}


def _scope_in(identifier: str | None) -> str | None:
    if identifier is None:
        return None
    before, found, _ = identifier.lower().rpartition(_BELOW_SCOPE)
    return (identifier[: len(before)] or "/") if found else None


def _name_of(scope: str, properties: Json) -> str:
    text = f"{key_of(scope)}|{json.dumps(properties, sort_keys=True).lower()}"
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def _checked(document: Any) -> Json:
    if not isinstance(document, dict):
        raise TenantFileError("the tenant is not a JSON object")
    if "predictedResources" in document:
        raise TenantFileError("this is a snapshot of a template; `amlguard plan --template` takes it")
    for name in _LISTS:
        if document.get(name) is not None:
            _require_objects(name, document[name])
    for name in _MAPS:
        if not isinstance(document.get(name), dict | None):
            raise TenantFileError(f"{name} is not an object")
    return document


def _require_objects(name: str, items: Any) -> None:
    if not isinstance(items, list):
        raise TenantFileError(f"{name} is not a list")
    needed = _NEEDED.get(name, ())
    for place, item in enumerate(items):
        if not isinstance(item, dict):
            raise TenantFileError(f"{name}[{place}] is not an object")
        if needed and not any(isinstance(item.get(key), str) and item[key] for key in needed):
            raise TenantFileError(f"{name}[{place}] has no {' or '.join(needed)}")
