"""Raw ARM objects into the model: any casing, missing keys, unknown kinds."""

from datetime import UTC, datetime
from typing import Any

import pytest
from unit.build import ROLES, guid

from shared.access import parse
from shared.access.model import ComputeType, Identity, Workspace
from shared.access.needs import VAULT_PERMISSIONS
from shared.access.permissions import Permission
from shared.access.rules import List
from shared.access.scope import Scope
from shared.access.unasked import NotAskedError

RG = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"
WS = f"{RG}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
ACR = f"{RG}/providers/Microsoft.ContainerRegistry/registries/acrml"
UAI = f"{RG}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/uami"
AKS = f"{RG}/providers/Microsoft.ContainerService/managedClusters/aks"
KV = f"{RG}/providers/Microsoft.KeyVault/vaults/kvml"


def workspace(
    properties: dict[str, Any] | None = None, resolved: dict[Scope, str] | None = None, **lists: Any
) -> Workspace:
    raw: dict[str, Any] = {"id": WS, "properties": properties}
    known = {List(name): rows for name, rows in lists.items() if name in List}
    return parse.workspace(raw | {k: v for k, v in lists.items() if k not in List}, known, resolved or {})


def one_compute(**properties: Any) -> Any:
    raw = {"id": f"{WS}/computes/cpu", "properties": properties}
    return workspace(computes=[raw]).computes[0]


def test_a_workspace_of_which_only_the_id_is_known() -> None:
    for bare in (
        {"id": WS},
        {"id": WS, "properties": None},
        {"id": WS, "properties": {}},
        {"id": WS, "identity": None},
    ):
        found = parse.workspace(bare, dict.fromkeys(List, ()), {})
        assert found == Workspace(Scope.parse(WS), "default", Identity())
        assert found.ready
        assert found.acting is None


def test_a_list_that_was_not_asked_for_is_not_empty() -> None:
    found = parse.workspace({"id": WS}, {List.COMPUTES: []}, {})
    assert found.computes == ()
    with pytest.raises(NotAskedError):
        list(found.endpoints)


def test_a_workspace_without_the_key_containerregistry_has_none() -> None:
    assert workspace({"storageAccount": ACR}).registry is None
    for nothing in (None, ""):
        assert workspace({"containerRegistry": nothing}).registry is None


def test_ids_of_any_casing_name_the_same_registry() -> None:
    shouted = ACR.replace("resourceGroups/rg", "resourcegroups/RG").replace("Microsoft.Con", "microsoft.con")
    assert workspace({"containerRegistry": shouted}).registry == Scope.parse(ACR)


@pytest.mark.parametrize("broken", ["acrml", "/subscriptions/..", f"{ACR}*", 7, ["x"], {"id": ACR}, False, [], WS[:-3]])
def test_a_dependency_that_is_no_arm_id_is_told_since_it_must_not_look_like_none(broken: object) -> None:
    for key in ("containerRegistry", "storageAccount", "keyVault", "primaryUserAssignedIdentity", "hubResourceId"):
        (found,) = workspace({key: broken}).no_ids
        assert (found.on, found.name) == (Scope.parse(WS), f"properties.{key}")


def test_what_a_workspace_says_of_itself() -> None:
    found = parse.workspace(
        {
            "id": WS,
            "kind": "Hub",
            "systemData": {"createdAt": "2026-01-02T03:04:05.1234567Z"},
            "identity": {"type": "SystemAssigned, UserAssigned", "principalId": guid("SAI").upper()}
            | {"userAssignedIdentities": {UAI.upper().replace("/SUB", "/sub"): {"principalId": guid("uai").upper()}}},
            "properties": {
                "primaryUserAssignedIdentity": UAI,
                "enableDataIsolation": True,
                "systemDatastoresAuthMode": "Identity",
                "serverlessComputeSettings": {"serverlessComputeNoPublicIP": True},
                "somethingNew": {"x": 1},
                "provisioningState": "Succeeded",
            },
        },
        {},
        {},
    )
    assert found.kind == "hub"
    assert (found.data_isolation, found.storage_by_identity, found.serverless, found.ready) == (True,) * 4
    assert found.created_on == datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)
    assert found.acting is not None
    assert (found.acting.id, found.acting.resource, found.acts_as_uai) == (guid("uai"), Scope.parse(UAI), True)
    assert found.identity.system is not None
    assert found.identity.system.id == guid("SAI")


def test_settings_that_are_off_are_off() -> None:
    found = workspace(
        {"enableDataIsolation": "true", "systemDatastoresAuthMode": "accessKey", "serverlessComputeSettings": None}
    )
    assert (found.data_isolation, found.storage_by_identity, found.serverless) == (False,) * 3


@pytest.mark.parametrize(
    ("block", "system", "user", "unresolved"),
    [
        (None, False, 0, 0),
        ({"type": "None"}, False, 0, 0),
        ({"type": "SystemAssigned", "principalId": "p"}, True, 0, 0),
        ({"type": "systemassigned", "principalId": "p"}, True, 0, 0),
        ({"type": "SystemAssigned"}, False, 0, 0),  # still being made
        ({"type": "SystemAssigned", "principalId": "p", "userAssignedIdentities": {}}, True, 0, 0),
        ({"type": "UserAssigned", "userAssignedIdentities": {UAI: {"principalId": "p"}}}, False, 1, 0),
        ({"type": "UserAssigned", "principalId": "stale", "userAssignedIdentities": {UAI: {}}}, False, 0, 1),
        ({"type": "UserAssigned", "userAssignedIdentities": {UAI: None}}, False, 0, 1),
        (
            {"type": "SystemAssigned,UserAssigned", "principalId": "p", "userAssignedIdentities": {UAI: {}}},
            True,
            0,
            1,
        ),
        ({"principalId": "p", "userAssignedIdentities": {UAI: {"principalId": "q"}}}, True, 1, 0),  # no type at all
    ],
)
def test_identity_blocks(block: dict[str, Any] | None, system: bool, user: int, unresolved: int) -> None:
    found = parse.identity({"identity": block}, "x", {})
    assert (found.system is not None, len(found.user), len(found.unresolved)) == (system, user, unresolved)


def test_a_user_assigned_identity_that_arm_left_empty_is_resolved_from_elsewhere() -> None:
    block = {"identity": {"type": "UserAssigned", "userAssignedIdentities": {UAI: {}}}}
    found = parse.identity(block, "x", {Scope.parse(UAI.replace("rg", "RG")): guid("uai").upper()})
    assert [p.id for p in found.user] == [guid("uai")]
    assert found.unresolved == ()


def test_the_default_identity_is_the_systems_else_the_first_users_and_unknown_while_one_is_unresolved() -> None:
    two = {f"{UAI}1": {"principalId": "one"}, f"{UAI}2": {"principalId": "two"}}
    user = parse.identity({"identity": {"type": "UserAssigned", "userAssignedIdentities": two}}, "x", {})
    both = parse.identity(
        {"identity": {"type": "SystemAssigned,UserAssigned", "principalId": "s", "userAssignedIdentities": two}},
        "x",
        {},
    )
    partly = parse.identity({"identity": {"type": "UserAssigned", "userAssignedIdentities": {UAI: {}} | two}}, "x", {})
    assert user.default is not None
    assert user.default.id == "one"
    assert both.default == both.system
    assert partly.default is None
    assert not partly.empty


def test_computes_of_known_and_unknown_types() -> None:
    assert one_compute(computeType="AmlCompute").type is ComputeType.AML_COMPUTE
    assert one_compute(computeType="AMLCOMPUTE").type is ComputeType.AML_COMPUTE
    assert one_compute(computeType="Quantum").type is ComputeType.UNKNOWN
    assert one_compute(computeType="Quantum").type_name == "Quantum"
    assert one_compute().type is ComputeType.UNKNOWN


def test_a_compute_as_arm_returns_it_without_an_identity_key() -> None:
    found = one_compute(
        computeType="AmlCompute", createdOn="2021-04-01T22:00:00.0000000+00:00", provisioningState="Succeeded"
    )
    assert found.identity.empty
    assert found.ready
    assert found.created_on == datetime(2021, 4, 1, 22, tzinfo=UTC)


def test_a_compute_that_is_being_made_is_not_ready_and_one_that_is_going_is_left_out() -> None:
    assert not one_compute(computeType="AmlCompute", provisioningState="Creating").ready
    going = {"id": f"{WS}/computes/cpu", "properties": {"provisioningState": "Deleting"}}
    leaving = {"id": f"{WS}/onlineEndpoints/serve", "properties": {"provisioningState": "deleting"}}
    found = workspace(computes=[going], onlineEndpoints=[leaving])
    assert (found.computes, found.endpoints) == ((), ())


def test_what_a_user_of_the_workspace_writes_and_is_no_arm_id_leads_nowhere() -> None:
    assert one_compute(computeType="AKS", resourceId="../../x").attached is None
    assert one_compute(computeType="AKS", resourceId=AKS).attached == Scope.parse(AKS)


def test_an_endpoint_that_is_being_made_has_no_identity_yet() -> None:
    raw = {"id": f"{WS}/onlineEndpoints/serve", "properties": {"provisioningState": "Creating"}}
    (found,) = workspace(onlineEndpoints=[raw]).endpoints
    assert not found.ready
    assert found.identity.empty


@pytest.mark.parametrize(
    ("credentials", "identity_based"),
    [({"credentialsType": "None"}, True), ({"credentialsType": "AccountKey"}, False), ({}, False), (None, False)],
)
def test_a_datastore_without_credentials_is_identity_based(credentials: Any, identity_based: bool) -> None:
    raw = {
        "id": f"{WS}/datastores/d",
        "properties": {"datastoreType": "AzureBlob", "accountName": "store", "credentials": credentials},
    }
    (found,) = workspace(datastores=[raw]).datastores
    assert found.identity_based is identity_based


@pytest.mark.parametrize(
    ("properties", "registry"),
    [
        ({"category": "ContainerRegistry", "metadata": {"ResourceId": ACR}}, ACR),
        ({"category": "acr", "metadata": {"resourceid": ACR}}, ACR),
        ({"category": "ContainerRegistry", "metadata": {}}, None),
        ({"category": "ContainerRegistry", "metadata": None}, None),
        ({"category": "ContainerRegistry", "metadata": {"ResourceId": "acrml.azurecr.io"}}, None),
        ({"category": "ContainerRegistry", "metadata": {"ResourceId": KV}}, None),  # AcrPull is nothing for a vault
        ({"category": "AzureOpenAI", "metadata": {"ResourceId": ACR}}, None),
        ({}, None),
    ],
)
def test_a_connection_names_a_registry_or_none(properties: dict[str, Any], registry: str | None) -> None:
    (found,) = workspace(connections=[{"id": f"{WS}/connections/con", "properties": properties}]).connections
    assert found.registry == (Scope.parse(registry) if registry else None)


def test_a_registry() -> None:
    classic = parse.registry({"id": ACR, "properties": {"adminUserEnabled": False, "roleAssignmentMode": None}})
    abac = parse.registry(
        {
            "id": ACR,
            "properties": {
                "adminUserEnabled": True,
                "roleAssignmentMode": "AbacRepositoryPermissions",
                "loginServer": "acrml.azurecr.io",
                "creationDate": "2021-06-15T21:38:26.1537861Z",
            },
        }
    )
    assert (classic.admin_user, classic.abac, classic.login_server) == (False, False, None)
    assert (abac.admin_user, abac.abac, abac.login_server) == (True, True, "acrml.azurecr.io")
    assert abac.created_on is not None
    assert parse.registry({"id": ACR}).admin_user is False


def test_a_vault_whose_mode_is_not_said_is_in_access_policy_mode() -> None:
    assert not parse.vault({"id": KV}).rbac
    assert not parse.vault({"id": KV, "properties": {"enableRbacAuthorization": None}}).rbac
    assert parse.vault({"id": KV, "properties": {"enableRbacAuthorization": True}}).rbac


def test_access_policies_by_object_id_whatever_the_case() -> None:
    entries = [
        {"objectId": guid("me").upper(), "permissions": {"secrets": ["Get", "LIST"], "keys": None}},
        {"objectId": guid("me"), "permissions": {"keys": ["get"]}},
        {"objectId": guid("me"), "applicationId": guid("app"), "permissions": {"keys": ["purge"]}},
        {"permissions": {"keys": ["get"]}},
    ]
    found = parse.vault({"id": KV, "properties": {"accessPolicies": entries}})
    assert found.policies == {guid("me"): frozenset({"secrets/get", "secrets/list", "keys/get"})}


def test_the_old_word_all_stands_for_every_permission_of_its_kind() -> None:
    entry = {"objectId": "me", "permissions": {"keys": ["all"], "secrets": ["All"], "certificates": ["get"]}}
    held = parse.vault({"id": KV, "properties": {"accessPolicies": [entry]}}).policies["me"]
    assert {p for p in VAULT_PERMISSIONS if p.startswith(("keys/", "secrets/"))} <= held
    assert {p for p in VAULT_PERMISSIONS if p.startswith("certificates/")} - held


def test_the_identity_with_which_a_cluster_pulls_is_its_kubelets_and_the_cluster_vouches_for_it() -> None:
    raw = {"id": AKS, "properties": {"identityProfile": {"kubeletidentity": {"objectId": guid("K").upper()}}}}
    kubelet = parse.cluster(raw)
    assert kubelet is not None
    assert kubelet.id == guid("K")
    assert kubelet.resource == Scope.parse(AKS)
    assert parse.cluster({"id": AKS, "properties": {"servicePrincipalProfile": {"clientId": "x"}}}) is None


@pytest.mark.parametrize("scope", [RG.rpartition("/resourceGroups")[0], RG, ACR])
@pytest.mark.parametrize("name", ["lock", "do not delete"])
def test_a_lock_of_any_name_at_any_scope(scope: str, name: str) -> None:
    raw = {"id": f"{scope}/providers/microsoft.authorization/Locks/{name}", "properties": {"level": "ReadOnly"}}
    found = parse.lock(raw)
    assert found is not None
    assert (found.scope, found.read_only) == (Scope.parse(scope), True)
    loose = parse.lock(raw | {"properties": {"level": "CanNotDelete"}})
    assert loose is not None
    assert not loose.read_only


def test_a_lock_on_what_no_workspace_can_use_is_left_out() -> None:
    odd = f"{RG}/providers/microsoft.insights/scheduledQueryRules/a & b/providers/Microsoft.Authorization/locks/l"
    assert parse.lock({"id": odd}) is None


@pytest.mark.parametrize("name", ["a * b", 'it\'s "mine"; $(x)', "<\u2713>"])
def test_a_lock_on_an_odd_name_is_one(name: str) -> None:
    scope = f"{RG}/providers/microsoft.insights/components/{name}"
    found = parse.lock({"id": f"{scope}/providers/Microsoft.Authorization/locks/l"})
    assert found
    assert str(found.scope) == scope


def test_role_definitions_as_arm_returns_them_and_as_they_ship() -> None:
    raw = {
        "id": "/providers/Microsoft.Authorization/roleDefinitions/ABC",
        "properties": {
            "roleName": "Mine",
            "permissions": [{"actions": ["*/read"], "condition": "c"}, {"actions": None}],
        },
    }
    found = parse.role_definition(raw)
    assert (found.role_id, found.name) == ("abc", "Mine")
    assert found.permissions[0].condition == "c"
    assert not found.permissions[1].allows(Permission("a/read"))
    assert ROLES["AcrPull"].role_id == "7f951dda-4ed3-4680-a7ca-43fe172d538d"


def test_a_time_of_an_assignment_that_names_no_zone_is_utc() -> None:
    """A time without a zone cannot be compared with any other."""
    for zone in ("", "Z"):
        body = {"scope": ACR, "principalId": "x", "roleDefinitionId": "/a/b", "createdOn": f"2026-11-02T12:00:00{zone}"}
        made = parse.role_assignment({"id": "/", "properties": body})
        assert made
        assert made.created_on == datetime(2026, 11, 2, 12, tzinfo=UTC)
