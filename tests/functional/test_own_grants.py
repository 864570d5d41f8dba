"""What amlguard granted and nobody needs any more: reported, taken back when the policy says so, and only its own."""

from dataclasses import replace
from typing import Any

import pytest
import raw
from app import App
from unit.build import CLUSTER, GROUP, REGISTRY, WORKSPACE, identity_id, sai, terms, uai, workspace_id

from shared.access import own_assignments
from shared.access.model import Principal
from shared.access.permissions import RoleAssignment
from shared.access.scope import Scope
from shared.access.terms import Caps
from shared.audit_rows import Phase

ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
RUN = "11111111-2222-4333-8444-555555555555"
C1, ID = sai("mlw/computes/cpu1"), uai("uami")
ON = WORKSPACE.child("computes", "cpu1")


def made_by_us(holder: Principal = C1, on: Scope = ON, **more: Any) -> RoleAssignment:
    name = own_assignments.assignment_name(REGISTRY, holder.id, ACR_PULL)
    one = RoleAssignment(
        f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{name}",
        REGISTRY,
        holder.id,
        ACR_PULL,
        description=own_assignments.description("compute-pull", ["AML-18"], RUN, on, holder.resource),
    )
    return replace(one, **more)


def app(*parts: raw.Raw, held: RoleAssignment, on: bool = True, **more: Any) -> App:
    made = App(terms(on=["AML-80"] if on else [], **more))
    made.azure.have(raw.workspace(sai("mlw")), raw.registry(admin_user=False), raw.storage(), *parts)
    made.azure.assignments.append(held)
    return made


async def test_what_was_granted_to_a_cluster_that_is_gone_is_taken_back_and_on_record() -> None:
    one = app(held=made_by_us())
    result = await one.run()
    assert one.azure.assignments == []
    assert [o.phase for o in result.outcomes] == [Phase.APPLIED]
    assert [(row["RuleId"], row["Outcome"]) for row in one.audit.rows()] == [
        ("own-grants", "Planned"),
        ("own-grants", "Applied"),
    ]
    assert one.audit.rows()[0]["RoleAssignmentId"] == made_by_us().id


async def test_until_the_policy_says_so_it_is_only_reported() -> None:
    one = app(held=made_by_us(), on=False)
    await one.run()
    (found,) = one.audit.findings()
    assert found["RuleId"] == "own-grants"
    assert f"az role assignment delete --ids {made_by_us().id}" in found["Remedy"]
    assert one.azure.assignments == [made_by_us()]


@pytest.mark.parametrize(
    "held",
    [
        made_by_us(description=None),
        made_by_us(description="amlguard: compute-pull (AML-18), run by hand"),
        made_by_us(description=f"somebody else's; {made_by_us().description}"),
        made_by_us(principal_id=sai("somebody else").id),
        made_by_us(id=made_by_us().id.replace(made_by_us().id[-12:], "0" * 12)),
        made_by_us(on=workspace_id("another").child("computes", "cpu1")),
    ],
    ids=["no description", "no run", "another's words", "renamed principal", "another name", "another workspace's"],
)
async def test_nothing_but_our_own_grants_for_this_workspace_is_touched(held: RoleAssignment) -> None:
    one = app(held=held)
    await one.run()
    assert one.azure.assignments == [held]
    assert one.azure.journal == []


async def test_what_a_rule_still_asks_for_stays() -> None:
    one = app(raw.compute("cpu1", C1), held=made_by_us())
    await one.run()
    assert one.azure.assignments == [made_by_us()]


async def test_nothing_is_taken_back_while_something_is_being_made() -> None:
    one = app(raw.compute("cpu2", provisioningState="Creating"), held=made_by_us())
    await one.run()
    assert one.azure.assignments == [made_by_us()]


async def test_an_identity_that_others_may_use_keeps_what_it_has() -> None:
    one = app(held=made_by_us(ID))
    one.azure.have(raw.resource(identity_id("uami"), {"principalId": ID.id}))
    await one.run()
    assert one.azure.assignments == [made_by_us(ID)]
    (row,) = one.audit.rows()
    assert (row["Outcome"], row["Guard"]) == ("Withheld", "shared-identity")


async def test_once_that_identity_is_gone_so_is_its_grant() -> None:
    one = app(held=made_by_us(ID))
    await one.run()
    assert one.azure.assignments == []


async def test_any_lock_keeps_it() -> None:
    one = app(held=made_by_us())
    one.azure.locks.append(
        {"id": f"{GROUP}/providers/Microsoft.Authorization/locks/l", "properties": {"level": "CanNotDelete"}}
    )
    await one.run()
    assert one.azure.assignments == [made_by_us()]
    (row,) = one.audit.rows()
    assert (row["Outcome"], row["Guard"]) == ("Withheld", "lock")


async def test_the_cap_counts_it() -> None:
    one = app(held=made_by_us(), caps=Caps(per_run=0))
    await one.run()
    assert one.azure.assignments == [made_by_us()]


def test_the_marks_are_read_as_they_are_written() -> None:
    for holder in (C1, ID, Principal(C1.id, "kubelet", CLUSTER)):
        one = made_by_us(holder)
        listed = {
            "id": one.id.upper().replace("/PROVIDERS/", "/providers/"),
            "properties": {
                "scope": str(one.scope).upper(),
                "principalId": one.principal_id.upper(),
                "roleDefinitionId": f"/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/{ACR_PULL}",
                "description": one.description,
            },
        }
        found = own_assignments.own(listed)
        assert found is not None
        assert (found.scope, found.on, found.shared) == (REGISTRY, ON, holder.resource)
