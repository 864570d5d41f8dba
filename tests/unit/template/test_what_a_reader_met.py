"""What public templates do, each in two ways at least: what it comes to for a need, or what is said to be unknown."""

import pytest
from unit.template import made
from unit.template.made import (
    CLUSTER,
    ELSEWHERE,
    GROUP,
    IDENTITY,
    OBJECT_ID,
    PULL,
    REGISTRY,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
    assigned,
    of_identity,
    of_system,
    system,
    user,
    with_pull,
)

from shared.policy import parse

HUB = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/hub"
OTHER_REGISTRY = f"{SUBSCRIPTION}/resourceGroups/rg-shared/providers/Microsoft.ContainerRegistry/registries/crshared"


def _role(one: made.Raw, form: str, role_id: str = PULL) -> made.Raw:
    return one | {"properties": one["properties"] | {"roleDefinitionId": made.role(role_id, form)}}


@pytest.mark.parametrize("form", [SUBSCRIPTION, GROUP, GROUP.upper(), "", REGISTRY])
def test_roles_are_named_in_several_forms(form: str) -> None:
    assert with_pull(_role(assigned(of_identity()), form)).pull() == "held"


def test_a_custom_role_is_what_the_template_says_it_gives() -> None:
    def outcome(*actions: str, written: str = OBJECT_ID) -> str:
        role_id = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{OBJECT_ID}"
        custom = made.resource(role_id, {"roleName": "Puller", "permissions": [{"actions": list(actions)}]})
        return with_pull(custom, _role(assigned(of_identity()), SUBSCRIPTION, written)).pull()

    assert outcome("Microsoft.ContainerRegistry/registries/*/read") == "held"
    assert outcome("Microsoft.ContainerRegistry/registries/read") == "missing"
    assert outcome("*/read", written=OBJECT_ID.upper()) == "held"
    assert outcome("*/read", written="eeeeeeee-0000-4000-8000-000000000005") == "unknown"


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("Microsoft.ContainerRegistry/registries/providers/roleAssignments", "held"),
        ("microsoft.containerregistry/REGISTRIES/providers/roleassignments", "held"),
        ("Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments", "missing"),
        ("Microsoft.DocumentDB/mongoClusters/roleAssignments", "missing"),
    ],
)
def test_grants_of_the_old_kind_are_grants_and_those_of_cosmos_db_are_not(kind: str, outcome: str) -> None:
    assert with_pull(assigned(of_identity()) | {"type": kind}).pull() == outcome


def test_a_grant_of_the_old_kind_may_have_its_id_as_an_expression() -> None:
    kind = "Microsoft.ContainerRegistry/registries/providers/roleAssignments"
    subscription = SUBSCRIPTION.rpartition("/")[2]
    names = f"'{subscription}', 'rg-demo', '{kind}', 'crdemo', 'Microsoft.Authorization', guid(utcNow())"
    one = assigned(of_identity()) | {"type": kind, "id": f"[resourceId({names})]"}
    assert with_pull(one).pull() == "held"
    assert with_pull(one | {"id": one["id"].replace("'crdemo'", "'crother'")}).pull() == "missing"


def test_the_same_thing_twice_is_one_thing() -> None:
    assert len(with_pull(made.registry(), made.cluster()).document["grants"]) == 1
    assert with_pull(assigned(of_identity()), assigned(of_identity())).pull() == "held"


def test_what_is_said_twice_and_differently_is_unknown() -> None:
    found = with_pull(made.registry(adminUserEnabled=True))
    assert "adminUserEnabled: the template says it twice, and differently" in found.unknown
    assert not any(one["property"] == "adminUserEnabled" for one in found.document["settings"])
    again = with_pull(made.registry(publicNetworkAccess="Enabled"))
    assert "differently" not in again.unknown


def _policy(holder: str) -> made.Raw:
    every = {kind: ["all"] for kind in ("keys", "secrets", "certificates")}
    return {"tenantId": OBJECT_ID, "objectId": holder, "permissions": every}


def _added(holder: str, name: str = "add") -> made.Raw:
    return made.resource(f"{VAULT}/accessPolicies/{name}", {"accessPolicies": [_policy(holder)]})


def _with_policies(*added: made.Raw, **vault: object) -> made.Outcome:
    there = [one for one in made.base() if "vaults" not in one["type"] and "workspaces" not in one["type"]]
    workspace = made.workspace(primaryUserAssignedIdentity=IDENTITY) | user()
    own = made.resource(VAULT, {"accessPolicies": [], **vault})
    terms = parse("rules: {AML-07: {enabled: true}}").terms()
    return made.planned([*there, own, workspace, *added], terms=terms)


def _lacks_policy(found: made.Outcome) -> bool:
    return any(one["resourceId"] == VAULT for one in found.document["settings"])


def test_access_policies_that_are_added_add_up() -> None:
    assert _lacks_policy(_with_policies())
    assert _lacks_policy(_with_policies(_added(of_identity(ELSEWHERE))))
    assert not _lacks_policy(_with_policies(_added(of_identity(ELSEWHERE)), _added(of_identity())))
    assert not _lacks_policy(_with_policies(accessPolicies=[_policy(of_identity())]))


@pytest.mark.parametrize("name", ["replace", "remove"])
def test_access_policies_that_are_changed_otherwise_are_unknown(name: str) -> None:
    found = _with_policies(_added(of_identity(), name))
    assert not _lacks_policy(found)
    assert f"{name} changes them" in found.unknown


@pytest.mark.parametrize("holder", [OBJECT_ID, "[reference(parameters('x')).principalId]"])
def test_access_policies_of_strangers_leave_it_open(holder: str) -> None:
    found = _with_policies(accessPolicies=[_policy(holder)])
    assert not _lacks_policy(found)
    assert VAULT in found.unknown


def test_absent_properties_mean_their_defaults() -> None:
    def settings(**properties: object) -> list[str]:
        there = [one for one in made.base() if "registries" not in one["type"]]
        own = made.resource(REGISTRY, dict(properties))
        found = made.planned([*there, own, made.cluster(), assigned(of_identity())])
        planned = [*found.document["settings"], *(one["action"] for one in found.document["deferred"])]
        planned += [one["action"] for one in found.document["withheld"]]
        return [one["property"] for one in planned if one.get("property") == "adminUserEnabled"]

    assert settings() == []
    assert settings(adminUserEnabled=True) == ["adminUserEnabled"]
    assert _lacks_policy(_with_policies(enableRbacAuthorization=None))


def test_a_vault_of_a_newer_version_lets_rbac_decide_by_default() -> None:
    there = [one for one in made.base() if "vaults" not in one["type"] and "workspaces" not in one["type"]]
    workspace = made.workspace(primaryUserAssignedIdentity=IDENTITY) | user()
    own = made.resource(VAULT) | {"apiVersion": "2026-02-01"}
    found = made.planned([*there, own, workspace], terms=parse("rules: {AML-06: {enabled: true}}").terms())
    assert (IDENTITY, "Key Vault Administrator", VAULT) in found.missing


@pytest.mark.parametrize("kind", ["userAssigned", "USERASSIGNED", "SystemAssigned,userAssigned", "UserAssigned"])
def test_types_come_in_any_casing(kind: str) -> None:
    identity = {
        "identity": {"type": kind, "userAssignedIdentities": {IDENTITY.replace("resourceGroups", "resourcegroups"): {}}}
    }
    own = "system" in kind.casefold()
    assert with_pull(assigned(of_system(CLUSTER) if own else of_identity()), identity=identity).pull() == "held"
    assert with_pull(identity=identity).pull() == "missing"


@pytest.mark.parametrize("kind", ["AMLCompute", "amlcompute"])
def test_kinds_of_compute_come_in_any_casing(kind: str) -> None:
    there = [
        *made.base(),
        made.cluster(computeType=kind) | {"type": "microsoft.machinelearningservices/workspaces/COMPUTES"},
    ]
    assert made.planned(there).pull() == "missing"


def _project(**properties: object) -> list[made.Raw]:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    hub = made.workspace() | {"id": HUB, "kind": "Hub"}
    nothing = dict.fromkeys(("storageAccount", "keyVault", "containerRegistry"))
    project = made.workspace(hubResourceId=HUB, **nothing, **properties) | {"kind": "project"}
    return [*there, hub, project, made.cluster()]


def test_a_project_has_the_registry_of_its_hub() -> None:
    assert (IDENTITY, "AcrPull", REGISTRY) in made.planned(_project()).missing
    assert (IDENTITY, "AcrPull", REGISTRY) not in made.planned([*_project(), assigned(of_identity())]).missing


def test_a_project_of_a_hub_that_is_not_in_the_template_leaves_it_open() -> None:
    found = made.planned([one for one in _project() if one["id"] != HUB])
    assert "its hub, which is not in the template" in found.unknown
    assert found.missing == set()


def test_an_identity_in_two_roles_needs_what_both_need() -> None:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    workspace = made.workspace(primaryUserAssignedIdentity=IDENTITY) | user()
    found = made.planned([*there, workspace, made.cluster(), assigned(of_identity())])
    assert (IDENTITY, "Storage Blob Data Contributor", STORAGE) in found.missing
    assert (IDENTITY, "AcrPull", REGISTRY) not in found.missing


def test_an_identity_that_is_attached_to_nothing_needs_nothing() -> None:
    idle = made.resource(IDENTITY.replace("id-train", "id-idle"))
    assert with_pull(idle, assigned(of_identity())).missing == set()
    assert "id-idle" not in str(with_pull(idle).document)


def test_an_identity_that_lies_elsewhere_is_the_one_that_its_id_names() -> None:
    assert with_pull(assigned(of_identity()), identity=user(ELSEWHERE)).pull() == "unknown"
    own = made.resource(ELSEWHERE)
    assert with_pull(own, assigned(of_identity()), identity=user(ELSEWHERE)).pull() == "missing"
    assert with_pull(own, assigned(of_identity(ELSEWHERE)), identity=user(ELSEWHERE)).pull() == "held"


@pytest.mark.parametrize(("name", "found"), [("gone", True), ("train", False)])
def test_an_image_builder_that_is_named_and_not_made_is_told(name: str, found: bool) -> None:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    plan = made.planned([*there, made.workspace(imageBuildCompute=name), made.cluster(), assigned(of_identity())])
    said = [one for one in plan.document["findings"] if f"compute {name}, which does not exist" in one["message"]]
    assert bool(said) == found


@pytest.mark.parametrize(
    ("at", "missing"),
    [
        (STORAGE, False),
        (GROUP, False),
        (SUBSCRIPTION, False),
        (f"{STORAGE}/blobServices/default/containers/data", True),
        (f"{STORAGE}x", True),
        (f"{GROUP}x", True),
    ],
)
def test_a_container_does_not_cover_the_account_and_the_group_does(at: str, missing: bool) -> None:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    workspace = made.workspace(primaryUserAssignedIdentity=IDENTITY) | user()
    blobs = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    plan = made.planned([*there, workspace, assigned(of_identity(), blobs, at)])
    assert ((IDENTITY, "Storage Blob Data Contributor", STORAGE) in plan.missing) == missing


@pytest.mark.parametrize("identity", [user(), system()])
def test_a_workspace_without_a_registry_is_unknown_and_not_fine(identity: made.Raw) -> None:
    there = [one for one in made.base() if one["type"].rpartition("/")[2] not in ("workspaces", "registries")]
    found = made.planned([*there, made.workspace(containerRegistry=None), made.cluster(identity)])
    assert "its container registry, and who pulls from it" in found.unknown
    assert found.missing == set()


def _datastore(**properties: object) -> made.Raw:
    return made.resource(f"{WORKSPACE}/datastores/data", dict(properties))


def _store(kind: str, credentials: str) -> made.Raw:
    return {
        "accountName": "stdata",
        "containerName": "c",
        "credentials": {"credentialsType": credentials},
        "kind": kind,
    }


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize(
    ("kind", "credentials"), [("AzureBlob", "None"), ("azureblob", "none"), ("AzureBlob", "AccountKey")]
)
def test_datastores_come_in_two_schemas(kind: str, credentials: str, older: bool) -> None:
    said = _store(kind, credentials)
    store = _datastore(contents={**said, "contentsType": kind}) if older else _datastore(**said, datastoreType=kind)
    keyless = credentials.casefold() == "none"
    account = made.resource(STORAGE.replace("stdemo", "stdata"))
    found = with_pull(assigned(of_identity()), account, store)
    told = [one for one in found.document["findings"] if "stdata" in one["message"]]
    told += [one for one in found.document["grants"] if "stdata" in one["scope"]]
    assert bool(told) == keyless


def test_a_registry_that_is_there_already_is_not_in_the_template() -> None:
    there = [one for one in made.base() if "workspaces" not in one["type"]]
    workspace = made.workspace(containerRegistry=OTHER_REGISTRY)
    found = made.planned([*there, workspace, made.cluster()])
    assert f"{OTHER_REGISTRY}: its settings: it is not in the template" in found.unknown
    assert (IDENTITY, "AcrPull", OTHER_REGISTRY) in found.missing
    held = made.planned([*there, workspace, made.cluster(), assigned(of_identity(), at=OTHER_REGISTRY)])
    assert held.missing == set()


def test_what_vanished_from_a_snapshot_makes_it_incomplete() -> None:
    said = {"code": "NestedDeploymentShortCircuited", "message": "it was not expanded", "target": "/x"}
    assert with_pull(diagnostics=[said]).incomplete
    assert with_pull(made.resource(f"{GROUP}/providers/Microsoft.Resources/deployments/inner")).incomplete
    assert not with_pull().incomplete


def test_a_child_of_a_workspace_that_is_there_already_is_unknown() -> None:
    found = made.planned([made.cluster(), made.resource(IDENTITY)])
    assert "its workspace is not in the template" in found.unknown


def test_a_script_may_change_anything_afterwards() -> None:
    script = made.resource(f"{GROUP}/providers/Microsoft.Resources/deploymentScripts/grant", {"azCliVersion": "2.60.0"})
    assert "what its scripts change" in with_pull(script).unknown


def test_grants_of_people_and_groups_are_told_apart() -> None:
    def typed(kind: str) -> made.Raw:
        one = assigned(OBJECT_ID)
        return one | {"properties": one["properties"] | {"principalType": kind}}

    assert with_pull(typed("User")).pull() == "missing"
    assert with_pull(typed("Group")).pull() == "unknown"
    assert with_pull(typed("servicePrincipal")).pull() == "unknown"


def test_what_azure_machine_learning_may_grant_by_itself_stays_missing() -> None:
    from handlers.cli.template import with_aml  # noqa: PLC0415 - the rest of the module needs no command line

    own, other = (with_aml(with_pull(identity=identity).document) for identity in (system(), user()))
    assert [one["amlMayAdd"] for one in own["grants"]] == [True]
    assert [one["amlMayAdd"] for one in other["grants"]] == [False]
    assert [one["principalId"] for one in (*own["grants"], *other["grants"])] == [None, None]
