"""A row is a claim: undo makes and changes only what a plan's guards would allow now."""

from collections.abc import Mapping
from typing import Any

import pytest
import raw
from app import App, app
from reliability.host import undo
from unit.build import FOREIGN, GROUP, LOOKALIKE, REGISTRY, ROLES, SUBSCRIPTION, WORKSPACE, guid, registry_id, sai

from shared.access.own_assignments import assignment_name
from shared.access.scope import Scope

C1, STRANGER = sai("c1"), guid("stranger")
RUN = guid("some run")
ABROAD = registry_id("abroad", FOREIGN)
NEARBY = registry_id("nearby", LOOKALIKE)


def _app(**policy: Any) -> App:
    """The registries of two other groups are none of this workspace's."""
    one = app(
        raw.compute("c1", C1), raw.registry(ABROAD, admin_user=False), raw.registry(NEARBY, admin_user=False), **policy
    )
    one.azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = False
    one.azure.logged = True
    return one


def _claim(one: App, **columns: Any) -> None:
    """A row that somebody who may write to the log has put there."""
    row = {
        "TimeGenerated": "2026-11-28T00:00:00Z",
        "RunId": RUN,
        "ActionId": guid("some action"),
        "Requirements": [],
        "ResourceId": str(WORKSPACE),
        "Outcome": "Applied",
        "Reason": "x",
    }
    one.azure.journal.append(("AmlGuardRemediation_CL", row | columns))


def _removed(principal: str, role: str, scope: Scope, name: str = "") -> Mapping[str, Any]:
    role_id = ROLES[role].role_id
    name = name or assignment_name(scope, principal, role_id)
    return {
        "Action": "Removal",
        "RuleId": "own-grants",
        "PrincipalId": principal,
        "RoleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role_id}",
        "RoleAssignmentId": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "Scope": str(scope),
    }


def _switched_off(registry: Scope) -> Mapping[str, Any]:
    return {
        "Action": "Setting",
        "RuleId": "registry-admin-user",
        "ResourceId": str(registry),
        "Property": "adminUserEnabled",
        "From": "true",
        "To": "false",
        "Scope": str(registry),
        "PrincipalId": "",
    }


def _held(one: App, principal: str) -> list[tuple[str, str]]:
    return [
        (one.azure.roles[a.role_id].name, a.scope.name) for a in one.azure.assignments if a.principal_id == principal
    ]


async def test_what_a_run_may_have_removed_comes_again() -> None:
    """So that the rows below are refused for what they ask for, and not for a column."""
    one = _app()
    _claim(one, **_removed(C1.id, "AcrPull", REGISTRY))
    await undo(one, RUN)
    assert _held(one, C1.id) == [("AcrPull", REGISTRY.name)]


async def test_an_admin_user_that_a_run_may_have_turned_off_comes_again() -> None:
    one = _app()
    _claim(one, **_switched_off(REGISTRY))
    await undo(one, RUN)
    assert one.azure.admin_user(REGISTRY)


@pytest.mark.parametrize(
    ("role", "scope", "name"),
    [
        ("Owner", SUBSCRIPTION, guid("x")),
        ("Owner", SUBSCRIPTION, ""),
        ("Contributor", GROUP, ""),
        ("AcrPull", GROUP, ""),
    ],
)
async def test_no_row_makes_what_no_rule_gives(role: str, scope: Scope, name: str) -> None:
    """undo_grants_what_a_row_says.py: no guard looked at what a row 'Removal, Applied' names."""
    one = _app()
    _claim(one, **_removed(STRANGER, role, scope, name))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


_UNGUARDED = pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="undo_grants_what_a_row_says.py: a role that some rule gives is made wherever the row says",
)


@_UNGUARDED
@pytest.mark.parametrize("registry", [ABROAD, NEARBY], ids=["abroad", "nearby"])
async def test_no_row_makes_a_grant_beyond_the_boundary(registry: Scope) -> None:
    one = _app()
    _claim(one, **_removed(STRANGER, "AcrPull", registry))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


@_UNGUARDED
async def test_no_row_makes_a_grant_where_the_policy_does_not_look() -> None:
    one = _app(scopes=(LOOKALIKE,))
    _claim(one, **_removed(STRANGER, "AcrPull", REGISTRY))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


@_UNGUARDED
async def test_no_row_makes_a_grant_where_people_turned_amlguard_off() -> None:
    one = _app()
    one.azure.group_tags[GROUP] = {"amlguard": "off"}
    _claim(one, **_removed(STRANGER, "AcrPull", REGISTRY))
    await undo(one, RUN)
    assert _held(one, STRANGER) == []


@_UNGUARDED
@pytest.mark.parametrize("registry", [ABROAD, NEARBY], ids=["abroad", "nearby"])
async def test_no_row_turns_on_the_admin_user_of_any_registry(registry: Scope) -> None:
    one = _app()
    _claim(one, **_switched_off(registry))
    await undo(one, RUN)
    assert not one.azure.admin_user(registry)
