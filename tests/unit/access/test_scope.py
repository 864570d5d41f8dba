"""Scopes: what is an ARM id, what contains what, and what part of it is what."""

import re

import pytest

from shared.access.scope import MAX_LENGTH, InvalidScopeError, Scope, fold, is_odd

SUB = "/subscriptions/11111111-1111-4111-8111-111111111111"
RG = f"{SUB}/resourceGroups/rg"
ACR = f"{RG}/providers/Microsoft.ContainerRegistry/registries/acrml"
WS = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
COMPUTE = f"{WS}/computes/cpu1"
ASSIGNED_TO_WS = f"{WS}/providers/Microsoft.Authorization/roleAssignments/a1"
MG = "/providers/Microsoft.Management/managementGroups/research"


@pytest.mark.parametrize("text", ["/", MG, SUB, RG, ACR, WS, COMPUTE, ASSIGNED_TO_WS, f"{RG}/", f"{RG}-Ünïcode_(1).x"])
def test_an_arm_id_is_read(text: str) -> None:
    assert str(Scope.parse(text)) == (text.rstrip("/") or "/")


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        b"/subscriptions/s",
        "",
        "subscriptions/s",
        "//subscriptions/s",
        "/subscriptions",
        "/subscriptions//resourceGroups/rg",
        f"{SUB}/resourceGroups",
        f"{SUB}/resourceGroups/",
        f"{SUB}/whatever/x",
        f"{RG}/workspaces/mlw",
        f"{RG}/providers/Microsoft.ContainerRegistry",
        f"{RG}/providers/Microsoft.ContainerRegistry/registries",
        f"{ACR}/pipelines",
        f"{RG}/../rg-prod",
        f"{RG}/providers/../providers/Microsoft.ContainerRegistry/registries/acrml",
        f"{RG}/./x",
        f"{ACR}/%2e%2e/x",
        f"{ACR}*",
        f"{SUB}/resourceGroups/*",
        f"{ACR}?api-version=1",
        f"{ACR}#x",
        f"{SUB}\\resourceGroups\\rg",
        f"{ACR}' or 1 eq 1",
        f'{ACR}"',
        f"{ACR} | where true",
        f"{ACR}\n",
        f"{ACR}\x00",
        f"{ACR};drop",
        f"{ACR}\u200b",
        f"{ACR}\u202e",
        f"{ACR}\x85",
        f"{ACR}\u2028",
        f"{ACR}\ud800",
        f"{ACR}\u00b2",
        f"{RG}\uff0fproviders",
        f"{RG}\u2215x",
        "/" * 10,
        f"{RG}/providers/Microsoft.ContainerRegistry/registries/{'a' * MAX_LENGTH}",
        f"{SUB}/whatever/x/providers/y",
        f"{RG}/whatever/x/workspaces/mlw",
        f"{ACR}/providers/Microsoft.Authorization",
        f"{COMPUTE}/providers/Microsoft.Authorization",
        f"{COMPUTE}/providers/Microsoft.Authorization/roleAssignments",
        f"{SUB}/resourceGroups/r\u200bg/providers/Microsoft.ContainerRegistry/registries/acrml",
    ],
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(InvalidScopeError):
        Scope.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (7, "an ARM id is text"),
        ("/" * MAX_LENGTH + "/", "at most 2048 characters"),
        ("subscriptions/s", "starts with /"),
        (f"{RG}/../x", "no empty or relative segment"),
        ("/subscriptions", "pairs types with names"),
        (f"{SUB}/whatever/x", "goes on with /providers/"),
        (f"{ACR}/pipelines", "a provider's part of an ARM id pairs types with names"),
        (f"{RG}/providers/Microsoft.X*/y/z", "the name of a provider or type"),
    ],
)
def test_a_refusal_says_what_is_wrong(text: object, why: str) -> None:
    """People read it who have written the policy or a command."""
    with pytest.raises(InvalidScopeError, match=re.escape(why)):
        Scope.parse(text)


@pytest.mark.parametrize("text", [f"{WS}/computes/providers", f"{SUB}/resourceGroups/providers"])
def test_a_resource_may_be_called_like_a_part_of_an_id(text: str) -> None:
    assert Scope.parse(text).name == "providers"
    assert Scope.parse(text).resource_type.rpartition("/")[2] in ("computes", "resourcegroups")


def test_a_refusal_quotes_nothing_of_what_was_sent() -> None:
    with pytest.raises(InvalidScopeError) as refusal:
        Scope.parse("/subscriptions/jane.doe@example.com/../x")
    assert "jane" not in str(refusal.value)


@pytest.mark.parametrize(
    ("outer", "inner", "contains"),
    [
        ("/", ACR, True),
        (SUB, RG, True),
        (SUB, ACR, True),
        (RG, ACR, True),
        (RG, RG, True),
        (WS, COMPUTE, True),
        (WS, ASSIGNED_TO_WS, True),
        (RG.upper().replace("RG", "rg"), ACR, True),
        (RG, ACR.replace("resourceGroups", "resourcegroups"), True),
        (RG, f"{RG}-prod", False),
        (RG, f"{RG}-prod/providers/Microsoft.ContainerRegistry/registries/acrml", False),
        (f"{RG}-prod", ACR, False),
        (ACR, RG, False),
        (COMPUTE, WS, False),
        (ACR, f"{ACR}2", False),
        (MG, SUB, False),  # by its path; permissions.applies_at knows better
    ],
)
def test_containment_goes_segment_by_segment(outer: str, inner: str, contains: bool) -> None:
    assert Scope.parse(outer).contains(Scope.parse(inner)) is contains


def test_the_spelling_does_not_matter_and_is_kept() -> None:
    shouted = Scope.parse(ACR.upper().replace("/SUBSCRIPTIONS", "/subscriptions"))
    assert shouted == Scope.parse(ACR)
    assert hash(shouted) == hash(Scope.parse(ACR))
    assert shouted.key == Scope.parse(ACR).key
    assert shouted.name == "ACRML"


@pytest.mark.parametrize(
    ("one", "other"), [("straße", "strasse"), ("\u212ael", "kel"), ("\u017ftore", "store"), ("\u0130x", "i\u0307x")]
)
def test_names_that_only_look_alike_when_folded_are_different(one: str, other: str) -> None:
    # Resource groups may hold any letter, and the trust boundary is a resource group.
    assert Scope.parse(f"{SUB}/resourceGroups/{one}") != Scope.parse(f"{SUB}/resourceGroups/{other}")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/", ""),
        (SUB, "microsoft.resources/subscriptions"),
        (RG, "microsoft.resources/subscriptions/resourcegroups"),
        (f"{SUB}/resourceGroups/providers", "microsoft.resources/subscriptions/resourcegroups"),
        (ACR, "microsoft.containerregistry/registries"),
        (COMPUTE, "microsoft.machinelearningservices/workspaces/computes"),
        (ASSIGNED_TO_WS, "microsoft.authorization/roleassignments"),
        (MG, "microsoft.management/managementgroups"),
    ],
)
def test_resource_type(text: str, kind: str) -> None:
    assert Scope.parse(text).resource_type == kind


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        (COMPUTE, WS),
        (ASSIGNED_TO_WS, WS),
        (f"{RG}/providers/Microsoft.Authorization/locks/l", RG),
        (f"{SUB}/providers/Microsoft.Authorization/locks/l", SUB),
        (f"{ACR}/providers/Microsoft.Authorization/locks/l", ACR),
        ("/providers/Microsoft.Authorization/roleAssignments/a", "/"),
        (f"{MG}/providers/Microsoft.Authorization/roleAssignments/a", MG),
        (RG, SUB),
        (SUB, "/"),
        (MG, "/"),
        ("/", "/"),
    ],
)
def test_parent(text: str, parent: str) -> None:
    assert Scope.parse(text).parent == Scope.parse(parent)


def test_the_parts_of_an_id() -> None:
    compute = Scope.parse(COMPUTE)
    assert str(compute.subscription) == SUB
    assert str(compute.resource_group) == RG
    assert str(compute.ancestor("microsoft.machinelearningservices/workspaces")) == WS
    assert compute.ancestor("microsoft.containerregistry/registries") is None
    assert str(Scope.parse(WS).child("computes", "cpu1")) == COMPUTE


def test_what_lies_in_no_subscription_has_none_and_no_resource_group() -> None:
    for text in ("/", MG, "/providers/resourceGroups/resourceGroups/x"):
        assert Scope.parse(text).subscription is None
        assert Scope.parse(text).resource_group is None
    assert Scope.parse(SUB).resource_group is None


def test_a_child_keeps_every_letter_of_what_it_lies_in() -> None:
    for text in ("/", f"{SUB}/resourceGroups/MAXX", f"{SUB}/resourceGroups/max/"):
        child = Scope.parse(text).child("providers", "Microsoft.ContainerRegistry", "registries", "acrml")
        assert str(child) == f"{text.rstrip('/')}/providers/Microsoft.ContainerRegistry/registries/acrml"
        assert child.name == "acrml"


@pytest.mark.parametrize("more", [0, 1])
def test_an_id_has_a_greatest_length(more: int) -> None:
    text = RG + "/providers/A.b"
    while len(text) < MAX_LENGTH - 100:
        text += f"/t/{'n' * 80}"
    text += f"/t/{'n' * (MAX_LENGTH - len(text) - 3)}"
    assert len(text) == MAX_LENGTH
    if more:
        with pytest.raises(InvalidScopeError):
            Scope.parse(f"{text}n")
    else:
        assert str(Scope.parse(text)) == text


@pytest.mark.parametrize(
    ("name", "folded"),
    [("ÜBER-Ø", "über-ø"), ("Straße", "straße"), ("\u212aEL", "\u212ael"), ("\u0130X", "\u0130x"), ("Rg-1", "rg-1")],
)
def test_names_are_folded_letter_by_letter(name: str, folded: str) -> None:
    assert fold(name) == folded
    assert Scope.parse(f"{SUB}/resourceGroups/{name}") == Scope.parse(f"{SUB}/resourceGroups/{folded}")


@pytest.mark.parametrize(
    ("text", "odd"),
    [
        (f"{RG}/providers/microsoft.insights/components/an\u200bodd name", True),
        (f"{RG}/providers/microsoft.insights/an\u200bodd kind/name", True),
        (ACR, False),
        (f"{RG}/..", False),
        ("no id", False),
        (f"{SUB}/resourceGroups/.", False),
        (f"{SUB}/resourceGroups/..", False),
        ("", False),
        (None, False),
    ],
)
def test_an_odd_name_is_not_a_wrong_form(text: object, odd: bool) -> None:
    assert is_odd(text) is odd


def test_management_groups_are_known() -> None:
    assert Scope.parse(MG.upper()).is_management_group
    assert not Scope.parse(SUB).is_management_group
    assert not Scope.parse(f"{SUB}/resourceGroups/research").is_management_group
    assert not Scope.parse(f"{MG}/providers/Microsoft.Authorization/roleAssignments/a").is_management_group
    assert Scope.parse("/").is_root
    assert not Scope.parse("/").resource_type
