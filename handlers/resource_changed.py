"""Event Grid: something about an AML resource, or about what it depends on, has changed."""

import logging
from datetime import timedelta

from handlers.look import INLINE, look_later, look_now, watched
from handlers.runtime import Runtime
from shared.access.asks import Finding, Severity
from shared.access.routing import route
from shared.access.scope import Scope
from shared.audit_rows import FINDINGS, Run, finding
from shared.azure.events import MalformedEventError, read
from shared.messages import Dependency, Trigger, encode
from shared.ports import ReadFailedError
from shared.reading.discover import finished, search

_log = logging.getLogger("amlguard")

# How many workspaces the delivery asks for what lies below them. Each takes a few lists.
_ASKED_INLINE = 5


async def handle(raw: object, services: Runtime) -> None:
    """Takes one event in either schema. It acknowledges events that are not for us. It also records malformed ones.

    Raises `AzureFailureError` if the state could not be read or recorded. Event Grid then delivers again.
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
    trigger = Trigger(event.correlation_id, event.caller, event.time, str(event.scope))
    if look.workspace:
        await _within_deadline([look.workspace], services, trigger, services.deadline())
    else:
        await _look_at_users(look.scope, services, trigger)


async def _look_at_users(scope: Scope, services: Runtime, trigger: Trigger) -> None:
    """For a dependency, or a scope where a role was taken away: looks at the workspaces that use it or lie in it."""
    deadline = services.deadline()
    if scope.subscription is None or scope.resource_group is None:
        # For a whole subscription or more, finding out where to look is work of its own.
        if services.queue:
            await services.queue.put(encode(Dependency(str(scope), trigger)), timedelta())
        return
    try:
        begun = await search(scope, services.azure, services.terms)
    except ReadFailedError as error:
        if error.code != "SubscriptionNotFound":
            raise
        _log.info("an event about a subscription that is not there (any more): nothing to look at")
        return
    if len(begun.unasked) > _ASKED_INLINE and services.queue:
        # The queue reads what lies below so many. It then looks at those that use the resource, and again at these.
        await services.queue.put(encode(Dependency(str(scope), trigger)), timedelta())
        users = begun.users
    else:
        users = await finished(begun, services.azure)
    await _within_deadline(users, services, trigger, deadline)


async def _within_deadline(workspaces: list[Scope], services: Runtime, trigger: Trigger, deadline: float) -> None:
    chosen = await watched(workspaces, services)
    if len(chosen) > INLINE:
        await look_later(chosen, services, trigger)
        return
    try:
        await look_now(chosen, services, trigger, deadline=deadline)
    except TimeoutError:
        _log.warning("the time to answer Event Grid was up; %d workspaces go to the queue", len(chosen))
        await look_later(chosen, services, trigger)


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
            "Check who can post to the webhook; the sweep covers what a lost event would have told.",
        )
        await services.audit.record(FINDINGS, [finding(Run(services.terms.mode), one)])
