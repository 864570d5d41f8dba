"""Tenants as tenant files hold them: raw ARM objects in the shape that GET gives them.

Object ids are made from names, so that a test can name the identity that it asks about.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from emulator import tenant_builder as build
from emulator.tenant_builder import (
    ACR_PULL,
    ACR_PUSH,
    BLOB_CONTRIBUTOR,
    BLOB_READER,
    CONTRIBUTOR,
    FILE_PRIVILEGED_CONTRIBUTOR,
    LONG_AGO,
    OWNER,
    READER,
    REPOSITORY_READER,
    REPOSITORY_WRITER,
    Json,
    user_assigned,
)

__all__ = [
    "ACR_PULL",
    "ACR_PUSH",
    "BLOB_CONTRIBUTOR",
    "BLOB_READER",
    "CONTRIBUTOR",
    "FILE_PRIVILEGED_CONTRIBUTOR",
    "LONG_AGO",
    "OWNER",
    "READER",
    "REPOSITORY_READER",
    "REPOSITORY_WRITER",
    "Json",
    "user_assigned",
]

TENANT_ID = "7d1c2b6e-0d0b-4d0e-9f3e-5a4f2f6b9a01"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"

# A policy for tests of grants: these two rules find something in every workspace of the plain kind built here.
GRANTS_ONLY = (
    "rules: {managed-network: {enabled: false}, compute-settings: {enabled: false}, "
    "workspace-group-role: {enabled: false}}\n"
)

CONDITION = (
    "((!(ActionMatches{'Microsoft.ContainerRegistry/registries/repositories/content/read'})) OR "
    "(@Request[Microsoft.ContainerRegistry/registries/repositories:name] StringEquals 'team/one'))"
)


def oid(name: str) -> str:
    """The object id of the identity that tests call `name`."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"object:{name}"))


def group_id(name: str, subscription: str = SUBSCRIPTION) -> str:
    return build.group(subscription, name)


def child(scope: str, provider: str, *names: str) -> str:
    return build.below(scope, provider, *names)


def system_assigned(name: str) -> Json:
    return build.system_assigned(oid(name), TENANT_ID)


@dataclass
class Tenant:
    """What a tenant file holds. Each method adds one object and gives it back, so that its id can be used."""

    resources: list[Json] = field(default_factory=list)
    role_assignments: list[Json] = field(default_factory=list)
    role_definitions: list[Json] = field(default_factory=list)
    deny_assignments: list[Json] = field(default_factory=list)
    locks: list[Json] = field(default_factory=list)
    management_groups: list[Json] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    principals: list[Json] = field(default_factory=list)

    def document(self) -> Json:
        return build.tenant_file(
            TENANT_ID,
            self.resources,
            roleAssignments=self.role_assignments,
            roleDefinitions=self.role_definitions,
            denyAssignments=self.deny_assignments,
            locks=self.locks,
            managementGroups=self.management_groups,
            groups=self.groups,
            principals=self.principals,
        )

    def add(self, resource: Json) -> Json:
        self.resources.append(resource)
        return resource

    def workspace(
        self, group: str, name: str = "mlw", *, identity: Json | None = None, aml: bool = True, **properties: Any
    ) -> Json:
        """`group` is a resource group's id; without `identity` the workspace has a system-assigned one.

        A system-assigned one holds what AML gave it when the workspace was made (`aml`; azure-facts §4).
        """
        scope = child(group, build.WORKSPACES, name)
        made = build.workspace(scope, identity or system_assigned(scope), v1LegacyMode=False, **properties)
        self.role_assignments += build.granted_by_aml(made) if aml else []
        return self.add(made)

    def compute(
        self, workspace: Json, name: str, *, identity: Json | None = None, kind: str = "AmlCompute", **inner: Any
    ) -> Json:
        return self.add(build.compute(workspace["id"], name, kind, identity=identity, **inner))

    def endpoint(self, workspace: Json, name: str, identity: Json) -> Json:
        return self.add(build.endpoint(workspace["id"], name, identity))

    def registry(self, group: str, name: str, *, admin: bool = False, abac: bool = False) -> Json:
        return self.add(build.registry(child(group, build.REGISTRIES, name), admin=admin, abac=abac))

    def storage(self, group: str, name: str) -> Json:
        return self.add(build.storage(child(group, build.STORAGE_ACCOUNTS, name)))

    def uai(self, group: str, name: str) -> Json:
        scope = child(group, build.USER_ASSIGNED_IDENTITIES, name)
        return self.add(build.user_assigned_identity(scope, oid(scope), oid(f"client:{scope}"), TENANT_ID))

    def container_group(self, group: str, name: str, image: str) -> Json:
        return self.add(build.container_group(child(group, build.CONTAINER_GROUPS, name), image))

    def assign(
        self, scope: str, principal: str, role: str, *, kind: str = "ServicePrincipal", condition: str | None = None
    ) -> Json:
        more = {"condition": condition, "conditionVersion": "2.0"} if condition else {}
        made = build.role_assignment(scope, principal, role, kind=kind, by=oid("someone"), **more)
        self.role_assignments.append(made)
        return made

    def custom_role(self, name: str, assignable: str, **block: list[str]) -> str:
        """The role's GUID. `block` is its one element of `permissions`."""
        made = build.role_definition(name, assignable, block)
        self.role_definitions.append(made)
        return str(made["name"])

    def deny(self, scope: str, principal: str, **block: list[str]) -> Json:
        kind = "Group" if principal in self.groups else "ServicePrincipal"
        made = build.deny_assignment(scope, block, [{"id": principal, "type": kind}])
        self.deny_assignments.append(made)
        return made

    def lock(self, scope: str, level: str) -> Json:
        made = build.lock(scope, level)
        self.locks.append(made)
        return made

    def group(self, name: str, *members: str) -> str:
        """An Entra group, by its object id; members are object ids, those of groups too."""
        self.groups[oid(name)] = list(members)
        return oid(name)

    def management_group(self, name: str, *subscriptions: str, parent: str | None = None) -> str:
        """The management group's id as a scope."""
        self.management_groups.append({"name": name, "parent": parent, "subscriptions": list(subscriptions)})
        return f"/providers/Microsoft.Management/managementGroups/{name}"
