"""Small values, so that tests read like a truth table: `cluster("cpu1", C1)`, `assigned(C1, "AcrPull", REGISTRY)`.

All lies in one resource group (`GROUP`) unless a test says otherwise; object ids are derived from names.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import shared.azure
from shared.access.actions import Plan
from shared.access.ask_rules import ask_rules
from shared.access.evidence import admin_logins
from shared.access.model import (
    Compute,
    ComputeType,
    Connection,
    Datastore,
    Endpoint,
    Estate,
    Identity,
    Principal,
    Registry,
    Want,
    Workspace,
)
from shared.access.parse import role_definition
from shared.access.permissions import EVERYONE, Access, DenyAssignment, PermissionBlock, RoleAssignment, RoleDefinition
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.surroundings import Lock, Vault
from shared.access.terms import RuleMode, RuleTerms, RunMode, Terms

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)

SUBSCRIPTION = Scope.parse("/subscriptions/11111111-1111-4111-8111-111111111111")
OTHER_SUBSCRIPTION = Scope.parse("/subscriptions/22222222-2222-4222-8222-222222222222")
MANAGEMENT_GROUP = Scope.parse("/providers/Microsoft.Management/managementGroups/research")
GROUP = SUBSCRIPTION.child("resourceGroups", "rg")
LOOKALIKE = SUBSCRIPTION.child("resourceGroups", "rg-prod")
FOREIGN = SUBSCRIPTION.child("resourceGroups", "other-team")

TENANT = "7d1c2b6e-0d0b-4d0e-9f3e-5a4f2f6b9a01"


def resource(kind: str, name: str, group: Scope = GROUP) -> Scope:
    return group.child("providers", *kind.split("/", 1), name)


def registry_id(name: str = "acrml", group: Scope = GROUP) -> Scope:
    return resource("Microsoft.ContainerRegistry/registries", name, group)


def workspace_id(name: str = "mlw", group: Scope = GROUP) -> Scope:
    return resource("Microsoft.MachineLearningServices/workspaces", name, group)


def identity_id(name: str, group: Scope = GROUP) -> Scope:
    return resource("Microsoft.ManagedIdentity/userAssignedIdentities", name, group)


REGISTRY = registry_id()
STORAGE = resource("Microsoft.Storage/storageAccounts", "store")
VAULT = resource("Microsoft.KeyVault/vaults", "kvml")
INSIGHTS = resource("microsoft.insights/components", "appi")
WORKSPACE = workspace_id()
CLUSTER = resource("Microsoft.ContainerService/managedClusters", "aks")


@cache
def guid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def sai(name: str) -> Principal:
    return Principal(guid(f"sai {name}"), name)


def uai(name: str, group: Scope = GROUP) -> Principal:
    return Principal(guid(f"uai {name} {group.key}"), name, identity_id(name, group))


def identity(*principals: Principal) -> Identity:
    system = next((p for p in principals if p.resource is None), None)
    return Identity(system, tuple(p for p in principals if p.resource))


def compute(name: str, kind: ComputeType, *principals: Principal, on: Scope = WORKSPACE, **more: Any) -> Compute:
    return Compute(on.child("computes", name), kind, kind.value, identity(*principals), **more)


def cluster(name: str, *principals: Principal, on: Scope = WORKSPACE, **more: Any) -> Compute:
    return compute(name, ComputeType.AML_COMPUTE, *principals, on=on, **more)


def endpoint(name: str, *principals: Principal, on: Scope = WORKSPACE, **more: Any) -> Endpoint:
    return Endpoint(on.child("onlineEndpoints", name), identity(*principals), **more)


def datastore(name: str, account: str = "store", *, identity_based: bool = True, type: str = "azureblob") -> Datastore:  # noqa: A002 - Azure's name
    return Datastore(WORKSPACE.child("datastores", name), type, account, identity_based)


def connection(name: str, registry: Scope) -> Connection:
    return Connection(WORKSPACE.child("connections", name), "acr", f"{registry.name}.azurecr.io", registry)


def workspace(*children: Compute | Endpoint | Datastore | Connection, **more: Any) -> Workspace:
    """A system-assigned workspace with storage and registry; `identity=` makes it a UAI workspace."""
    fields: dict[str, Any] = {
        "id": WORKSPACE,
        "kind": "default",
        "identity": identity(sai("mlw")),
        "registry": REGISTRY,
        "storage": STORAGE,
        "computes": tuple(c for c in children if isinstance(c, Compute)),
        "endpoints": tuple(c for c in children if isinstance(c, Endpoint)),
        "datastores": tuple(c for c in children if isinstance(c, Datastore)),
        "connections": tuple(c for c in children if isinstance(c, Connection)),
    }
    return Workspace(**fields | more)


def uai_workspace(*children: Compute | Endpoint | Datastore | Connection, **more: Any) -> Workspace:
    me = uai("mlw-id")
    fields: dict[str, Any] = {
        "identity": identity(me),
        "primary": me.resource,
        "vault": VAULT,
        "app_insights": INSIGHTS,
    }
    return workspace(*children, **fields | more)


def registry(scope: Scope = REGISTRY, *, admin_user: bool = False, abac: bool = False, **more: Any) -> Registry:
    return Registry(scope, admin_user, abac, **{"login_server": f"{scope.name}.azurecr.io"} | more)


def vault(*, rbac: bool, **more: Any) -> Vault:
    return Vault(VAULT, rbac, guid("tenant"), **more)


@dataclass(frozen=True)
class Service:
    """Another service of the subscriptions at hand, as ARM lists it."""

    raw: Mapping[str, Any]

    @property
    def id(self) -> Scope:
        return Scope.parse(self.raw["id"])


def container_group(name: str, *hosts: str, user: str | None = None, group: Scope = FOREIGN) -> Service:
    """That signs in to `hosts` as `user`, by default under the registry's own name."""
    scope = resource("Microsoft.ContainerInstance/containerGroups", name, group)
    credentials = [{"server": host, "username": user or host.partition(".")[0]} for host in hosts]
    return Service({"id": str(scope), "properties": {"imageRegistryCredentials": credentials}})


def lock(scope: Scope, *, read_only: bool = True) -> Lock:
    return Lock(f"{scope}/providers/Microsoft.Authorization/locks/l", scope, read_only)


_BUILT_IN = json.loads((Path(shared.azure.__file__).parent / "built_in_roles.json").read_text(encoding="utf-8"))
ROLES: Mapping[str, RoleDefinition] = {role.name: role for role in map(role_definition, _BUILT_IN)}


def role(name: str) -> RoleDefinition:
    return ROLES[name]


def custom(
    *actions: str, but: Iterable[str] = (), data: Iterable[str] = (), condition: str | None = None
) -> RoleDefinition:
    block = PermissionBlock(actions, tuple(but), tuple(data), condition=condition)
    return RoleDefinition(guid(repr(block)), f"custom {' '.join(actions)}", (block,))


def assigned(
    holder: Principal | str,
    held: RoleDefinition | str,
    scope: Scope,
    *,
    condition: str | None = None,
    on: datetime | None = LONG_AGO,
    within: Scope | None = None,
) -> RoleAssignment:
    """`holder` is a principal or a group's name; management groups are above `SUBSCRIPTION`."""
    definition = role(held) if isinstance(held, str) else held
    name = guid(f"{holder} {definition.role_id} {scope.key} {condition}")
    above = within or (SUBSCRIPTION if scope.is_management_group else None)
    return RoleAssignment(
        f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        scope,
        holder.id if isinstance(holder, Principal) else guid(holder),
        definition.role_id,
        condition,
        on,
        within=above,
    )


def denied(
    *actions: str,
    data: Iterable[str] = (),
    at: Scope = REGISTRY,
    principals: frozenset[str] = frozenset({EVERYONE}),
    **more: Any,
) -> DenyAssignment:
    block = PermissionBlock(actions, (), tuple(data))
    return DenyAssignment(guid(f"deny {actions} {at.key}"), "a deny", at, (block,), principals, **more)


def access(
    *assignments: RoleAssignment, roles: Iterable[RoleDefinition] = (), denies: Iterable[DenyAssignment] = ()
) -> Access:
    known = {role.role_id: role for role in (*ROLES.values(), *roles)}
    return Access(assignments, known, tuple(denies))


def estate(
    subject: Workspace,
    *parts: Registry | Vault | Lock | Service | Workspace,
    held: Iterable[RoleAssignment] = (),
    groups: Mapping[str, Iterable[Principal]] | None = None,
    roles: Iterable[RoleDefinition] = (),
    denies: Iterable[DenyAssignment] = (),
    clusters: Mapping[Scope, Principal] | None = None,
    missing: Iterable[Scope] = (),
    now: datetime = NOW,
    aml: bool = True,
    **more: Any,
) -> Estate:
    """Every identity of the workspaces and clusters is asked about; `denies` concern them all. One tenant has all.

    `aml`: system-assigned identities of workspaces hold what AML gives them. All that a switch-off has to look at was
    read, and there is nothing but the services among `parts`.
    """
    neighbours = tuple(p for p in parts if isinstance(p, Workspace))
    automatic = [one for w in (subject, *neighbours) for one in _granted_by_aml(w)] if aml else []
    held, roles, denies = (*held, *automatic), tuple(roles), tuple(denies)
    known = {p.id for w in (subject, *neighbours) for p in _principals(w)} | {p.id for p in (clusters or {}).values()}
    members = {guid(name): {p.id for p in principals} for name, principals in (groups or {}).items()}

    def concerns(assignment: RoleAssignment, principal: str) -> bool:
        return assignment.principal_id == principal or principal in members.get(assignment.principal_id, ())

    services = [p for p in parts if isinstance(p, Service)]
    seen = Estate(
        now=now,
        subject=subject,
        neighbours=neighbours,
        registries={p.id: p for p in parts if isinstance(p, Registry)},
        vaults={p.id: p for p in parts if isinstance(p, Vault)},
        clusters=clusters or {},
        access={one: access(*(a for a in held if concerns(a, one)), roles=roles, denies=denies) for one in known},
        missing=frozenset(missing),
        locks=tuple(p for p in parts if isinstance(p, Lock)),
        **{
            "tenants": {SUBSCRIPTION: TENANT, OTHER_SUBSCRIPTION: TENANT},
            "roles": {one.role_id: one for one in ROLES.values()},
            **more,
        },
    )
    return looked_around(seen, *services)


def _granted_by_aml(one: Workspace) -> Iterable[RoleAssignment]:
    """What AML gives a system-assigned identity (azure-facts §4)."""
    system, group = one.identity.system, one.id.resource_group
    if system and group:
        yield assigned(system, "Contributor", group)
    if system and one.storage:
        yield assigned(system, "Storage Blob Data Contributor", one.storage)


def looked_around(seen: Estate, *services: Service, answers: Mapping[str, Any] | None = None) -> Estate:
    """With what a switch-off has to look at: `answers` by collection, else what there is of `services`."""
    if not any(one.admin_user for one in seen.registries.values()):
        return seen
    while True:
        wants = {
            want
            for each in seen.workspaces
            for user in ask_rules(each, seen, Terms(table=RULES)).users
            for want in user.wants
        }
        days = seen.preferences.look_back_days
        wants |= {admin_logins(one.id, days) for one in seen.registries.values() if one.admin_user}
        wants -= seen.facts.keys()
        if not wants:
            return seen
        seen = replace(seen, facts={**seen.facts, **{want: _answer(want, services, answers or {}) for want in wants}})


def _answer(want: Want, services: Iterable[Service], answers: Mapping[str, Any]) -> Any:
    if want.collection in answers:
        return answers[want.collection]
    kind = want.collection.casefold()
    there = [one for one in services if want.scope.contains(one.id)]
    if want.collection or want.query:
        found = (one.raw for one in there if one.id.resource_type in (kind, f"{want.scope.resource_type}/{kind}"))
        return () if want.query else tuple(found)
    return next((one.raw for one in there if one.id == want.scope), None)


def _principals(one: Workspace) -> Iterable[Principal]:
    for each in (one.identity, *(c.identity for c in one.computes), *(e.identity for e in one.endpoints)):
        yield from (p for p in (each.system, *each.user) if p)


ADVICE = ("managed-network", "compute-settings")


def terms(*, on: Iterable[str] = (), off: Iterable[str] = (), report: Iterable[str] = (), **more: Any) -> Terms:
    """Mode enforce; `on`, `off` and `report` name rules or AML-ids. Advice on settings is off: it comes everywhere."""
    rules = {name: RuleTerms(enabled=False) for name in ADVICE}
    rules |= {name.casefold(): RuleTerms(enabled=True) for name in on}
    rules |= {name.casefold(): RuleTerms(enabled=False) for name in off}
    rules |= {name.casefold(): RuleTerms(mode=RuleMode.REPORT) for name in report}
    return replace(Terms(table=RULES, mode=RunMode.ENFORCE, rules=rules), **more)


def granted(plan: Plan) -> set[tuple[str, str, str]]:
    """Who gets which role where, by the names that people use."""
    return {(g.principal.label, g.need.role_name, g.scope.name) for g in plan.grants}


def settings(plan: Plan) -> list[tuple[str, str, str]]:
    return [(s.resource.name, s.name.value, s.to) for s in plan.settings]


def guards(plan: Plan) -> set[str]:
    return {one.refusal.guard for one in plan.withheld}
