"""Registries that are slow to change, fail to, or do not say: what is on record is what came true."""

from dataclasses import dataclass

import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, Tenant, group_id, oid, system_assigned
from wire import Json

POLICY = "mode: enforce\nsettle_minutes: 15\n"
_SWITCH = "Property == 'adminUserEnabled'"


@dataclass(frozen=True)
class Case:
    """`faults` are Azure's at this registry; `outcomes` the switch's, as the log has them in the end."""

    name: str
    faults: tuple[Json, ...]
    outcomes: tuple[str, ...]
    switched_off: bool
    resyncs: int


_SLOW = {"method": "PATCH", "operation": "Succeeded"}
_OPERATION = {"method": "GET", "path": "/operationStatuses/"}

CASES = (
    Case("atonce", (), ("Applied", "Planned"), switched_off=True, resyncs=1),
    Case("slow", (_SLOW,), ("Applied", "Planned"), switched_off=True, resyncs=1),
    Case(
        "gateway",
        (_SLOW, {**_OPERATION, "status": 500, "html": True, "times": 2}),
        ("Applied", "Planned"),
        switched_off=True,
        resyncs=1,
    ),
    Case("failed", ({**_SLOW, "operation": "Failed"},), ("Failed", "Planned"), switched_off=False, resyncs=0),
    Case("canceled", ({**_SLOW, "operation": "Canceled"},), ("Failed", "Planned"), switched_off=False, resyncs=0),
    # The operation is gone before it is asked for; the registry itself tells.
    Case(
        "vanished",
        (_SLOW, {**_OPERATION, "status": 404, "delayMs": 600}),
        ("Applied", "Planned"),
        switched_off=True,
        resyncs=1,
    ),
)


@dataclass(frozen=True)
class World:
    azure: LocalAzure
    registries: dict[str, str]
    workspaces: dict[str, str]

    def switches(self, name: str) -> list[Json]:
        return self.azure.rows(where=f"{_SWITCH} and Scope =~ '{self.registries[name]}'")


@pytest.fixture(scope="module")
def world(start_azure: Start) -> World:
    tenant = Tenant()
    registries, workspaces = {}, {}
    for case in CASES:
        group = group_id(f"rg-{case.name}")
        registry = tenant.registry(group, f"acrml{case.name}", admin=True)["id"]
        workspace = tenant.workspace(group, containerRegistry=registry)
        tenant.compute(workspace, "cluster", identity=system_assigned(group))
        tenant.assign(registry, oid(group), ACR_PULL)
        registries[case.name], workspaces[case.name] = registry, workspace["id"]
    azure = start_azure(tenant.document(), POLICY)
    faults = [
        {**fault, "path": f"/registries/acrml{case.name}[/?].*{fault.get('path', '')}"}
        for case in CASES
        for fault in case.faults
    ]
    resyncing = {"method": "GET", "path": "/workspaceOperationsStatus/", "status": 500, "html": True, "times": 2}
    azure.faults(*faults, resyncing)
    assert azure.deliver(*(event(workspace) for workspace in workspaces.values())).status_code == 202
    azure.until(lambda: len(azure.rows(where=f"{_SWITCH} and Outcome != 'Planned'")) == len(CASES), "all are on record")
    azure.until_quiet()
    return World(azure, registries, workspaces)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_on_record_came_true(case: Case, world: World) -> None:
    rows = world.switches(case.name)
    assert tuple(sorted({row["Outcome"] for row in rows})) == case.outcomes
    assert world.azure.admin_user(world.registries[case.name]) is not case.switched_off
    assert all(row["Reason"] for row in rows)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_keys_are_resynced_where_it_went_off(case: Case, world: World) -> None:
    asked = [one["path"].partition("?")[0].lower() for one in world.azure.writes() if one["method"] == "POST"]
    assert asked.count(f"{world.workspaces[case.name]}/resyncKeys".lower()) == case.resyncs
