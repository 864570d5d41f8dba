"""Read → require → compare → guard → record intent → apply → record outcome, for one workspace.

The laws of design §2 are kept here: nothing is written before the audit log has accepted the intent; grants go
before settings; what a guard names, what Azure refuses and what must wait are outcomes on the record, not silence.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import batched
from typing import Any

from shared.access.asks import Property
from shared.access.documents import restrict
from shared.access.guardrails import Action as Mode
from shared.access.guardrails import Terms
from shared.access.marks import description
from shared.access.outcomes import Deferred, Grant, Plan, Removal, Setting
from shared.access.plan import plan
from shared.access.rules.registry import CACHED_KEYS
from shared.access.scope import Scope
from shared.audit_rows import FINDINGS, REMEDIATIONS, Phase, Run, finding, remediation, withheld
from shared.memory import Memory
from shared.observe import observe
from shared.ports import (
    AuditFailedError,
    AuditLog,
    Azure,
    AzureFailureError,
    NotYetError,
    ReadFailedError,
    Receipt,
    WorkQueue,
    WriteRefusedError,
)
from shared.work import Reconcile, Record, Resync, Trigger, encode

_PASSES = 3
_SOON = timedelta(seconds=2)
_REMINDER = timedelta(minutes=5)
_CONCURRENT_GRANTS = 8
_RETRY = timedelta(minutes=1)
_MOST_DOUBLINGS = 5
_MOST_ATTEMPTS = 50
_ROWS_PER_MESSAGE = 10  # a row is 1 to 4 KB, a message at most 48 KB


@dataclass(frozen=True, slots=True)
class Outcome:
    action: Grant | Setting | Removal
    phase: Phase
    reason: str
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """`plan` is the last one made, `outcomes` what was done over all passes."""

    workspace: Scope
    run: Run
    plan: Plan = field(default_factory=Plan)
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Everything that a reconcile works with. Without a queue (at a desk) what must wait is only reported.

    `only` restricts what is done to the actions that a plan document names (`shared.access.documents.key`).
    """

    azure: Azure
    audit: AuditLog | None
    queue: WorkQueue | None
    terms: Terms
    memory: Memory = field(default_factory=Memory)
    only: frozenset[tuple[str, ...]] | None = None

    async def prepare(self, workspace: Scope, trigger: Trigger | None = None) -> Plan:
        """Reads and plans; changes and records nothing. Raises `ReadFailedError`."""
        estate = await observe(workspace, self.azure, self.terms, trigger)
        made = plan(estate, self.terms) if estate else Plan()
        return made if self.only is None else restrict(made, self.only)

    async def run(self, workspace: Scope, run: Run, *, deadline: float | None = None, attempt: int = 0) -> Result:
        """Prepares, and carries out in mode enforce. `deadline` is in `time.monotonic()` seconds.

        Raises `ReadFailedError` and `AuditFailedError`: the caller retries the whole run, which is safe (law 1); and
        `TimeoutError` when the deadline passed before anything was recorded.
        """
        async with asyncio.timeout(_left(deadline)) as patience, self.memory.alone(workspace):
            patience.reschedule(None)
            if attempt:
                self.memory.forget_wake(workspace)
            return await self._run(workspace, run, deadline, attempt)

    async def _run(self, workspace: Scope, run: Run, deadline: float | None, attempt: int) -> Result:
        done: list[Outcome] = []
        recorded: set[tuple[str, str]] = set()
        for _ in range(_PASSES):
            async with asyncio.timeout(_left(deadline)):
                made = await self.prepare(workspace, run.trigger)
            registry = next((one.resource for one in made.settings if one.name is Property.ADMIN_USER), None)
            async with self.memory.alone(registry) if registry else nullcontext():
                if registry:
                    # Others may have been at the same registry meanwhile: a switch-off is decided on a fresh look.
                    async with asyncio.timeout(_left(deadline)):
                        made = await self.prepare(workspace, run.trigger)
                await self._record_intent(made, run, recorded)
                outcomes = await self._carry_out(made, run, deadline) if run.mode is Mode.ENFORCE else []
            done += outcomes
            if not outcomes or not self._due(made, outcomes):
                break
        if run.mode is Mode.ENFORCE:
            await self._put_off(workspace, made, outcomes, run.trigger, attempt)
        return Result(workspace, run, made, tuple(done))

    async def resync(self, workspace: Scope, run: Run) -> Outcome:
        """Finishes a switch-off that was cut short after the admin user went off (AML-71)."""
        reason = "the admin user of the workspace's registry went off: its cached password is stale"
        setting = Setting(
            workspace, Property.CACHED_KEYS, "cached", "resynced", CACHED_KEYS, ("AML-71",), reason, "AML-71"
        )
        await self._record(REMEDIATIONS, [remediation(run, setting, Phase.PLANNED, setting.reason)])
        outcome = await self._apply(setting, run, None)
        await self._record_outcomes([outcome], run)
        return outcome

    def _due(self, made: Plan, outcomes: Sequence[Outcome]) -> bool:
        """Whether a setting waited only for this pass's grants and may follow at once (no settle time)."""
        soon = self.azure.now() + _SOON
        return any(waiting.until <= soon for waiting in _waiting_settings(made, outcomes))

    async def _record_intent(self, made: Plan, run: Run, recorded: set[tuple[str, str]]) -> None:
        findings = [finding(run, one) for one in made.findings]
        await self._record(FINDINGS, [row for row in findings if (row["FindingId"], "") not in recorded])
        rows = [remediation(run, action, Phase.PLANNED, action.reason) for action in made.actions]
        rows += [withheld(run, one.action, one.refusal) for one in made.withheld]
        rows += [remediation(run, one.action, Phase.DEFERRED, one.reason) for one in made.deferred]
        rows = [row for row in rows if (row["ActionId"], row["Outcome"]) not in recorded]
        # Last before the first write, so that an intent that was accepted is one that is carried out.
        await self._record(REMEDIATIONS, rows)
        recorded |= {(row["ActionId"], row["Outcome"]) for row in rows} | {(row["FindingId"], "") for row in findings}

    async def _record(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows and self.audit is None:
            raise AuditFailedError("record", "NoAuditLog", "no audit log is configured")
        if rows and self.audit:
            await self.audit.record(table, rows)

    async def _carry_out(self, made: Plan, run: Run, deadline: float | None) -> list[Outcome]:
        limit = asyncio.Semaphore(_CONCURRENT_GRANTS)

        async def limited(grant: Grant) -> Outcome:
            async with limit:
                return await self._apply(grant, run, deadline)

        outcomes = list(await asyncio.gather(*(limited(grant) for grant in made.grants)))
        outcomes += await self._change_settings(made.settings, run, deadline)
        outcomes += [await self._apply(removal, run, deadline) for removal in made.removals]
        await self._record_outcomes(outcomes, run)
        return outcomes

    async def _change_settings(self, settings: Sequence[Setting], run: Run, deadline: float | None) -> list[Outcome]:
        """In order. The keys are resynced only once the admin user is off; until they are, the queue remembers."""
        outcomes: list[Outcome] = []
        try:
            reminder = await self._remind(settings, run)
        except AzureFailureError as error:
            reason = f"the queue must remember the resync before the admin user goes off: {error.reason}"
            return [Outcome(setting, Phase.DEFERRED, reason) for setting in settings]
        switched_off, unclear = True, False
        for setting in settings:
            if setting.name is Property.CACHED_KEYS and not switched_off:
                refusal = "the admin user did not go off, so the cached keys are still right"
                outcomes.append(Outcome(setting, Phase.WITHHELD, refusal))
                continue
            outcomes.append(await self._apply(setting, run, deadline))
            if setting.name is Property.ADMIN_USER:
                switched_off = outcomes[-1].phase is Phase.APPLIED
                # Azure did not answer, and may have done it all the same: then somebody must resync.
                unclear = outcomes[-1].phase is Phase.DEFERRED and outcomes[-1].duration_ms is not None
        resyncs = [o for one, o in zip(settings, outcomes, strict=True) if one.name is Property.CACHED_KEYS]
        resynced = all(o.phase is Phase.APPLIED for o in resyncs)
        if reminder and (resynced if switched_off else not unclear):
            await self._forget(reminder)
        return outcomes

    async def _remind(self, settings: Sequence[Setting], run: Run) -> Receipt | None:
        resyncs = tuple(str(one.resource) for one in settings if one.name is Property.CACHED_KEYS)
        return await self.queue.put(encode(Resync(resyncs, run.trigger)), _REMINDER) if resyncs and self.queue else None

    async def _forget(self, reminder: Receipt) -> None:
        if self.queue:
            with suppress(AzureFailureError):  # one resync more does no harm
                await self.queue.withdraw(reminder)

    async def _apply(self, action: Grant | Setting | Removal, run: Run, deadline: float | None) -> Outcome:
        if deadline is not None and time.monotonic() >= deadline:
            return Outcome(action, Phase.DEFERRED, "the time to answer Event Grid was up; the queue goes on")
        started = time.monotonic()
        phase, reason = Phase.APPLIED, action.reason
        try:
            match action:
                case Grant():
                    made = await self.azure.grant(action, describe(action, run))
                    reason = action.reason if made else f"it was there already: {action.reason}"
                case Removal():
                    gone = not await self.azure.revoke(action)
                    reason = f"it was gone already: {action.reason}" if gone else action.reason
                case Setting():
                    await self.azure.change(action)
        except (NotYetError, ReadFailedError) as error:  # what a change must read first may fail as well
            phase, reason = Phase.DEFERRED, error.reason
        except WriteRefusedError as error:
            phase, reason = Phase.FAILED, f"{error.reason} ({error.code})"
        return Outcome(action, phase, reason, round((time.monotonic() - started) * 1000))

    async def _record_outcomes(self, outcomes: Sequence[Outcome], run: Run) -> None:
        """What has happened must reach the log: if it does not take it now, the queue keeps it."""
        rows = [remediation(run, o.action, o.phase, o.reason, duration_ms=o.duration_ms) for o in outcomes]
        try:
            await self._record(REMEDIATIONS, rows)
        except AuditFailedError:
            if self.queue is None:
                raise
            for some in batched(rows, _ROWS_PER_MESSAGE, strict=False):
                await self.queue.put(encode(Record(REMEDIATIONS, some)), _RETRY)

    async def _put_off(
        self, workspace: Scope, made: Plan, outcomes: Sequence[Outcome], trigger: Trigger, attempt: int
    ) -> None:
        """Queues another look for the earliest moment at which something that waits could go on."""
        now = self.azure.now()
        backoff = _RETRY * 2 ** min(attempt, _MOST_DOUBLINGS)
        delays = [backoff for one in outcomes if one.phase is Phase.DEFERRED]
        delays += [backoff for one in made.deferred if not isinstance(one.action, Setting)]
        delays += [max(one.until - now, timedelta()) for one in _waiting_settings(made, outcomes)]
        if not delays or self.queue is None or attempt >= _MOST_ATTEMPTS:
            return
        at = now + min(delays)
        if not self.memory.wake_is_due(workspace, at, now):
            await self.queue.put(encode(Reconcile((str(workspace),), trigger, attempt + 1)), min(delays))
            self.memory.remember_wake(workspace, at)


def _waiting_settings(made: Plan, outcomes: Sequence[Outcome]) -> list[Deferred]:
    """Settings for which time has to pass, and no more: the grants that they waited for were made."""
    open_targets = {o.action.scope for o in outcomes if isinstance(o.action, Grant) and o.phase is not Phase.APPLIED}
    waiting = [one for one in made.deferred if isinstance(one.action, Setting)]
    return [one for one in waiting if one.action.resource not in open_targets]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def describe(grant: Grant, run: Run) -> str:
    """Names rule, run and whose identity it is: undo and pruning know our assignments by it (law 8)."""
    return description(grant.rule, grant.requirements, run.id, grant.on, grant.principal.resource)
