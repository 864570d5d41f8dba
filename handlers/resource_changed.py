"""Event Grid: something about an AML resource, or about what it depends on, has changed."""

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from handlers.look import INLINE, look_later, look_now, pause_after, said_of, watched
from handlers.runtime import Runtime
from shared.access.asks import Finding, Severity
from shared.access.routing import route
from shared.access.rules import List
from shared.access.scope import Scope
from shared.audit_rows import FINDINGS, Run, finding
from shared.azure.events import MalformedEventError, read
from shared.messages import Dependency, Trigger, encode
from shared.ports import AzureFailureError, ReadFailedError
from shared.reading.discover import finished, search

_log = logging.getLogger("amlguard")

# How many workspaces the delivery asks for what lies below them. Each of them costs a few lists.
_ASKED_INLINE = 5
# Event Grid waits 30 s. What has begun by the deadline may end within the rest of it.
_ANSWERED_SECONDS = 27


async def handle(raw: object, services: Runtime) -> None:
    """Takes one event in either schema.

    Acknowledges events that do not concern amlguard, and records malformed events, too.

    Raises `AzureFailureError` if the policy or the state could not be read, or the state not recorded. Event Grid then
    delivers the event again.
    """
    try:
        event = read(raw)
    except MalformedEventError as error:
        await _record_malformed(str(error), services)
        return
    if event is None or (event.caller and event.caller == services.own_object_id):
        return
    look = route(event.scope, event.kind, services.terms.table)
    if look is None:
        return
    deadline = services.deadline()
    services = await services.current()
    trigger = Trigger(event.correlation_id, event.caller, event.time, str(event.scope))
    if look.workspace:
        await _within_deadline([look.workspace], services, trigger, deadline, look.touched)
    else:
        await _look_at_users(look.scope, services, trigger, deadline)


async def _look_at_users(scope: Scope, services: Runtime, trigger: Trigger, deadline: float) -> None:
    """For a dependency, or a scope where a role was taken away: looks at the workspaces that use it or lie in it."""
    if scope.subscription is None or scope.resource_group is None:
        # For a whole subscription or more, finding out where to look is a task of its own.
        await _leave_to_queue(scope, services, trigger)
        return
    try:
        async with asyncio.timeout(_left(deadline)):
            users, whole = await _users(scope, services)
    except (TimeoutError, AzureFailureError) as error:
        if services.queue is None or not _is_for_later(error):
            raise
        _log.warning("the queue finds who uses %s: %s", scope, said_of(error))
        await _leave_to_queue(scope, services, trigger, _pause(error))
        return
    if not whole:
        await _leave_to_queue(scope, services, trigger)
    await _within_deadline(users, services, trigger, deadline)


async def _users(scope: Scope, services: Runtime) -> tuple[list[Scope], bool]:
    """The workspaces that use `scope`, and whether these are all.

    If many workspaces must be asked, the queue asks them.

    The queue then looks at those that use the resource, and at these again.
    """
    try:
        begun = await search(scope, services.azure, services.terms)
    except ReadFailedError as error:
        if error.code != "SubscriptionNotFound":
            raise
        _log.info("an event about a subscription that is not there (any more): nothing to look at")
        return [], True
    if len(begun.unasked) > _ASKED_INLINE and services.queue:
        return begun.users, False
    return await finished(begun, services.azure), True


async def _leave_to_queue(scope: Scope, services: Runtime, trigger: Trigger, delay: timedelta = timedelta()) -> None:
    if services.queue:
        await services.queue.put(encode(Dependency(str(scope), trigger)), delay)


async def _within_deadline(
    workspaces: list[Scope], services: Runtime, trigger: Trigger, deadline: float, touched: List | None = None
) -> None:
    chosen = workspaces
    try:
        async with asyncio.timeout(_left(deadline)):
            chosen = await watched(workspaces, services)
        if len(chosen) > INLINE:
            await look_later(chosen, services, trigger)
        else:
            look = look_now(chosen, services, trigger, deadline=deadline, touched=touched)
            await _while_it_may(look, services, deadline)
    except (TimeoutError, AzureFailureError) as error:
        if not _is_for_later(error):
            raise
        _log.warning("%d workspaces go to the queue: %s", len(chosen), said_of(error))
        await look_later(chosen, services, trigger, _pause(error))


async def _while_it_may(look: Coroutine[Any, Any, object], services: Runtime, deadline: float) -> None:
    """Waits for a look until Event Grid must have its answer. Raises `TimeoutError` if the look takes longer.

    What the look has begun to change then goes on to its end and its record, by itself: nothing is cut off. Without a
    queue there is nobody who could look again.
    """
    going_on = asyncio.ensure_future(look)
    rest = max(0.0, _ANSWERED_SECONDS - services.deadline_seconds)
    await asyncio.wait((going_on,), timeout=_left(deadline) + rest if services.queue else None)
    if not going_on.done():
        services.memory.keep(going_on)
        raise TimeoutError
    await going_on


def _is_for_later(error: TimeoutError | AzureFailureError) -> bool:
    """The time to answer Event Grid is up, or Azure asks to wait. Another delivery would come too early."""
    return isinstance(error, TimeoutError) or bool(error.wait)


def _pause(error: TimeoutError | AzureFailureError) -> timedelta:
    return timedelta() if isinstance(error, TimeoutError) else pause_after(error)


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


async def _record_malformed(reason: str, services: Runtime) -> None:
    """Keeps nothing of the event itself, because it may hold anything, also personal data."""
    _log.warning("a malformed event was dropped: %s", reason)
    if services.audit:
        one = Finding(
            Scope.parse("/"),
            "malformed-event",
            (),
            Severity.LOW,
            f"An event could not be read and was dropped: {reason}.",
            "Check who can post to the webhook; the sweep makes up for lost events.",
        )
        await services.audit.record(FINDINGS, [finding(Run(services.terms.mode), one)])
