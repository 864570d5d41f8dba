"""Carries out the actions of a plan in order (grants, settings, removals), and records their outcomes.

If Azure refuses an action, that is the outcome of this one action, and the others go on.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.access.actions import Grant, Plan, Removal, Setting
from shared.access.asks import Property
from shared.access.history import GONE_ALREADY, NOTHING_DONE, THERE_ALREADY
from shared.access.own_assignments import description
from shared.audit_rows import Outcome, Phase, Run
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
from shared.stop import STOPPED, Stop
from shared.writing.journal import Journal

_REMINDER = timedelta(minutes=5)
_CONCURRENT_GRANTS = 8


@dataclass(frozen=True, slots=True)
class Changes:
    """`deadline`, here and below, is in `time.monotonic()` seconds. What is not done by then is deferred.

    So is what a person has stopped. `told` receives every outcome as it comes.
    """

    azure: Azure
    queue: WorkQueue | None
    journal: Journal
    stop: Stop | None = None
    told: Callable[[Outcome], None] = lambda _: None

    async def carry_out(
        self,
        made: Plan,
        run: Run,
        deadline: float | None,
        notes: Mapping[str, str],
        stopped: Sequence[Outcome],
    ) -> list[Outcome]:
        """`notes`, by action id, go before the reasons of what is applied. `stopped` is recorded with the rest."""
        limit = asyncio.Semaphore(_CONCURRENT_GRANTS)

        async def limited(grant: Grant) -> Outcome:
            async with limit:
                return await self.apply(grant, run, deadline)

        outcomes = list(await asyncio.gather(*(limited(grant) for grant in made.grants)))
        outcomes += await self._change_settings(made.settings, run, deadline)
        outcomes += [await self.apply(removal, run, deadline) for removal in made.removals]
        outcomes = [_telling(one, notes) for one in outcomes] + [*stopped]
        await self.journal.outcomes(outcomes, run)
        return outcomes

    async def _change_settings(self, settings: Sequence[Setting], run: Run, deadline: float | None) -> list[Outcome]:
        """In order. Keys are resynced only after the admin user is off. Until then, the queue remembers them."""
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
            return Outcome(action, Phase.DEFERRED, "the time to answer Event Grid was up; the queue goes on")
        # Keys are resynced after the admin user has changed: this finishes what has begun.
        if self.stop and self.stop.asked and not (isinstance(action, Setting) and action.name is Property.CACHED_KEYS):
            outcome = Outcome(action, Phase.DEFERRED, STOPPED)
        else:
            outcome = await self._apply(action, run)
        self.told(outcome)
        return outcome

    async def _apply(self, action: Grant | Setting | Removal, run: Run) -> Outcome:
        started = time.monotonic()
        phase, reason = Phase.APPLIED, action.reason
        try:
            match action:
                case Grant():
                    made = await self.azure.grant(action, describe(action, run))
                    reason = action.reason if made else f"{THERE_ALREADY}: {action.reason}"
                case Removal():
                    gone = not await self.azure.revoke(action)
                    reason = f"{GONE_ALREADY}: {action.reason}" if gone else action.reason
                case Setting():
                    await self.azure.change(action)
        except (NotYetError, ReadFailedError) as error:  # a change may have to read first, and that may fail as well
            phase, reason = Phase.DEFERRED, error.reason
        except WriteRefusedError as error:
            phase, reason = Phase.FAILED, f"{error.reason} ({error.code})"
        return Outcome(action, phase, reason, round((time.monotonic() - started) * 1000))


def _telling(outcome: Outcome, notes: Mapping[str, str]) -> Outcome:
    said = notes.get(outcome.action.action_id)
    done = said and outcome.phase is Phase.APPLIED and not outcome.reason.startswith(NOTHING_DONE)
    return replace(outcome, reason=f"{said}: {outcome.reason}") if done else outcome


def describe(grant: Grant, run: Run) -> str:
    """Names the rule, the run and the owner of the identity. By it undo and pruning know our assignments (law 8)."""
    return description(grant.rule, grant.requirements, run.id, grant.on, grant.principal.resource)
