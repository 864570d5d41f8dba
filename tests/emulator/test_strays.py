"""A registry keeps its admin user on while a workspace may use it of which nobody can tell (law 15)."""

from dataclasses import dataclass

import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, SUBSCRIPTION, Tenant, child, group_id, oid, system_assigned

POLICY = "mode: enforce\nsettle_minutes: 0\nrules: {managed-network: {enabled: false}}\n"
ABROAD = "22222222-2222-4222-8222-222222222222"
APART = "33333333-3333-4333-8333-333333333333"


@dataclass(frozen=True)
class Case:
    """A workspace in its own subscription, and the other one: where it is and what it names as its registry."""

    name: str
    home: str
    elsewhere: str
    named: object
    kept: bool

    @property
    def registry(self) -> str:
        return child(
            group_id(f"rg-{self.name}", self.home), "Microsoft.ContainerRegistry/registries", f"acrml{self.name}"
        )

    @property
    def workspace(self) -> str:
        return child(group_id(f"rg-{self.name}", self.home), "Microsoft.MachineLearningServices/workspaces", "mlw")


CASES = [
    Case("beside", SUBSCRIPTION, SUBSCRIPTION, "acrml", kept=True),
    Case("mentioned", ABROAD, APART, "https://acrmlmentioned.azurecr.io", kept=True),
    Case("relative", ABROAD, APART, f"/subscriptions/{ABROAD}/resourceGroups/x/../registries/acrmlrelative", kept=True),
    Case("unrelated", ABROAD, APART, ["something else"], kept=False),
    Case("empty", ABROAD, ABROAD, "", kept=False),
]


@pytest.fixture(scope="module")
def azure(start_azure: Start) -> LocalAzure:
    tenant = Tenant()
    for case in CASES:
        group = group_id(f"rg-{case.name}", case.home)
        registry = tenant.registry(group, f"acrml{case.name}", admin=True)
        workspace = tenant.workspace(group, containerRegistry=registry["id"])
        tenant.compute(workspace, "cluster", identity=system_assigned(case.name))
        tenant.assign(registry["id"], oid(case.name), ACR_PULL)
        tenant.workspace(group_id(f"rg-{case.name}-other", case.elsewhere), "stray", containerRegistry=case.named)
    return start_azure(tenant.document(), POLICY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_registry_that_a_stray_may_use(azure: LocalAzure, case: Case) -> None:
    ran = azure.run("plan", "--scope", case.workspace, "--format", "json")
    assert ran.code == 2, ran.err
    withheld = [one for one in ran.document["withheld"] if one["guard"] == "malformed-id"]
    assert bool(withheld) is case.kept
    assert all("/workspaces/stray" in one["reason"] for one in withheld)
    assert azure.deliver(event(case.workspace)).status_code == 202
    azure.until_quiet()
    assert azure.admin_user(case.registry) is case.kept
