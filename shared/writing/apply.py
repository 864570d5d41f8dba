"""Carries out the actions of a plan in order (grants, settings, removals), and says what came of each.

If Azure refuses an action, that is the outcome of this one action, and the others continue. If Azure does not say
whether it was done, the state is read. If that does not tell either, the outcome is unclear until a later look.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import batched

from shared.access.actions import Action, Grant, Plan, Removal, Setting
from shared.access.asks import Property
from shared.access.history import GONE_ALREADY, THERE_ALREADY
from shared.access.intents import LONGEST_RUN, Fate, intent
from shared.access.own_assignments import description
from shared.audit_rows import Outcome, Phase, Run, remediation
from shared.instructions import Instructions
from shared.messages import Resync, encode
from shared.ports import (
    Azure,
    AzureFailureError,
    NotBegunError,
    NotYetError,
    ReadFailedError,
    Receipt,
    WorkQueue,
    WriteRefusedError,
)
from shared.stop import STOPPED

_log = logging.getLogger("amlguard")

_REMINDER = timedelta(minutes=5)
_A_MESSAGE = 50
_CONCURRENT_GRANTS = 8
_BEGUN_WITHIN = LONGEST_RUN / 2
"""What Azure goes on with is followed for four minutes more: a run is over when its intents count as open."""


@dataclass(frozen=True, slots=True)
class Changes:
    """`deadline`, here and below, is in `time.monotonic()` seconds. What is not done by then is deferred.

    So is what a person on the command line has stopped.
    """

    azure: Azure
    queue: WorkQueue | None
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
        """`notes` are by action id and go before the reasons of applied actions. `reversed_by` goes on their record.

        `stopped` is recorded with the rest.
        """
        limit = asyncio.Semaphore(_CONCURRENT_GRANTS)
        latest = time.monotonic() + _BEGUN_WITHIN.total_seconds()
        deadline = latest if deadline is None else min(deadline, latest)

        async def limited(grant: Grant) -> Outcome:
            async with limit:
                return await self.apply(grant, run, deadline)

        outcomes = list(await asyncio.gather(*(limited(grant) for grant in made.grants)))
        outcomes += await self._change_settings(made.settings, run, deadline)
        outcomes += [await self.apply(removal, run, deadline) for removal in made.removals]
        return [_telling(one, notes, reversed_by) for one in outcomes] + [*stopped]

    async def _change_settings(self, settings: Sequence[Setting], run: Run, deadline: float | None) -> list[Outcome]:
        """In order. Keys are resynced only after the admin user is off. Until then, the queue remembers them."""
        outcomes: list[Outcome] = []
        try:
            reminders = await self._remind(settings, run)
        except AzureFailureError as error:
            reason = f"the queue must remember the resync before the admin user goes off: {error.reason}"
            return [_not_done(setting, Phase.DEFERRED, reason, error) for setting in settings]
        switch_off: Outcome | None = None
        for setting in settings:
            if setting.name is Property.CACHED_KEYS:
                outcomes.append(await self._resync(setting, switch_off, run, deadline))
                continue
            outcomes.append(await self.apply(setting, run, deadline))
            if setting.name is Property.ADMIN_USER:
                switch_off = outcomes[-1]
        if not any(one.unclear for one in outcomes):
            await self._forget(reminders)
        return outcomes

    async def _resync(self, setting: Setting, switch_off: Outcome | None, run: Run, deadline: float | None) -> Outcome:
        """The second half of a switch-off, unless nothing went off."""
        if switch_off and switch_off.unclear:
            return Outcome(setting, Phase.DEFERRED, "nobody can tell yet whether the admin user is off", unclear=True)
        if switch_off and switch_off.phase is not Phase.APPLIED:
            return Outcome(setting, Phase.WITHHELD, "the admin user did not go off, so the cached keys are still right")
        return await self.apply(setting, run, deadline)

    async def _remind(self, settings: Sequence[Setting], run: Run) -> Sequence[Receipt]:
        """Hundreds of workspaces may use one registry, and a message holds 64 KB."""
        resyncs = [str(one.resource) for one in settings if one.name is Property.CACHED_KEYS]
        if self.queue is None:
            return ()
        some = batched(resyncs, _A_MESSAGE, strict=False)
        return [await self.queue.put(encode(Resync(each, run.trigger, run.id)), _REMINDER) for each in some]

    async def _forget(self, reminders: Sequence[Receipt]) -> None:
        for one in reminders:
            with suppress(AzureFailureError):  # another resync does no harm
                await self.queue.withdraw(one) if self.queue else None

    async def apply(self, action: Grant | Setting | Removal, run: Run, deadline: float | None) -> Outcome:
        # The second half of something that was begun: its intent stays open until it is done.
        is_resync = isinstance(action, Setting) and action.name is Property.CACHED_KEYS
        if deadline is not None and time.monotonic() >= deadline:
            outcome = Outcome(action, Phase.DEFERRED, "the time for this look was up; amlguard continues later")
        elif self.instructions.asked_to_stop and not is_resync:
            outcome = Outcome(action, Phase.DEFERRED, STOPPED)
        else:
            outcome = await self._apply(action, run)
        if is_resync and outcome.phase is not Phase.APPLIED:
            outcome = replace(outcome, unclear=True)
        self.instructions.told(outcome)
        return outcome

    async def _apply(self, action: Grant | Setting | Removal, run: Run) -> Outcome:
        started = time.monotonic()
        done = Outcome(action, Phase.APPLIED, action.reason)
        try:
            match action:
                case Grant():
                    if not await self.azure.grant(action, describe(action, run)):
                        done = await self._made_before(done, run)
                case Removal():
                    if not await self.azure.revoke(action):
                        done = replace(done, reason=f"{GONE_ALREADY}: {action.reason}", found=True)
                case Setting():
                    await self.azure.change(action)
        except (NotBegunError, ReadFailedError) as error:  # what a change must read first may fail as well
            done = _not_done(action, Phase.DEFERRED, error.reason, error)
        except NotYetError as error:
            done = await self._found_out(done, run, _not_done(action, Phase.DEFERRED, error.reason, error))
        except WriteRefusedError as error:
            done = _not_done(action, Phase.FAILED, f"{error.reason} ({error.code})", error)
        except Exception as error:  # noqa: BLE001 - a mistake of ours costs the others neither their turn nor their outcome
            name = type(error).__name__
            _log.error("%s %s of run %s ended with %s", type(action).__name__, action.action_id, run.id, name)
            failed = Outcome(action, Phase.DEFERRED, f"amlguard itself failed at it ({name})", code=name)
            done = await self._found_out(done, run, failed)
        return replace(done, duration_ms=round((time.monotonic() - started) * 1000))

    async def _made_before(self, done: Outcome, run: Run) -> Outcome:
        """The assignment is there already: by this very run, where the answer to a first try was lost, or not."""
        if await self._fate(done, run) is Fate.MADE:
            return done
        return replace(done, reason=f"{THERE_ALREADY}: {done.reason}", found=True)

    async def _found_out(self, done: Outcome, run: Run, unanswered: Outcome) -> Outcome:
        """Whether it was done all the same, as the state tells; where it does not, `unanswered`, which is unclear.

        Of an assignment the state says who made it. What else is as this run has just asked for, this run made.
        """
        fate = await self._fate(done, run)
        if fate in (Fate.FOUND, Fate.OF_OTHERS) and isinstance(done.action, Grant):
            return replace(done, reason=f"{THERE_ALREADY}: {done.reason}", found=True)
        return done if fate in (Fate.MADE, Fate.FOUND) else replace(unanswered, unclear=True)

    async def _fate(self, done: Outcome, run: Run) -> Fate:
        one = intent(remediation(run, done))
        if one.setting is Property.CACHED_KEYS:
            return Fate.UNKNOWN  # they do not show
        try:
            return one.fate(await self.azure.resource(one.target))
        except Exception:  # noqa: BLE001 - what cannot be told now is told by a later look
            return Fate.UNKNOWN


def _not_done(action: Action, phase: Phase, reason: str, error: AzureFailureError) -> Outcome:
    return Outcome(action, phase, reason, code=error.code, lacks_right=error.lacks_right, wait=error.wait)


def _telling(outcome: Outcome, notes: Mapping[str, str], reversed_by: Mapping[str, str]) -> Outcome:
    if outcome.phase is not Phase.APPLIED or outcome.found:
        return outcome
    said = notes.get(outcome.action.action_id)
    reason = f"{said}: {outcome.reason}" if said else outcome.reason
    return replace(outcome, reason=reason, reversed_by=reversed_by.get(outcome.action.action_id, ""))


def describe(grant: Grant, run: Run) -> str:
    """Names the rule, the run and the owner of the identity.

    Undo and pruning recognise amlguard's assignments by it (law 8).
    """
    return description(grant.rule, grant.requirements, run.id, grant.on, grant.principal.resource)
