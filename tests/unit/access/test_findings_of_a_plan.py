"""Which findings a plan has: those of requirements that are on, about what nobody exempted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from unit.build import REGISTRY, estate, registry, terms, workspace

from shared.access.asks import Found
from shared.access.model import Estate, Workspace
from shared.access.plan import plan
from shared.access.rules import RULES
from shared.access.terms import Exemption, Terms

NAME = "storage-without-keys"  # of AML-77 and AML-88


def _says_so(_workspace: Workspace, _estate: Estate) -> Iterator[Found]:
    yield Found(REGISTRY, "It is wrong.", {"grants": "az …"}, kind="keys are refused", requirements=("AML-88",))


def _found(said: Terms, **tags: str) -> bool:
    (rule,) = (one for one in RULES if one.name == NAME)
    table = (replace(rule, examine=_says_so, wants=lambda *_: ()),)
    return bool(plan(estate(workspace(), registry(tags=tags)), replace(said, table=table)).findings)


def test_a_requirement_that_is_off_silences_its_findings_and_no_others() -> None:
    assert _found(terms())
    assert _found(terms(off=["AML-77"]))
    assert not _found(terms(off=["AML-88"]))


@pytest.mark.parametrize(("tags", "found"), [({"keep": "as it is"}, False), ({"keep": "else"}, True), ({}, True)])
def test_a_tag_of_the_resource_exempts_it(tags: dict[str, str], found: bool) -> None:
    exempt = Exemption(None, frozenset({"aml-88"}), date(2030, 1, 1), "because", ("Keep", "as it is"))
    assert _found(terms(exemptions=(exempt,)), **tags) is found
