"""`caller_must_hold` through the official worker: whose events lead to grants; a person at a desk needs no event."""

import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, CONTRIBUTOR, GRANTS_ONLY, OWNER, READER, Tenant, group_id, oid, system_assigned

NAMES = ("nobody", "reader", "owner", "contributor", "swept", "desk")


def _group(name: str) -> str:
    return group_id(f"rg-{name}")


def _workspace(name: str) -> str:
    return f"{_group(name)}/providers/Microsoft.MachineLearningServices/workspaces/mlw"


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    """A workspace for each test, each with a cluster that needs AcrPull."""
    tenant = Tenant()
    for name in NAMES:
        registry = tenant.registry(_group(name), f"acrml{name}")
        workspace = tenant.workspace(_group(name), containerRegistry=registry["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(name))
    for name, role in (("reader", READER), ("owner", OWNER), ("contributor", CONTRIBUTOR)):
        tenant.assign(_group(name), oid(f"caller {name}"), role, kind="User")
    return start_azure(tenant.document(), f"mode: enforce\ntrust: {{caller_must_hold: true}}\n{GRANTS_ONLY}")


def _pulls(azure: LocalAzure, name: str) -> bool:
    return ACR_PULL in {role for _, role in azure.grants(oid(name), _group(name))}


@pytest.mark.parametrize(
    ("name", "heard"), [("nobody", False), ("reader", True), ("owner", True), ("contributor", True)]
)
def test_an_event_grants_what_its_caller_holds(azure: LocalAzure, name: str, heard: bool) -> None:
    """Whoever reads a classic registry pulls from it already."""
    told = event(f"{_workspace(name)}/computes/cluster", caller=oid(f"caller {name}"))
    assert azure.deliver(told).status_code == 202
    assert _pulls(azure, name) is heard
    withheld = azure.rows(where=f"Outcome == 'Withheld' and ResourceId contains 'rg-{name}'")
    assert ({row["Guard"] for row in withheld} == {"caller-must-hold"}) is not heard


def test_the_sweep_grants_nothing_and_says_who_can(azure: LocalAzure) -> None:
    azure.sweep_all([_workspace("swept")])
    assert not _pulls(azure, "swept")
    (row, *_) = azure.rows(where="Outcome == 'Withheld' and ResourceId contains 'rg-swept'")
    assert row["Guard"] == "caller-must-hold"
    assert "amlguard apply" in row["Reason"]


def test_at_a_desk_azure_asks_the_person(azure: LocalAzure) -> None:
    ran = azure.run("apply", "--yes", "--scope", _workspace("desk"), "--format", "json")
    assert ran.code == 0, ran.out + ran.err
    assert _pulls(azure, "desk")
