"""What a policy needs that the condition in force does not allow."""

from collections.abc import Callable

import pytest
from unit.build import terms

from shared.access.condition import assignable, condition, lacking


@pytest.mark.parametrize("changed", [str, str.upper, lambda text: text.replace(" AND ", "  AND\n")])
def test_what_a_condition_in_force_lacks(changed: Callable[[str], str]) -> None:
    """Nothing for the policy that it was made of, whatever its casing and blanks."""
    narrow, wide = terms(), terms(on=["AML-03"])
    assert lacking(narrow, changed(condition(narrow))) == ()
    assert [kind for kind, _ in lacking(wide, changed(condition(narrow)))] == ["ServicePrincipal"]
    assert lacking(narrow, changed(condition(wide))) == ()


@pytest.mark.parametrize("other", ["", "(@Resource[x:y] StringEquals 'z')", "nonsense"])
def test_a_condition_in_another_form_allows_nothing_that_can_be_read(other: str) -> None:
    assert len(lacking(terms(), other)) == len(assignable(terms()))
