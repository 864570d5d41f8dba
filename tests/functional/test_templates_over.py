"""A template laid over what is there: what the deployment keeps, what it replaces, and what is known then."""

import asyncio
from typing import Any

import raw
from fakes import FakeAzure
from unit.build import FOREIGN, GROUP, REGISTRY, STORAGE, VAULT, WORKSPACE, assigned, guid, registry_id, sai, terms, uai

from shared.access.actions import Plan
from shared.access.model import Principal
from shared.access.scope import Scope
from shared.prepare import prepare
from shared.template.overlay import laid_over
from shared.template.snapshot import snapshot

OLD = uai("old")
SHARED = registry_id("shared", FOREIGN)


def resource(scope: Scope, properties: raw.Raw | None = None, **more: Any) -> raw.Raw:
    kind = {
        WORKSPACE: "Microsoft.MachineLearningServices/workspaces",
        REGISTRY: "Microsoft.ContainerRegistry/registries",
    }
    named = kind.get(scope) or {VAULT: "Microsoft.KeyVault/vaults"}.get(scope) or scope.resource_type
    return {"id": str(scope), "type": named, "properties": properties or {}, **more}


def cluster(name: str, *holders: Principal) -> raw.Raw:
    at = WORKSPACE.child("computes", name)
    attached: raw.Raw = {str(one.resource): {} for one in holders}
    identity = {"identity": {"type": "UserAssigned", "userAssignedIdentities": attached}} if attached else {}
    return resource(at, {"computeType": "AmlCompute"}, **identity)


def there(*more: raw.Raw, registry: Scope = REGISTRY) -> FakeAzure:
    azure = FakeAzure()
    azure.have(raw.storage(), raw.vault(), raw.registry(registry, admin_user=False))
    azure.have(raw.workspace(sai("mlw"), registry=registry), raw.resource(_id(OLD), {"principalId": OLD.id}), *more)
    return azure


def _id(one: Principal) -> Scope:
    assert one.resource
    return one.resource


def after(azure: FakeAzure, *made: raw.Raw, workspace: Scope = WORKSPACE) -> Plan:
    async def planned() -> Plan:
        reads = await laid_over([snapshot({"predictedResources": list(made)}, "x")], azure, azure.roles, {})
        prepared = await prepare(workspace, reads, terms(on=("AML-07",), allow=(FOREIGN,)))
        assert prepared
        return prepared.plan

    return asyncio.run(planned())


def missing(made: Plan) -> set[tuple[str, str, Scope]]:
    return {(one.on.name, one.need.role_name, one.scope) for one in made.grants}


def test_an_identity_that_is_there_holds_what_azure_shows() -> None:
    azure = there()
    assert missing(after(azure, cluster("new", OLD))) == {("new", "AcrPull", REGISTRY)}
    assert [one.principal.id for one in after(azure, cluster("new", OLD)).grants] == [OLD.id]
    azure.assignments = [assigned(OLD, "AcrPull", REGISTRY)]
    assert missing(after(azure, cluster("new", OLD))) == set()
    assert after(azure, cluster("new", OLD)).unknown == ()


def test_what_the_template_grants_counts_as_well() -> None:
    azure = there()
    role = azure.roles
    pull = next(one for one in role.values() if one.name == "AcrPull").role_id
    grant = resource(REGISTRY.child("providers", "Microsoft.Authorization", "roleAssignments", guid("x")))
    grant |= {"type": "Microsoft.Authorization/roleAssignments"}
    for whose in (f"[reference('{OLD.resource}', '2023-01-31').principalId]", OLD.id, OLD.id.upper()):
        made = {"principalId": whose, "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{pull}"}
        assert missing(after(azure, cluster("new", OLD), {**grant, "properties": made})) == set()
    stranger = {"principalId": guid("else"), "roleDefinitionId": f"/providers/x/roleDefinitions/{pull}"}
    assert missing(after(azure, cluster("new", OLD), {**grant, "properties": stranger})) == {
        ("new", "AcrPull", REGISTRY)
    }


def test_a_deployment_removes_no_resource() -> None:
    azure = there(raw.compute("old", uai("other")))
    assert missing(after(azure, cluster("new", OLD))) == {("new", "AcrPull", REGISTRY), ("old", "AcrPull", REGISTRY)}


def test_an_identity_that_is_left_out_is_detached() -> None:
    azure = there(raw.compute("cpu", uai("other")))
    assert missing(after(azure)) == {("cpu", "AcrPull", REGISTRY)}
    assert missing(after(azure, cluster("cpu"))) == set()
    assert [one.principal.id for one in after(azure, cluster("cpu", OLD)).grants] == [OLD.id]


def test_a_registry_that_is_there_is_known() -> None:
    azure = there(registry=SHARED)
    azure.resources[SHARED]["properties"]["roleAssignmentMode"] = "AbacRepositoryPermissions"
    assert missing(after(azure, cluster("new", OLD))) == {("new", "Container Registry Repository Reader", SHARED)}


def test_an_admin_user_comes_on_again() -> None:
    def turned_off(made: Plan) -> bool:
        every = [*made.settings, *(one.action for one in made.deferred), *(one.action for one in made.withheld)]
        return any(getattr(one, "resource", None) == REGISTRY for one in every)

    azure = there()
    assert not turned_off(after(azure))
    assert turned_off(after(azure, resource(REGISTRY, {"adminUserEnabled": True})))
    azure.resources[REGISTRY]["properties"]["adminUserEnabled"] = True
    assert turned_off(after(azure))
    assert not turned_off(after(azure, resource(REGISTRY, {})))


def _policy(holder: str) -> raw.Raw:
    return {"objectId": holder, "permissions": {kind: ["all"] for kind in ("keys", "secrets", "certificates")}}


def _with_policies() -> FakeAzure:
    azure = FakeAzure()
    azure.have(raw.storage(), raw.vault(), raw.registry(admin_user=False))
    azure.have(raw.workspace(OLD, primaryUserAssignedIdentity=str(OLD.resource)))
    azure.have(raw.resource(_id(OLD), {"principalId": OLD.id}))
    azure.resources[VAULT]["properties"]["accessPolicies"] = [_policy(OLD.id)]
    return azure


def _lacks(made: Plan) -> bool:
    return any(one.resource == VAULT for one in made.settings)


def test_access_policies_that_are_written_as_a_whole_are_replaced() -> None:
    azure = _with_policies()
    assert not _lacks(after(azure))
    assert _lacks(after(azure, resource(VAULT, {"accessPolicies": []})))
    assert not _lacks(after(azure, resource(VAULT, {"accessPolicies": [_policy(OLD.id)]})))


def test_access_policies_that_are_added_leave_the_others() -> None:
    added = resource(VAULT.child("accessPolicies", "add"), {"accessPolicies": [_policy(guid("else"))]})
    added |= {"type": "Microsoft.KeyVault/vaults/accessPolicies"}
    assert not _lacks(after(_with_policies(), added))


def test_a_workspace_that_is_not_there_yet_is_planned_beside_what_is() -> None:
    azure = there()
    new = GROUP.child("providers", "Microsoft.MachineLearningServices", "workspaces", "new")
    named = {"storageAccount": str(STORAGE), "keyVault": str(VAULT), "containerRegistry": str(REGISTRY)}
    made = resource(new, named, identity={"type": "SystemAssigned"})
    train = resource(new.child("computes", "train"), {"computeType": "AmlCompute"}, identity={"type": "SystemAssigned"})
    assert missing(after(azure, made, train, workspace=new)) == {("train", "AcrPull", REGISTRY)}


def test_a_project_of_a_hub_that_is_there_has_its_registry() -> None:
    azure = there()
    project = GROUP.child("providers", "Microsoft.MachineLearningServices", "workspaces", "project")
    made = resource(project, {"hubResourceId": str(WORKSPACE)}, identity={"type": "SystemAssigned"}, kind="Project")
    train = resource(
        project.child("computes", "train"), {"computeType": "AmlCompute"}, identity={"type": "SystemAssigned"}
    )
    planned = after(azure, made, train, workspace=project)
    assert ("train", "AcrPull", REGISTRY) in missing(planned)
    assert not any("hub" in one.reason for one in planned.unknown)
