"""Read → require → compare → guard → record intent → apply → record outcome, for one workspace.

The laws (docs/laws.md) are kept here: nothing is written before the audit log has accepted the intent; grants go
before settings; what a guard names, what Azure refuses and what must wait are outcomes on the record, not silence.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta

from shared.access.actions import Deferred, Grant, Plan, Setting, Withheld
from shared.access.asks import Property
from shared.access.caps import without
from shared.access.history import CONTESTED
from shared.access.merge import instead_of
from shared.access.plan import plan
from shared.access.plan_json import in_words, restrict
from shared.access.rules.registry import CACHED_KEYS
from shared.access.scope import Scope
from shared.access.terms import RunMode, Terms
from shared.audit_rows import REMEDIATIONS, Outcome, Phase, Run, remediation
from shared.memory import Memory
from shared.messages import Reconcile, Trigger, encode
from shared.pace import is_in_the_background
from shared.ports import AuditLog, Azure, Reads, RunRecords, Store, WorkQueue
from shared.reading.estate import observe
from shared.state.approvals import Approvals, Pending
from shared.state.undone import Undone
from shared.stop import Stop
from shared.writing.apply import Changes
from shared.writing.brakes import Brakes
from shared.writing.journal import Journal

_PASSES = 3
_SOON = timedelta(seconds=2)
_RETRY = timedelta(minutes=1)
_MOST_DOUBLINGS = 5
_MOST_ATTEMPTS = 50
_HOURLY = ("cap-hour", "cap-target")
_NEXT_HOUR = timedelta(hours=1)
_NOBODY = "nobody can, set AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri to keep what waits"


@dataclass(frozen=True, slots=True)
class Result:
    """`plan` is the last one made, `outcomes` what was done over all passes."""

    workspace: Scope
    run: Run
    plan: Plan = field(default_factory=Plan)
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Everything that a reconcile works with. Without a queue (on the command line) it only reports what must wait.

    `stopped`, `by_hand`, `again` and `file` are as for `Brakes`, `stop` and `told` as for `Changes`; `only` restricts
    what is done to the actions that a plan document names (`shared.access.plan_json.key`).
    """

    azure: Azure
    audit: AuditLog | None
    queue: WorkQueue | None
    terms: Terms
    store: Store | None = None
    memory: Memory = field(default_factory=Memory)
    stopped: bool = False
    by_hand: bool = False
    again: bool = False
    only: frozenset[tuple[str, ...]] | None = None
    stop: Stop | None = None
    told: Callable[[Outcome], None] = lambda _: None
    file: RunRecords | None = None

    @property
    def journal(self) -> Journal:
        return Journal(self.audit, self.queue)

    @property
    def changes(self) -> Changes:
        return Changes(self.azure, self.queue, self.journal, self.stop, self.told)

    @property
    def brakes(self) -> Brakes:
        desk = self.by_hand, self.again, self.file
        return Brakes(self.azure, self.store, self.terms, self.memory, self.stopped, *desk)

    async def prepare(self, workspace: Scope, trigger: Trigger | None = None) -> Plan:
        """Reads and plans; changes and records nothing. Raises `ReadFailedError`."""
        estate = await observe(workspace, self.azure, self.terms, trigger)
        made = plan(estate, self.terms) if estate else Plan()
        return made if self.only is None else restrict(made, self.only)

    async def evaluate(self, workspace: Scope, reads: Reads) -> Plan | None:
        """The plan by what `reads` knows, where it holds nothing but findings; else None: look properly.

        Changes and records nothing. Raises `ReadFailedError`.
        """
        estate = await observe(workspace, reads, self.terms, frugal=True)
        made = plan(estate, self.terms) if estate else None
        return None if made is None or made.actions or made.withheld or made.deferred else made

    async def preview(self, workspace: Scope) -> Plan:
        """What `run` would do in mode enforce: also without what the brakes would stop now."""
        return await self.braked(await self.prepare(workspace), workspace)

    async def braked(self, made: Plan, workspace: Scope) -> Plan:
        """`made` as the brakes would let it be carried out now."""
        held = await self.brakes.held(made, workspace, Trigger(), reserve=False)
        return without(replace(made, findings=(*made.findings, *held.findings)), held.refusals)

    async def run(self, workspace: Scope, run: Run, *, deadline: float | None = None, attempt: int = 0) -> Result:
        """Prepares, and carries out in mode enforce. `deadline` is in `time.monotonic()` seconds.

        A burst of events about one workspace is two runs: one under way, and one that begins after the last of them.

        Raises `ReadFailedError` and `AuditFailedError`: the caller retries the whole run, which is safe (law 1);
        `TimeoutError` when the deadline passed before anything was recorded, and `StoppedError`.
        """
        speaks_for = run.trigger.caller_object_id, run.trigger.resource if self.terms.caller_must_hold else ""
        patience = deadline is None, attempt, is_in_the_background()
        key = workspace, run.mode, speaks_for, patience, self.by_hand, self.again, self.only
        return await self.memory.shared(key, lambda begin: self._in_turn(workspace, run, deadline, attempt, begin))

    async def _in_turn(
        self, workspace: Scope, run: Run, deadline: float | None, attempt: int, begin: Callable[[], None]
    ) -> Result:
        async with asyncio.timeout(_left(deadline)) as patience, self.memory.exclusively(workspace):
            begin()
            patience.reschedule(None)
            if attempt:
                self.memory.forget_wake(workspace)
            return await self._run(workspace, run, deadline, attempt)

    async def _run(self, workspace: Scope, run: Run, deadline: float | None, attempt: int) -> Result:
        done: list[Outcome] = []
        recorded: set[tuple[str, str]] = set()
        released: Pending | None = None
        for _ in range(_PASSES):
            async with asyncio.timeout(_left(deadline)):
                made = await self.look(workspace, run.trigger)
                if run.mode is RunMode.ENFORCE:
                    made, now_released = await self._released(made, workspace, run)
                    released = now_released or released  # a later pass, with nothing left to ask for, has none
            registry = next((one.resource for one in made.settings if one.name is Property.ADMIN_USER), None)
            async with self.memory.exclusively(registry) if registry else nullcontext():
                if registry:
                    # Others may have been at the same registry meanwhile: a switch-off is decided on a fresh look.
                    async with asyncio.timeout(_left(deadline)):
                        made = await self._knowing(released).look(workspace, run.trigger)
                made, outcomes = await self._act(made, workspace, run, recorded, deadline, released)
                instead = self._instead(outcomes)
                if instead.grants:
                    _, more = await self._act(instead, workspace, run, recorded, deadline, released)
                    outcomes += more
            done += outcomes
            if self.by_hand:
                mine = (one.action for one in done if isinstance(one.action, Grant))
                await self.journal.leaning(made.leaning, run, {on for one in mine for on in (one.on, *one.others)})
            if not outcomes or not self._due(made, outcomes) or (self.stop and self.stop.asked):
                break
        if (
            released
            and self.store
            and any(o.action.action_id in released.actions for o in done if o.phase is Phase.APPLIED)
        ):
            await Approvals(self.store).done(workspace)
        if run.mode is RunMode.ENFORCE:
            await self._put_off(workspace, made, outcomes, run.trigger, attempt)
        return Result(workspace, run, made, tuple(done))

    def _instead(self, outcomes: Sequence[Outcome]) -> Plan:
        """What grants that Azure refuses, or that people keep removing, made needless; within the cap.

        Not what a person took back with `amlguard undo`: that took back all that the grant was for. Not beside a plan
        document either: it names what may be done.
        """
        if self.only is not None:
            return Plan()
        grants = [(one.action, one) for one in outcomes if isinstance(one.action, Grant)]
        made = [grant for grant, one in grants if one.phase is Phase.APPLIED]
        failed = (grant for grant, one in grants if one.phase is Phase.FAILED or one.guard == CONTESTED)
        return Plan(tuple(instead_of(failed, made)[: max(self.terms.caps.per_run - len(made), 0)]))

    async def look(self, workspace: Scope, trigger: Trigger) -> Plan:
        """As `prepare`; raises `StoppedError` when a person wants to stop."""
        looking = self.prepare(workspace, trigger)
        return await (self.stop.unless(looking) if self.stop else looking)

    def _knowing(self, released: Pending | None) -> "Reconciler":
        """With the policy's terms and what a person has released."""
        return replace(self, terms=replace(self.terms, approved=frozenset(released.actions))) if released else self

    async def _released(self, made: Plan, workspace: Scope, run: Run) -> tuple[Plan, Pending | None]:
        """Plans again with what a person has released; else asks for it, and says under which run."""
        asked = {one.action.action_id: in_words(one.action) for one in made.withheld if one.refusal.guard == "approval"}
        if not asked:
            return made, None
        if self.store is None:
            return replace(made, withheld=tuple(_waiting(one, _NOBODY) for one in made.withheld)), None
        approvals, now = Approvals(self.store), self.azure.now()
        known = await approvals.of(workspace, now)
        if known and known.approved:
            return await self._knowing(known).prepare(workspace, run.trigger), known
        known = await approvals.ask(workspace, run.id, asked, now, self.terms.approval_lapses)
        return replace(
            made, withheld=tuple(_waiting(one, f"amlguard approve {known.run}") for one in made.withheld)
        ), None

    async def _act(
        self,
        made: Plan,
        workspace: Scope,
        run: Run,
        recorded: set[tuple[str, str]],
        deadline: float | None,
        released: Pending | None,
    ) -> tuple[Plan, list[Outcome]]:
        """The plan without what the brakes stopped, and what came of the rest. The record holds both."""
        if run.mode is not RunMode.ENFORCE:
            await self.journal.intent(made, run, recorded)
            return made, []
        # At once, for the event's sake; gather raises the first failure, and then nothing is written.
        _, held = await asyncio.gather(
            self.journal.intent(made, run, recorded), self.brakes.held(made, workspace, run.trigger)
        )
        stopped = [
            Outcome(one, Phase.WITHHELD, held.refusals[one.action_id].reason, guard=held.refusals[one.action_id].guard)
            for one in made.actions
            if one.action_id in held.refusals
        ]
        await self.journal.findings(held.findings, run, recorded)
        made = without(replace(made, findings=(*made.findings, *held.findings)), held.refusals)
        notes = {**held.restored, **(released.notes if released else {})}
        outcomes = await self.changes.carry_out(made, run, deadline, notes, stopped)
        if self.again and self.store:
            applied = [one.action.action_id for one in outcomes if one.phase is Phase.APPLIED]
            await Undone(self.store).lift(applied)
        return made, outcomes

    async def resync(self, workspace: Scope, run: Run) -> Outcome:
        """Finishes a switch-off that was cut short after the admin user went off (AML-71)."""
        reason = "the admin user of the workspace's registry went off: its cached password is stale"
        setting = Setting(
            workspace, Property.CACHED_KEYS, "cached", "resynced", CACHED_KEYS, ("AML-71",), reason, "AML-71"
        )
        await self.journal.rows(REMEDIATIONS, [remediation(run, setting, Phase.PLANNED, setting.reason)])
        outcome = await self.changes.apply(setting, run, None)
        await self.journal.outcomes([outcome], run)
        return outcome

    def _due(self, made: Plan, outcomes: Sequence[Outcome]) -> bool:
        """Whether a setting waited only for this pass's grants and may follow at once (no settle time)."""
        soon = self.azure.now() + _SOON
        return any(waiting.until <= soon for waiting in _waiting_settings(made, outcomes))

    async def _put_off(
        self, workspace: Scope, made: Plan, outcomes: Sequence[Outcome], trigger: Trigger, attempt: int
    ) -> None:
        """Queues another look for the earliest moment at which something that waits could go on."""
        now = self.azure.now()
        backoff = _RETRY * 2 ** min(attempt, _MOST_DOUBLINGS)
        delays = [backoff for one in outcomes if one.phase is Phase.DEFERRED]
        delays += [backoff for one in made.deferred if not isinstance(one.action, Setting)]
        delays += [max(one.until - now, timedelta()) for one in _waiting_settings(made, outcomes)]
        delays += [_NEXT_HOUR - timedelta(minutes=now.minute) for one in outcomes if one.guard in _HOURLY]
        if not delays or self.queue is None or attempt >= _MOST_ATTEMPTS:
            return
        at = now + min(delays)
        if not self.memory.wake_is_due(workspace, at, now):
            await self.queue.put(encode(Reconcile((str(workspace),), trigger, attempt + 1)), min(delays))
            self.memory.remember_wake(workspace, at)


def _waiting(one: Withheld, how: str) -> Withheld:
    if one.refusal.guard != "approval":
        return one
    return replace(one, refusal=replace(one.refusal, reason=f"{one.refusal.reason}: {how}"))


def _waiting_settings(made: Plan, outcomes: Sequence[Outcome]) -> list[Deferred]:
    """Settings for which time has to pass, and no more: the grants that they waited for were made."""
    open_targets = {o.action.scope for o in outcomes if isinstance(o.action, Grant) and o.phase is not Phase.APPLIED}
    waiting = [one for one in made.deferred if isinstance(one.action, Setting)]
    return [one for one in waiting if one.action.resource not in open_targets]


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
