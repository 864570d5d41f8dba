"""What an attacker's resources claim about themselves, and on whose behalf a run acts: through the real handlers."""

from typing import Any

import pytest
import raw
from app import C1, App, app
from event_grid import event
from unit.build import GROUP, REGISTRY, SUBSCRIPTION, WORKSPACE, assigned, guid, sai, uai

from handlers import resource_changed
from shared.access.scope import Scope

CUSTOM = GROUP.child("providers", "Microsoft.CustomProviders", "resourceProviders", "forged")
CLUSTER = GROUP.child("providers", "Microsoft.ContainerService", "managedClusters", "aks")
ACCOMPLICE, CALLER = guid("accomplice"), guid("caller")
COMPUTE = WORKSPACE.child("computes", "cpu1")


def claims(accomplice: str) -> dict[str, Any]:
    return {"principalId": accomplice, "identityProfile": {"kubeletidentity": {"objectId": accomplice}}}


@pytest.mark.parametrize(("attached", "believed"), [(CUSTOM, False), (CLUSTER, True)])
async def test_only_a_cluster_tells_who_pulls_for_it(attached: Scope, believed: bool) -> None:
    one = app(raw.compute("aks", kind="AKS", resourceId=str(attached)), raw.resource(attached, claims(ACCOMPLICE)))
    await one.run()
    assert (ACCOMPLICE in one.azure.holders("AcrPull", REGISTRY)) is believed


@pytest.mark.parametrize(("attached", "believed"), [(CUSTOM, False), (uai("own").resource, True)])
async def test_only_an_identity_tells_its_object_id(attached: Scope, believed: bool) -> None:
    compute = raw.compute("cpu1")
    compute["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {str(attached): {}}}
    one = app(compute, raw.resource(attached, claims(ACCOMPLICE)))
    await one.run()
    assert (ACCOMPLICE in one.azure.holders("AcrPull", REGISTRY)) is believed


async def tell(one: App, about: Scope, caller: str = CALLER) -> None:
    told = event(str(about), caller=caller)
    told["data"]["claims"] = told["data"]["claims"] if caller else {}
    await resource_changed.handle(told, one.services)


def careful(*held: Any) -> App:
    one = app(raw.compute("cpu1", C1), caller_must_hold=True)
    one.azure.assignments += held
    return one


def guards(one: App) -> set[str]:
    return {row["Guard"] for row in one.audit.rows("Withheld") if row["Action"] == "Grant"}


async def test_a_caller_who_may_assign_roles_is_heard() -> None:
    one = careful(assigned("caller", "Owner", SUBSCRIPTION))
    await tell(one, COMPUTE)
    assert C1.id in one.azure.holders("AcrPull", REGISTRY)


async def test_and_through_a_group() -> None:
    one = careful(assigned("admins", "User Access Administrator", GROUP))
    one.azure.groups = {guid("admins"): {CALLER}}
    await tell(one, COMPUTE)
    assert C1.id in one.azure.holders("AcrPull", REGISTRY)


@pytest.mark.parametrize("caller", [CALLER, "", "not an object id"])
async def test_any_other_caller_is_not(caller: str) -> None:
    one = careful(assigned("somebody else", "Owner", SUBSCRIPTION))
    await tell(one, COMPUTE, caller)
    assert one.azure.holders("AcrPull", REGISTRY) == set()
    assert guards(one) == {"caller-must-hold"}


async def test_a_sweep_vouches_for_nobody() -> None:
    one = careful(assigned("caller", "Owner", SUBSCRIPTION))
    await one.sweep()
    await one.settle()
    assert one.azure.holders("AcrPull", REGISTRY) == set()
    assert guards(one) == {"caller-must-hold"}


async def test_nobody_is_asked_about_where_the_policy_does_not_say_so() -> None:
    one = app(raw.compute("cpu1", C1))
    await tell(one, COMPUTE)
    assert C1.id in one.azure.holders("AcrPull", REGISTRY)
    assert sai("mlw").id not in one.azure.holders("AcrPull", REGISTRY)
