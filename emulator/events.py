"""Event Grid: delivers the subscription's events to one webhook, at least once and in no order.

https://learn.microsoft.com/azure/event-grid/delivery-and-retry
"""

import asyncio
import json
import logging
import random
import uuid
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import aiohttp

from emulator.alarm import Alarm
from emulator.clock import Clock
from emulator.faults.faults import Faults

RETRY_SCHEDULE = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)
"""Seconds before each next attempt. The last one repeats."""

_LOG = logging.getLogger(__name__)
_SUBSCRIPTION = "AMLGUARD"
_ACKNOWLEDGED = {200, 201, 202, 203, 204}
_NOT_RETRIED = {400: "UndeliverableDueToHttpBadRequest", 413: "UndeliverableDueToHttpRequestEntityTooLarge"}
_OUTCOMES = {408: "TimedOut", 413: "RequestEntityTooLarge"}  # where Python has another phrase
_ACKNOWLEDGE_SECONDS = 30
_MOST_ATTEMPTS = 30
_TIME_TO_LIVE = timedelta(hours=24)
_WINDOW_SECONDS = 0.02  # events within this window may overtake each other
_TWICE = 0.1
_AT_ONCE = 50
_KEPT_ATTEMPTS = 10_000
_LOST = -1


@dataclass
class Attempt:
    """One attempt to deliver one event. `status` is None while the answer is awaited, 0 if there was none."""

    event: dict[str, Any]
    time: datetime
    number: int
    duplicate: bool
    status: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "time": self.time.isoformat(),
            "attempt": self.number,
            "duplicate": self.duplicate,
            "status": self.status,
            "event": self.event,
        }


@dataclass
class _Delivery:
    """An event on its way. A duplicate is tried once, because it stands for one whose acknowledgement got lost."""

    event: dict[str, Any]
    published: datetime
    duplicate: bool = False
    attempts: int = 0
    outcome: str = ""
    last_attempt: datetime | None = None


class EventGrid:
    """Delivers to `webhook`, if one is set by the time of `start`. What is published before that waits.

    `operations` stands for an advanced filter on `data.operationName`. Without it everything is delivered. Retries
    follow the local Azure's clock. `attempts` holds the latest attempts to deliver, those for lost events with the
    status -1. `dead_letters` holds what was given up, in the shape of dead-lettered events.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        webhook: str | None,
        operations: frozenset[str] | None = None,
        retry_schedule: Sequence[float] = RETRY_SCHEDULE,
    ) -> None:
        self.webhook = webhook
        self.faults = Faults()
        self.attempts: deque[Attempt] = deque(maxlen=_KEPT_ATTEMPTS)
        self.dead_letters: list[dict[str, Any]] = []
        self._rng = rng
        self._operations = None if operations is None else {operation.lower() for operation in operations}
        self._retry_schedule = retry_schedule
        self._alarm = Alarm(clock)
        self._waiting: list[_Delivery] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)

    @property
    def under_way(self) -> int:
        """How many events wait for their first attempt or for the webhook's answer, but not those to be sent again."""
        return len(self._waiting) + sum(attempt.status is None for attempt in self.attempts)

    def publish(self, event: dict[str, Any]) -> None:
        """Takes an event of the EventGridSchema, and returns at once."""
        unsubscribed = self._started and not self._session
        if unsubscribed or not self._selected(event):
            return
        self._waiting.append(_Delivery(event, self._alarm.now()))
        if self._session and len(self._waiting) == 1:
            self._spawn(self._send_window(self._session))

    async def start(self) -> None:
        """Validates the webhook as creating an event subscription does. Raises RuntimeError if it answers wrongly."""
        if self.webhook is None:
            self._started = True
            self._waiting.clear()
            return
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=_ACKNOWLEDGE_SECONDS)
        )
        try:
            await self._validate(session)
        except BaseException:
            await session.close()
            raise
        self._session, self._started = session, True
        if self._waiting:
            self._spawn(self._send_window(session))

    async def drain(self, timeout: float) -> None:  # noqa: ASYNC109 - callers pass the seconds that they can spare
        """Waits until every event is acknowledged or given up. Raises TimeoutError after `timeout` real seconds."""
        async with asyncio.timeout(timeout):
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._waiting.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()
        self._session = None

    def _selected(self, event: dict[str, Any]) -> bool:
        data = event.get("data")
        operation = data.get("operationName") if isinstance(data, dict) else None
        return self._operations is None or str(operation).lower() in self._operations

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_window(self, session: aiohttp.ClientSession) -> None:
        """Lets events gather for a moment, then sends them in another order, and some of them twice."""
        await asyncio.sleep(_WINDOW_SECONDS)
        deliveries, self._waiting = self._waiting, []
        twice = [each for each in deliveries if self._rng.random() < _TWICE]
        deliveries += [_Delivery(each.event, each.published, duplicate=True) for each in twice]
        self._rng.shuffle(deliveries)
        for delivery in deliveries:
            self._spawn(self._deliver(session, delivery))

    async def _deliver(self, session: aiohttp.ClientSession, delivery: _Delivery) -> None:
        expiry = delivery.published + _TIME_TO_LIVE
        while True:
            async with self._slots:
                status = await self._attempt(session, delivery)
            if status in _ACKNOWLEDGED or status == _LOST or delivery.duplicate:
                return
            reason = _NOT_RETRIED.get(status)
            if not reason and delivery.attempts >= _MOST_ATTEMPTS:
                reason = "MaxDeliveryAttemptsExceeded"
            if not reason:
                delay = self._retry_schedule[min(delivery.attempts, len(self._retry_schedule)) - 1]
                await self._alarm.until(min(self._alarm.now() + timedelta(seconds=delay), expiry))
                reason = "TimeToLiveExceeded" if self._alarm.now() >= expiry else None
            if reason:
                self.dead_letters.append(_dead_letter(delivery, reason))
                return

    async def _attempt(self, session: aiohttp.ClientSession, delivery: _Delivery) -> int:
        """The status of the answer. 0 if none came in time."""
        delivery.last_attempt = self._alarm.now()
        attempt = Attempt(delivery.event, delivery.last_attempt, delivery.attempts + 1, delivery.duplicate)
        self.attempts.append(attempt)
        try:
            status = await self._struck(session, delivery)
            delivery.outcome = _outcome(status)
        except TimeoutError:
            status, delivery.outcome = 0, "TimedOut"
        except aiohttp.ClientError:
            status, delivery.outcome = 0, "SocketError"
        attempt.status = status
        delivery.attempts += 1
        if status not in _ACKNOWLEDGED:
            _LOG.info("Event %s: %s at attempt %d", delivery.event.get("id"), delivery.outcome, delivery.attempts)
        return status

    async def _struck(self, session: aiohttp.ClientSession, delivery: _Delivery) -> int:
        """The status that the webhook, or a fault in its place, answers. `_LOST` means that the event is lost."""
        later: int | None = None
        for act in self.faults.strike("events", "POST", str(delivery.event.get("subject", "")), ""):
            await asyncio.sleep(act.delay_ms / 1000)
            if act.drop and not act.after:
                return _LOST
            if act.after:
                later = 0 if act.drop else act.status
            elif act.status is not None:
                return act.status
        status, _ = await self._post(session, "Notification", delivery.event, delivery.attempts)
        return status if later is None else later

    async def _validate(self, session: aiohttp.ClientSession) -> None:
        code = str(uuid.UUID(int=self._rng.getrandbits(128)))
        event = {
            "id": str(uuid.UUID(int=self._rng.getrandbits(128))),
            "topic": "",
            "subject": "",
            "data": {"validationCode": code, "validationUrl": f"https://rp.eventgrid.azure.net/validate?id={code}"},
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": self._alarm.now().isoformat(),
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        try:
            status, answer = await self._post(session, "SubscriptionValidation", event, 0)
            valid = status == 200 and json.loads(answer)["validationResponse"] == code
        except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError) as error:
            raise RuntimeError(f"Webhook validation handshake failed for {self.webhook}: {error!r}") from None
        if not valid:
            raise RuntimeError(f"Webhook validation handshake failed for {self.webhook}: {status} {answer!r}")

    async def _post(
        self, session: aiohttp.ClientSession, kind: str, event: dict[str, Any], attempts: int
    ) -> tuple[int, bytes]:
        headers = {
            "aeg-event-type": kind,
            "aeg-subscription-name": _SUBSCRIPTION,
            "aeg-delivery-count": str(attempts),
            "aeg-data-version": str(event.get("dataVersion", "")),
            "aeg-metadata-version": str(event.get("metadataVersion", "1")),
        }
        async with session.post(str(self.webhook), json=[event], headers=headers) as response:
            return response.status, await response.read()


def _outcome(status: int) -> str:
    """The name of an HTTP status as .NET spells it: `NotFound`, `InternalServerError`."""
    if status in _OUTCOMES:
        return _OUTCOMES[status]
    try:
        return HTTPStatus(status).phrase.title().replace(" ", "")
    except ValueError:
        return "GenericError"


def _dead_letter(delivery: _Delivery, reason: str) -> dict[str, Any]:
    return {
        **delivery.event,
        "deadLetterReason": reason,
        "deliveryAttempts": delivery.attempts,
        "lastDeliveryOutcome": delivery.outcome,
        "publishTime": delivery.published.isoformat(),
        "lastDeliveryAttemptTime": delivery.last_attempt and delivery.last_attempt.isoformat(),
    }
