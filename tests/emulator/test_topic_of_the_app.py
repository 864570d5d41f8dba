"""CloudEvents arrive at a topic of the local Azure, valid by the published schema, by Microsoft's own client."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from event_grid import event
from forked import Forked
from local_azure import LocalAzure, Start
from telling import tell
from tenants import ACR_PULL, Json, Tenant, group_id, oid, system_assigned
from wire import clean

from shared import told

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


WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/mlw"


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


def _told(azure: LocalAzure, tmp_path: Path, *arguments: str) -> list[Json]:
    env = clean(azure.folder, {**azure.env, "HOME": str(azure.folder)})
    ran = Forked.start(tmp_path, tell, [*arguments], env).ended(180)
    assert ran.code == 0, ran.err
    ends: list[Json] = json.loads(ran.out)
    return ends


def test_each_kind_of_event_arrives(azure: LocalAzure, tmp_path: Path) -> None:
    """Of a run and of a sweep, sent by the app's own client."""
    before = len(sent(azure))
    assert not any(_told(azure, tmp_path))
    arrived = [one for one in sent(azure)[before:] if one["source"] == "urn:amlguard:t"]
    assert len(arrived) == 12
    assert {one["type"] for one in arrived} == set(told.types())
    for one in arrived:
        jsonschema.validate(one, SCHEMA, cls=jsonschema.Draft202012Validator)
        if one["type"].startswith("amlguard.remediation."):
            assert (len(one["data"]["actions"]), one["data"]["notNamed"]) == (50, 10)


@pytest.mark.parametrize(
    ("fault", "lacks_right"),
    [
        ({"status": 500}, False),
        ({"status": 503}, False),
        ({"status": 401, "code": "Unauthorized"}, True),
        ({"status": 401, "code": "InvalidAuthenticationToken"}, False),
        ({"status": 403}, True),
        ({"drop": True}, False),
    ],
)
def test_a_topic_that_does_not_take_it_is_a_failure_that_comes_again(
    azure: LocalAzure, tmp_path: Path, fault: Json, lacks_right: bool
) -> None:
    azure.faults({"endpoint": "topic", **fault})
    (end,) = _told(azure, tmp_path, "one")
    azure.faults()
    assert end["failed"]
    assert end["lacksRight"] is lacks_right


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
