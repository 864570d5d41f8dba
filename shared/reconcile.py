"""Read → require → compare → guard → record intent → apply → record outcome, for one workspace.

This is where the laws (docs/laws.md) are kept. Nothing is written before the audit log has accepted the intent. Grants
come before settings. What a guard stops, what Azure refuses and what must wait are outcomes on the record.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from shared.access.actions import Grant, Plan, Setting
from shared.access.asks import Property
from shared.access.caps import counted
from shared.access.guards import Guard
from shared.access.merge import instead_of
from shared.access.plan_json import restrict
from shared.access.rules import List
from shared.access.rules.registry import CACHED_KEYS
from shared.access.scope import Scope
from shared.access.terms import RunMode, Terms
from shared.approval import Approval
from shared.audit_rows import REMEDIATIONS, Outcome, Phase, Run, planned, remediation, withheld
from shared.instructions import Instructions
from shared.memory import Memory
from shared.messages import Reconcile, Trigger, encode
from shared.pace import is_in_the_background
from shared.ports import AuditLog, Azure, AzureFailureError, Reads, Store, WorkQueue
from shared.prepare import prepare
from shared.progress import EVERYTHING, Look, Progress, Result
from shared.state.approvals import Pending
from shared.state.undone import Undone
from shared.waiting import delay, follows_at_once
from shared.writing.apply import Changes
from shared.writing.brakes import Brakes, BrakeVerdict
from shared.writing.journal import Journal, in_full
from shared.writing.leftovers import Leftovers
from shared.writing.reminder import Reminder

_PASSES = 3
# The time for one look without an event. A write takes more (`shared.azure.arm`). The host allows ten minutes.
_MOST_SECONDS = 200.0


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Everything that a reconcile works with. Without a queue (on the command line) what must wait is only reported.

    What earlier runs left open in a workspace is settled before a person's run. `leftovers` looks for it once.
    """

    azure: Azure
    audit: AuditLog | None
    queue: WorkQueue | None
    terms: Terms
    store: Store | None = None
    memory: Memory = field(default_factory=Memory)
    instructions: Instructions = field(default_factory=Instructions)
    leftovers: Leftovers | None = None

    @property
    def earlier(self) -> Leftovers:
        may_resync = not self.instructions.stopped
        return self.leftovers or Leftovers(self.azure, self.audit, self.store, may_resync=may_resync)

    @property
    def journal(self) -> Journal:
        return Journal(self.audit)

    @property
    def changes(self) -> Changes:
        return Changes(self.azure, self.queue, self.instructions)

    @property
    def brakes(self) -> Brakes:
        return Brakes(self.azure, self.store, self.terms, self.memory, self.instructions)

    @property
    def approval(self) -> Approval:
        return Approval(self.store, self.terms.approval_lapses)

    async def prepare(self, workspace: Scope, trigger: Trigger | None = None, touched: List | None = None) -> Plan:
        """Reads and plans. Changes and records nothing. Raises `ReadFailedError`."""
        prepared = await prepare(workspace, self.azure, self.terms, trigger, touched=touched)
        made = prepared.plan if prepared else Plan()
        only = self.instructions.only
        return made if only is None else restrict(made, only)

    async def evaluate(self, workspace: Scope, reads: Reads) -> Plan | None:
        """The plan from what `reads` knows, if it has only findings. None: look properly.

        Changes and records nothing. Raises `ReadFailedError`.
        """
        prepared = await prepare(workspace, reads, self.terms, frugal=True)
        made = prepared.plan if prepared else None
        return None if made is None or made.actions or made.withheld or made.deferred else made

    async def preview(self, workspace: Scope) -> Plan:
        """What `run` would do in mode enforce, without what the brakes would stop now."""
        return await self.braked(await self.prepare(workspace), workspace)

    async def braked(self, made: Plan, workspace: Scope) -> Plan:
        """`made`, without what the brakes would stop now."""
        held = await self.brakes.held(made, workspace, Run(RunMode.REPORT), reserve=False)
        return held.allows(made)

    async def run(self, workspace: Scope, run: Run, look: Look = EVERYTHING) -> Result:
        """Prepares, and carries out in mode enforce. There is always a deadline, except on the command line.

        A burst of events about one workspace is two runs: one under way, and one that begins after the last event.

        Raises `ReadFailedError` and `AuditFailedError`: the caller retries the whole run, which is safe (law 1). Raises
        `TimeoutError` if the deadline passed before anything was recorded, and `StoppedError`.
        """
        until = look.deadline
        if until is None and not self.instructions.by_hand:
            until = time.monotonic() + _MOST_SECONDS
        return await self.memory.shared(
            self._alike(workspace, run, look),
            lambda begin: self._in_turn(workspace, run, replace(look, deadline=until), begin),
        )

    def _alike(self, workspace: Scope, run: Run, look: Look) -> Hashable:
        """Runs for which this is equal may share one result."""
        speaks_for = run.trigger.caller_object_id, run.trigger.resource if self.terms.caller_must_hold else ""
        patience = look.deadline is None, look.attempt, is_in_the_background()
        said = self.instructions
        return workspace, look.touched, run.mode, speaks_for, patience, said.by_hand, said.again, said.only

    async def _in_turn(self, workspace: Scope, run: Run, look: Look, begin: Callable[[], None]) -> Result:
        async with asyncio.timeout(_left(look.deadline)) as patience, self.memory.exclusively(workspace):
            begin()
            patience.reschedule(None)
            if look.attempt:
                self.memory.forget_wake(workspace)
            if self.instructions.by_hand:
                await self.earlier.settle(workspace=workspace)
            return await self._run(Progress(workspace, run, look))

    async def _run(self, one: Progress) -> Result:
        for _ in range(_PASSES):
            await self._pass(one)
            if not self._goes_on(one):
                break
        await self._put_off(one)
        return Result(one.workspace, one.run, one.made, tuple(one.done))

    async def _pass(self, one: Progress) -> None:
        """One look, and what it leads to."""
        made = await self._decide(one)
        if made.switch_off is None:
            await self._act(made, one)
        else:
            async with self.memory.exclusively(made.switch_off.resource):
                # Not from what was read before: others may have changed the same registry meanwhile.
                await self._act(await self._decide(one, fresh=True), one)
        if self.instructions.by_hand:
            mine = (outcome.action for outcome in one.done if isinstance(outcome.action, Grant))
            told = {on for grant in mine for on in (grant.on, *grant.others)}
            await self.journal.leaning(one.made.leaning, one.run, told)

    async def _decide(self, one: Progress, *, fresh: bool = False) -> Plan:
        """Looks, and asks for approval. Looks again with what a person has released."""
        reader = replace(self, azure=self.azure.fresh()) if fresh else self
        touched = None if fresh else one.look.touched
        async with asyncio.timeout(_left(one.look.deadline)):
            while True:
                made = await reader.knowing(one.released).look(one.workspace, one.run.trigger, touched)
                if one.run.mode is not RunMode.ENFORCE:
                    return made
                made, released = await self.approval.of(made, one.workspace, one.run, self.azure.now())
                if released is None or released == one.released:
                    return made
                one.released = released

    async def look(self, workspace: Scope, trigger: Trigger, touched: List | None = None) -> Plan:
        """As `prepare`. Raises `StoppedError` if a person wants to stop."""
        looking, stop = self.prepare(workspace, trigger, touched), self.instructions.stop
        return await (stop.unless(looking) if stop else looking)

    def knowing(self, released: Pending | None) -> "Reconciler":
        """The policy's terms with what a person has released."""
        return replace(self, terms=replace(self.terms, approved=frozenset(released.actions))) if released else self

    async def _act(self, made: Plan, one: Progress) -> None:
        """Carries out the plan, and then the grants that replace those that could not be made."""
        one.made, one.outcomes = await self._carry_out(made, one)
        instead = self._instead(one.outcomes)
        if instead.grants:
            _, more = await self._carry_out(instead, one)
            one.outcomes += more
        one.done += one.outcomes

    async def _carry_out(self, made: Plan, one: Progress) -> tuple[Plan, list[Outcome]]:
        """Carries out the plan without what the brakes stopped. The record has the outcomes of both."""
        if one.run.mode is not RunMode.ENFORCE or not made.actions:
            await self._record(made, one)
            return made, []
        reminder = Reminder(self.store, self.queue, one.run, one.workspace)
        held = await self._begin(made, one, reminder)
        allowed = held.allows(made)
        notes = {**held.restored, **(one.released.notes if one.released else {})}
        outcomes = await self.changes.carry_out(
            allowed, one.run, one.look.deadline, notes, _stopped(made, held), held.reversed_by
        )
        one.recorded -= {(action.action_id, Phase.PLANNED) for action in made.actions}
        await in_full(self.journal.outcomes(outcomes, one.run, reminder), self.approval.used(one, outcomes))
        if self.instructions.again and self.store:
            applied = [outcome.action.action_id for outcome in outcomes if outcome.phase is Phase.APPLIED]
            await Undone(self.store).lift(applied)
        return allowed, outcomes

    async def _begin(self, made: Plan, one: Progress, reminder: Reminder) -> BrakeVerdict:
        """Does at once what must come before the first write. If any of it fails, nothing is written."""
        intents = [planned(one.run, action) for action in made.actions]
        try:
            answers = await in_full(
                self._record(made, one),
                self.brakes.held(made, one.workspace, one.run),
                reminder.begin(intents, self.azure.now()),
            )
            held: BrakeVerdict = answers[1]
            await self.journal.findings(held.findings, one.run, one.recorded)
        except AzureFailureError as error:
            await self._give_up(made, one, reminder, error)
            raise
        return held

    async def _give_up(self, made: Plan, one: Progress, reminder: Reminder, error: AzureFailureError) -> None:
        accepted = {(action.action_id, Phase.PLANNED) for action in made.actions} <= one.recorded
        with suppress(AzureFailureError):
            await self.journal.nothing_begun(made, one.run, reminder, error, accepted=accepted)

    async def _record(self, made: Plan, one: Progress) -> None:
        """Records the intent and the findings, but for an event not those that are on record unchanged."""
        if not one.run.trigger.resource:
            await self.journal.intent(made, one.run, one.recorded)
            return
        news = self.memory.news(made.findings, self.azure.now().date())
        await self.journal.intent(replace(made, findings=tuple(news)), one.run, one.recorded)
        self.memory.remember_told(news)

    def _instead(self, outcomes: Sequence[Outcome]) -> Plan:
        """The grants that a failed grant would have made unnecessary, as far as the cap allows.

        A grant fails if Azure refuses it, or if people keep removing it. Undo is different: a person then took back
        everything that the grant was for. With a plan document there are none, because it names what may be done.
        """
        if self.instructions.only is not None:
            return Plan()
        grants = [(one.action, one) for one in outcomes if isinstance(one.action, Grant)]
        made = [grant for grant, one in grants if one.phase is Phase.APPLIED]
        failed = (grant for grant, one in grants if one.phase is Phase.FAILED or one.guard is Guard.CONTESTED)
        changed = sum(one.phase is Phase.APPLIED and counted(one.action) for one in outcomes)
        return Plan(tuple(instead_of(failed, made)[: self.terms.caps.per_run - changed]))

    def _goes_on(self, one: Progress) -> bool:
        """Whether another pass can at once do what waited for this one."""
        stopped = self.instructions.asked_to_stop
        return bool(one.outcomes) and not stopped and follows_at_once(one.made, one.outcomes, self.azure.now())

    async def _put_off(self, one: Progress) -> None:
        """Queues another look for the earliest moment at which something that waits could go on."""
        if one.run.mode is not RunMode.ENFORCE or self.queue is None:
            return
        now = self.azure.now()
        until = delay(one.made, one.outcomes, now, one.look.attempt)
        if until is None or self.memory.wake_is_due(one.workspace, now + until, now):
            return
        await self.queue.put(encode(Reconcile((str(one.workspace),), one.run.trigger, one.look.attempt + 1)), until)
        self.memory.remember_wake(one.workspace, now + until)

    async def resync(self, workspace: Scope, run: Run) -> Outcome:
        """Finishes a switch-off that was cut short after the admin user went off (AML-71)."""
        reason = "the admin user of the workspace's registry went off: its cached password is stale"
        setting = Setting(
            workspace, Property.CACHED_KEYS, "cached", "resynced", CACHED_KEYS, ("AML-71",), reason, "AML-71"
        )
        await self.journal.rows(REMEDIATIONS, [planned(run, setting)])
        outcome = await self.changes.apply(setting, run, None)
        if not outcome.unclear:
            await self.journal.rows(REMEDIATIONS, [remediation(run, outcome)])
        return outcome


def _stopped(made: Plan, held: BrakeVerdict) -> list[Outcome]:
    return [
        withheld(one, held.refusals[one.action_id], held.reversed_by.get(one.action_id, ""))
        for one in made.actions
        if one.action_id in held.refusals
    ]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
