"""CloudEvents arrive at a topic of the local Azure, valid by the published schema, by Microsoft's own client."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from event_grid import event
from local_azure import LocalAzure, Start
from tenants import ACR_PULL, Json, Tenant, group_id, oid, system_assigned

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "events.schema.json").read_text("utf-8"))
POLICY = "mode: enforce\nsettle_minutes: 0\nrules: {AML-29: {mode: approve}}\n"
GROUP = group_id("rg-told")


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    made = Tenant()
    registry = made.registry(GROUP, "acrtold", admin=True)
    workspace = made.workspace(GROUP, containerRegistry=registry["id"])
    made.compute(workspace, "cluster", identity=system_assigned("cluster"))
    return made


@pytest.fixture(scope="module")
def azure(start_azure: Start, tenant: Tenant) -> LocalAzure:
    return start_azure(tenant.document(), POLICY, "--topic")


def sent(azure: LocalAzure) -> list[Json]:
    found: list[Json] = azure.control("GET", "topics/amlguard").json()
    return found


WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws"


def granted(azure: LocalAzure) -> bool:
    registry = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/acrtold"
    return (registry.lower(), ACR_PULL) in azure.grants(oid("cluster"), registry)


def test_a_topic_that_is_down_delays_no_remediation_and_gets_the_event_later(azure: LocalAzure) -> None:
    azure.faults({"endpoint": "topic", "status": 503, "times": 3})
    azure.deliver(event(WORKSPACE))
    assert granted(azure)  # by the time that the delivery is acknowledged
    azure.until(lambda: azure.rows(where="Outcome == 'Applied'"), "the grant is on record")
    azure.until_quiet()
    azure.faults()
    azure.advance(3600)
    azure.until(lambda: sent(azure), "the event arrives")
    types = [one["type"] for one in sent(azure)]
    assert "amlguard.remediation.applied" in types
    assert len(types) == len(set(types))


def test_a_sweep_tells_how_it_ended(azure: LocalAzure) -> None:
    azure.sweep_all([WORKSPACE])
    azure.until(lambda: any(one["type"].startswith("amlguard.sweep.") for one in sent(azure)), "the end is told")


def test_what_arrived_is_valid_by_the_published_schema(azure: LocalAzure) -> None:
    found: list[dict[str, Any]] = sent(azure)
    assert found
    for one in found:
        jsonschema.validate(one, SCHEMA, cls=jsonschema.Draft202012Validator)
        assert one["specversion"] == "1.0"


def test_without_the_right_people_hear_which_is_missing(azure: LocalAzure) -> None:
    """Event Grid says 401 there, which is not what a wrong sign-in looks like to people."""
    home = f"/subscriptions/{GROUP.split('/')[2]}"
    listed = azure.get(f"{home}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{azure.app}'")
    (mine,) = [one for one in listed["value"] if "/Microsoft.EventGrid/topics/" in one["properties"]["scope"]]
    azure.delete(mine["id"])
    azure.sweep_all([WORKSPACE])
    azure.until(lambda: "EventGrid Data Sender" in azure.run("status").out, "status names the role")
