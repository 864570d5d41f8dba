"""A tenant written as a snapshot, with every principal symbolic, has the plan that the tenant itself has."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import raw
from fakes import FakeAzure
from hypothesis import given
from hypothesis import strategies as st
from properties.tenants_at_random import WORKSPACES, tenants
from unit.build import terms

from shared.access.actions import Grant, Plan, Setting
from shared.access.model import Principal
from shared.access.permissions import RoleAssignment
from shared.access.scope import Scope
from shared.prepare import prepare
from shared.template.estate import estate
from shared.template.made import TemplateEstate
from shared.template.reads import TemplateReads
from shared.template.snapshot import snapshot
from shared.template.symbols import Holder, Kind

_USER_ASSIGNED = "microsoft.managedidentity/userassignedidentities"


def _limited(azure: FakeAzure) -> FakeAzure:
    """What a template can say: no groups, denies or logs; grants in a subscription, of identities that are there."""
    there = _holders(azure)
    azure.groups, azure.denies = {}, []
    azure.resources = {at: one for at, one in azure.resources.items() if "/jobs/" not in at.key}
    azure.assignments = [one for one in azure.assignments if one.principal_id in there and one.scope.subscription]
    if not azure.automatic:
        for at in WORKSPACES:
            one = azure.resources.pop(at)
            azure.have(one)
    return azure


def _holders(azure: FakeAzure) -> dict[str, Holder]:
    """Every identity of the tenant, by its object id."""
    found: dict[str, Holder] = {}
    for at, one in azure.resources.items():
        block = one.get("identity") or {}
        if block.get("principalId"):
            found[block["principalId"]] = Holder(at, Kind.SYSTEM)
        for name, body in (block.get("userAssignedIdentities") or {}).items():
            found[body["principalId"]] = Holder(Scope.parse(name), Kind.USER)
    return found


def _expression(holder: Holder) -> str:
    if holder.kind is Kind.USER:
        return f"[reference('{holder.resource}', '2023-01-31').principalId]"
    return f"[reference('{holder.resource}', '2025-06-01', 'full').identity.principalId]"


def _assigned(one: RoleAssignment, holders: dict[str, Holder]) -> raw.Raw:
    named = f"[extensionResourceId('{one.scope}', 'Microsoft.Authorization/roleAssignments', guid('{one.id}'))]"
    return {
        "id": named,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "principalId": _expression(holders[one.principal_id]),
            "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{one.role_id}",
            "condition": one.condition,
        },
    }


def _written(azure: FakeAzure, held: Iterable[RoleAssignment]) -> dict[str, Any]:
    holders = _holders(azure)
    identities = {one.resource for one in holders.values() if one.kind is Kind.USER}
    bare = [
        {"id": str(at), "type": "Microsoft.ManagedIdentity/userAssignedIdentities"}
        for at in sorted(identities, key=str)
    ]
    resources = [_bare(one) for one in azure.resources.values()]
    locks = [one | {"type": "Microsoft.Authorization/locks"} for one in azure.locks]
    return {"predictedResources": [*resources, *bare, *locks, *(_assigned(one, holders) for one in held)]}


def _bare(one: raw.Raw) -> raw.Raw:
    """As a template says it: without what only Azure adds."""
    block = one.get("identity")
    made = {name: value for name, value in one.items() if name not in ("systemData", "identity")}
    if block:
        attached: raw.Raw = {name: {} for name in block.get("userAssignedIdentities") or {}}
        made["identity"] = {"type": block["type"], **({"userAssignedIdentities": attached} if attached else {})}
    return made


def _plan(workspace: Scope, azure: Any) -> Plan:
    prepared = asyncio.run(prepare(workspace, azure, terms()))
    assert prepared
    return prepared.plan


def _of_template(azure: FakeAzure, held: Iterable[RoleAssignment]) -> tuple[TemplateEstate, TemplateReads]:
    seen = estate([snapshot(_written(azure, held), "tenant.snapshot.json")], {}, azure.roles)
    return seen, TemplateReads(seen, azure.roles, azure.now(), raw.TENANT_ID)


def _said(made: Plan) -> set[tuple[str, ...]]:
    """Changes, and what is withheld or deferred; identities by the resource whose they are."""
    every = [("", one) for one in (*made.grants, *made.settings)]
    every += [(str(one.refusal.guard), one.action) for one in made.withheld]
    every += [("deferred", one.action) for one in made.deferred]
    return {(word, *_key(one)) for word, one in every}


def _key(one: object) -> tuple[str, ...]:
    match one:
        case Grant():
            return _whose(one.principal, one.on), one.need.role_id, one.scope.key
        case Setting():
            return one.resource.key, str(one.name), one.to
    return (str(one.resource) if hasattr(one, "resource") else "",)


def _whose(principal: Principal, on: Scope) -> str:
    return (principal.resource or on).key


@given(tenants())
def test_a_snapshot_has_the_plan_of_the_tenant(tenant: FakeAzure) -> None:
    azure = _limited(tenant)
    seen, reads = _of_template(azure, azure.held)
    assert seen.unknown == []
    for workspace in WORKSPACES:
        there, planned = _plan(workspace, azure), _plan(workspace, reads)
        assert _said(planned) == _said(there)
        assert planned.satisfied == there.satisfied
        assert planned.unknown == ()


def _in_order(found: set[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    return iter(sorted(found))


@given(tenants(), st.data())
def test_what_is_removed_is_missing_and_nothing_else(tenant: FakeAzure, data: st.DataObject) -> None:
    """Exactly those needs are missing that the tenant itself lacks without the assignments."""
    azure = _limited(tenant)
    gone = (
        {one.id for one in data.draw(st.lists(st.sampled_from(azure.assignments), max_size=3))}
        if azure.assignments
        else set()
    )
    _, reads = _of_template(azure, [one for one in azure.held if one.id not in gone])
    azure.assignments = [one for one in azure.assignments if one.id not in gone]
    for workspace in WORKSPACES:
        assert list(_in_order(_said(_plan(workspace, reads)))) == list(_in_order(_said(_plan(workspace, azure))))
