"""Rows of versions before, as they still are in the log for a week and in files for ever."""

from typing import Any

import pytest
from unit.build import REGISTRY, VAULT, guid, sai, terms

from shared.access.asks import Property
from shared.access.history import GONE_ALREADY, THERE_ALREADY, is_found
from shared.access.undo_steps import past

C1 = sai("cpu1")


def _policy_row(**columns: Any) -> dict[str, Any]:
    return {
        "RunId": guid("run"),
        "ActionId": guid("action"),
        "Action": "Setting",
        "RuleId": "vault-policies",
        "ResourceId": str(VAULT),
        "Property": str(Property.ACCESS_POLICY),
        "PrincipalId": C1.id,
        "To": "present",
        "Outcome": "Applied",
        "Reason": "why",
    } | columns


@pytest.mark.parametrize(
    "columns",
    [
        {"From": "missing: secrets/get, Secrets/List"},
        {"From": "missing: secrets/get, secrets/list", "AddedPermissions": None},
        {"From": "absent", "AddedPermissions": ["secrets/get", "secrets/List"]},
        {"From": "missing: keys/get", "AddedPermissions": '["secrets/get", "secrets/list"]'},
    ],
    ids=["from", "from, in a table with the column", "column", "column, as the log has it"],
)
def test_what_an_access_policy_got_is_known(columns: dict[str, Any]) -> None:
    (done,) = past([_policy_row(**columns)], terms()).done
    assert done.added == {"secrets/get", "secrets/list"}


@pytest.mark.parametrize(
    "columns", [{"From": ""}, {"From": "absent"}, {"From": "missing: secrets/purge"}, {"From": "missing: "}], ids=str
)
def test_a_row_that_does_not_say_what_was_added_leads_to_nothing(columns: dict[str, Any]) -> None:
    known = past([_policy_row(**columns)], terms())
    assert known.done == ()
    assert len(known.refused) == 1


@pytest.mark.parametrize("words", [THERE_ALREADY, GONE_ALREADY])
@pytest.mark.parametrize("found", [{}, {"Found": None}])
def test_what_was_found_is_known_by_its_words(words: str, found: dict[str, Any]) -> None:
    assert is_found({"Reason": f"{words}: why", **found})
    assert not is_found({"Reason": f"why: {words}", **found})


def test_the_column_has_the_last_word() -> None:
    assert not is_found({"Reason": f"{THERE_ALREADY}: why", "Found": False})
    assert is_found({"Reason": "why", "Found": True})


def test_a_grant_is_known_without_the_columns_of_later_versions() -> None:
    name = guid("assignment")
    row = {
        "RunId": guid("run"),
        "ActionId": name,
        "Action": "Grant",
        "RuleId": "compute-pull",
        "ResourceId": str(REGISTRY),
        "PrincipalId": C1.id,
        "RoleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{guid('role')}",
        "RoleAssignmentId": f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "Scope": str(REGISTRY),
        "Outcome": "Applied",
    }
    (done,) = past([row], terms()).done
    assert (done.role_id, done.action_id, done.open) == (guid("role"), name, False)
