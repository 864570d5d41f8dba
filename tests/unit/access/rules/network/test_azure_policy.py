"""Which policy assignments forbid network security groups: definitions, sets, parameters, exclusions."""

from collections.abc import Mapping
from typing import Any

import pytest
from unit.build import GROUP, LOOKALIKE, MANAGEMENT_GROUP, SUBSCRIPTION, estate, workspace

from shared.access.model import Estate, Want
from shared.access.rules.network.azure_policy import ASSIGNMENTS, bans, definitions_wanted
from shared.access.scope import Scope

KIND = "Microsoft.Network/networkSecurityGroups"
ALLOWED = "/providers/Microsoft.Authorization/policyDefinitions/a08ec900-254a-4555-9bf5-e42af04b5c5c"
NOT_ALLOWED = "/providers/Microsoft.Authorization/policyDefinitions/6c112d4e-5bc7-47ae-a041-ea2d9dccd749"
OWN = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/policyDefinitions/own"
SET = f"{MANAGEMENT_GROUP}/providers/Microsoft.Authorization/policySetDefinitions/set"
IS_NSG = {"field": "type", "equals": KIND}
UNKNOWN = {"field": "tags['owner']", "exists": "false"}


def assigned(
    definition: str, *, scope: Scope = GROUP, mode: str = "Default", not_scopes: Any = (), **given: Any
) -> Any:
    values = {name: {"value": value} for name, value in given.items()}
    body = {
        "policyDefinitionId": definition,
        "scope": str(scope),
        "enforcementMode": mode,
        "notScopes": [str(one) for one in not_scopes],
        "parameters": values,
    }
    return {"name": "a", "properties": body}


def definition(condition: Any, effect: str = "Deny", **defaults: Any) -> Any:
    declared = {name: {"type": "Array", "defaultValue": value} for name, value in defaults.items()}
    return {"properties": {"parameters": declared, "policyRule": {"if": condition, "then": {"effect": effect}}}}


def seen(*assignments: Any, **definitions: Any) -> Estate:
    """`own` and `set` are what these ids name."""
    ids = {"own": OWN, "set": SET}
    facts: dict[Want, Any] = {Want(Scope.parse(ids[name])): raw for name, raw in definitions.items()}
    base = estate(workspace())
    return Estate(base.now, base.subject, facts={Want(GROUP, ASSIGNMENTS): assignments, **facts})


def verdict(found: Estate) -> bool | None:
    """Whether it is certain; None without a ban."""
    result = bans(KIND, GROUP, found)
    return result[0].certain if result else None


@pytest.mark.parametrize(
    ("assignment", "banned"),
    [
        (assigned(NOT_ALLOWED, listOfResourceTypesNotAllowed=[KIND.upper()]), True),
        (assigned(NOT_ALLOWED, listOfResourceTypesNotAllowed=["Microsoft.Sql/servers"]), None),
        (assigned(NOT_ALLOWED, listOfResourceTypesNotAllowed=[KIND], effect="Audit"), None),
        (assigned(ALLOWED, listOfResourceTypesAllowed=["Microsoft.Compute/disks"]), True),
        (assigned(ALLOWED, listOfResourceTypesAllowed=[KIND]), None),
        (assigned(ALLOWED), None),  # a parameter that nobody gave: unknown, for any type
        (assigned(NOT_ALLOWED, mode="DoNotEnforce", listOfResourceTypesNotAllowed=[KIND]), None),
        (assigned(NOT_ALLOWED, not_scopes=[GROUP], listOfResourceTypesNotAllowed=[KIND]), None),
        (assigned(NOT_ALLOWED, not_scopes=[SUBSCRIPTION], listOfResourceTypesNotAllowed=[KIND]), None),
        (assigned(NOT_ALLOWED, not_scopes=[LOOKALIKE], listOfResourceTypesNotAllowed=[KIND]), True),
        (assigned(NOT_ALLOWED, scope=MANAGEMENT_GROUP, listOfResourceTypesNotAllowed=[KIND]), True),
        (
            assigned(
                NOT_ALLOWED, scope=GROUP.child("providers", "a.b", "c", "d"), listOfResourceTypesNotAllowed=[KIND]
            ),
            None,
        ),
        (assigned("/providers/Microsoft.Authorization/policyDefinitions/another"), None),
        (assigned("no id"), None),
        ({}, None),
    ],
)
def test_assignments(assignment: Any, banned: bool | None) -> None:
    assert verdict(seen(assignment)) is banned


@pytest.mark.parametrize(
    ("condition", "banned"),
    [
        (IS_NSG, True),
        ({"field": "TYPE", "Equals": KIND.lower()}, True),
        ({"field": "type", "in": ["a/b", KIND]}, True),
        ({"field": "type", "like": "Microsoft.Network/*"}, True),
        ({"field": "type", "notLike": "Microsoft.Network/*"}, None),
        ({"not": IS_NSG}, None),
        ({"not": {"field": "type", "notEquals": KIND}}, True),
        ({"allOf": [IS_NSG, UNKNOWN]}, False),
        ({"allOf": [IS_NSG, {"not": IS_NSG}]}, None),
        ({"anyOf": [IS_NSG, UNKNOWN]}, True),
        ({"anyOf": [UNKNOWN, {"field": "type", "equals": "a/b"}]}, None),  # it may deny anything: not about these
        ({"allOf": []}, True),
        (UNKNOWN, None),
        ({"field": "type", "containsKey": "x"}, None),
        ({"value": "[field('type')]", "equals": KIND}, None),
        (None, None),
        ([], None),
    ],
)
def test_conditions(condition: Any, banned: bool | None) -> None:
    assert verdict(seen(assigned(OWN), own=definition(condition))) is banned


def test_parameters_come_from_the_assignment_or_the_default() -> None:
    own = definition({"field": "type", "in": "[parameters('Types')]"}, types=[KIND])
    assert verdict(seen(assigned(OWN), own=own)) is True
    assert verdict(seen(assigned(OWN, types=["a/b"]), own=own)) is None


@pytest.mark.parametrize("effect", ["audit", "disabled", "modify", "[parameters('none')]", None])
def test_only_deny_forbids(effect: Any) -> None:
    assert verdict(seen(assigned(OWN), own=definition(IS_NSG, effect))) is None


def policy_set(*members: Mapping[str, Any]) -> Any:
    declared = {"banned": {"defaultValue": ["a/b"]}}
    return {"properties": {"parameters": declared, "policyDefinitions": list(members)}}


def test_a_set_hands_its_parameters_down() -> None:
    given = {"listOfResourceTypesNotAllowed": {"value": "[parameters('banned')]"}}
    found = policy_set({"policyDefinitionId": NOT_ALLOWED, "parameters": given})
    assert verdict(seen(assigned(SET, banned=[KIND]), set=found)) is True
    assert verdict(seen(assigned(SET), set=found)) is None


def test_only_custom_definitions_are_read_and_sets_before_their_members() -> None:
    found = policy_set({"policyDefinitionId": OWN}, {"policyDefinitionId": NOT_ALLOWED}, {"policyDefinitionId": SET})
    both = assigned(SET), assigned(NOT_ALLOWED)
    assert set(definitions_wanted(GROUP, seen(*both))) == {Want(Scope.parse(SET))}
    assert set(definitions_wanted(GROUP, seen(*both, set=found))) == {Want(Scope.parse(SET)), Want(Scope.parse(OWN))}
    assert verdict(seen(*both, set=found, own=definition(IS_NSG))) is True
