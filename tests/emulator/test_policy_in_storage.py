"""A policy in the app's storage account, by the command line and the deployed app on a local Azure."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from event_grid import event
from local_azure import FINDINGS, LocalAzure, Start
from tenants import ACR_PULL, Tenant, child, group_id, oid, system_assigned

from docs import fidelity

BLOB = "blob:policy.yaml"
ENFORCE = "mode: enforce\nsettle_minutes: 0\n"
FIRST, SECOND = group_id("rg-first"), group_id("rg-second")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for group in (FIRST, SECOND):
        name = group.rpartition("-")[2]
        registry = tenant.registry(group, f"acrml{name}", admin=True)
        made = tenant.workspace(group, containerRegistry=registry["id"])
        tenant.compute(made, "cluster", identity=system_assigned(f"cluster {name}"))
    setting = ("--setting", f"AMLGUARD_POLICY={BLOB}")
    return start_azure(tenant.document(), "", *setting)


@pytest.fixture
def blobs(azure: LocalAzure) -> Iterator[BlobServiceClient]:
    with BlobServiceClient.from_connection_string(azure.ready["storage"]) as client:
        yield client


def granted(azure: LocalAzure, group: str) -> bool:
    name = group.rpartition("-")[2]
    registry = child(group, "Microsoft.ContainerRegistry/registries", f"acrml{name}")
    return (registry.lower(), ACR_PULL) in azure.grants(oid(f"cluster {name}"), registry)


def workspace(group: str) -> str:
    return child(group, "Microsoft.MachineLearningServices/workspaces", "mlw")


def look(azure: LocalAzure, group: str) -> int:
    answer = azure.deliver(event(workspace(group)))
    azure.until_quiet()
    return answer.status_code


def restart(azure: LocalAzure) -> None:
    """The worker dies at its next read, and a new one remembers nothing."""
    azure.faults({"endpoint": "arm", "path": "/workspaces/mlw", "times": 1, "kill": "worker"})
    azure.deliver(event(workspace(FIRST)))
    azure.faults()
    azure.until_quiet()


def test_a_start_while_storage_is_away_changes_nothing(azure: LocalAzure) -> None:
    azure.faults({"endpoint": "blob", "status": 503})
    assert look(azure, FIRST) == 500
    azure.faults()
    assert not granted(azure, FIRST)
    assert not azure.writes()


def test_a_broken_policy_is_refused_at_push(azure: LocalAzure, tmp_path: Path, blobs: BlobServiceClient) -> None:
    (tmp_path / "broken.yaml").write_text("mode: sometimes\nscope: []\n", "utf-8")
    ran = azure.run("policy", "push", str(tmp_path / "broken.yaml"))
    assert ran.code == 1
    assert "broken.yaml:1: mode" in ran.err
    assert "broken.yaml:2: unknown key" in ran.err
    assert not [one.name for one in blobs.list_containers() if one.name == "amlguard-policy"]


def test_what_is_pushed_is_in_force_and_shown(azure: LocalAzure, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(ENFORCE, "utf-8")
    ran = azure.run("policy", "push", str(tmp_path / "policy.yaml"), env={"AMLGUARD_PRINCIPAL_ID": azure.app})
    assert (ran.code, ran.out) == (0, f"{BLOB} is in force within a minute\n")
    shown = azure.run("policy", "show")
    assert (shown.code, shown.out) == (0, ENFORCE)
    assert look(azure, FIRST) < 300
    assert granted(azure, FIRST)
    again = azure.run("policy", "push", str(tmp_path / "policy.yaml"), env={"AMLGUARD_PRINCIPAL_ID": azure.app})
    assert "nothing changed" in again.out
    assert fidelity.listed("emulator/test_policy_in_storage.py") <= azure.sent()


def test_a_broken_one_is_never_in_force_and_the_last_good_one_survives_a_restart(
    azure: LocalAzure, blobs: BlobServiceClient
) -> None:
    container = blobs.get_container_client("amlguard-policy")
    assert container.download_blob("last-good/policy.yaml").readall().decode() == ENFORCE
    container.upload_blob("policy.yaml", b"mode: sometimes\n", overwrite=True)
    restart(azure)
    look(azure, SECOND)
    assert granted(azure, SECOND)
    azure.until(lambda: azure.rows(FINDINGS, "RuleId == 'policy-broken'"), "people are told")
    shown = azure.run("policy", "show")
    assert (shown.code, shown.out) == (1, ENFORCE)
    assert "not in force" in shown.err


def test_what_the_condition_in_force_does_not_allow_is_said_at_push(azure: LocalAzure, tmp_path: Path) -> None:
    (tmp_path / "wide.yaml").write_text(f"{ENFORCE}rules: {{AML-03: {{enabled: true}}}}\n", "utf-8")
    ran = azure.run("policy", "push", str(tmp_path / "wide.yaml"), env={"AMLGUARD_PRINCIPAL_ID": azure.app})
    assert ran.code == 2
    assert "does not allow: Contributor" in ran.out
    assert "GuidEquals" in ran.out
    unknown = azure.run("policy", "push", str(tmp_path / "wide.yaml"))
    assert unknown.code == 2
    assert "AMLGUARD_PRINCIPAL_ID" in unknown.out
