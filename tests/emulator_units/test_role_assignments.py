"""Role assignments as Azure takes, refuses and lists them."""

import uuid
from typing import Any

import pytest
from emulator_units.arm_calls import (
    ACR_PULL,
    BLOB_READER,
    OWNER,
    RBAC_ADMINISTRATOR,
    READER,
    REGISTRY,
    RG,
    SUB,
    Azure,
    assignment,
    assignment_url,
    caller,
    held,
    principal,
    resource,
)

from emulator.errors import AzureError

ME, OTHER, GROUP, OUTER, ADMIN = principal(1), principal(2), principal(11), principal(12), principal(50)
ONLY_PULL = (
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
    f"(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] GuidEquals {{{ACR_PULL}}})) AND "
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR "
    f"(@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] GuidEquals {{{ACR_PULL}}}))"
)


def azure(*assignments: dict[str, Any], **more: Any) -> Azure:
    principals = [{"id": one, "type": "ServicePrincipal"} for one in (ME, OTHER, ADMIN)]
    return Azure(
        {"resources": [resource(REGISTRY)], "roleAssignments": list(assignments), "principals": principals, **more}
    )


def refused(one: Azure, scope: str, role: str, to: str, *, name: str | None = None, **properties: Any) -> AzureError:
    return one.refusal("PUT", assignment_url(scope, name), assignment(role, to, **properties))


def test_created_then_the_same() -> None:
    one, name = azure(), str(uuid.uuid4())
    created = one.assign(REGISTRY, ACR_PULL, ME, name=name, principalType="ServicePrincipal", description="why")
    assert created.status == 201
    properties = created.body["properties"]
    assert (properties["scope"], properties["description"], properties["principalId"]) == (REGISTRY, "why", ME)
    assert properties["createdOn"]
    assert properties["createdBy"] == "00000000-0000-0000-0000-00000000aaaa"
    assert one.assign(REGISTRY, ACR_PULL, ME, name=name).status == 201  # as recorded
    assert [event["data"].keys() >= {"httpRequest"} for event in one.events] == [False, True]
    assert len(one.assignments(REGISTRY)) == 1


def test_exists_under_another_name_whatever_the_condition() -> None:
    mine = held(REGISTRY.upper(), ACR_PULL, ME, condition="@Resource[a/b:c] StringEquals 'x'")
    error = refused(azure(mine), REGISTRY, ACR_PULL, ME)
    assert (error.status, error.code) == (409, "RoleAssignmentExists")
    assert error.message.endswith(f" {mine['name'].replace('-', '')}.")
    assert azure(held(RG, ACR_PULL, ME)).assign(REGISTRY, ACR_PULL, ME).status == 201


@pytest.mark.parametrize(
    ("scope", "role", "to"), [(REGISTRY, ACR_PULL, OTHER), (RG, ACR_PULL, ME), (REGISTRY, READER, ME)]
)
def test_a_name_stays_with_its_principal_role_and_scope(scope: str, role: str, to: str) -> None:
    mine = held(REGISTRY, ACR_PULL, ME)
    assert refused(azure(mine), scope, role, to, name=mine["name"]).code == "RoleAssignmentUpdateNotPermitted"


def test_refusals() -> None:
    one = azure()
    assert refused(one, REGISTRY, ACR_PULL, ME, name="not-a-guid").code == "InvalidRoleAssignmentId"
    assert refused(one, REGISTRY, principal(3), ME).code == "RoleDefinitionDoesNotExist"
    missing = refused(one, REGISTRY, ACR_PULL, principal(4), principalType="ServicePrincipal")
    assert (missing.status, missing.code) == (400, "PrincipalNotFound")
    assert refused(one, REGISTRY, ACR_PULL, ME, principalType="User").code == "UnmatchedPrincipalType"
    assert refused(one, f"{REGISTRY}2", ACR_PULL, ME).code == "ResourceNotFound"
    assert refused(one, f"{RG}2", ACR_PULL, ME).code == "ResourceGroupNotFound"
    unknown = SUB.replace("aaaaaaaa", "eeeeeeee")
    assert refused(one, unknown, ACR_PULL, ME).code == "SubscriptionNotFound"
    assert refused(one, "/subscriptions/x", ACR_PULL, ME).code == "InvalidSubscriptionId"
    without: dict[str, Any] = {"properties": {}}
    for body in (without, assignment(ACR_PULL, ME, condition=3)):
        assert one.refusal("PUT", assignment_url(RG), body).code == "InvalidCreateRoleAssignmentRequest"
    assert one.assignments("/") == []


def test_a_custom_role_stays_within_its_assignable_scopes() -> None:
    role = {"name": principal(5), "permissions": [], "assignableScopes": [f"{RG}-prod"]}
    error = refused(azure(roleDefinitions=[role]), REGISTRY, principal(5), ME)
    assert error.code == "RoleAssignmentScopeNotAssignableToRoleDefinition"


def test_identities_of_resources_and_of_assignments_exist() -> None:
    cluster = f"{RG}/providers/Microsoft.ContainerService/managedClusters/aks"
    kubelet = resource(cluster, properties={"identityProfile": {"kubeletidentity": {"objectId": principal(21)}}})
    attached = {"type": "UserAssigned", "userAssignedIdentities": {"/x/y": {"principalId": principal(22)}}}
    site = resource(f"{RG}/providers/Microsoft.Web/sites/site", identity=attached)
    one = azure(held(RG, READER, principal(23)), resources=[resource(REGISTRY), kubelet, site])
    for number in (21, 22, 23):
        assert one.assign(REGISTRY, ACR_PULL, principal(number), principalType="ServicePrincipal").status == 201


def test_limit_of_a_subscription() -> None:
    one = azure(*(held(f"{RG}{number}", ACR_PULL, ME) for number in range(4000)))
    assert refused(one, REGISTRY, ACR_PULL, ME).code == "RoleAssignmentLimitExceeded"
    one.ask("DELETE", one.assignments(SUB)[0]["id"] + "?api-version=2022-04-01")
    assert one.assign(REGISTRY, ACR_PULL, ME).status == 201


def test_delete_twice() -> None:
    mine = held(REGISTRY, ACR_PULL, ME)
    one = azure(mine)
    url = f"{mine['id'].upper()}?api-version=2022-04-01"
    assert one.ask("DELETE", url).status == 200
    assert one.ask("DELETE", url).status == 204
    assert one.assignments("/") == []
    assert one.refusal("GET", url).code == "RoleAssignmentNotFound"


AT, ABOVE, BELOW, BESIDE = (held(scope, READER, ME) for scope in (RG, SUB, REGISTRY, f"{RG}-prod"))
THROUGH = held(RG, ACR_PULL, OUTER)
FOREIGN = held(RG, ACR_PULL, OTHER)


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("", [AT, ABOVE, BELOW, THROUGH, FOREIGN]),
        ("atScope()", [AT, ABOVE, THROUGH, FOREIGN]),
        (f"principalId eq '{ME}'", [AT, ABOVE, BELOW]),
        (f"assignedTo('{ME.upper()}')", [AT, ABOVE, BELOW, THROUGH]),
        (f"atScope() and assignedTo('{ME}')", [AT, ABOVE, THROUGH]),
        (f"assignedTo('{principal(9)}')", []),
    ],
)
def test_filters(filter_: str, expected: list[dict[str, Any]]) -> None:
    one = azure(AT, ABOVE, BELOW, BESIDE, THROUGH, FOREIGN, groups={OUTER: [GROUP], GROUP: [ME]})
    assert {item["id"] for item in one.assignments(RG, filter_=filter_)} == {item["id"] for item in expected}


def test_an_unknown_filter_is_refused() -> None:
    url = (
        f"{RG}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=principalType eq 'User'"
    )
    assert azure().refusal("GET", url).code == "UnsupportedQuery"


def test_pages() -> None:
    one = azure(*(held(f"{RG}/providers/a.b/c/{number}", READER, ME) for number in range(250)))
    url, seen = f"{RG}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01", []
    while url:
        body = one.ask("GET", url.removeprefix("https://127.0.0.1:1")).body
        seen += [item["id"] for item in body["value"]]
        url = body.get("nextLink", "")
    assert len(seen) == len(set(seen)) == 250


def test_constrained_delegation() -> None:
    one = azure(held(SUB, RBAC_ADMINISTRATOR, ADMIN, condition=ONLY_PULL), held(REGISTRY, OWNER, OTHER))
    admin = caller(ADMIN)
    assert one.assign(REGISTRY, ACR_PULL, ME, caller=admin).status == 201
    refusal = one.refusal("PUT", assignment_url(REGISTRY), assignment(BLOB_READER, ME), caller=admin)
    assert (refusal.status, refusal.code) == (403, "AuthorizationFailed")
    assert "authorization or an ABAC condition not fulfilled to perform action" in refusal.message
    owner = next(item for item in one.assignments(REGISTRY) if item["properties"]["principalId"] == OTHER)
    assert "ABAC condition" in one.refusal("DELETE", owner["id"] + "?api-version=2022-04-01", caller=admin).message
    assert one.ask("DELETE", assignment_url(REGISTRY), caller=admin).status == 204
    stranger = one.refusal("PUT", assignment_url(REGISTRY), assignment(ACR_PULL, ME), caller=caller(principal(60)))
    assert "ABAC" not in stranger.message
    assert principal(60) in stranger.message


def test_deny_assignment_refuses_in_its_own_words() -> None:
    denied = {
        "id": f"{RG}/providers/Microsoft.Authorization/denyAssignments/{principal(70)}",
        "properties": {
            "denyAssignmentName": "blueprint",
            "permissions": [{"actions": ["Microsoft.Authorization/roleAssignments/write"]}],
            "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
        },
    }
    one = azure(held(SUB, OWNER, ADMIN), denyAssignments=[denied])
    error = one.refusal("PUT", assignment_url(REGISTRY), assignment(ACR_PULL, ME), caller=caller(ADMIN))
    assert (error.status, error.code) == (403, "DenyAssignmentAuthorizationFailed")
    assert one.assign(SUB, ACR_PULL, ME, caller=caller(ADMIN)).status == 201
    url = f"{RG}/providers/Microsoft.Authorization/denyAssignments?api-version=2022-04-01"
    assert [item["name"] for item in one.ask("GET", url).body["value"]] == [principal(70)]


def lock(scope: str, level: str) -> dict[str, Any]:
    return {"id": f"{scope}/providers/Microsoft.Authorization/locks/l", "properties": {"level": level}}


@pytest.mark.parametrize(
    ("place", "level", "can_write", "can_delete"),
    [
        (RG, "CanNotDelete", True, False),
        (REGISTRY, "CanNotDelete", True, False),
        (SUB, "ReadOnly", False, False),
        (f"{RG}-prod", "ReadOnly", True, True),
    ],
)
def test_locks(place: str, level: str, *, can_write: bool, can_delete: bool) -> None:
    mine = held(REGISTRY, READER, ME)
    one = azure(mine, locks=[lock(place, level)])
    delete = f"{mine['id']}?api-version=2022-04-01"
    if can_write:
        assert one.assign(REGISTRY, ACR_PULL, ME).status == 201
    else:
        assert refused(one, REGISTRY, ACR_PULL, ME).code == "ScopeLocked"
    if can_delete:
        assert one.ask("DELETE", delete).status == 200
    else:
        assert one.refusal("DELETE", delete).code == "ScopeLocked"


def test_role_definitions() -> None:
    role = {"name": principal(5), "roleName": "Own", "permissions": [], "assignableScopes": [RG]}
    one = azure(roleDefinitions=[role])
    url = "{}/providers/Microsoft.Authorization/roleDefinitions{}?api-version=2022-04-01{}"
    pull = one.ask("GET", url.format(SUB, f"/{ACR_PULL}", "")).body
    assert pull["properties"]["roleName"] == "AcrPull"
    assert pull["properties"]["permissions"][0]["actions"] == ["Microsoft.ContainerRegistry/registries/pull/read"]
    assert one.refusal("GET", url.format(SUB, f"/{principal(6)}", "")).code == "RoleDefinitionDoesNotExist"
    own = "&$filter=atScopeAndBelow() and type eq 'CustomRole'"
    assert [item["name"] for item in one.ask("GET", url.format(SUB, "", own)).body["value"]] == [principal(5)]
    assert one.ask("GET", url.format(SUB, "", "&$filter=type eq 'CustomRole'")).body["value"] == []
