"""Principals are compared in one form, however ARM writes them: the evidence of events and deny assignments of version
2018-07-01-preview were recorded as 32 hex digits without dashes."""

import pytest
from unit.build import REGISTRY, VAULT, guid

from shared.access.own_assignments import assignment_name, description, own
from shared.access.parse import identity, role_assignment
from shared.access.raw import is_guid, object_id
from shared.access.vaults import vault

ME = guid("me")
GROUP = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/g"
UAI = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uai"
FORMS = (ME, ME.upper(), ME.replace("-", ""), ME.replace("-", "").upper())


@pytest.mark.parametrize(
    ("text", "one_form"),
    [
        (ME, ME),
        (ME.upper(), ME),
        (ME.replace("-", ""), ME),
        (ME.replace("-", "").upper(), ME),
        ("principalId1", "principalid1"),
        ("g" * 32, "g" * 32),
        ("", ""),
    ],
)
def test_an_object_id_has_one_form(text: str, one_form: str) -> None:
    assert object_id(text) == one_form


@pytest.mark.parametrize("text", FORMS)
def test_every_reader_gives_the_one_form(text: str) -> None:
    user = {"type": "UserAssigned", "userAssignedIdentities": {UAI: {"principalId": text}}}
    system = identity({"identity": {"type": "SystemAssigned", "principalId": text}}, "it", {}).system
    (attached,) = identity({"identity": user}, "it", {}).user
    body = {"scope": str(REGISTRY), "principalId": text, "roleDefinitionId": "x"}
    held = role_assignment({"id": "a", "properties": body})
    policies = [{"objectId": text, "permissions": {"secrets": ["get"]}}]
    assert system is not None
    assert held is not None
    assert system.id == attached.id == held.principal_id == ME
    assert vault({"id": str(VAULT), "properties": {"accessPolicies": policies}}).policies.keys() == {ME}


@pytest.mark.parametrize("text", FORMS)
def test_an_own_grant_is_known_again(text: str) -> None:
    name = assignment_name(REGISTRY, ME, "role")
    raw = {
        "id": f"{REGISTRY}/providers/Microsoft.Authorization/roleAssignments/{name}",
        "properties": {
            "scope": str(REGISTRY),
            "principalId": text,
            "roleDefinitionId": "/providers/Microsoft.Authorization/roleDefinitions/role",
            "description": description("rule", ["AML-08"], guid("run"), REGISTRY, None),
        },
    }
    mine = own(raw)
    assert mine is not None
    assert mine.principal_id == ME


def test_a_guid_has_dashes() -> None:
    assert [is_guid(object_id(text)) for text in FORMS] == [True] * len(FORMS)
    assert not is_guid("g" * 32)
    assert not is_guid("")
