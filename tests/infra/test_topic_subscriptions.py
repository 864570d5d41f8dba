"""The example of who is told: a queue gets every event, and a webhook what people must act on."""

import json
from pathlib import Path

from infra.snapshots import EXAMPLES, Json, load, made, parameter_files, snapshot_of

NAME = "topic-subscriptions"
SCHEMA = (Path(__file__).parents[2] / "docs" / "schemas" / "events.schema.json").read_text("utf-8")
SENDER = "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a"  # Storage Queue Data Message Sender


def _made(kind: str) -> list[Json]:
    return [one for one in load(NAME, EXAMPLES)["predictedResources"] if one["type"] == kind]


def _subscription(name: str) -> Json:
    (found,) = (
        one for one in _made("Microsoft.EventGrid/topics/eventSubscriptions") if one["name"].endswith(f"/{name}")
    )
    properties: Json = found["properties"]
    return properties


def test_each_example_has_its_snapshot() -> None:
    assert [one.stem for one in parameter_files(EXAMPLES)] == [NAME]
    assert snapshot_of(parameter_files(EXAMPLES)[0]).exists()


def test_both_deliver_cloud_events_and_the_queue_gets_every_one() -> None:
    queue, people = _subscription("everything"), _subscription("for-people")
    assert {one["eventDeliverySchema"] for one in (queue, people)} == {"CloudEventSchemaV1_0"}
    assert "filter" not in queue
    assert queue["deliveryWithResourceIdentity"]["destination"]["endpointType"] == "StorageQueue"


def test_people_get_what_they_must_act_on_and_the_types_are_real() -> None:
    wanted = set(_subscription("for-people")["filter"]["includedEventTypes"])
    assert wanted == {
        "amlguard.remediation.failed",
        "amlguard.remediation.contested",
        "amlguard.approval.needed",
        "amlguard.sweep.incomplete",
    }
    assert all(f'"{one}"' in SCHEMA for one in wanted)


def test_the_topic_puts_as_itself_and_its_role_is_on_that_queue_alone() -> None:
    (queue,) = _made("Microsoft.Storage/storageAccounts/queueServices/queues")
    (role,) = _made("Microsoft.Authorization/roleAssignments")
    name = queue["name"].rpartition("/")[2]
    assert f"'{name}'" in json.dumps(role)
    assert SENDER in role["properties"]["roleDefinitionId"]
    assert "'Microsoft.EventGrid/topics', 'evgt-amlguard-prod'" in role["properties"]["principalId"]
    (topic,) = made("many-subscriptions-events", "Microsoft.EventGrid/topics")
    assert topic["identity"]["type"] == "SystemAssigned"


def test_the_address_of_the_webhook_is_a_secret() -> None:
    """It may hold a key, and whoever reads the deployment would see it."""
    assert "tickets.example.com" not in json.dumps(load(NAME, EXAMPLES))
