"""What the bench runs on is no easier than the local Azure: the app asks and says the same of both."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
from local_azure import FINDINGS, LocalAzure, Start

from bench.swept_azure import SweptAzure, swept_azure, written
from bench.tenant import Json, first_compute, tenant, workspaces

_TENANT = tenant(6, 2)
_SWEEPS = "AmlGuardSweep_CL"
_OF_THE_MOMENT = {"TimeGenerated", "RunId", "SweepId", "DurationMs", "Type", "TenantId"}


@pytest.fixture(scope="module")
def real(start_azure: Start) -> LocalAzure:
    azure = start_azure(_TENANT, "mode: enforce\n")
    azure.sweep()
    azure.until(lambda: len(azure.rows(_SWEEPS)) == 2, "the sweep comes to its end")
    return azure


@pytest.fixture(scope="module")
def lean() -> Iterator[SweptAzure]:
    with swept_azure(_TENANT) as azure:
        azure.sweep()
        yield azure


def test_the_same_is_asked(real: LocalAzure, lean: SweptAzure) -> None:
    mine = [one for one in real.asked() if one["caller"] == real.app]
    asked = Counter((one.method, one.path, one.status) for one in lean.asked())
    assert len(mine) > 6 * 6
    assert asked == Counter((one["method"], one["path"], one["status"]) for one in mine)


@pytest.mark.parametrize("table", [FINDINGS, _SWEEPS])
def test_the_same_is_recorded(table: str, real: LocalAzure, lean: SweptAzure) -> None:
    recorded = _timeless(lean.rows(table))
    assert recorded
    assert recorded == _timeless(real.control("GET", f"logs/{table}").json())


def test_the_same_is_asked_because_of_an_event(start_azure: Start) -> None:
    lacking = tenant(3, 1, lacking=3)
    computes = [first_compute(workspace) for workspace in workspaces(3, 1)]
    local = start_azure(lacking, "mode: enforce\n")
    for compute in computes:
        local.deliver(written(compute))
        local.until_quiet()
    mine = Counter((one["method"], one["path"], one["status"]) for one in local.asked() if one["caller"] == local.app)
    assert sum(method == "PUT" and status == 201 for method, _, status in mine) == len(computes)
    with swept_azure(lacking, live=True) as azure:
        for compute in computes:
            azure.deliver(compute)
        assert Counter((one.method, one.path, one.status) for one in azure.asked()) == mine


def _timeless(rows: Iterable[Json]) -> Counter[str]:
    return Counter(
        json.dumps({name: value for name, value in row.items() if name not in _OF_THE_MOMENT}, sort_keys=True)
        for row in rows
    )
