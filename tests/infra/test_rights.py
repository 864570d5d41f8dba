"""The rights that the Bicep gives, in the local Azure: with all of them it works; without one, the failure names it.

The local Azure does not judge rights on the storage account (Azurite is spoken to with its key) and has no telemetry:
what these roles are for is held by `test_bicep.py`. Role Based Access Control Administrator reads everything as well,
so without Reader nothing is missed until it goes too;
and both read logs in watched subscriptions, so that Log Analytics Data Reader is missed only outside of them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bicep import access
from event_grid import event
from local_azure import LocalAzure
from tenants import ACR_PULL, Json, Tenant, group_id, oid, system_assigned

from infra.check import INFRA

GROUP = group_id("rg-rights")
POLICY = "mode: enforce\nsettle_minutes: 0\nevidence: {required: true}\n"
CONDITION = json.loads((INFRA / "generated" / "derived.json").read_text("utf-8"))["condition"]
READER, RBAC, WRITER = "Reader", "Role Based Access Control Administrator", "amlguard Settings Writer"
PUBLISHER = "Monitoring Metrics Publisher"


def _tenant() -> tuple[Tenant, Json, Json]:
    """A cluster that cannot pull yet from a registry whose admin user is on."""
    tenant = Tenant()
    registry = tenant.registry(GROUP, "acrrights", admin=True)
    account = tenant.storage(GROUP, "strights")
    workspace = tenant.workspace(GROUP, containerRegistry=registry["id"], storageAccount=account["id"])
    tenant.compute(workspace, "cluster", identity=system_assigned("cluster"))
    return tenant, registry, workspace


@pytest.fixture
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[LocalAzure, Json, str]]:
    """The local Azure without the roles of the parameter, the registry, and all that the app said and recorded."""
    without: tuple[str, ...] = request.param
    given: dict[str, Any] = access()
    given["roleAssignments"] = [one for one in given["roleAssignments"] if one["role"] not in without]
    tenant, registry, workspace = _tenant()
    azure = LocalAzure.start(tmp_path, tenant.document(), POLICY, access=given, condition=CONDITION)
    try:
        answers = [azure.deliver(event(workspace["id"])).text]
        azure.until_quiet()
        answers += [azure.deliver(event(workspace["id"])).text]
        answers += [row["Reason"] for row in azure.rows()]
        yield azure, registry, "\n".join(answers)
    finally:
        azure.stop()


@pytest.mark.parametrize("played", [()], indirect=True, ids=["all rights"])
def test_with_all_rights_it_works(played: tuple[LocalAzure, Json, str]) -> None:
    azure, registry, said = played
    assert azure.grants(oid("cluster"), registry["id"]) == {(registry["id"].lower(), ACR_PULL)}
    assert not azure.admin_user(registry["id"])
    assert "lacks the right" not in said


@pytest.mark.parametrize(
    ("played", "named"),
    [((READER, RBAC), READER), ((RBAC,), RBAC), ((WRITER,), WRITER), ((PUBLISHER,), PUBLISHER)],
    indirect=["played"],
    ids=[READER, RBAC, WRITER, PUBLISHER],
)
def test_without_a_right_the_failure_names_it(played: tuple[LocalAzure, Json, str], named: str) -> None:
    azure, registry, said = played
    assert azure.admin_user(registry["id"])
    assert named in said
