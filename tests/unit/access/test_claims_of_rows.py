"""A row is a claim: what amlguard would not have written leads to nothing, before any guard is asked."""

from typing import Any

import pytest
from unit.build import GROUP, REGISTRY, ROLES, STORAGE, SUBSCRIPTION, VAULT, WORKSPACE, guid, sai, terms

from shared.access.own_assignments import assignment_name, description
from shared.access.scope import Scope
from shared.access.undo_steps import Done, past, step

C1 = sai("cpu1")
PULL = ROLES["AcrPull"].role_id
_COMMON = {"RunId": guid("run"), "ActionId": guid("action"), "RuleId": "r", "Outcome": "Applied", "Reason": "why"}


def _removal(role: str = PULL, scope: Scope = REGISTRY, *, name: str = "", principal: str = C1.id) -> dict[str, Any]:
    name = name or assignment_name(scope, principal, role)
    return _COMMON | {
        "Action": "Removal",
        "ResourceId": str(WORKSPACE),
        "PrincipalId": principal,
        "RoleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
        "RoleAssignmentId": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "Scope": str(scope),
    }


def _setting(on: Scope, name: str, before: str, after: str, **more: Any) -> dict[str, Any]:
    said = {"Action": "Setting", "ResourceId": str(on), "Property": name, "From": before, "To": after}
    return _COMMON | said | {"PrincipalId": ""} | more


RIGHT = {
    "a removal": _removal(),
    "a switch-off": _setting(REGISTRY, "adminUserEnabled", "true", "false"),
    "a resync": _setting(WORKSPACE, "cachedKeys", "cached", "resynced"),
    "an access policy": _setting(
        VAULT, "accessPolicies", "absent", "present", PrincipalId=C1.id, AddedPermissions=["secrets/get"]
    ),
}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another name": (_removal(name=guid("x")), "is not named as amlguard names its own"),
    "another holder's name": (_removal() | {"PrincipalId": guid("x")}, "is not named as"),
    "a privileged role": (_removal(ROLES["Owner"].role_id), "no rule and no policy gives role"),
    "a role of another kind of resource": (_removal(scope=STORAGE), "no rule and no policy gives role"),
    "a role at a group": (_removal(scope=GROUP), "no rule and no policy gives role"),
    "a role at a subscription": (_removal(scope=SUBSCRIPTION), "no rule and no policy gives role"),
    "an assignment of another scope": (_removal() | {"Scope": str(STORAGE)}, "is not a role assignment at"),
    "an admin user of a vault": (_setting(VAULT, "adminUserEnabled", "true", "false"), "has no adminUserEnabled"),
    "keys of a registry": (_setting(REGISTRY, "cachedKeys", "cached", "resynced"), "has no cachedKeys"),
    "an admin user that went on": (_setting(REGISTRY, "adminUserEnabled", "false", "true"), "turns admin users off"),
    "an admin user that stayed": (_setting(REGISTRY, "adminUserEnabled", "true", "true"), "turns admin users off"),
    "a permission that amlguard never gives": (
        RIGHT["an access policy"] | {"AddedPermissions": ["secrets/get", "secrets/purge"]},
        "adds no such permission",
    ),
    "an access policy that got nothing": (
        RIGHT["an access policy"] | {"AddedPermissions": []},
        "does not say which permissions",
    ),
    "requirements that are no list": (_removal() | {"Requirements": {"a": 1}}, "a list is expected"),
    "an access policy of nobody": (RIGHT["an access policy"] | {"PrincipalId": ""}, "whose access policy"),
    "an action id that is none": (_removal() | {"ActionId": "x"}, "badly formed"),
    "a run id that is none": (_removal() | {"RunId": "x"}, "badly formed"),
}


@pytest.mark.parametrize("row", RIGHT.values(), ids=RIGHT)
def test_what_amlguard_writes_is_taken_back(row: dict[str, Any]) -> None:
    known = past([row], terms())
    assert (len(known.done), known.refused) == (1, ())


@pytest.mark.parametrize(("row", "why"), WRONG.values(), ids=WRONG)
def test_what_it_would_not_have_written_is_refused_with_the_reason(row: dict[str, Any], why: str) -> None:
    known = past([row], terms())
    assert known.done == ()
    (said,) = known.refused
    assert why in said


def test_an_assignment_that_azure_shows_under_another_id_is_not_the_one() -> None:
    (done,) = past([_removal() | {"Action": "Grant"}], terms()).done
    shown = {
        "id": _removal()["RoleAssignmentId"],
        "properties": {
            "scope": str(REGISTRY),
            "principalId": C1.id,
            "roleDefinitionId": f"/x/{PULL}",
            "description": description("r", (), guid("run"), WORKSPACE, None),
        },
    }
    assert step(done, shown).action is not None
    elsewhere = Done(**{name: getattr(done, name) for name in Done.__slots__} | {"assignment": STORAGE.child("a", "b")})
    assert step(elsewhere, shown).action is None
