"""How amlguard knows its own role assignments: by the name and the description, both."""

from dataclasses import replace
from typing import Any

import pytest
from unit.build import REGISTRY, ROLES, WORKSPACE, assigned, guid, identity_id, sai

from shared.access.own_assignments import assignment_name, description, ours, own, run_of

C1 = sai("cpu1")
PULL = ROLES["AcrPull"].role_id
RUN = "11111111-2222-4333-8444-555555555555"
COMPUTE, IDENTITY = WORKSPACE.child("computes", "cpu1"), identity_id("shared")
NAME = assignment_name(REGISTRY, C1.id, PULL)
AT = f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{NAME}"
TEXT = description("compute-pull", ("AML-18", "AML-13"), RUN, COMPUTE, None)


def test_an_assignment_has_the_same_name_in_every_version() -> None:
    """Otherwise a new version would not know what the one before granted."""
    assert assignment_name(REGISTRY, guid("whoever has it"), PULL) == "7ec1f164-23e5-5946-988b-29757ae88573"


def test_a_description_has_a_greatest_length() -> None:
    assert len(description("r" * 3000, (), RUN, COMPUTE, None)) == 2048
    assert len(TEXT) < 2048


def test_the_run_is_read_from_the_description() -> None:
    assert run_of(TEXT) == RUN
    assert run_of(description("compute-pull", ("AML-18",), RUN, COMPUTE, IDENTITY)) == RUN


@pytest.mark.parametrize("text", [None, "", "pulls images", f"x{TEXT}", TEXT.replace(RUN, "a run")])
def test_a_description_of_somebody_else_names_no_run(text: str | None) -> None:
    assert run_of(text) is None


def test_an_assignment_is_ours_by_both_marks_only() -> None:
    mine = replace(assigned(C1, "AcrPull", REGISTRY), id=AT, description=TEXT)
    assert ours(mine)
    assert ours(replace(mine, id=AT.upper()))
    assert not ours(replace(mine, description=None))
    assert not ours(replace(mine, description="pulls images"))
    assert not ours(replace(mine, id=AT.replace(NAME, guid("another"))))


def _raw(raw_id: object = AT, **properties: Any) -> dict[str, Any]:
    found = {
        "scope": str(REGISTRY),
        "principalId": C1.id,
        "roleDefinitionId": f"/x/{PULL.upper()}",
        "description": TEXT,
    }
    return {"id": raw_id, "properties": found | properties}


def test_azures_own_answer_says_whose_it_is() -> None:
    found = own(_raw())
    assert found
    assert (str(found.assignment), found.scope, found.principal_id, found.role_id) == (AT, REGISTRY, C1.id, PULL)
    assert (found.on, found.shared, found.run) == (COMPUTE, None, RUN)


def test_an_identity_that_others_may_have_is_named() -> None:
    found = own(_raw(description=description("r", (), RUN, COMPUTE, IDENTITY)))
    assert found
    assert found.shared == IDENTITY


@pytest.mark.parametrize(
    "raw",
    [
        None,
        {},
        _raw(None),
        _raw("no id"),
        _raw(AT.replace(NAME, guid("another"))),
        _raw(scope=None),
        _raw(scope="/subscriptions/x"),
        _raw(principalId=None),
        _raw(principalId=guid("another")),
        _raw(roleDefinitionId=None),
        _raw(roleDefinitionId=f"/x/{guid('another')}"),
        _raw(description=None),
        _raw(description=7),
        _raw(description=TEXT.replace(str(COMPUTE), "/no/id")),
    ],
    ids=str,
)
def test_what_lacks_a_mark_or_is_misshapen_is_nobodys(raw: Any) -> None:
    assert own(raw) is None
