"""Mode report changes nothing, and plans what mode enforce would do."""

import json
from pathlib import Path

import pytest
from event_grid import event
from local_azure import FINDINGS, LocalAzure, Start
from tenants import ACR_PULL, Tenant, group_id, oid, system_assigned, user_assigned
from wire import Json

GROUP = group_id("rg-report")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    """One workspace with something of everything: grants, a switch, something withheld, a finding, a wait."""
    tenant = Tenant()
    registry = tenant.registry(GROUP, "acrmlreport", admin=True)
    account = tenant.storage(GROUP, "streport")
    workspace = tenant.workspace(
        GROUP, containerRegistry=registry["id"], storageAccount=account["id"], systemDatastoresAuthMode="identity"
    )
    tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    tenant.endpoint(workspace, "endpoint", user_assigned(tenant.uai(GROUP, "scoring")))
    tenant.compute(workspace, "foreign", identity=user_assigned(tenant.uai(group_id("rg-others"), "foreign")))

    ready = tenant.registry(group_id("rg-ready"), "acrmlready", admin=True)
    settled = tenant.workspace(group_id("rg-ready"), "settled", containerRegistry=ready["id"])
    tenant.compute(settled, "cluster", identity=system_assigned("settled"))
    tenant.assign(ready["id"], oid("settled"), ACR_PULL)

    young = tenant.registry(group_id("rg-young"), "acrmlyoung", admin=True)
    waiting = tenant.workspace(group_id("rg-young"), "waiting", containerRegistry=young["id"])
    tenant.compute(waiting, "cluster", identity=system_assigned("waiting"))

    off = tenant.registry(group_id("rg-off"), "acrmloff")
    bare = tenant.workspace(group_id("rg-off"), "bare", containerRegistry=off["id"])
    tenant.compute(bare, "bare")
    return start_azure(tenant.document(), "mode: report\n")


WORKSPACES = tuple(
    f"{group_id(group)}/providers/Microsoft.MachineLearningServices/workspaces/{name}"
    for group, name in (("rg-report", "mlw"), ("rg-ready", "settled"), ("rg-young", "waiting"), ("rg-off", "bare"))
)


def _world(azure: LocalAzure) -> Json:
    """All that could have been changed."""
    assignments = azure.get(
        f"{GROUP[: GROUP.index('/resourceGroups')]}/providers/Microsoft.Authorization/roleAssignments"
    )
    registries = [
        f"{group_id(f'rg-{name}')}/providers/Microsoft.ContainerRegistry/registries/acrml{name}"
        for name in ("report", "ready", "young", "off")
    ]
    return {"assignments": assignments, "registries": [azure.get(registry) for registry in registries]}


def _enforcing(folder: Path) -> Path:
    file = folder / "enforce.yaml"
    file.write_text("mode: enforce\n", encoding="utf-8")
    return file


def _actions(rows: list[Json]) -> set[tuple[str, str, str]]:
    return {(row["ActionId"], row["Outcome"], row["Guard"]) for row in rows}


def test_report_writes_nothing_and_plans_what_enforce_does(azure: LocalAzure, tmp_path: Path) -> None:
    before = _world(azure)
    reported = azure.run("plan", "--format", "json")
    enforced = azure.run("plan", "--format", "json", "--policy", str(_enforcing(tmp_path)))
    assert reported.code == enforced.code == 2, (reported.err, enforced.err)
    assert _without_times_and_file(reported.document) == _without_times_and_file(enforced.document)
    for part in ("grants", "settings", "findings", "withheld", "deferred"):
        assert reported.document[part], f"the tenant leads to no {part}"

    assert azure.deliver(*map(event, WORKSPACES)).status_code == 202
    azure.sweep_all(WORKSPACES)
    assert azure.writes() == []
    assert _world(azure) == before
    said = azure.rows()
    assert {row["Mode"] for row in said + azure.rows(FINDINGS)} == {"report"}
    assert {row["Outcome"] for row in said} == {"Planned", "Withheld", "Deferred"}

    # The same events again, in mode enforce: the same plan, and now it is carried out.
    file = tmp_path / "events.json"
    file.write_text(json.dumps([event(workspace) for workspace in WORKSPACES]), encoding="utf-8")
    ran = azure.run("event", str(file), "--policy", str(_enforcing(tmp_path)))
    assert ran.code == 0, ran.err
    done = azure.rows(where="Mode == 'enforce'")
    assert _actions(said) <= _actions(done)
    assert {row["ActionId"] for row in done} == {row["ActionId"] for row in said}
    planned = {row["ActionId"] for row in said if row["Outcome"] == "Planned"}
    assert {row["ActionId"] for row in done if row["Outcome"] == "Applied"} == planned
    assert len(azure.writes()) == len(planned)


def _without_times_and_file(document: Json) -> Json:
    """Nor by which policy file it was made: the two are in different folders."""
    looked_at = {**document["lookedAt"], "policy": ""}
    return {
        **document,
        "time": "",
        "policy": "",
        "lookedAt": looked_at,
        "deferred": [{**one, "until": ""} for one in document["deferred"]],
    }
