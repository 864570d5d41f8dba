"""Event Grid against a webhook of the test's own."""

import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from emulator_units.eventually import eventually

from emulator.clock import Clock
from emulator.events import EventGrid
from emulator.faults.faults import Faults


class Webhook:
    """Answers the handshake, and each delivery with what `answer` says (default 202)."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.validations = 0
        self.validate = True
        self.answer: Callable[[str, int], int] = lambda _id, _attempt: 202

    async def handle(self, request: web.Request) -> web.Response:
        [event] = await request.json()
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            self.validations += 1
            code = event["data"]["validationCode"]
            return web.json_response({"validationResponse": code if self.validate else "other"})
        attempt = request.headers["aeg-delivery-count"]
        self.received.append((event["id"], attempt))
        self.headers.append(dict(request.headers))
        return web.Response(status=self.answer(event["id"], int(attempt)))

    @property
    def ids(self) -> list[str]:
        return [id_ for id_, _ in self.received]


@pytest.fixture
async def webhook() -> AsyncIterator[tuple[Webhook, str]]:
    webhook = Webhook()
    application = web.Application()
    application.router.add_post("/", webhook.handle)
    server = TestServer(application)
    await server.start_server()
    yield webhook, str(server.make_url("/"))
    await server.close()


def event(id_: str, operation: str = "Microsoft.MachineLearningServices/workspaces/write") -> dict[str, Any]:
    return {
        "id": id_,
        "subject": "/subscriptions/s",
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "dataVersion": "2",
        "metadataVersion": "1",
        "data": {"operationName": operation},
    }


async def test_everything_arrives_at_least_once_some_twice_in_no_order(webhook: tuple[Webhook, str]) -> None:
    hook, url = webhook
    grid = EventGrid(Clock(), random.Random(1), url)
    ids = [str(number) for number in range(100)]
    for id_ in ids[:50]:
        grid.publish(event(id_))
    assert hook.received == []
    assert grid.under_way == 50
    await grid.start()
    for id_ in ids[50:]:
        grid.publish(event(id_))
    await grid.drain(120)
    assert grid.under_way == 0
    counts = Counter(hook.ids)
    assert set(counts) == set(ids)
    assert set(counts.values()) == {1, 2}
    assert hook.ids != sorted(hook.ids, key=int)
    assert hook.validations == 1
    tried = [(attempt.event["id"], str(attempt.number - 1)) for attempt in grid.attempts]
    assert Counter(tried) == Counter(hook.received)
    assert {attempt.status for attempt in grid.attempts} == {202}
    assert sum(attempt.duplicate for attempt in grid.attempts) == len(hook.ids) - len(ids)
    assert hook.headers[0]["aeg-event-type"] == "Notification"
    assert hook.headers[0]["aeg-subscription-name"] == "AMLGUARD"
    assert grid.dead_letters == []
    await grid.stop()


async def test_only_the_named_operations_are_delivered_whatever_their_case(webhook: tuple[Webhook, str]) -> None:
    hook, url = webhook
    grid = EventGrid(Clock(), random.Random(0), url, frozenset({"Microsoft.ContainerRegistry/registries/write"}))
    await grid.start()
    grid.publish(event("wanted", "microsoft.containerregistry/REGISTRIES/write"))
    grid.publish(event("other", "Microsoft.ContainerRegistry/registries/delete"))
    grid.publish({"id": "no data", "data": None})
    await grid.drain(120)
    assert set(hook.ids) == {"wanted"}
    await grid.stop()


async def test_a_refused_delivery_is_tried_again_when_the_clock_says_so(
    webhook: tuple[Webhook, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "emulator.events")
    hook, url = webhook
    clock = Clock()
    hook.answer = lambda _id, attempt: 500 if attempt < 2 else 200
    grid = EventGrid(clock, random.Random(3), url)
    await grid.start()
    grid.publish(event("a"))
    await eventually(lambda: "Event a: InternalServerError at attempt 1" in caplog.text)
    clock.advance(9)
    with pytest.raises(TimeoutError):
        await grid.drain(0.2)
    assert ("a", "1") not in hook.received
    clock.advance(1.5)
    await eventually(lambda: "Event a: InternalServerError at attempt 2" in caplog.text)
    clock.advance(31)
    await grid.drain(120)
    assert ("a", "2") in hook.received
    assert grid.dead_letters == []
    await grid.stop()


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (400, "UndeliverableDueToHttpBadRequest", "BadRequest"),
        (413, "UndeliverableDueToHttpRequestEntityTooLarge", "RequestEntityTooLarge"),
    ],
)
async def test_what_cannot_get_better_is_a_dead_letter_at_once(
    webhook: tuple[Webhook, str], status: int, reason: str, outcome: str
) -> None:
    hook, url = webhook
    hook.answer = lambda id_, _attempt: status if id_ == "bad" else 202
    grid = EventGrid(Clock(), random.Random(0), url)
    await grid.start()
    grid.publish(event("bad"))
    grid.publish(event("good"))
    await grid.drain(120)
    [letter] = grid.dead_letters
    assert letter["id"] == "bad"
    assert letter["data"] == event("bad")["data"]
    assert (letter["deadLetterReason"], letter["lastDeliveryOutcome"]) == (reason, outcome)
    assert letter["deliveryAttempts"] == 1
    await grid.stop()


async def test_after_thirty_attempts_an_event_is_given_up(webhook: tuple[Webhook, str]) -> None:
    hook, url = webhook
    hook.answer = lambda _id, _attempt: 404
    grid = EventGrid(Clock(), random.Random(0), url, retry_schedule=(0.001,))
    await grid.start()
    grid.publish(event("a"))
    await grid.drain(120)
    [letter] = grid.dead_letters
    assert (letter["deadLetterReason"], letter["deliveryAttempts"]) == ("MaxDeliveryAttemptsExceeded", 30)
    assert letter["lastDeliveryOutcome"] == "NotFound"
    await grid.stop()


async def test_after_a_day_an_event_is_given_up(webhook: tuple[Webhook, str]) -> None:
    hook, url = webhook
    clock = Clock()
    hook.answer = lambda _id, _attempt: 503
    grid = EventGrid(clock, random.Random(0), url)
    await grid.start()
    grid.publish(event("a"))
    await eventually(lambda: len(hook.received) > 0)
    clock.advance(24 * 3600)
    await grid.drain(120)
    [letter] = grid.dead_letters
    assert (letter["deadLetterReason"], letter["deliveryAttempts"]) == ("TimeToLiveExceeded", 1)
    await grid.stop()


async def test_a_webhook_that_is_gone_is_tried_again(webhook: tuple[Webhook, str]) -> None:
    hook, url = webhook
    grid = EventGrid(Clock(), random.Random(0), url, retry_schedule=(0.01,))
    await grid.start()
    grid.webhook = "http://127.0.0.1:9/"
    grid.publish(event("a"))
    with pytest.raises(TimeoutError):
        await grid.drain(0.1)
    grid.webhook = url
    await grid.drain(120)
    assert set(hook.ids) == {"a"}
    await grid.stop()


async def test_no_handshake_no_events(webhook: tuple[Webhook, str]) -> None:
    hook, url = webhook
    hook.validate = False
    grid = EventGrid(Clock(), random.Random(0), url)
    grid.publish(event("a"))
    with pytest.raises(RuntimeError, match="validation handshake failed"):
        await grid.start()
    with pytest.raises(RuntimeError, match="validation handshake failed"):
        await EventGrid(Clock(), random.Random(0), "http://127.0.0.1:9/").start()
    assert hook.received == []
    await grid.stop()


async def test_without_a_webhook_nothing_is_kept() -> None:
    grid = EventGrid(Clock(), random.Random(0), None)
    grid.publish(event("a"))
    await grid.start()
    grid.publish(event("b"))
    await grid.drain(1)
    assert grid.dead_letters == []
    await grid.stop()


async def _struck(hook_url: tuple[Webhook, str], *faults: dict[str, Any]) -> EventGrid:
    """One event, published once; every retry is due at once."""
    hook, url = hook_url
    grid = EventGrid(Clock(), random.Random(1), url, retry_schedule=(0, 0, 0))
    grid.faults = Faults(faults)
    await grid.start()
    grid.publish(event("one"))
    await grid.drain(120)
    assert set(hook.ids) <= {"one"}
    await grid.stop()
    return grid


async def test_a_lost_event_is_heard_of_nowhere(webhook: tuple[Webhook, str]) -> None:
    grid = await _struck(webhook, {"endpoint": "events", "drop": True})
    assert webhook[0].ids == []
    assert grid.dead_letters == []
    assert {one.status for one in grid.attempts} == {-1}


async def test_an_event_that_cannot_be_delivered_is_a_dead_letter(webhook: tuple[Webhook, str]) -> None:
    grid = await _struck(webhook, {"endpoint": "events", "status": 400})
    assert webhook[0].ids == []
    assert [one["deadLetterReason"] for one in grid.dead_letters] == ["UndeliverableDueToHttpBadRequest"]


async def test_an_acknowledgement_that_is_lost_brings_the_event_again(webhook: tuple[Webhook, str]) -> None:
    await _struck(webhook, {"endpoint": "events", "status": 503, "after": True, "times": 2})
    assert webhook[0].received == [("one", "0"), ("one", "1"), ("one", "2")]


async def test_faults_are_for_the_events_that_they_name(webhook: tuple[Webhook, str]) -> None:
    await _struck(webhook, {"endpoint": "events", "path": "/subscriptions/other", "drop": True})
    assert webhook[0].ids
