"""The condition language: what is fulfilled, and that nothing else is."""

import json
from pathlib import Path

import pytest
from emulator_units.arm_calls import ACR_PULL, OWNER

from emulator.identity.conditions import Attributes, Conditions

INFRA = Path(__file__).parents[2] / "infra"
DEFAULT = json.loads((INFRA / "generated" / "derived.json").read_text("utf-8"))["condition"]
WRITE = "Microsoft.Authorization/roleAssignments/write"
DELETE = "Microsoft.Authorization/roleAssignments/delete"
PREFIX = "microsoft.authorization/roleassignments:"
ROLE = "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId]"
TYPE = "@Request[Microsoft.Authorization/roleAssignments:PrincipalType]"


def about(role: str, kind: str = "ServicePrincipal") -> dict[str, list[str]]:
    return {f"{PREFIX}roledefinitionid": [role], f"{PREFIX}principaltype": [kind]}


def fulfilled(condition: str, action: str, attributes: Attributes) -> bool:
    return Conditions().fulfilled(condition, action, attributes)


@pytest.mark.parametrize(
    ("action", "attributes", "expected"),
    [
        (WRITE, Attributes(request=about(ACR_PULL)), True),
        (WRITE, Attributes(request=about(ACR_PULL.upper(), "serviceprincipal")), True),
        (WRITE, Attributes(request=about(OWNER)), False),
        (WRITE, Attributes(request=about(ACR_PULL, "User")), False),
        (WRITE, Attributes(resource=about(ACR_PULL)), False),
        (WRITE, Attributes(), False),
        (DELETE, Attributes(resource=about(ACR_PULL)), True),
        (DELETE, Attributes(resource=about(OWNER)), False),
        (DELETE, Attributes(request=about(ACR_PULL)), False),
        ("Microsoft.Storage/storageAccounts/read", Attributes(), True),
    ],
)
def test_constrained_delegation(action: str, attributes: Attributes, *, expected: bool) -> None:
    assert fulfilled(DEFAULT, action, attributes) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (f"{ROLE} ForAnyOfAllValues:GuidNotEquals {{{OWNER}}}", True),
        (f"{ROLE} ForAnyOfAllValues:GuidNotEquals {{{OWNER}, {ACR_PULL}}}", False),
        (f"{ROLE} GuidEquals '{ACR_PULL}'", True),
        (f"{TYPE} StringEquals 'ServicePrincipal'", True),
        (f"{TYPE} StringEquals 'serviceprincipal'", False),
        (f"{TYPE} StringEqualsIgnoreCase 'serviceprincipal'", True),
        (f"{TYPE} StringLike 'Service*'", True),
        (f"! ({TYPE} StringEquals 'ServicePrincipal')", False),
        (f"{TYPE} StringEquals 'x' or {ROLE} GuidEquals {ACR_PULL} and {TYPE} StringEquals 'ServicePrincipal'", True),
        (f"Exists {TYPE}", True),
        ("NOT Exists @Resource[a/b:c]", True),
        ("@Resource[a/b:c] StringEquals 'x'", False),
        ("ActionMatches{'Microsoft.Authorization/*'}", True),
        (f"{TYPE} NumericLessThan 3", False),
        (f"NOT ({TYPE} NumericLessThan 3)", False),
        ("nonsense (", False),
        (f"{TYPE} StringEquals 'ServicePrincipal' AND", False),
    ],
)
def test_language(condition: str, *, expected: bool) -> None:
    assert fulfilled(condition, WRITE, Attributes(request=about(ACR_PULL))) is expected
