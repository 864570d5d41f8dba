"""No change without a record: the intent before the write, the outcome after it, each once, and no personal data."""

import json

import pytest
from event_grid import CANARY, event
from local_azure import FINDINGS, REMEDIATIONS, LocalAzure, Start
from tenants import ACR_PULL, BLOB_READER, Tenant, group_id, oid, system_assigned, user_assigned
from wire import Json

NAMES = ("whole", "down", "forbidden", "redelivered", "outcome", "personal")
_INGESTION = "^/ingestion/"
_PUT_OFF = 300  # seconds after which work that Azure asked to try later is visible again


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    """A resource group a test. Each workspace lacks a grant for its cluster; `whole` lacks more."""
    tenant = Tenant()
    for name in NAMES:
        group = group_id(f"rg-{name}")
        registry = tenant.registry(group, f"acrml{name}", admin=name == "whole")
        account = tenant.storage(group, f"st{name}")
        workspace = tenant.workspace(group, containerRegistry=registry["id"], storageAccount=account["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(name))
        if name == "whole":
            tenant.endpoint(workspace, "endpoint", user_assigned(tenant.uai(group, "scoring")))
    return start_azure(tenant.document(), "mode: enforce\nsettle_minutes: 0\n")


def _workspace(name: str) -> str:
    return f"{group_id(f'rg-{name}')}/providers/Microsoft.MachineLearningServices/workspaces/mlw"


def _registry(name: str) -> str:
    return f"{group_id(f'rg-{name}')}/providers/Microsoft.ContainerRegistry/registries/acrml{name}"


def _rows(azure: LocalAzure, name: str) -> list[Json]:
    return azure.rows(where=f"ResourceId startswith '{group_id(f'rg-{name}')}/'")


def _writes(azure: LocalAzure, name: str) -> list[Json]:
    return [one for one in azure.writes() if f"/rg-{name}/" in one["path"].lower()]


def _granted(azure: LocalAzure, name: str) -> bool:
    return (_registry(name).lower(), ACR_PULL) in azure.grants(oid(name), _registry(name))


def _outcomes(azure: LocalAzure, name: str) -> list[str]:
    """Without those of intents that the log did not confirm. It may have taken them, so they have an end as well."""
    rows = _rows(azure, name)
    unconfirmed = [row for row in rows if row["Reason"].startswith("nothing was begun")]
    assert all(row["Outcome"] == "Deferred" for row in unconfirmed)
    return sorted(row["Outcome"] for row in rows if row not in unconfirmed)


def test_one_plan_before_every_write_and_one_outcome_after(azure: LocalAzure) -> None:
    correlation = "5e1f3a52-7c1f-4b7e-8a43-0c8d5b4e1d11"
    assert azure.deliver(event(_workspace("whole"), correlation=correlation)).status_code == 202
    rows, writes = _rows(azure, "whole"), _writes(azure, "whole")
    assert len(writes) == 5  # AcrPull twice, Storage Blob Data Reader, the admin user, the cached keys
    for write in writes:
        (planned,) = [row for row in rows if row["Outcome"] == "Planned" and _concerns(row, write)]
        (applied,) = [row for row in rows if row["Outcome"] == "Applied" and _concerns(row, write)]
        assert (planned["RunId"], planned["ActionId"]) == (applied["RunId"], applied["ActionId"])
        assert planned["TimeGenerated"].isoformat() < write["time"] < applied["TimeGenerated"].isoformat()
        for row in (planned, applied):
            assert row["CorrelationId"] == correlation
            assert row["CallerObjectId"] == oid("someone")
            assert json.loads(row["Requirements"])
    assert len([row for row in rows if row["Outcome"] in {"Planned", "Applied"}]) == 2 * len(writes)
    scoring = oid(f"{group_id('rg-whole')}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/scoring")
    assert {role for _, role in azure.grants(scoring, group_id("rg-whole"))} == {ACR_PULL, BLOB_READER}
    assert not azure.admin_user(_registry("whole"))


def _concerns(row: Json, write: Json) -> bool:
    path = write["path"].partition("?")[0].lower()
    if write["method"] == "PUT":
        return bool(row["RoleAssignmentId"]) and path == row["RoleAssignmentId"].lower()
    wanted = "adminUserEnabled" if write["method"] == "PATCH" else "cachedKeys"
    return bool(row["Property"] == wanted and path.startswith(row["Scope"].lower()))


@pytest.mark.parametrize(("name", "status", "answered"), [("down", 503, 202), ("forbidden", 403, 500)])
def test_nothing_is_written_without_a_record(azure: LocalAzure, name: str, status: int, answered: int) -> None:
    """What Azure asks to try later goes to the queue; for the rest Event Grid delivers again."""
    told = event(_workspace(name))
    azure.faults({"path": _INGESTION, "status": status})
    assert azure.deliver(told).status_code == answered
    assert _writes(azure, name) == []
    assert not _granted(azure, name)
    assert _rows(azure, name) == []

    azure.faults()
    if answered == 202:
        azure.advance(_PUT_OFF)
        azure.until(lambda: _granted(azure, name), "the queue looks again")
        azure.until_quiet()
    else:
        assert azure.deliver(told).status_code == 202
    assert _granted(azure, name)
    assert _outcomes(azure, name) == ["Applied", "Planned"]
    assert azure.deliver(told).status_code == 202
    assert _outcomes(azure, name) == ["Applied", "Planned"]
    assert len(_writes(azure, name)) == 1


def test_event_grid_delivers_again_what_could_not_be_recorded(azure: LocalAzure) -> None:
    name = "redelivered"
    azure.forget_requests()
    azure.faults({"path": _INGESTION, "status": 500})
    azure.patch(_workspace(name), {"tags": {"touched": "yes"}})
    azure.until(lambda: any(one["path"].startswith("/ingestion/") for one in azure.asked()), "a record is tried")
    azure.until_quiet()
    assert _writes(azure, name) == []
    azure.faults()
    azure.advance(11)
    azure.until(lambda: "Applied" in _outcomes(azure, name), "the event is delivered again")
    assert _outcomes(azure, name) == ["Applied", "Planned"]
    assert _granted(azure, name)


def test_an_outcome_that_the_log_does_not_take_is_kept(azure: LocalAzure) -> None:
    """The log goes down between intent and outcome: the queue keeps the outcome, and it is recorded once."""
    name = "outcome"
    azure.faults({"path": f"{_INGESTION}.*/Custom-{REMEDIATIONS}", "nth": 2, "status": 503})
    assert azure.deliver(event(_workspace(name))).status_code == 202
    assert _granted(azure, name)
    assert _outcomes(azure, name) == ["Planned"]
    azure.faults()
    azure.advance(90)
    azure.until(lambda: "Applied" in _outcomes(azure, name), "the queue brings the outcome")
    azure.until_quiet()
    assert _outcomes(azure, name) == ["Applied", "Planned"]


def test_of_the_person_only_the_object_id_is_kept(azure: LocalAzure) -> None:
    assert azure.deliver(event(_workspace("personal"), caller=oid("jane"))).status_code == 202
    rows = _rows(azure, "personal")
    assert {row["CallerObjectId"] for row in rows} == {oid("jane")}
    assert CANARY not in json.dumps([*azure.rows(), *azure.rows(FINDINGS)], default=str)
    description = azure.get(rows[0]["RoleAssignmentId"])["properties"]["description"]
    assert CANARY not in description
    assert rows[0]["RunId"] in description
