"""Azure Policy: an assignment is listed below its scope and, unless the list is filtered, above it."""

import pytest
from emulator_units.arm_calls import RG, SUB, Azure, resource

_KIND = "providers/Microsoft.Authorization/policyAssignments"
_API = "api-version=2022-06-01"
VNET = f"{RG}/providers/Microsoft.Network/virtualNetworks/net"
SCOPES = {
    "of-management-group": "/providers/Microsoft.Management/managementGroups/mg",
    "of-subscription": SUB,
    "of-group": RG,
    "of-network": VNET,
    "of-another-group": f"{SUB}/resourceGroups/rg2",
}


def azure() -> Azure:
    assigned = [resource(f"{scope}/{_KIND}/{name}") for name, scope in SCOPES.items()]
    groups = [{"name": "mg", "subscriptions": [SUB.rpartition("/")[2]]}]
    return Azure({"resources": [resource(VNET), *assigned], "managementGroups": groups})


def listed(scope: str, more: str = "") -> set[str]:
    return {one["name"] for one in azure().ask("GET", f"{scope}/{_KIND}?{_API}{more}").body["value"]}


def test_a_list_holds_what_concerns_the_scope_and_all_in_it() -> None:
    assert listed(RG) == {"of-management-group", "of-subscription", "of-group", "of-network"}


def test_at_scope_leaves_out_what_is_below() -> None:
    assert listed(RG, "&$filter=atScope()") == {"of-management-group", "of-subscription", "of-group"}


def test_other_filters_are_refused() -> None:
    assert azure().refusal("GET", f"{RG}/{_KIND}?{_API}&$filter=name eq 'x'").code == "InvalidFilterInQueryString"


@pytest.mark.parametrize("scope", [SUB, RG])
def test_one_is_read_like_any_resource(scope: str) -> None:
    name = next(name for name, at in SCOPES.items() if at == scope)
    assert azure().ask("GET", f"{scope}/{_KIND}/{name}?{_API}").body["name"] == name
    assert azure().refusal("GET", f"{scope}/{_KIND}/none?{_API}").status == 404
