"""Deny assignments: enforced on callers, and listed as Azure PowerShell recorded it (version 2018-07-01-preview)."""

from typing import Any

import pytest
from emulator_units.arm_calls import OPERATOR, OWNER, REGISTRY, RG, SUB, Azure, caller, held, principal, resource

ME, OTHER, APP, GROUP = principal(0xA001), principal(0xA005), principal(0xA002), principal(0xA003)
TAGS = {"tags": {"a": "b"}}
PULL = f"{REGISTRY}?api-version=2025-11-01"
EVERYONE = [
    {"id": "0" * 32, "type": "Everyone"},
    {"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"},
]


def named(who: str, kind: str = "User") -> dict[str, str]:
    return {"id": who.replace("-", "").upper(), "type": kind}


def deny(
    name: str, scope: str, *principals: dict[str, str], excluded: tuple[dict[str, str], ...] = (), **more: Any
) -> dict[str, Any]:
    return {
        "id": f"{scope}/providers/Microsoft.Authorization/denyAssignments/{principal(sum(map(ord, name)))}",
        "properties": {
            "denyAssignmentName": name,
            "permissions": [{"actions": ["*"], "notActions": ["*/read"], "dataActions": [], "notDataActions": []}],
            "scope": scope,
            "doNotApplyToChildScopes": False,
            "principals": list(principals),
            "excludePrincipals": list(excluded),
            **more,
        },
    }


def azure(*denies: dict[str, Any]) -> Azure:
    return Azure(
        {
            "resources": [resource(REGISTRY)],
            "roleAssignments": [held(SUB, OWNER, one) for one in (ME, OTHER, APP)],
            "denyAssignments": list(denies),
            "groups": {GROUP: [ME]},
        }
    )


@pytest.mark.parametrize("everyone", EVERYONE, ids=["recorded", "documented"])
@pytest.mark.parametrize(("excluded", "allowed"), [(ME, True), (GROUP, True), (OTHER, False)])
def test_everyone_but_the_excluded(everyone: dict[str, str], excluded: str, allowed: bool) -> None:
    one = azure(deny("D_3", RG, everyone, excluded=(named(excluded),)))
    if allowed:
        assert one.ask("PATCH", PULL, TAGS, caller=caller(ME)).status in (200, 201)
        return
    refusal = one.refusal("PATCH", PULL, TAGS, caller=caller(ME))
    assert (refusal.status, refusal.code) == (403, "DenyAssignmentAuthorizationFailed")
    assert one.ask("GET", PULL, caller=caller(ME)).status == 200


@pytest.mark.parametrize(
    ("one", "denied"),
    [
        (deny("by name", RG, named(ME)), True),
        (deny("by group", RG, named(GROUP, "Group")), True),
        (deny("at the resource", REGISTRY, named(ME), doNotApplyToChildScopes=True), True),
        (deny("at the group only", RG, named(ME), doNotApplyToChildScopes=True), False),
        (deny("below", f"{REGISTRY}/webhooks/w", named(ME)), False),
        (deny("another", RG, named(OTHER)), False),
        (deny("audit", RG, named(ME), denyAssignmentEffect="audit"), False),
        (deny("under a condition", RG, named(ME), condition="!(ActionMatches{'*/registries/write'})"), False),
    ],
    ids=lambda one: one["properties"]["denyAssignmentName"] if isinstance(one, dict) else "",
)
def test_whom_and_where(one: dict[str, Any], denied: bool) -> None:
    world = azure(one)
    if denied:
        refusal = world.refusal("PATCH", PULL, TAGS, caller=caller(ME))
        assert refusal.code == "DenyAssignmentAuthorizationFailed"
        assert one["properties"]["denyAssignmentName"] in refusal.message
    else:
        assert world.ask("PATCH", PULL, TAGS, caller=caller(ME)).status in (200, 201)


@pytest.fixture
def recorded() -> Azure:
    """The recorded subscription in small: the names are Azure PowerShell's."""
    return azure(
        deny("D_G", SUB, named(GROUP, "Group")),
        deny("D_3", RG, EVERYONE[0], excluded=(named(ME),)),
        deny("D_1", RG, named(ME), named(APP, "ServicePrincipal")),
        deny("D_2", REGISTRY, named(ME), named(APP, "ServicePrincipal")),
        deny("Foo", f"{SUB}/resourceGroups/foo", named(principal(0xA004), "Group"), excluded=(named(OTHER),)),
    )


@pytest.mark.parametrize(
    ("scope", "filter_", "names"),
    [
        (SUB, "", ["D_G", "D_3", "D_1", "D_2", "Foo"]),
        (SUB, f"assignedTo('{ME}')", ["D_G", "D_1", "D_2"]),
        (SUB, f"principalId eq '{ME}'", ["D_1", "D_2"]),
        (RG, f"principalId eq '{APP.replace('-', '')}'", ["D_1", "D_2"]),
        (RG, "denyAssignmentName eq 'D_3'", ["D_3"]),
        (RG, "", ["D_G", "D_3", "D_1", "D_2"]),
        (RG, "atScope()", ["D_G", "D_3", "D_1"]),
        (RG, f"atScope() and assignedTo('{ME}')", ["D_G", "D_1"]),
        (REGISTRY, "", ["D_G", "D_3", "D_1", "D_2"]),
    ],
)
@pytest.mark.parametrize("version", ["2018-07-01-preview", "2022-04-01"])
def test_lists(recorded: Azure, scope: str, filter_: str, names: list[str], version: str) -> None:
    query = f"api-version={version}" + (f"&$filter={filter_}" if filter_ else "")
    answer = recorded.ask("GET", f"{scope}/providers/Microsoft.Authorization/denyAssignments?{query}")
    assert [one["properties"]["denyAssignmentName"] for one in answer.body["value"]] == names


@pytest.mark.parametrize("filter_", ["name eq 'D_3'", f"principalId ne '{ME}'", f"assignedTo eq '{ME}'", "below()"])
def test_unknown_filters_are_refused(recorded: Azure, filter_: str) -> None:
    target = f"{SUB}/providers/Microsoft.Authorization/denyAssignments?api-version=2022-04-01&$filter={filter_}"
    assert recorded.refusal("GET", target).status == 400


def test_only_deny_assignments_have_such_a_name(recorded: Azure) -> None:
    url = f"{SUB}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01"
    assert recorded.refusal("GET", f"{url}&$filter=denyAssignmentName eq 'D_3'", caller=OPERATOR).status == 400
