"""Carries out the actions of a plan in order (grants, settings, removals), and records their outcomes.

If Azure refuses an action, that is the outcome of this one action, and the others go on.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

from shared.access.actions import Action, Grant, Plan, Removal, Setting
from shared.access.asks import Property
from shared.access.history import GONE_ALREADY, THERE_ALREADY
from shared.access.own_assignments import description
from shared.audit_rows import Outcome, Phase, Run
from shared.instructions import Instructions
from shared.messages import Resync, encode
from shared.ports import (
    Azure,
    AzureFailureError,
    NotYetError,
    ReadFailedError,
    Receipt,
    WorkQueue,
    WriteRefusedError,
)
from shared.stop import STOPPED
from shared.writing.journal import Journal

_REMINDER = timedelta(minutes=5)
_CONCURRENT_GRANTS = 8


@dataclass(frozen=True, slots=True)
class Changes:
    """`deadline`, here and below, is in `time.monotonic()` seconds. What is not done by then is deferred.

    So is what a person at a desk has stopped.
    """

    azure: Azure
    queue: WorkQueue | None
    journal: Journal
    instructions: Instructions = field(default_factory=Instructions)

    async def carry_out(
        self,
        made: Plan,
        run: Run,
        deadline: float | None,
        notes: Mapping[str, str],
        stopped: Sequence[Outcome],
        reversed_by: Mapping[str, str],
    ) -> list[Outcome]:
        """`notes`, by action id, go before the reasons of what is applied, and `reversed_by` goes on its record.

        `stopped` is recorded with the rest.
        """
        limit = asyncio.Semaphore(_CONCURRENT_GRANTS)

        async def limited(grant: Grant) -> Outcome:
            async with limit:
                return await self.apply(grant, run, deadline)

        outcomes = list(await asyncio.gather(*(limited(grant) for grant in made.grants)))
        outcomes += await self._change_settings(made.settings, run, deadline)
        outcomes += [await self.apply(removal, run, deadline) for removal in made.removals]
        outcomes = [_telling(one, notes, reversed_by) for one in outcomes] + [*stopped]
        await self.journal.outcomes(outcomes, run)
        return outcomes

    async def _change_settings(self, settings: Sequence[Setting], run: Run, deadline: float | None) -> list[Outcome]:
        """In order. Keys are resynced only after the admin user is off. Until then, the queue remembers them."""
        outcomes: list[Outcome] = []
        try:
            reminder = await self._remind(settings, run)
        except AzureFailureError as error:
            reason = f"the queue must remember the resync before the admin user goes off: {error.reason}"
            return [_not_done(setting, Phase.DEFERRED, reason, error) for setting in settings]
        switched_off, unclear = True, False
        for setting in settings:
            if setting.name is Property.CACHED_KEYS and not switched_off:
                refusal = "the admin user did not go off, so the cached keys are still right"
                outcomes.append(Outcome(setting, Phase.WITHHELD, refusal))
                continue
            outcomes.append(await self.apply(setting, run, deadline))
            if setting.name is Property.ADMIN_USER:
                switched_off = outcomes[-1].phase is Phase.APPLIED
                # Azure did not answer, but may have done it. Then the keys must be resynced.
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
            with suppress(AzureFailureError):  # another resync does no harm
                await self.queue.withdraw(reminder)

    async def apply(self, action: Grant | Setting | Removal, run: Run, deadline: float | None) -> Outcome:
        if deadline is not None and time.monotonic() >= deadline:
            return Outcome(action, Phase.DEFERRED, "the time for this look was up; the queue goes on")
        # Keys are resynced once the admin user has changed: the second half of something that was begun.
        if self.instructions.asked_to_stop and not (
            isinstance(action, Setting) and action.name is Property.CACHED_KEYS
        ):
            outcome = Outcome(action, Phase.DEFERRED, STOPPED)
        else:
            outcome = await self._apply(action, run)
        self.instructions.told(outcome)
        return outcome

    async def _apply(self, action: Grant | Setting | Removal, run: Run) -> Outcome:
        started = time.monotonic()
        done = Outcome(action, Phase.APPLIED, action.reason)
        try:
            match action:
                case Grant():
                    if not await self.azure.grant(action, describe(action, run)):
                        done = replace(done, reason=f"{THERE_ALREADY}: {action.reason}", found=True)
                case Removal():
                    if not await self.azure.revoke(action):
                        done = replace(done, reason=f"{GONE_ALREADY}: {action.reason}", found=True)
                case Setting():
                    await self.azure.change(action)
        except (NotYetError, ReadFailedError) as error:  # what a change must read first may fail as well
            done = _not_done(action, Phase.DEFERRED, error.reason, error)
        except WriteRefusedError as error:
            done = _not_done(action, Phase.FAILED, f"{error.reason} ({error.code})", error)
        return replace(done, duration_ms=round((time.monotonic() - started) * 1000))


def _not_done(action: Action, phase: Phase, reason: str, error: AzureFailureError) -> Outcome:
    return Outcome(action, phase, reason, code=error.code, lacks_right=error.lacks_right, wait=error.wait)


def _telling(outcome: Outcome, notes: Mapping[str, str], reversed_by: Mapping[str, str]) -> Outcome:
    if outcome.phase is not Phase.APPLIED or outcome.found:
        return outcome
    said = notes.get(outcome.action.action_id)
    reason = f"{said}: {outcome.reason}" if said else outcome.reason
    return replace(outcome, reason=reason, reversed_by=reversed_by.get(outcome.action.action_id, ""))


def describe(grant: Grant, run: Run) -> str:
    """Names the rule, the run and the owner of the identity. By it undo and pruning know our assignments (law 8)."""
    return description(grant.rule, grant.requirements, run.id, grant.on, grant.principal.resource)
