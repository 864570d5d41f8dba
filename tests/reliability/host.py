"""The Functions host: it calls triggers, and takes any exception for a failure that is to be tried again."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from app import App
from fakes import Message

from handlers import resource_changed, sweep, work_queue
from shared.access.scope import Scope
from shared.access.terms import RunMode
from shared.audit_rows import Run
from shared.instructions import Instructions
from shared.ports import AzureFailureError
from shared.reconcile import Reconciler
from shared.undo import Undo
from shared.writing.journal import Journal

MOST_TRIES = 5
"""host.json: maxDequeueCount."""
_AGAIN = timedelta(seconds=30)


async def deliver(event: object, one: App) -> Exception | None:
    """One Event Grid delivery; what failed, if anything did: Event Grid then delivers again."""
    try:
        await resource_changed.handle(event, one.services)
    except AzureFailureError as error:
        return error
    return None


async def work_off(one: App, *, hours: float = 1) -> list[Exception]:
    """Lets the queue work until nothing waits any more or the time is over; what failed, in order."""
    until, failed = one.azure.clock + timedelta(hours=hours), list[Exception]()
    while one.queue.messages and (due := min(each.due for each in one.queue.messages)) <= until:
        if due > one.azure.clock:
            one.azure.advance(due - one.azure.clock)
        message = one.queue.take()
        if message:
            failed += await _try(message, one)
    return failed


async def _try(message: Message, one: App) -> list[Exception]:
    try:
        await work_queue.handle(message.body, one.services, message.tries + 1)
    except Exception as error:  # noqa: BLE001 - as the host does
        again = replace(message, due=one.azure.clock + _AGAIN)
        if message.tries + 1 < MOST_TRIES:
            one.queue.put_back(again)
        else:
            one.poison.append(message.body)
        return [error]
    return []


async def calm(one: App, sweeps: int = 3) -> None:
    """Nothing goes wrong any more: the sweeps that the timer fires, and the queue in between."""
    one.restart()
    one.troubles.heal()
    one.troubles.too_late = False
    for _ in range(sweeps):
        await sweep.handle(one.services)
        await work_off(one, hours=2)
        one.azure.advance(timedelta(hours=6))


def at_a_desk(one: App) -> Reconciler:
    """What `amlguard apply` works with: nothing is left to a queue."""
    return replace(one.services.reconciler, queue=None, instructions=Instructions(by_hand=True))


async def apply(one: App, workspace: Scope, **more: Any) -> BaseException | None:
    """`amlguard apply`; what it ended with, the death of its process included."""
    try:
        await at_a_desk(one).run(workspace, Run(one.terms.mode), **more)
    except BaseException as error:  # noqa: BLE001 - the process may die
        return error
    return None


async def undo(one: App, run: str, *, force: bool = False) -> None:
    """`amlguard undo RUN --yes`, which may refuse."""
    undoing = Undo(one.azure, Journal(one.audit), one.store, one.terms)
    with suppress(AzureFailureError):
        await undoing.carry_out(await undoing.prepare([run]), Run(RunMode.ENFORCE), force=force)
