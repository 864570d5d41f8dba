"""The queue: work that had to wait, and each instance's share of the sweep.

A failure is raised, so that the message comes back. After five tries the host moves it to the poison queue, and a
finding says so.
"""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from datetime import timedelta

import msgspec

from handlers import sweep
from handlers.look import INLINE, look_later, look_now, pause_after, said_of, watched
from handlers.runtime import Runtime
from shared.access.asks import Finding, Severity
from shared.access.scope import InvalidScopeError, Scope
from shared.access.terms import RunMode
from shared.audit_rows import FINDINGS, Phase, Run, finding, remediation
from shared.azure.settings import QUEUE
from shared.messages import (
    Dependency,
    MalformedWorkError,
    Reconcile,
    Record,
    Resync,
    Shard,
    Sweep,
    Tell,
    Work,
    decode,
    encode,
)
from shared.pace import in_the_background
from shared.ports import AuditFailedError, AzureFailureError, TellFailedError, WriteRefusedError
from shared.reading.discover import workspaces_at
from shared.waiting import MOST_ATTEMPTS, backoff

MOST_TRIES = 5  # host.json: maxDequeueCount
# Ends before the host would end the function, because that would end the whole process and everything else in it.
_MOST_SECONDS = 570
_MOST_TELLING = 25
_MOST_OUTAGES = 5
_WHILE_STOPPED = timedelta(hours=1)
_WHILE_THE_LOG_IS_DOWN = timedelta(minutes=5)
_log = logging.getLogger("amlguard")


async def handle(message: bytes, services: Runtime, tries: int = 1) -> None:
    """`tries` counts this try, too. Raises whatever goes wrong, and the host tries again or gives up.

    If Azure asks to wait, the same message comes again after that time, and its tries begin anew.
    """
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            services = await services.current()
            await _do(message, services)
    except Exception as error:
        await services.note(error)
        if services.queue and isinstance(error, AzureFailureError) and error.wait:
            _log.warning("%s; the work comes again then", error)
            await services.queue.put(message, pause_after(error))
            return
        if tries >= MOST_TRIES:
            if await _outlasts(message, error, services):
                return
            _log.error("work is given up after %d tries and goes to the poison queue: %s", tries, type(error).__name__)
            await _give_up(message, error, services)
        raise


async def _outlasts(message: bytes, error: Exception, services: Runtime) -> bool:
    """Whether a look is tried for another half an hour: five tries take two minutes, and the next sweep comes in six
    hours.
    """
    if services.queue is None or not isinstance(error, AzureFailureError) or error.lacks_right:
        return False
    with suppress(MalformedWorkError):
        work = decode(message)
        if isinstance(work, Sweep | Shard | Dependency | Reconcile) and work.attempt < _MOST_OUTAGES:
            _log.warning("the look comes again later: %s", error)
            again = msgspec.structs.replace(work, attempt=work.attempt + 1)
            await services.queue.put(encode(again), backoff(work.attempt))
            return True
    return False


async def _do(message: bytes, services: Runtime) -> None:
    """Raises `MalformedWorkError` if the message is not ours, and `AzureFailureError` if it should be tried again."""
    match decode(message):
        case Reconcile() as work:
            await _look(work, services)
        case Dependency() as work:
            await _users(work, services)
        case Sweep() as work:
            await sweep.find(services, work.id)
        case Shard() as work:
            await sweep.look_over(work, services)
        case Resync() as work:
            await _resync(work, services)
        case Record() as work:
            await _record(work, services)
        case Tell() as work:
            await _tell(work, services)


async def _look(work: Reconcile, services: Runtime) -> None:
    if work.run and not await _is_settled(work, services):
        return
    # The policy may have changed while the message waited.
    workspaces = await watched(map(Scope.parse, work.workspaces), services)
    await look_now(workspaces, services, work.trigger, attempt=0 if work.run else work.attempt)


async def _is_settled(work: Reconcile, services: Runtime) -> bool:
    """Whether the run had something open, all of which is on record now. What cannot be told yet waits on the queue.

    Nothing is left to do if the run has said by itself what became of it.
    """
    leftovers = services.leftovers
    try:
        found, left = await leftovers.settling.of_run(work.run)
    except AzureFailureError as error:
        _log.warning("what became of run %s cannot be recorded yet: %s", work.run, error)
        await services.note(error)
        found = left = 1
    if services.teller:
        await services.teller.rows(leftovers.written)
    if left and services.queue and work.attempt < MOST_ATTEMPTS:
        again = msgspec.structs.replace(work, attempt=work.attempt + 1)
        await services.queue.put(encode(again), backoff(work.attempt))
    return bool(found) and not left


async def _users(work: Dependency, services: Runtime) -> None:
    with in_the_background():
        found = await workspaces_at(Scope.parse(work.scope), services.azure, services.terms)
    chosen = await watched(found, services)
    if len(chosen) > INLINE:
        await look_later(chosen, services, work.trigger)
    else:
        await look_now(chosen, services, work.trigger)


def _run_of(work: Resync, services: Runtime) -> Run:
    """The run that turned the admin user off has the intent to resync on record. Older messages do not name it."""
    return Run(services.terms.mode, work.trigger, work.run) if work.run else Run(services.terms.mode, work.trigger)


async def _resync(work: Resync, services: Runtime) -> None:
    if services.stopped and services.queue:
        _log.warning("the kill switch is on: resyncing keys waits")
        await services.queue.put(encode(work), _WHILE_STOPPED)
        return
    if services.terms.mode is RunMode.REPORT:
        _log.warning("the policy says report: the cached keys of %s are left as they are", ", ".join(work.workspaces))
        return
    if len(work.workspaces) > 1 and services.queue:  # so that one that fails, or takes long, keeps no other waiting
        for text in work.workspaces:
            await services.queue.put(encode(msgspec.structs.replace(work, workspaces=(text,))), timedelta())
        return
    for text in work.workspaces:
        run = _run_of(work, services)
        outcome = await services.reconciler.resync(Scope.parse(text), run)
        if services.teller:
            await services.teller.rows([remediation(run, outcome)])
        if outcome.phase is not Phase.APPLIED:
            code = outcome.code or "ResyncFailed"
            raise WriteRefusedError("resync keys", code, outcome.reason, lacks_right=outcome.lacks_right)


async def _record(work: Record, services: Runtime) -> None:
    """The log may have taken some rows although it reported a failure. Only the missing rows are written."""
    rows = list(work.rows)
    if services.audit_reader and rows:
        known = await services.audit_reader.phases(str(rows[0]["RunId"]))
        rows = [row for row in rows if (row["ActionId"], row["Outcome"]) not in known]
    if services.audit and rows:
        try:
            await services.audit.record(work.table, rows)
        except AuditFailedError:
            if services.queue is None:
                raise
            # Five tries are two minutes: nothing else would write these.
            await services.queue.put(encode(Record(work.table, tuple(rows))), _WHILE_THE_LOG_IS_DOWN)


async def _tell(work: Tell, services: Runtime) -> None:
    """A topic that is down gets the event later. After half a day people look at the cause instead."""
    if services.topic is None:
        return
    try:
        await services.topic.send(work.event)
    except TellFailedError as error:
        if services.queue is None or error.lacks_right or work.attempt >= _MOST_TELLING:
            raise
        await services.note(error)
        later = max(error.wait, backoff(work.attempt))
        await services.queue.put(encode(msgspec.structs.replace(work, attempt=work.attempt + 1)), later)


async def _give_up(message: bytes, error: Exception, services: Runtime) -> None:
    """Records a finding for people, and lets the sweep go on without the shard.

    The error of the work is raised as before.
    """
    try:
        work: Work | None = decode(message)
    except MalformedWorkError:
        work = None
    kind = type(work).__name__ if work else "unknown"
    one = Finding(
        _about(work),
        sweep.POISON,
        (),
        Severity.HIGH,
        f"Work of kind {kind} was given up after {MOST_TRIES} tries: {said_of(error)}.",
        _remedy(work),
        lacks_right=isinstance(error, AzureFailureError) and error.lacks_right,
    )
    if isinstance(work, Sweep | Shard):
        await _record_or_log(sweep.give_up(work, services))
    await _record_or_log(_record_finding(one, services))


def _remedy(work: Work | None) -> str:
    look = f"Look at the queue {QUEUE}-poison and correct the cause"
    if isinstance(work, Sweep | Shard):  # the sweep ends without it, and its message has no effect any more
        return f"{look}; the next sweep looks at the same workspaces. To begin one at once, fire the function `sweep`."
    return (
        f"{look}; then put the message back on {QUEUE}, or wait for the next sweep (which does not do the work of kind "
        "Record)."
    )


async def _record_or_log(step: Awaitable[None]) -> None:
    try:
        await step
    except AzureFailureError as failure:
        _log.error("that work was given up could not be recorded: %s", failure)


async def _record_finding(one: Finding, services: Runtime) -> None:
    if services.audit:
        await services.audit.record(FINDINGS, [finding(Run(services.terms.mode), one)])


def _about(work: Work | None) -> Scope:
    try:
        match work:
            case Reconcile() | Resync() | Shard():
                first = Scope.parse(work.workspaces[0])
                return first if len(work.workspaces) == 1 else first.subscription or first
            case Dependency():
                return Scope.parse(work.scope)
    except (InvalidScopeError, IndexError):
        pass
    return Scope.parse("/")
