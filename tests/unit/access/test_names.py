"""Names by type of resource: learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules."""

import string

import pytest

from shared.access import ids
from shared.access.names import GROUP, complaint, is_safe
from shared.access.raw import scope_or_none
from shared.access.scope import InvalidScopeError, Scope, is_odd

SUB = "/subscriptions/11111111-1111-4111-8111-111111111111"
RG = f"{SUB}/resourceGroups/rg"
COMPONENT = "microsoft.insights/components"
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
# "Can't use: %&\?/"
COMPONENTS_MAY = "".join(one for one in PRINTABLE if one not in "%&\\?/")
UNSEEN = (
    "\u200b\u200e\u202e\u2066\ufeff\u2028\u2029\u00a0\u3000\u3164\u115f\uffa0\u034f\ufe0f\u2800\ud800\ue000\x7f\x85\t\n"
)
LOOK_ALIKES = "\uff0f\u2215\u2044\u29f8\u2571\u27cb\u2216\u29f9\uff3c\uff05\u2024\u2025\uff1f\uff06\u2100"
STRICT = (
    "microsoft.machinelearningservices/workspaces",
    "microsoft.machinelearningservices/workspaces/computes",
    "microsoft.containerregistry/registries",
    "microsoft.keyvault/vaults",
    "microsoft.storage/storageaccounts",
    "microsoft.managedidentity/userassignedidentities",
    "microsoft.network/virtualnetworks/subnets",
    "microsoft.authorization/roleassignments",
    "microsoft.management/managementgroups",
)


@pytest.mark.parametrize("one", COMPONENTS_MAY)
def test_a_component_may_be_called_so(one: str) -> None:
    scope = Scope.parse(f"{RG}/providers/Microsoft.Insights/components/a{one}b")
    assert scope.name == f"a{one}b"
    assert ids.INSIGHTS.of({"properties": {"applicationInsights": str(scope)}}) == scope
    assert scope_or_none(str(scope)) == scope


@pytest.mark.parametrize("name", ["☃", "Größe €", "数据", "✓ done", "×", "a" * 260, "🚀"])
def test_or_so(name: str) -> None:
    assert complaint(COMPONENT, name) is None


@pytest.mark.parametrize("name", ["ends ", "ends.", "a%20b", "a&b", "a\\b", "a?b", "\x00", *UNSEEN, *LOOK_ALIKES])
@pytest.mark.parametrize("kind", [COMPONENT, GROUP, "contoso.things/things", *STRICT])
def test_nothing_may_be_called_so(kind: str, name: str) -> None:
    assert complaint(kind, name if name.endswith((" ", ".")) else f"a{name}b")


@pytest.mark.parametrize("kind", STRICT)
@pytest.mark.parametrize(
    "one", [*(c for c in PRINTABLE if c not in string.ascii_letters + string.digits + "-_.()/"), "ü"]
)
def test_names_of_most_kinds_hold_little(kind: str, one: str) -> None:
    assert complaint(kind, f"a{one}b")


@pytest.mark.parametrize("name", ["rg(1)", "größe", "数据", "a.b", "_", "x" * 90])
def test_a_group_may_be_called_so(name: str) -> None:
    assert complaint(GROUP, name) is None


@pytest.mark.parametrize("name", ["a b", "a'b", "a☃b", "①", "x" * 91, "a.", "a\u3164"])
def test_and_not_so(name: str) -> None:
    assert complaint(GROUP, name)
    with pytest.raises(InvalidScopeError):
        Scope.parse(f"{SUB}/resourceGroups/{name}")


def test_versions_of_environments_have_colons() -> None:
    """As AML saves them by itself."""
    workspace = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
    assert scope_or_none(f"{workspace}/environments/train/versions/Autosave_2023-03-22T13:36:42Z_64b9a0a5")


def test_longer_than_azure_has_them_no_name_is_an_id_that_could_be_looked_up() -> None:
    assert scope_or_none(f"{RG}/providers/{COMPONENT}/{'a' * 260}")
    assert scope_or_none(f"{RG}/providers/{COMPONENT}/{'a' * 261}") is None


@pytest.mark.parametrize("what", ["microsoft.in sights/components", "microsoft.insights/com'ponents", "ü.insights/x"])
def test_providers_and_types_are_plain(what: str) -> None:
    with pytest.raises(InvalidScopeError):
        Scope.parse(f"{RG}/providers/{what}/name")


@pytest.mark.parametrize("name", ["a&b", "a\u200bb", "ends.", "\ud800", "50%"])
def test_odd_is_what_has_the_form_of_an_id_and_such_a_name(name: str) -> None:
    assert is_odd(f"{RG}/providers/Contoso.Things/things/{name}")
    assert is_odd(f"{RG}/providers/Contoso.Things/things/{name}/parts/one")


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "..", f"{RG}/..", f"{RG}/../x", f"{RG}//x", f"{RG}/providers/x", f"{RG}/a b", RG, f"{RG}/. /x"],
)
def test_what_is_no_id_is_not_odd(text: object) -> None:
    assert not is_odd(text)


def test_every_character_is_safe_or_not_and_none_raises() -> None:
    safe = [chr(code) for code in range(0x110000) if is_safe(chr(code))]
    assert set(COMPONENTS_MAY) < {*safe, "/"}
    assert not set(UNSEEN + LOOK_ALIKES) & set(safe)
    assert all(one.isprintable() for one in safe)
