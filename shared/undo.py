"""Takes back what runs did. It reads the state, says who relies on what would go, records, and makes the changes."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from shared.access.actions import Refusal, Removal, Setting
from shared.access.asks import Property
from shared.access.guards import Guard
from shared.access.history import SOMEBODY
from shared.access.model import Estate
from shared.access.quoting import kql
from shared.access.reliance import TakingBack, relied_on
from shared.access.routing import WORKSPACE
from shared.access.terms import Terms
from shared.access.undo_steps import Done, Step, order, past, step
from shared.audit_rows import REMEDIATIONS, Outcome, Phase, Run, remediation, withheld
from shared.instructions import Instructions
from shared.ports import AuditFailedError, Azure, ReadFailedError, Reads, Row, RunRecords, Store
from shared.reading.cached import CachedReads
from shared.reading.discover import workspaces_at
from shared.reading.estate import observe
from shared.state.undone import Mark, Undone
from shared.stop import Stop
from shared.vetted import Vet
from shared.writing.apply import Changes
from shared.writing.journal import Journal
from shared.writing.reminder import Reminder

_LEFT_OPEN = "no outcome of it is on record, so nobody can tell whether the run did it"
_EXAMPLE = "6d8f6d3e-3d0c-4b8e-9a52-8f7a0c6e2b11"
ALL_THE_SAME = "--force takes it back all the same"


@dataclass(frozen=True, slots=True)
class Undoing:
    """`kept` says, by action id, who needs what would go. It goes only if a person insists.

    Of those in `unclear` nobody can tell whether the run did them. `withheld` is what guards keep back, whoever
    insists. `refused` says which rows are no work of amlguard's.
    """

    runs: tuple[str, ...]
    steps: tuple[Step, ...]
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unclear: frozenset[str] = frozenset()
    withheld: Mapping[str, Refusal] = field(default_factory=dict)
    refused: tuple[str, ...] = ()

    def takes_back(self, one: Step, *, force: bool) -> bool:
        action_id = one.done.action_id
        return action_id not in self.withheld and (force or action_id not in self.kept)


@dataclass(frozen=True, slots=True)
class Undo:
    """Runs with the rights of the person. Methods raise `AzureFailureError`, and then the rest is as it was.

    `file` tells of the runs that it knows, and the log of the others. `written` are rows that neither may show yet.
    `stop` is as for `Changes`.
    """

    azure: Azure
    journal: Journal
    store: Store | None
    terms: Terms
    file: RunRecords | None = None
    stop: Stop | None = None
    written: Sequence[Row] = ()

    @property
    def changes(self) -> Changes:
        return Changes(self.azure, None, Instructions(stop=self.stop))

    async def prepare(self, runs: Sequence[str]) -> Undoing:
        """Changes nothing. Raises `ValueError` if it is not a run id, and `ReadFailedError` if the run is unknown."""
        ids = run_ids(runs)
        known = past(await self._rows(ids), self.terms)
        once = CachedReads(self.azure)
        now, unread = await _as_they_are(known.done, once)
        vetted = await Vet(once, self.terms).vet(now)
        steps = [one for one in vetted.steps if one.done.action_id not in vetted.withheld]
        taking = TakingBack(tuple(one for one in steps if not _is_open(one)), known.served)
        kept = relied_on(taking, await self._estates(taking, once), self.terms)
        unclear = frozenset(one.done.action_id for one in steps if one.action and _is_open(one))
        kept |= dict.fromkeys(unclear, (_LEFT_OPEN,))
        return Undoing(ids, vetted.steps, kept, unclear, vetted.withheld, (*known.refused, *unread))

    async def _rows(self, ids: Sequence[str]) -> list[Row]:
        rows = list(await self.file.of_runs(ids)) if self.file else []
        named = {str(row.get("RunId")) for row in rows}
        others = [one for one in ids if one not in named]
        if others:
            listed = ", ".join(map(kql, others))
            found = await self.azure.logs(f"{REMEDIATIONS} | where RunId in ({listed}) | order by TimeGenerated asc")
            if found is None and self.file is None:
                reason = "the audit log says what the run did: set AMLGUARD_LOG_WORKSPACE_ID, or name the --audit-file"
                raise ReadFailedError("undo", "NoLogWorkspace", reason)
            rows += found or ()
            named |= {str(row["RunId"]) for row in found or ()}
        unknown = [one for one in ids if one not in named]
        if unknown:
            late = "" if self.file else "; rows appear there minutes after a change"
            where = "audit file" if self.file else "audit log"
            raise ReadFailedError("undo", "RunNotFound", f"the {where} shows nothing that run {unknown[0]} did{late}")
        return [*rows, *(row for row in self.written if row["RunId"] in ids)]

    async def _estates(self, taking: TakingBack, once: CachedReads) -> list[Estate]:
        """The estates of all workspaces that may use what would go, and of those for which it was made.

        The others are asked about shared identities only, because nobody else holds what these hold. Only the row says
        for whom it was made, so a workspace of that list that may not be read says nothing.
        """
        scopes = {removal.scope for _, removal in taking.removals} | {one.resource for _, one in taking.policies}
        shared = {step.shared for step, _ in taking.removals if step.shared}
        if not scopes:
            return []
        users = await asyncio.gather(
            *(workspaces_at(scope, once, self.terms) for scope in scopes - shared),
            *(workspaces_at(scope, once) for scope in shared),
        )
        told = dict.fromkeys(one for some in users for one in some)
        own = {one.ancestor(WORKSPACE) for one in taking.served} - told.keys()
        found = await asyncio.gather(
            *(observe(one, once, self.terms) for one in told),
            *(_if_readable(observe(one, once, self.terms)) for one in own if one),
        )
        return [at.estate for at in found if at]

    async def carry_out(
        self, undoing: Undoing, run: Run, *, force: bool = False, outcomes: list[tuple[Step, Outcome]] | None = None
    ) -> list[tuple[Step, Outcome]]:
        """In safe order. What others rely on stays unless `force`. `outcomes` is added to as they come."""
        outcomes = [] if outcomes is None else outcomes
        steps = order(undoing.steps)
        going = [one for one in steps if undoing.takes_back(one, force=force)]
        keys = _resyncs(undoing, going)
        planned = [(one, Outcome(one.action, Phase.PLANNED, one.reason)) for one in (*steps, *keys) if one.action]
        reminder, intents = Reminder(self.store, None, run), _rows(planned, run)
        await self.journal.rows(REMEDIATIONS, intents)
        await reminder.begin(intents, self.azure.now())
        if self.store and going:
            by, at = run.trigger.caller_object_id, self.azure.now()
            await Undone(self.store).add({one.done.action_id: Mark(one.done.run, by, at) for one in going})
        for one in steps:
            stays = _guarded(one, undoing) or (None if force else _withheld(one, undoing, outcomes))
            outcomes.append((one, stays or await self._apply(one, run)))
        outcomes += [(one, await self._resync(one, outcomes, run)) for one in keys]
        await self._record(outcomes, run, reminder)
        return outcomes

    async def _resync(self, one: Step, outcomes: Sequence[tuple[Step, Outcome]], run: Run) -> Outcome:
        """When the admin user is back, its password is new to the workspaces (AML-71)."""
        assert one.action is not None
        turned = [outcome for step, outcome in outcomes if _is_admin_user(step)]
        if any(outcome.phase is Phase.UNDONE for outcome in turned):
            return await self._apply(one, run)
        unclear = any(outcome.unclear for outcome in turned)
        return Outcome(one.action, Phase.WITHHELD, "the admin user did not come back", unclear=unclear)

    async def _apply(self, one: Step, run: Run) -> Outcome:
        assert one.action is not None
        outcome = await self.changes.apply(one.action, run, None)
        if outcome.phase is not Phase.APPLIED:
            return outcome
        by = "" if outcome.found else run.trigger.caller_object_id or SOMEBODY
        return replace(outcome, phase=Phase.UNDONE, reversed_by=by)

    async def _record(self, entries: Sequence[tuple[Step, Outcome]], run: Run, reminder: Reminder) -> None:
        rows = _rows([(one, outcome) for one, outcome in entries if not outcome.unclear], run)
        unclear = frozenset(one.done.action_id for one, outcome in entries if outcome.unclear)
        try:
            await self.journal.rows(REMEDIATIONS, rows)
        except AuditFailedError:
            await reminder.keep(rows, unclear)
            raise
        await reminder.end(unclear)


def _rows(entries: Sequence[tuple[Step, Outcome]], run: Run) -> list[dict[str, Any]]:
    """Under the ids of the actions that are undone."""
    return [remediation(run, outcome) | {"ActionId": one.done.action_id} for one, outcome in entries]


async def _as_they_are(done: Sequence[Done], azure: Reads) -> tuple[list[Step], list[str]]:
    """What takes each change back, and what may not be read: a row can name anything. Raises `ReadFailedError`."""
    steps, unread = list[Step](), list[str]()
    answers = await asyncio.gather(*(azure.resource(one.target) for one in done), return_exceptions=True)
    for one, now in zip(done, answers, strict=True):
        if isinstance(now, ReadFailedError) and now.forbidden:
            unread.append(f"{one.target}, of run {one.run}, may not be read, and is left alone: {now.reason}")
        elif isinstance(now, BaseException):
            raise now
        else:
            steps.append(step(one, now))
    return steps, unread


async def _if_readable[T](reading: Awaitable[T]) -> T | None:
    try:
        return await reading
    except ReadFailedError as error:
        if error.forbidden:
            return None
        raise


def _guarded(one: Step, undoing: Undoing) -> Outcome | None:
    assert one.action is not None
    refusal = undoing.withheld.get(one.done.action_id)
    return withheld(one.action, refusal) if refusal else None


def _withheld(one: Step, undoing: Undoing, before: Sequence[tuple[Step, Outcome]]) -> Outcome | None:
    """Grants stay while others rely on them, and if an admin user could not be turned on."""
    assert one.action is not None
    if kept := undoing.kept.get(one.done.action_id):
        said = "; ".join(kept)
        said = said if one.done.action_id in undoing.unclear else f"others rely on it: {said}"
        return Outcome(one.action, Phase.WITHHELD, f"{said}; {ALL_THE_SAME}", guard=Guard.RELIED_ON)
    still_off = {
        each.done.on
        for each, outcome in before
        if each.done.setting is Property.ADMIN_USER and outcome.phase is not Phase.UNDONE
    }
    if isinstance(one.action, Removal) and one.action.scope in still_off:
        reason = f"{one.action.scope.name} is not as it was before: its pullers keep what they have; {ALL_THE_SAME}"
        return Outcome(one.action, Phase.WITHHELD, reason, guard=Guard.RELIED_ON)
    return None


def _is_open(one: Step) -> bool:
    """Whether only the intent is on record. For a grant, the assignment itself tells that the run made it."""
    return one.done.open and not isinstance(one.action, Removal)


def _is_admin_user(one: Step) -> bool:
    return isinstance(one.action, Setting) and one.action.name is Property.ADMIN_USER


def _resyncs(undoing: Undoing, steps: Sequence[Step]) -> list[Step]:
    if not any(map(_is_admin_user, steps)):
        return []
    keys = (one.done for one in undoing.steps if one.done.setting is Property.CACHED_KEYS)
    return [_resynced(one) for one in keys if one.action_id not in undoing.withheld]


def _resynced(one: Done) -> Step:
    reason = f"undoes run {one.run}: the admin user is back"
    keys = Setting(one.on, Property.CACHED_KEYS, "cached", "resynced", one.rule, one.requirements, reason, "AML-71")
    return Step(one, keys, reason)


def run_ids(runs: Sequence[str]) -> tuple[str, ...]:
    """Each once. Raises `ValueError`."""
    return tuple(dict.fromkeys(map(_run_id, runs)))


def _run_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        told = "`apply` prints it, and the audit log and each role assignment's description have it"
        raise ValueError(f"{text!r} is not a run id, which looks like {_EXAMPLE}: {told}") from error
