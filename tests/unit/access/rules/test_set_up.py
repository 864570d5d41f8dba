"""Which of Microsoft's two ways a workspace's identity was set up, over all that it may control (ADR 11)."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import pytest
from unit.build import (
    FOREIGN,
    GROUP,
    INSIGHTS,
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    assigned,
    estate,
    registry,
    resource,
    terms,
    uai,
    uai_workspace,
    vault,
)

from shared.access.model import Estate
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.permissions import RoleAssignment
from shared.access.plan import plan
from shared.access.rules.set_up import SECRETS, by_template
from shared.access.scope import Scope

ME = uai("mlw-id")
FIVE = {"workspace": WORKSPACE, "insights": INSIGHTS, "storage": STORAGE, "registry": REGISTRY, "vault": VAULT}
SUBSETS = [
    tuple(name for name, there in zip(FIVE, chosen, strict=True) if there)
    for chosen in product((True, False), repeat=len(FIVE))
]
ADMINISTRATOR = assigned(ME, "Key Vault Administrator", VAULT)
CONTROL = {"AML-03", "AML-04", "AML-06", "AML-07", "AML-08", "AML-09"}


def controls(names: Iterable[str], *, through: str = "itself") -> list[RoleAssignment]:
    holder = "operators" if through == "group" else ME
    return [assigned(holder, "Contributor", FIVE[name]) for name in names]


def seen(held: Iterable[RoleAssignment], *, rbac: bool, policies: frozenset[str] = frozenset()) -> Estate:
    one = vault(rbac=rbac, policies={ME.id: policies})
    return estate(uai_workspace(), one, registry(), held=held, groups={"operators": [ME]})


def missing_control(one: Estate) -> set[str]:
    """Of what the identity does not control and should, the resources."""
    wanted = plan(one, terms(on=CONTROL))
    assert not [one for one in wanted.findings if CONTROL & set(one.requirements)]
    places = {scope: name for name, scope in FIVE.items()}
    return {places[grant.scope] for grant in wanted.grants if grant.need.role_name == "Contributor"}


@pytest.mark.parametrize("through", ["itself", "group"])
@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_who_controls_neither_workspace_nor_insights_nor_vault_was_set_up_by_the_template(
    names: tuple[str, ...], through: str
) -> None:
    held = [ADMINISTRATOR, *controls(names, through=through)]
    template = not {"workspace", "insights", "vault"} & set(names)
    needed = {"storage", "registry"} if template else set(FIVE)
    one = seen(held, rbac=True)
    assert by_template(one.subject, one) is template
    assert missing_control(one) == needed - set(names)


@pytest.mark.parametrize("held", [(), (ADMINISTRATOR,)], ids=["", "administrator"])
def test_what_the_template_set_up_gets_no_control_of_a_vault_with_policies(held: tuple[RoleAssignment, ...]) -> None:
    """With control it could give itself any permission."""
    assert missing_control(seen(held, rbac=False, policies=SECRETS)) == {"storage", "registry"}


@pytest.mark.parametrize(("rbac", "policies"), [(True, frozenset()), (False, SECRETS), (False, VAULT_PERMISSIONS)])
def test_the_documentations_way_one_short_lacks_the_vault(rbac: bool, policies: frozenset[str]) -> None:
    held = [ADMINISTRATOR, *controls(name for name in FIVE if name != "vault")]
    assert missing_control(seen(held, rbac=rbac, policies=policies)) == {"vault"}


@pytest.mark.parametrize("through", ["itself", "group of people"])
def test_what_is_controlled_from_above_is_controlled(through: str) -> None:
    """All but the vault lies in one resource group, of which the identity is Contributor."""
    away = resource("Microsoft.KeyVault/vaults", "kvml", FOREIGN)
    holder = "operators" if through == "group of people" else ME
    held = [assigned(ME, "Key Vault Administrator", away), assigned(holder, "Contributor", GROUP)]
    one = estate(
        replace(uai_workspace(), vault=away),
        replace(vault(rbac=True), id=away),
        registry(),
        held=held,
        groups={"operators": [ME]},
    )
    assert not by_template(one.subject, one)
    # The vault lies outside the boundary, so that its grant is withheld: but asked for it is.
    held_back = [w.action for w in plan(one, terms(on=CONTROL)).withheld]
    assert [getattr(action, "scope", None) for action in held_back] == [away]


@pytest.mark.parametrize(
    ("at", "rbac", "policies", "template"),
    [
        pytest.param(GROUP, False, SECRETS, True, id="the template's policy"),
        pytest.param(GROUP, False, frozenset(), True, id="its role where policies decide"),
        pytest.param(GROUP, True, SECRETS, True, id="its policy where roles decide"),
        pytest.param(GROUP, True, frozenset(), False, id="no mark of the template"),
        pytest.param(WORKSPACE, False, SECRETS, False, id="of the workspace itself"),
        pytest.param(INSIGHTS, False, SECRETS, False, id="of the component itself"),
    ],
)
def test_the_templates_own_contributor_on_the_group_of_the_workspace_tells_nothing(
    at: Scope, rbac: bool, policies: frozenset[str], *, template: bool
) -> None:
    away = resource("Microsoft.KeyVault/vaults", "kvml", FOREIGN)
    held = [assigned(ME, "Key Vault Administrator", away), assigned(ME, "Contributor", at)]
    there = replace(vault(rbac=rbac, policies={ME.id: policies}), id=away)
    one = estate(replace(uai_workspace(), vault=away), there, held=held)
    assert by_template(one.subject, one) is template


def test_a_workspace_without_insights_is_judged_by_what_it_has() -> None:
    for names, template in (((), True), (("workspace",), False)):
        one = seen([ADMINISTRATOR, *controls(names)], rbac=True)
        bare = replace(one, subject=replace(one.subject, app_insights=None))
        assert by_template(bare.subject, bare) is template
