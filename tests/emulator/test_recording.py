"""`amlguard apply --audit-file` and `undo --audit-file`: for people without a deployed app; and asking first."""

import json
import subprocess
from pathlib import Path

import pytest
from forked import Ran
from local_azure import AMLGUARD, REMEDIATIONS, LocalAzure, Start
from tenants import ACR_PULL, GRANTS_ONLY, OWNER, SUBSCRIPTION, Tenant, child, group_id, oid, system_assigned
from wire import Json, clean

NO_LOG = {"AMLGUARD_LOGS_INGESTION_ENDPOINT": "", "AMLGUARD_LOGS_RULE_ID": "", "AMLGUARD_LOG_WORKSPACE_ID": ""}
PUBLISHER = "Monitoring Metrics Publisher"
NAMES = ("filed", "both", "refused", "forged", "fought", "full", "kept")


def registry_of(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.ContainerRegistry/registries", f"acrml{name}")


def _tenant() -> Json:
    tenant = Tenant()
    for name in NAMES:
        group = group_id(f"rg-{name}")
        workspace = tenant.workspace(group, containerRegistry=tenant.registry(group, f"acrml{name}", admin=True)["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(name))
    return tenant.document()


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    return start_azure(_tenant(), f"settle_minutes: 0\ncontested_after: 2\n{GRANTS_ONLY}", functions=False)


def apply(azure: LocalAzure, name: str, *more: str, env: dict[str, str] | None = None) -> Ran:
    return azure.run("apply", "--yes", "--format", "json", "--scope", registry_of(name), *more, env=env)


def rows(file: Path) -> list[Json]:
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [row for row in found if row["Table"] == REMEDIATIONS]


def untouched(azure: LocalAzure, name: str) -> bool:
    return azure.grants(oid(name), registry_of(name)) == set() and azure.admin_user(registry_of(name))


def test_a_run_is_recorded_in_a_file_and_taken_back_from_it(azure: LocalAzure, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    named = ("--audit-file", str(file))
    ran = apply(azure, "filed", *named, env=NO_LOG)
    assert ran.code == 0, ran.err
    assert not azure.admin_user(registry_of("filed"))
    run = ran.document["run"]
    assert ran.document["undo"] == f"amlguard undo {run} --audit-file {file}"
    assert {row["RunId"] for row in rows(file)} == {run}
    outcomes = [row["Outcome"] for row in rows(file)]
    assert outcomes.count("Planned") == outcomes.count("Applied") == 3
    assert outcomes.index("Planned") < outcomes.index("Applied")
    assert azure.rows(where=f"RunId == '{run}'") == []

    without = azure.run("undo", run, "--yes", env=NO_LOG)
    assert without.code == 1
    assert "--audit-file" in without.err
    taken = azure.run("undo", run, "--yes", *named, env=NO_LOG)
    assert taken.code == 0, taken.out + taken.err
    assert untouched(azure, "filed")
    assert "Undone" in {row.get("Outcome") for row in rows(file)}


def test_where_both_are_set_both_hold_the_same(azure: LocalAzure, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    run = apply(azure, "both", "--audit-file", str(file)).document["run"]
    logged = {(row["ActionId"], row["Outcome"]) for row in azure.rows(where=f"RunId == '{run}'")}
    assert logged
    assert {(row["ActionId"], row["Outcome"]) for row in rows(file)} == logged
    assert azure.run("undo", run, "--yes").code == 0  # from the log, for whoever has no file
    assert untouched(azure, "both")


def test_when_one_of_two_does_not_take_the_record_nothing_is_changed(azure: LocalAzure, tmp_path: Path) -> None:
    wrong = {"AMLGUARD_LOGS_RULE_ID": "dcr-00000000000000000000000000000000"}
    ran = apply(azure, "refused", "--audit-file", str(tmp_path / "audit.jsonl"), env=wrong)
    assert ran.code == 1
    assert "AMLGUARD_LOGS_RULE_ID" in ran.err
    (tmp_path / "folder").mkdir()
    for place in ("folder", "missing/audit.jsonl"):
        ran = apply(azure, "refused", "--audit-file", str(tmp_path / place))
        assert ran.code == 1
        assert str(tmp_path / place) in ran.err
    assert untouched(azure, "refused")


def test_asking_whether_it_can_record_comes_before_the_plan_and_leaves_no_row(azure: LocalAzure) -> None:
    """Also where a person is asked first, who has no terminal here."""
    before = azure.rows()
    azure.forget_requests()
    elsewhere = {"AMLGUARD_LOGS_RULE_ID": "dcr-00000000000000000000000000000000"}
    for more in ((), ("--yes",)):
        ran = azure.run("apply", "--scope", registry_of("refused"), *more, env=elsewhere)
        assert ran.code == 1
        assert "AMLGUARD_LOGS_RULE_ID" in ran.err
        assert ran.out == ""
    arm = [one["path"] for one in azure.asked() if "/subscriptions" in one["path"] or "/workspaces" in one["path"]]
    assert arm == []
    assert azure.run("apply", "--scope", registry_of("refused")).code == 1  # it can record, and cannot ask
    assert azure.rows() == before


def test_whoever_may_not_write_to_the_log_is_told_what_to_do(start_own_azure: Start, tmp_path: Path) -> None:
    access = json.loads((Path(__file__).parents[2] / "infra" / "app_access.json").read_text(encoding="utf-8"))
    access["roleAssignments"] = [one for one in access["roleAssignments"] if one["role"] != PUBLISHER]
    azure = start_own_azure(_tenant(), f"settle_minutes: 0\n{GRANTS_ONLY}", functions=False, access=access)
    ran = apply(azure, "filed")
    assert ran.code == 1
    assert PUBLISHER in ran.err
    assert "--audit-file" in ran.err
    assert untouched(azure, "filed")
    away = {**NO_LOG, "AMLGUARD_LOG_WORKSPACE_ID": azure.env["AMLGUARD_LOG_WORKSPACE_ID"]}
    assert apply(azure, "filed", "--audit-file", str(tmp_path / "audit.jsonl"), env=away).code == 0
    assert not untouched(azure, "filed")


def _forged(file: Path, run: str) -> None:
    """Lines that would have `undo` hand out Owner, or change a registry that the run had nothing to do with."""
    subscription, kept = f"/subscriptions/{SUBSCRIPTION}", registry_of("kept")
    common = {"Table": REMEDIATIONS, "RunId": run, "RuleId": "x", "Outcome": "Applied", "Reason": "x"}
    admin = {"Action": "Setting", "ResourceId": kept, "Property": "adminUserEnabled", "From": "true", "To": "false"}
    owner = {
        "ResourceId": subscription,
        "Scope": subscription,
        "PrincipalId": oid("stranger"),
        "RoleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{OWNER}",
        "RoleAssignmentId": f"{subscription}/providers/Microsoft.Authorization/roleAssignments/{oid('x')}",
    }
    lines = [
        owner | {"Action": "Removal", "ActionId": oid("1")},
        admin | {"ActionId": oid("2"), "From": "false", "To": "true"},
        admin | {"ActionId": "../.."},
        admin | {"ActionId": oid("3"), "ResourceId": "nowhere"},
        admin | {"ActionId": oid("4"), "ResourceId": subscription},
        admin | {"ActionId": oid("5"), "Property": "password"},
        {"Action": "Grant", "ActionId": oid("6"), "ResourceId": kept},
    ]
    with file.open("a", encoding="utf-8") as theirs:
        theirs.writelines(json.dumps(common | line) + "\n" for line in lines)
        theirs.write('{"Table": "AmlGuardRemedia')


def test_forged_foreign_and_torn_lines_are_refused_and_told(azure: LocalAzure, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    run = apply(azure, "forged", "--audit-file", str(file), env=NO_LOG).document["run"]
    _forged(file, run)
    taken = azure.run("undo", run, "--yes", "--force", "--format", "json", "--audit-file", str(file), env=NO_LOG)
    assert taken.code == 2, taken.err
    assert len(taken.document["refused"]) == 7
    assert len(taken.document["notes"]) == 1
    assert azure.grants(oid("stranger"), f"/subscriptions/{SUBSCRIPTION}") == set()
    assert untouched(azure, "forged")  # what the run itself did is taken back
    assert untouched(azure, "kept")
    file.chmod(0o666)
    refused = azure.run("undo", run, "--yes", "--audit-file", str(file), env=NO_LOG)
    assert refused.code == 1
    assert "chmod 600" in refused.err


def test_what_somebody_keeps_reverting_is_left_alone_by_the_file_as_well(azure: LocalAzure, tmp_path: Path) -> None:
    named = ("--audit-file", str(tmp_path / "audit.jsonl"))
    for _ in range(2):
        assert apply(azure, "fought", *named, env=NO_LOG).code == 0
        registry = registry_of("fought")
        collection = f"{registry}/providers/Microsoft.Authorization/roleAssignments"
        (mine,) = azure.get(f"{collection}?$filter=principalId eq '{oid('fought')}'")["value"]
        azure.delete(mine["id"])
    ran = apply(azure, "fought", *named, env=NO_LOG)
    assert "contested" in {one["guard"] for one in ran.document["withheld"]}
    assert ACR_PULL not in {role for _, role in azure.grants(oid("fought"), registry_of("fought"))}


def test_undo_of_a_file_that_is_not_there_or_knows_nothing_of_the_run(azure: LocalAzure, tmp_path: Path) -> None:
    for content in (None, ""):
        file = tmp_path / "audit.jsonl"
        if content is not None:
            file.write_text(content, encoding="utf-8")
            file.chmod(0o600)
        ran = azure.run("undo", oid("a run"), "--yes", "--audit-file", str(file), env=NO_LOG)
        assert ran.code == 1
        assert "audit" in ran.err
        assert "Traceback" not in ran.err


def test_a_full_disk_changes_nothing(azure: LocalAzure, tmp_path: Path) -> None:
    """Here: no file may hold a byte."""
    arguments = ("apply", "--yes", "--scope", registry_of("full"), "--audit-file", str(tmp_path / "audit.jsonl"))
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", str(AMLGUARD), *arguments],
        env=clean(tmp_path, {**azure.env, **NO_LOG}),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "too large" in ended.stdout
    assert untouched(azure, "full")
