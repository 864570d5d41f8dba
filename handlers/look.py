"""Looks at workspaces: what all triggers do once they know where to look."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta

from handlers.runtime import Runtime
from shared.access.rules import List
from shared.access.scope import Scope
from shared.audit_rows import Run
from shared.messages import Reconcile, Trigger, encode
from shared.ports import AzureFailureError
from shared.progress import Look, Result

_log = logging.getLogger("amlguard")

# More than these go to the queue, which scales out. An Event Grid delivery does not.
INLINE = 3
PER_MESSAGE = 10
_AGAIN = timedelta(seconds=30)


async def watched(workspaces: Iterable[Scope], services: Runtime) -> list[Scope]:
    """Those that the policy's scopes choose. Raises `ReadFailedError` if it cannot find out."""
    found = list(workspaces)
    chosen = await asyncio.gather(*(services.scopes.any_chooses(services.terms.scopes, one) for one in found))
    return [one for one, is_chosen in zip(found, chosen, strict=True) if is_chosen]


async def look_now(
    workspaces: Sequence[Scope],
    services: Runtime,
    trigger: Trigger,
    *,
    deadline: float | None = None,
    attempt: int = 0,
    touched: List | None = None,
    tells: bool = True,
) -> list[Result]:
    """Reconciles all, then raises the first failure, so that one broken workspace does not stop the others.

    If there are several workspaces, a failed one is tried again alone, because the others are done. This applies to
    every failure, including amlguard's own faults. `tells`: what came of it is told to the topic, if there is one.
    """
    look = Look(deadline, attempt, touched)
    runs = [_reconcile(scope, services, trigger, look, tells=tells) for scope in workspaces]
    answers = await asyncio.gather(*runs, return_exceptions=True)
    failed = failures(workspaces, answers)
    for _, error in failed[:1]:
        await services.note(error)
    if failed and len(workspaces) > 1 and deadline is None and services.queue:
        for scope, answer in failed:
            _log.warning("%s: %s; it will be looked at again alone", scope, said_of(answer))
            await services.queue.put(encode(Reconcile((str(scope),), trigger, attempt)), pause_after(answer))
    elif failed:
        raise failed[0][1]
    return [answer for answer in answers if isinstance(answer, Result)]


def failures(workspaces: Iterable[Scope], answers: Iterable[object]) -> list[tuple[Scope, Exception]]:
    """Raises what ends the process or the task."""
    pairs = ((scope, _failure(one)) for scope, one in zip(workspaces, answers, strict=True))
    found = [(scope, one) for scope, one in pairs if isinstance(one, BaseException)]
    failed = [(scope, one) for scope, one in found if isinstance(one, Exception)]
    if len(failed) < len(found):
        raise next(one for _, one in found if not isinstance(one, Exception))
    return failed


def _failure(answer: object) -> object:
    """A cancellation that nobody asked this task for is a failure: the worker of Functions would not answer for it."""
    task = asyncio.current_task()
    if isinstance(answer, asyncio.CancelledError) and not (task and task.cancelling()):
        return AzureFailureError("look", "Cancelled", "what it waited for was given up")
    return answer


def pause_after(error: Exception) -> timedelta:
    """How long failed work waits. Azure may ask for more."""
    return max(_AGAIN, error.wait) if isinstance(error, AzureFailureError) else _AGAIN


def said_of(error: Exception) -> str:
    """The text of an error that is not amlguard's may contain anything, so it is left out."""
    return str(error) if isinstance(error, AzureFailureError) else type(error).__name__


async def _reconcile(scope: Scope, services: Runtime, trigger: Trigger, look: Look, *, tells: bool) -> Result:
    services = await services.current()
    run = Run(services.terms.mode, trigger)
    result = await services.reconciler.run(scope, run, look)
    _log.info(
        "run %s of %s: %d grants, %d settings, %d findings, %d withheld, %d deferred, %d satisfied (mode %s)",
        run.id,
        scope,
        len(result.plan.grants),
        len(result.plan.settings),
        len(result.plan.findings),
        len(result.plan.withheld),
        len(result.plan.deferred),
        result.plan.satisfied,
        run.mode,
    )
    if tells and services.teller:
        await services.teller.run(result)
    return result


async def look_later(
    workspaces: Iterable[Scope], services: Runtime, trigger: Trigger, delay: timedelta = timedelta()
) -> int:
    """Puts the workspaces on the queue, and returns the number of messages. Raises `AzureFailureError`."""
    names = [str(scope) for scope in workspaces]
    batches = [tuple(names[at : at + PER_MESSAGE]) for at in range(0, len(names), PER_MESSAGE)]
    if batches and services.queue is None:
        raise AzureFailureError("put work on the queue", "NoQueue", "no work queue is configured")
    for batch in batches:
        if services.queue:
            await services.queue.put(encode(Reconcile(batch, trigger)), delay)
    return len(batches)
