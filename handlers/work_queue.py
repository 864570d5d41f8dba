"""The queue: work that had to wait, and the sweep's share of each instance.

A failure is raised, so that the message comes back; after five tries the host moves it to the poison queue.
"""

import logging
from datetime import timedelta

from handlers import sweep
from handlers.look import INLINE, look_later, look_now
from handlers.services import Services
from shared.access.scope import Scope
from shared.access.terms import Action as Mode
from shared.audit_rows import Phase, Run
from shared.discover import workspaces_at
from shared.ports import WriteRefusedError
from shared.work import Dependency, Reconcile, Record, Resync, Sweep, decode, encode

_WHILE_STOPPED = timedelta(hours=1)
_log = logging.getLogger("amlguard")


async def handle(message: bytes, services: Services) -> None:
    """Raises `MalformedWorkError` for what is not ours, `AzureFailureError` for what should be tried again."""
    match decode(message):
        case Reconcile() as work:
            workspaces = [Scope.parse(text) for text in work.workspaces]
            await look_now(workspaces, services, work.trigger, attempt=work.attempt)
        case Dependency() as work:
            await _users(work, services)
        case Sweep():
            await sweep.find(services)
        case Resync() as work:
            await _resync(work, services)
        case Record() as work:
            await _record(work, services)


async def _users(work: Dependency, services: Services) -> None:
    found = await workspaces_at(Scope.parse(work.scope), services.azure)
    watched = [scope for scope in found if services.terms.watches(scope)]
    if len(watched) > INLINE:
        await look_later(watched, services, work.trigger)
    else:
        await look_now(watched, services, work.trigger)


async def _resync(work: Resync, services: Services) -> None:
    if services.stopped and services.queue:
        _log.warning("the kill switch is on: resyncing keys waits")
        await services.queue.put(encode(work), _WHILE_STOPPED)
        return
    if services.terms.mode is Mode.REPORT:
        _log.warning("the policy says report: the cached keys of %s are left as they are", ", ".join(work.workspaces))
        return
    for text in work.workspaces:
        outcome = await services.reconciler.resync(Scope.parse(text), Run(services.terms.mode, work.trigger))
        if outcome.phase is not Phase.APPLIED:
            raise WriteRefusedError("resync keys", "ResyncFailed", outcome.reason)


async def _record(work: Record, services: Services) -> None:
    """The log may have taken some rows although it said that it failed: only what is not there yet is written."""
    rows = list(work.rows)
    if services.audit_reader and rows:
        known = await services.audit_reader.phases(str(rows[0]["RunId"]))
        rows = [row for row in rows if (row["ActionId"], row["Outcome"]) not in known]
    if services.audit and rows:
        await services.audit.record(work.table, rows)
