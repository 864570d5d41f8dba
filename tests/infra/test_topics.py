"""Azure allows one system topic a source: one that is there already is used, and never changed; else one is made."""

import re

from deployments import WHOLE, of_the_app, only

from infra.snapshots import load, made, scope

EVENT_SUBSCRIPTIONS = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
TOPICS = "Microsoft.EventGrid/systemTopics"


def test_an_existing_topic_is_used_and_not_made() -> None:
    """It is nobody's to change here: only event subscriptions are made below it."""
    below = [one for one in made("existing-topic") if "/rg-platform-events/" in one["id"] and one["id"].startswith("/")]
    assert {one["type"] for one in below} == {EVENT_SUBSCRIPTIONS}
    assert {one["name"].partition("/")[0] for one in below} == {"evgst-platform"}
    sources = {one["properties"]["source"] for one in made("existing-topic", TOPICS)}
    assert sources == {"/subscriptions/22222222-2222-4222-8222-222222222222"}


def test_an_existing_topic_dead_letters_as_its_identity_if_it_has_one() -> None:
    """What it has, only Azure knows: the role, the destination, the alert's metric and the output hang on it."""
    identity = re.compile(
        r"reference\('[^']*/systemTopics/evgst-platform', '[^']*', 'full'\), 'identity'\), 'principalId'"
    )
    (role,) = [
        one for one in made("existing-topic", "Microsoft.Authorization/roleAssignments") if identity.search(one["id"])
    ]
    assert scope(role).endswith("/containers/dead-letters")
    assert identity.search(role["condition"])
    told = [one for one in made("existing-topic", EVENT_SUBSCRIPTIONS) if one["name"].startswith("evgst-platform/")]
    assert told
    for one in told:
        assert re.match(r"\[if\(not\(empty\(", one["properties"]["deadLetterWithResourceIdentity"])
        assert one["properties"]["deadLetterWithResourceIdentity"].endswith(", null())]")
    output = load("existing-topic")["outputs"]["AMLGUARD_DEAD_LETTERS"]
    assert identity.search(output)
    assert "has no system-assigned identity" in output


def test_an_own_topic_always_dead_letters() -> None:
    for one in made(WHOLE, EVENT_SUBSCRIPTIONS):
        assert one["properties"]["deadLetterWithResourceIdentity"]["identity"] == {"type": "SystemAssigned"}
    (role,) = [one for one in made(WHOLE, "Microsoft.Authorization/roleAssignments") if one not in of_the_app(WHOLE)]
    assert "condition" not in role
    assert only(TOPICS)["identity"] == {"type": "SystemAssigned"}
    (said,) = load(WHOLE)["outputs"]["AMLGUARD_DEAD_LETTERS"]
    assert "in the container dead-letters" in said


def test_a_topic_of_another_source_is_refused() -> None:
    """Its events would be of something else, and nothing would ever be heard."""
    (alert,) = [
        one
        for one in made("existing-topic", "Microsoft.Insights/metricAlerts")
        if one["id"].split("/")[2].startswith("3")
    ]
    (topic,) = alert["properties"]["scopes"]
    assert "if(equals(toLower(reference(" in topic
    assert "fail(format('The system topic {0} is about {1}" in topic


def test_the_alert_on_lost_events_looks_at_our_event_subscriptions_only() -> None:
    """An existing topic has those of others."""
    (criterion,) = only("Microsoft.Insights/metricAlerts")["properties"]["criteria"]["allOf"]
    (dimension,) = criterion["dimensions"]
    own = {one["name"].rpartition("/")[2] for one in made(WHOLE, EVENT_SUBSCRIPTIONS)}
    assert (dimension["name"], set(dimension["values"])) == ("EventSubscriptionName", own)
