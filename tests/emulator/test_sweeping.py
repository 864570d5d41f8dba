"""The sweep through the official worker: paced, followed to its end, and not lost with a worker that is killed."""

import json
import os
import signal

import pytest
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, Tenant, child, group_id, oid, system_assigned
from wire import Json

_WORKSPACES = 45  # more reads than the bucket holds
_SWEEPS = "AmlGuardSweep_CL"
_INVISIBLE_SECONDS = 600


def _registry(number: int) -> str:
    return child(group_id(f"rg-{number}"), "Microsoft.ContainerRegistry/registries", f"acrml{number}")


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for number in range(_WORKSPACES):
        registry = tenant.registry(group_id(f"rg-{number}"), f"acrml{number}", admin=False)
        workspace = tenant.workspace(group_id(f"rg-{number}"), containerRegistry=registry["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(f"cluster {number}"))
    return start_azure(tenant.document(), "mode: enforce\n", throttle=True)


def _lacking(azure: LocalAzure) -> list[int]:
    held = azure.grants
    return [n for n in range(_WORKSPACES) if (_registry(n).lower(), ACR_PULL) not in held(_id(n), _registry(n))]


def _id(number: int) -> str:
    return oid(f"cluster {number}")


def _outcomes(azure: LocalAzure) -> list[str]:
    return sorted(row["Outcome"] for row in azure.rows(_SWEEPS))


def _listed(azure: LocalAzure) -> list[tuple[str, int]]:
    """Until its last blob is written a sweep is under way, whatever its rows say, and keeps the next one out."""
    listed: list[Json] = json.loads(azure.run("sweeps", "--format", "json").out)
    return [(one["outcome"], one["workspacesDone"]) for one in listed]


def test_a_worker_killed_in_the_middle_of_a_shard_costs_a_retry_of_it(azure: LocalAzure) -> None:
    azure.forget_requests()
    azure.sweep()
    azure.until(lambda: any("/computes" in one["path"] for one in azure.asked()), "the shard is under way")
    for worker in azure.workers():
        os.kill(worker, signal.SIGKILL)
    azure.advance(_INVISIBLE_SECONDS + 1)
    azure.until(lambda: _listed(azure) == [("Completed", _WORKSPACES)], "the sweep comes to its end", seconds=150)
    assert _outcomes(azure) == ["Completed", "Started"]
    assert _lacking(azure) == []
    assert azure.poisoned_work() == []


def test_a_sweep_is_started_from_outside_without_a_key(azure: LocalAzure) -> None:
    """By whoever may put messages on the app's queue."""
    started = json.loads(azure.run("sweeps", "--start", "--format", "json").out)["id"]
    azure.until(lambda: _listed(azure) == [("Completed", _WORKSPACES)] * 2, "it comes to its end", seconds=150)
    assert {row["SweepId"] for row in azure.rows(_SWEEPS)} >= {started}


def test_nothing_to_do_is_said_without_a_429_and_shown(azure: LocalAzure) -> None:
    azure.forget_requests()
    azure.sweep()
    azure.until(lambda: len(_outcomes(azure)) == 6, "a third sweep comes to its end", seconds=150)
    assert _outcomes(azure) == ["Completed"] * 3 + ["Started"] * 3
    mine = [one for one in azure.asked() if one["caller"] == azure.app]
    assert [one["path"] for one in mine if one["status"] == 429] == []
    assert not [one for one in mine if "assignedTo" in one["path"]]
    azure.until(lambda: _listed(azure) == [("Completed", _WORKSPACES)] * 3, "all are shown at their end")
