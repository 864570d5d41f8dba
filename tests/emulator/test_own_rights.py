"""The app's identity holds only the conditioned role: what the condition leaves out, Azure refuses."""

import json
from pathlib import Path

import pytest
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, BLOB_CONTRIBUTOR, CONTRIBUTOR, Tenant, group_id, oid, system_assigned, user_assigned
from wire import Json

GROUP = group_id("rg-rights")
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acrrights"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/workspace"


def _tenant() -> Tenant:
    """A workspace that acts as a user-assigned identity: Contributor on its registry is what AML-08 would grant."""
    tenant = Tenant()
    identity = tenant.uai(GROUP, "workspace")
    registry = tenant.registry(GROUP, "acrrights")
    account = tenant.storage(GROUP, "strights")
    workspace = tenant.workspace(
        GROUP,
        identity=user_assigned(identity),
        primaryUserAssignedIdentity=identity["id"],
        containerRegistry=registry["id"],
        storageAccount=account["id"],
    )
    tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    return tenant


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    return start_azure(_tenant().document(), "mode: enforce\n", functions=False)


def test_a_grant_outside_the_condition_is_refused_and_stops_no_other(azure: LocalAzure, tmp_path: Path) -> None:
    policy = tmp_path / "broad.yaml"
    policy.write_text("rules:\n  AML-08: {enabled: true}\n", encoding="utf-8")
    ran = azure.run("apply", "--yes", "--format", "json", "--policy", str(policy))
    assert ran.code == 1, ran.err

    outcomes = {(one["principalId"], one["roleName"]): one for one in ran.document["grants"]}
    failed = outcomes[oid(IDENTITY), "Contributor"]
    assert failed["outcome"] == "Failed"
    assert "condition" in failed["outcomeReason"]
    assert {one["outcome"] for one in outcomes.values() if one is not failed} == {"Applied"}

    (refused,) = [one for one in azure.writes() if one["status"] >= 400]
    assert refused["status"] == 403
    assert "AuthorizationFailed" in failed["outcomeReason"]
    assert REGISTRY.lower() in refused["path"].lower()
    held = azure.grants(oid(IDENTITY), GROUP)
    assert CONTRIBUTOR not in {role for _, role in held}
    assert BLOB_CONTRIBUTOR in {role for _, role in held}
    assert (REGISTRY.lower(), ACR_PULL) in azure.grants(oid("cluster"), REGISTRY)

    (row,) = azure.rows(where="Outcome == 'Failed'")
    assert row["RoleDefinitionId"].endswith(CONTRIBUTOR)
    assert "condition" in row["Reason"]
    assert json.loads(row["Requirements"]) == ["AML-08", "AML-10", "AML-83"]


def _own_role(azure: LocalAzure) -> Json:
    """The one assignment of the app's with which it can assign roles."""
    scope = GROUP.partition("/resourceGroups")[0]
    listed = azure.get(
        f"{scope}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{azure.app}'"
    )
    (found,) = [one for one in listed["value"] if one["properties"].get("condition")]
    assert isinstance(found, dict)
    return found


def test_the_condition_is_the_printed_one(azure: LocalAzure) -> None:
    printed = azure.run("policy", "condition", "--policy", str(azure.folder / "policy.yaml"))
    assert printed.code == 0, printed.err
    assert _own_role(azure)["properties"]["condition"] == printed.out.strip()
    assert CONTRIBUTOR not in printed.out
    assert ACR_PULL in printed.out


def test_a_wrong_policy_prints_no_condition(azure: LocalAzure, tmp_path: Path) -> None:
    policy = tmp_path / "wrong.yaml"
    policy.write_text("rules: {no-such-rule: {enabled: true}}", encoding="utf-8")
    ran = azure.run("policy", "condition", "--policy", str(policy))
    assert (ran.code, ran.out) == (1, "")


def test_the_same_grant_passes_once_the_condition_is_renewed(start_own_azure: Start, tmp_path: Path) -> None:
    azure = start_own_azure(_tenant().document(), "mode: enforce\n", functions=False)
    policy = tmp_path / "broad.yaml"
    policy.write_text("rules:\n  AML-08: {enabled: true}\n", encoding="utf-8")
    assert azure.run("apply", "--yes", "--policy", str(policy)).code == 1
    assert (REGISTRY.lower(), CONTRIBUTOR) not in azure.grants(oid(IDENTITY), REGISTRY)

    printed = azure.run("policy", "condition", "--policy", str(policy)).out.strip()
    own = _own_role(azure)
    azure.put(own["id"], {"properties": {**own["properties"], "condition": printed}})
    ran = azure.run("apply", "--yes", "--format", "json", "--policy", str(policy))
    assert "Failed" not in {one["outcome"] for one in ran.document["grants"]}, ran.out
    assert (REGISTRY.lower(), CONTRIBUTOR) in azure.grants(oid(IDENTITY), REGISTRY)
