"""Undo, contested changes and drift, as people meet them: the app on its worker, the command line beside it."""

import pytest
from event_grid import event
from local_azure import FINDINGS, LocalAzure, Start
from tenants import ACR_PULL, GRANTS_ONLY, Tenant, child, group_id, oid, system_assigned
from wire import Json

NAMES = ("undone", "fought", "drifted")
NOBODYS_RUN = "3c0a1f6e-1111-4222-8333-444455556666"


def registry_of(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.ContainerRegistry/registries", f"acrml{name}")


def compute_of(name: str) -> str:
    return child(group_id(f"rg-{name}"), "Microsoft.MachineLearningServices/workspaces", "mlw", "computes", "cluster")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for name in NAMES:
        group = group_id(f"rg-{name}")
        workspace = tenant.workspace(group, containerRegistry=tenant.registry(group, f"acrml{name}", admin=True)["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(name))
    return start_azure(tenant.document(), f"mode: enforce\nsettle_minutes: 0\ncontested_after: 2\n{GRANTS_ONLY}")


def tell(azure: LocalAzure, name: str) -> None:
    assert azure.deliver(event(compute_of(name))).ok
    azure.until_quiet()


def granted(azure: LocalAzure, name: str) -> bool:
    return (registry_of(name).lower(), ACR_PULL) in azure.grants(oid(name), registry_of(name))


def take_away(azure: LocalAzure, name: str) -> None:
    """The local Event Grid tells the app, with the operator as the caller."""
    collection = f"{registry_of(name)}/providers/Microsoft.Authorization/roleAssignments"
    listed = azure.get(f"{collection}?$filter=principalId eq '{oid(name)}'")["value"]
    (assignment,) = [one for one in listed if one["properties"]["scope"].lower() == registry_of(name).lower()]
    azure.delete(assignment["id"])
    azure.until_quiet()


def rows_of(azure: LocalAzure, name: str, outcome: str) -> list[Json]:
    return [row for row in azure.rows() if row["Outcome"] == outcome and f"rg-{name}/" in row["ResourceId"].lower()]


def test_undo_takes_back_what_a_run_did_and_the_app_does_not_do_it_again(azure: LocalAzure) -> None:
    tell(azure, "undone")
    assert granted(azure, "undone")
    assert not azure.admin_user(registry_of("undone"))
    runs = list(dict.fromkeys(row["RunId"] for row in rows_of(azure, "undone", "Applied")))

    asked = azure.run("undo", *runs)
    assert asked.code == 1
    assert "--yes" in asked.err
    assert granted(azure, "undone")

    taken = azure.run("undo", *runs, "--yes", "--format", "json")
    assert taken.code == 0, taken.err
    assert {one["outcome"] for one in taken.document["steps"] if one["action"]} == {"Undone"}
    assert not granted(azure, "undone")
    assert azure.admin_user(registry_of("undone"))
    assert {row["RunId"] for row in rows_of(azure, "undone", "Undone")} == {taken.document["run"]}

    tell(azure, "undone")
    assert not granted(azure, "undone")
    assert azure.admin_user(registry_of("undone"))
    assert "undone" in {row["Guard"] for row in rows_of(azure, "undone", "Withheld")}

    twice = azure.run("undo", *runs, "--yes")
    assert twice.code == 0, twice.err
    assert "Nothing is left to undo" in twice.out


def test_undo_of_a_run_that_nobody_made_is_an_error(azure: LocalAzure) -> None:
    for run in (NOBODYS_RUN, "yesterday"):
        ran = azure.run("undo", run, "--yes")
        assert ran.code == 1
        assert ran.out == ""


def test_a_grant_that_somebody_deletes_is_restored_with_their_object_id_on_record(azure: LocalAzure) -> None:
    tell(azure, "drifted")
    assert granted(azure, "drifted")
    take_away(azure, "drifted")
    assert granted(azure, "drifted")
    last = rows_of(azure, "drifted", "Applied")[-1]
    assert last["Reason"].startswith("restored (run ")
    assert last["CallerObjectId"]
    assert f"taken away by {last['CallerObjectId']}" in last["Reason"]


def test_what_somebody_keeps_reverting_is_left_alone_and_said(azure: LocalAzure) -> None:
    tell(azure, "fought")
    for _ in range(2):
        assert granted(azure, "fought")
        take_away(azure, "fought")
    assert not granted(azure, "fought")
    assert "contested" in {row["Guard"] for row in rows_of(azure, "fought", "Withheld")}
    findings = [row for row in azure.rows(FINDINGS) if row["RuleId"] == "contested"]
    assert {row["Severity"] for row in findings} == {"high"}
    assert {"/rg-fought/" in row["ResourceId"].lower() for row in findings} == {True}

    again = azure.run("apply", "--yes", "--again", "--scope", registry_of("fought"))
    assert again.code in {0, 2}, again.err
    assert granted(azure, "fought")
