"""Who may release changes may not write the policy, and the other way round: what Bicep gives, asked of Azure's rules.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage has the roles and their data actions.
"""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from deployments import only

from emulator.identity.rbac import Rbac
from emulator.storage import needs
from emulator.tenant import Tenant
from infra.check import INFRA
from infra.snapshots import made, scope
from shared.azure.settings import CONTAINER, POLICIES, QUEUE

NAME = "many-subscriptions"
APPROVER, AUTHOR = "44444444-4444-4444-8444-444444444444", "55555555-5555-4555-8555-555555555555"
SENDER: dict[str, Any] = {
    "name": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "properties": {
        "roleName": "Storage Queue Data Message Sender",
        "type": "BuiltInRole",
        "assignableScopes": ["/"],
        "permissions": [
            {
                "actions": [],
                "notActions": [],
                "dataActions": ["Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action"],
                "notDataActions": [],
            }
        ],
    },
}
WRITES: Sequence[tuple[str, str, int]] = (("blob", "PUT", 2), ("blob", "DELETE", 2), ("blob", "GET", 2))


@pytest.fixture(scope="module")
def rbac() -> Rbac:
    account = only("Microsoft.Storage/storageAccounts", NAME)
    people = [
        {**one, "properties": {**one["properties"], "scope": scope(one)}}
        for one in made(NAME, "Microsoft.Authorization/roleAssignments")
        if one["properties"]["principalId"] in (APPROVER, AUTHOR)
    ]
    return Rbac(Tenant({"resources": [account], "roleAssignments": people, "roleDefinitions": [SENDER]}))


def may(rbac: Rbac, who: str, call: tuple[str, str, int], place: str) -> bool:
    """As the storage account decides it: any alternative whose actions are all allowed."""
    kind = "queueServices/default/queues" if call[0] == "queue" else "blobServices/default/containers"
    where = f"{only('Microsoft.Storage/storageAccounts', NAME)['id']}/{kind}/{place}"
    return any(all(rbac.allowed(who, action, where, data=True) for action in one) for one in needs(*call, {}))


def test_who_approves_may_not_write_the_policy(rbac: Rbac) -> None:
    assert all(may(rbac, APPROVER, call, CONTAINER) for call in WRITES)
    assert may(rbac, APPROVER, ("queue", "POST", 2), QUEUE)
    assert not any(may(rbac, APPROVER, call, POLICIES) for call in WRITES)


def test_who_writes_the_policy_may_not_approve(rbac: Rbac) -> None:
    assert all(may(rbac, AUTHOR, call, POLICIES) for call in WRITES)
    assert not any(may(rbac, AUTHOR, call, CONTAINER) for call in WRITES)
    assert not may(rbac, AUTHOR, ("queue", "POST", 2), QUEUE)


def test_nobody_else_gets_a_right_there() -> None:
    people = re.compile(r"/containers/|/queues/")
    given = [one for one in made(NAME, "Microsoft.Authorization/roleAssignments") if people.search(one["id"])]
    assert {one["properties"]["principalId"] for one in given} == {APPROVER, AUTHOR}


def test_the_template_refuses_an_id_in_both_lists() -> None:
    """What the compiler makes of it was seen: fail() ends the deployment, as for `existingTopics` in main.bicep."""
    text = (INFRA / "modules" / "people-access.bicep").read_text("utf-8")
    assert "for id in releasers:" in text
    assert "for id in approvers:" not in text
    assert re.search(r"var releasers = empty\(both\)\s*\? approvers\s*: fail\(", text)
