"""`amlguard plan` and `apply` as people and pipelines run them: exit codes, documents, and what they leave alone."""

import json
from pathlib import Path

import pytest
from local_azure import LocalAzure, Start
from tenants import (
    ACR_PULL,
    BLOB_CONTRIBUTOR,
    BLOB_READER,
    FILE_PRIVILEGED_CONTRIBUTOR,
    GRANTS_ONLY,
    Tenant,
    child,
    group_id,
    oid,
    system_assigned,
)

NAMES = ("planned", "asked", "unrecorded", "applied", "part", "compliant")


def _workspace(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.MachineLearningServices/workspaces", "mlw")


def _registry(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.ContainerRegistry/registries", f"acrml{name}")


def _storage(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.Storage/storageAccounts", f"st{name}")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    """Each workspace's cluster needs two grants; the compliant one's has them."""
    tenant = Tenant()
    for name in NAMES:
        group = group_id(f"rg-{name}")
        registry, account = tenant.registry(group, f"acrml{name}"), tenant.storage(group, f"st{name}")
        workspace = tenant.workspace(
            group,
            containerRegistry=registry["id"],
            storageAccount=account["id"],
            systemDatastoresAuthMode="identity",
        )
        tenant.compute(workspace, "cluster", identity=system_assigned(name))
    tenant.assign(_registry("compliant"), oid("compliant"), ACR_PULL)
    tenant.assign(_storage("compliant"), oid("compliant"), BLOB_CONTRIBUTOR)
    for role in (BLOB_CONTRIBUTOR, FILE_PRIVILEGED_CONTRIBUTOR):
        tenant.assign(_storage("compliant"), tenant.group("scientists"), role, kind="Group")
    tenant.storage(group_id("rg-idle"), "stidle")
    return start_azure(tenant.document(), GRANTS_ONLY, functions=False)


def _both(name: str) -> set[tuple[str, str]]:
    return {(_registry(name).lower(), ACR_PULL), (_storage(name).lower(), BLOB_READER)}


def _held(azure: LocalAzure, name: str) -> set[tuple[str, str]]:
    return azure.grants(oid(name), group_id(f"rg-{name}"))


def test_plan_says_what_is_missing_and_changes_nothing(azure: LocalAzure) -> None:
    ran = azure.run("plan", "--scope", _workspace("planned"), "--format", "json")
    assert ran.code == 2, ran.err
    # More lines come every ten seconds, on a slow machine.
    assert ran.err.splitlines()[0] == "amlguard: plan: signing in and looking for workspaces …"
    document = ran.document
    assert {(one["scope"].lower(), one["roleDefinitionId"].rpartition("/")[2]) for one in document["grants"]} == _both(
        "planned"
    )
    for grant in document["grants"]:
        assert grant["principalId"] == oid("planned")
        assert grant["principalType"] == "ServicePrincipal"
        assert all(grant[key] for key in ("roleName", "rule", "requirements", "reason", "source"))
    assert document["errors"] == document["settings"] == document["withheld"] == document["deferred"] == []
    assert _held(azure, "planned") == set()


def test_a_compliant_workspace_is_said_to_be(azure: LocalAzure) -> None:
    ran = azure.run("plan", "--scope", _workspace("compliant"), "--format", "json")
    assert ran.code == 0, ran.err
    assert ran.document["satisfied"] == 4  # the cluster pulls, reads, writes; the workspace builds


@pytest.mark.parametrize(
    ("scope", "named"),
    [
        pytest.param("/subscriptions/11111111-1111-4111-8111-111111111111", len(NAMES), id="subscription"),
        pytest.param(group_id("rg-part").upper(), 1, id="resource group"),
        pytest.param(_registry("part"), 1, id="registry"),
        pytest.param(_storage("part").lower(), 1, id="storage account"),
        pytest.param(f"{_workspace('part')}/computes/cluster", 1, id="compute"),
    ],
)
def test_scopes_lead_to_their_workspaces(azure: LocalAzure, scope: str, named: int) -> None:
    azure.forget_requests()
    assert azure.run("plan", "--scope", scope).code in {0, 2}
    looked = {
        one["path"].partition("?")[0].lower()
        for one in azure.asked()
        if one["path"].partition("?")[0].lower().endswith("/workspaces/mlw")
    }
    assert len(looked) == named


def test_a_group_without_workspaces_is_no_error_beside_one_with_some(azure: LocalAzure) -> None:
    ran = azure.run("plan", "--scope", group_id("rg-idle"), "--scope", _workspace("compliant"))
    assert ran.code == 0
    assert "no workspace lies in or uses" in ran.err


def test_apply_without_a_terminal_wants_a_yes(azure: LocalAzure) -> None:
    ran = azure.run("apply", "--scope", _workspace("asked"))
    assert ran.code == 1
    assert "--yes" in ran.err
    assert _held(azure, "asked") == set()


def test_apply_without_an_audit_log_changes_nothing(azure: LocalAzure) -> None:
    nowhere = {"AMLGUARD_LOGS_INGESTION_ENDPOINT": "", "AMLGUARD_LOGS_RULE_ID": ""}
    ran = azure.run("apply", "--yes", "--scope", _workspace("unrecorded"), env=nowhere)
    assert ran.code == 1
    assert "AMLGUARD_LOGS_INGESTION_ENDPOINT" in ran.err
    elsewhere = {"AMLGUARD_LOGS_RULE_ID": "dcr-00000000000000000000000000000000"}
    assert azure.run("apply", "--yes", "--scope", _workspace("unrecorded"), env=elsewhere).code == 1
    assert _held(azure, "unrecorded") == set()


def test_apply_twice(azure: LocalAzure) -> None:
    """The first makes the grants and says so; the second has nothing to do. The policy's mode does not matter."""
    arguments = ("apply", "--yes", "--scope", _workspace("applied"), "--format", "json")
    first = azure.run(*arguments)
    assert first.code == 0, first.err
    assert {one["outcome"] for one in first.document["grants"]} == {"Applied"}
    assert _held(azure, "applied") == _both("applied")
    rows = azure.rows(where=f"PrincipalId == '{oid('applied')}'")
    assert {row["RunId"] for row in rows} == {first.document["run"]}
    assert sorted(row["Outcome"] for row in rows) == ["Applied", "Applied", "Planned", "Planned"]

    azure.forget_requests()
    again = azure.run(*arguments)
    assert again.code == 0, again.err
    assert again.document["grants"] == []
    assert azure.writes() == []


def test_apply_a_plan_does_no_more_than_the_plan_says(azure: LocalAzure, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    planned = azure.run("plan", "--scope", _workspace("part"), "--format", "json", "--out", str(file))
    assert planned.code == 2, planned.err
    document = json.loads(file.read_text(encoding="utf-8"))
    document["grants"] = [one for one in document["grants"] if one["roleName"] == "AcrPull"]
    file.write_text(json.dumps(document), encoding="utf-8")
    ran = azure.run("apply", "--yes", "--scope", _workspace("part"), "--plan", str(file))
    assert ran.code in {0, 2}, ran.err
    assert _held(azure, "part") == {(_registry("part").lower(), ACR_PULL)}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("plan", "--scope", "../.."), id="no id"),
        pytest.param(("plan", "--scope", f"{_workspace('gone')}-really"), id="no such workspace"),
        pytest.param(("plan", "--scope", group_id("rg-mistyped")), id="no such resource group"),
        pytest.param(("plan", "--scope", "/subscriptions/99999999-0000-4000-8000-000000000000"), id="no subscription"),
        pytest.param(("plan", "--policy", "/nonexistent/policy.yaml"), id="no policy file"),
        pytest.param(("apply", "--yes", "--plan", "/nonexistent/plan.json"), id="no plan file"),
        pytest.param(("event", "/nonexistent/event.json"), id="no event file"),
        pytest.param(("emulate", "--tenant", "/nonexistent/tenant.json"), id="no tenant file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(azure: LocalAzure, arguments: tuple[str, ...]) -> None:
    ran = azure.run(*arguments)
    assert ran.code == 1, (ran.out, ran.err)
    assert ran.out == ""
    said = [line for line in ran.err.strip().splitlines() if not line.endswith("looking for workspaces …")]
    assert len(said) == 1, ran.err
    assert said[0].startswith("amlguard")


@pytest.mark.parametrize("text", ["", "not JSON", '"text"', "[1]", "{}"])
def test_an_event_that_is_none_changes_nothing(azure: LocalAzure, text: str) -> None:
    azure.forget_requests()
    ran = azure.run("event", "-", stdin=text)
    assert "Traceback" not in ran.err
    assert ran.code == (1 if text in {"", "not JSON"} else 0)
    assert azure.writes() == []


def test_policy_check_online_warns_of_scopes_that_are_not_there(azure: LocalAzure, tmp_path: Path) -> None:
    """Whatever names a scope: what amlguard watches, the allow-list, exemptions, and a management group."""
    there, gone = group_id("rg-compliant"), group_id("rg-gone")
    lines = (
        "scopes:",
        f"  - {there}",
        f"  - {gone}",
        "  - /providers/Microsoft.Management/managementGroups/nowhere",
        "trust:",
        f"  allow: [{_registry('compliant')}, {_registry('typo')}]",
        "exemptions:",
        f"  - {{scope: {there}, rules: [AML-21], until: 2999-01-01, reason: it is there}}",
        "  - rules: [AML-21]",
        f"    scope: {_workspace('typo')}",
        "    until: 2999-01-01",
        "    reason: it is not",
    )
    policy = tmp_path / "policy.yaml"
    policy.write_text("\n".join(lines), encoding="utf-8")
    offline = azure.run("policy", "check", str(policy))
    assert (offline.code, offline.err) == (0, "")
    online = azure.run("policy", "check", "--online", str(policy))
    assert online.code == 0
    assert "is valid" in online.out
    warned = {int(line.split(":")[3]): line for line in online.err.splitlines()}
    assert warned.keys() == {3, 4, 6, 10}
    assert all(line.startswith("amlguard: warning: ") for line in warned.values())
    assert f"{gone} is not there" in warned[3]
