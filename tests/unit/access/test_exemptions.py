"""What an exemption covers: by tag also a vault, and of a removal the resource whose identity had the role."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from unit.build import (
    REGISTRY,
    STORAGE,
    VAULT,
    WORKSPACE,
    cluster,
    estate,
    guid,
    registry,
    sai,
    terms,
    uai_workspace,
    vault,
    workspace,
)

from shared.access.ask_rules import WorkspaceAsks
from shared.access.asks import RequiredRemoval
from shared.access.needs import READ_BLOBS
from shared.access.plan import plan
from shared.access.removals import removals
from shared.access.rules import RULES
from shared.access.scope import Scope
from shared.access.terms import Exemption

C1 = sai("cpu1")


def exempt(rule: str, scope: Scope | None = None, tag: tuple[str, str] | None = None) -> Mapping[str, Any]:
    return {"exemptions": (Exemption(scope, frozenset({rule}), date(2030, 1, 1), "because", tag),)}


@pytest.mark.parametrize(("tags", "withheld"), [({"keep": "as it is"}, True), ({"keep": "else"}, False), ({}, False)])
def test_a_vaults_tag_keeps_its_access_policies_as_they_are(tags: Mapping[str, str], withheld: bool) -> None:
    said = terms(on=["AML-07"], **exempt("aml-07", tag=("Keep", "as it is")))
    made = plan(estate(uai_workspace(), registry(), vault(rbac=False, tags=tags)), said)
    assert [one.resource for one in made.settings] == ([] if withheld else [VAULT])
    words = {one.refusal.guard for one in made.withheld if one.action.resource == VAULT}
    assert words == ({"exemption"} if withheld else set())


@pytest.mark.parametrize(("tags", "withheld"), [({"keep": "as it is"}, True), ({}, False)])
def test_a_registrys_tag_keeps_grants_on_it_back(tags: Mapping[str, str], withheld: bool) -> None:
    said = terms(**exempt("compute-pull", tag=("keep", "as it is")))
    made = plan(estate(workspace(cluster("cpu1", C1)), registry(tags=tags)), said)
    assert (REGISTRY in {one.scope for one in made.grants}) is not withheld


@pytest.mark.parametrize(
    ("scope", "taken"),
    [
        (STORAGE, False),
        (cluster("cpu1").id, False),
        (WORKSPACE, False),
        (REGISTRY, True),
        (cluster("cpu2").id, True),
    ],
)
def test_what_a_removal_is_for_is_exempt_as_well_as_where_it_is(scope: Scope, taken: bool) -> None:
    rule = next(rule for rule in RULES if rule.name == "own-grants")
    ours = RequiredRemoval(
        Scope.parse(f"{STORAGE}/providers/Microsoft.Authorization/roleAssignments/x"),
        STORAGE,
        guid("gone"),
        READ_BLOBS.role_id,
        cluster("cpu1").id,
        rule.requirements,
        "no rule asks for it any more",
    )
    asked = WorkspaceAsks(workspace(), (), (), ((rule, ours),), (), (), (), ())
    said = replace(terms(on=["own-grants"]), **exempt("own-grants", scope))
    made, withheld, _ = removals([asked], estate(workspace()), said)
    assert bool(made) is taken
    assert [one.refusal.guard for one in withheld] == ([] if taken else ["exemption"])
