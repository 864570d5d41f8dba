"""Scopes contain what lies below them, segment by segment."""

from typing import Any

import pytest
from emulator_units.arm_calls import REGISTRY, RG, SUB, WORKSPACE
from hypothesis import given
from hypothesis import strategies as st

from emulator.ids import Hierarchy, ResourcePath

TENANT = "11111111-1111-1111-1111-111111111111"
GROUPS: list[dict[str, Any]] = [
    {"name": "platform"},
    {"name": "ml", "parent": "/providers/Microsoft.Management/managementGroups/platform", "subscriptions": [SUB[15:]]},
]


def group(name: str) -> str:
    return f"/providers/Microsoft.Management/managementGroups/{name}"


@pytest.mark.parametrize("outer", ["/", group(TENANT), group("platform"), group("ML"), SUB, SUB.upper(), RG, REGISTRY])
def test_everything_above_contains_a_resource(outer: str) -> None:
    assert Hierarchy(TENANT, GROUPS).contains(outer, REGISTRY)


@pytest.mark.parametrize("outer", [f"{RG}-prod", RG[:-1], f"{REGISTRY}2", WORKSPACE, group("other"), f"{REGISTRY}/x/y"])
def test_neighbours_and_children_do_not(outer: str) -> None:
    assert not Hierarchy(TENANT, GROUPS).contains(outer, REGISTRY)


def test_a_subscription_outside_every_group_is_in_the_root_group() -> None:
    hierarchy = Hierarchy(TENANT, GROUPS)
    assert hierarchy.contains(group(TENANT), "/subscriptions/other")
    assert not hierarchy.contains(group("platform"), "/subscriptions/other")


def test_groups_that_contain_each_other_end() -> None:
    circle: list[dict[str, Any]] = [{"name": "a", "parent": "b", "subscriptions": ["s"]}, {"name": "b", "parent": "a"}]
    assert Hierarchy(TENANT, circle).lineage("/subscriptions/s")[-1] == "/"


names = st.text("abcXYZ019-", min_size=1, max_size=8)


@given(st.lists(names, min_size=1, max_size=4), names)
def test_laws_of_containment(rest: list[str], more: str) -> None:
    hierarchy = Hierarchy(TENANT, GROUPS)
    scope = "/".join((RG, *rest))
    assert hierarchy.contains(scope, f"{scope}/{more}")
    assert hierarchy.contains(scope.upper(), scope.lower())
    assert not hierarchy.contains(scope, scope + more)


@pytest.mark.parametrize(
    ("text", "kind", "name", "extends", "collection"),
    [
        (SUB, "Microsoft.Resources/subscriptions", SUB[15:], "/", False),
        (f"{SUB}/resourceGroups", "Microsoft.Resources/subscriptions/resourceGroups", SUB[15:], "/", True),
        (REGISTRY, "Microsoft.ContainerRegistry/registries", "regml", RG, False),
        (
            f"{WORKSPACE}/computes/cpu",
            "Microsoft.MachineLearningServices/workspaces/computes",
            "cpu",
            RG,
            False,
        ),
        (
            f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments",
            "Microsoft.Authorization/roleAssignments",
            "",
            REGISTRY,
            True,
        ),
        (
            "/providers/Microsoft.Authorization/roleAssignments/x",
            "Microsoft.Authorization/roleAssignments",
            "x",
            "/",
            False,
        ),
    ],
)
def test_paths(text: str, kind: str, name: str, extends: str, *, collection: bool) -> None:
    path = ResourcePath.parse(text)
    assert (path.type, path.name, path.extends, path.is_collection) == (kind, name, extends, collection)


@pytest.mark.parametrize("text", ["", "/", "//", f"{RG}//x"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty segment|no resource type"):
        ResourcePath.parse(text)
