"""Takes back what runs did. It reads the state, says who relies on what would go, records, and carries out."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from shared.access.actions import Removal, Setting
from shared.access.asks import Property
from shared.access.model import Estate
from shared.access.quoting import kql
from shared.access.reliance import TakingBack, relied_on
from shared.access.routing import WORKSPACE
from shared.access.terms import Terms
from shared.access.undo_steps import Done, Step, order, past, step
from shared.audit_rows import REMEDIATIONS, Outcome, Phase, Run, remediation
from shared.ports import Azure, ReadFailedError, Row, RunRecords, Store
from shared.reading.discover import workspaces_at
from shared.reading.estate import observe
from shared.state.undone import Mark, Undone
from shared.stop import Stop
from shared.writing.apply import Changes
from shared.writing.journal import Journal

_LEFT_OPEN = "no outcome of it is on record, so nobody can tell whether the run did it"
ALL_THE_SAME = "--force takes it back all the same"


@dataclass(frozen=True, slots=True)
class Undoing:
    """`kept` says, by action id, who needs what would go. It goes only if a person insists.

    `refused` says which rows do not describe anything that amlguard did.
    """

    runs: tuple[str, ...]
    steps: tuple[Step, ...]
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undo:
    """Runs with the rights of the person. Methods raise `AzureFailureError`, and then the rest is as it was.

    `file` tells of the runs that it knows, and the log of the others. `stop` is as for `Changes`.
    """

    azure: Azure
    journal: Journal
    store: Store | None
    terms: Terms
    file: RunRecords | None = None
    stop: Stop | None = None

    @property
    def changes(self) -> Changes:
        return Changes(self.azure, None, self.journal, self.stop)

    async def prepare(self, runs: Sequence[str]) -> Undoing:
        """Changes nothing. Raises `ValueError` if it is not a run id, and `ReadFailedError` if the run is unknown."""
        ids = tuple(dict.fromkeys(str(UUID(run)) for run in runs))
        known = past(await self._rows(ids), self.terms)
        now = await asyncio.gather(*(self.azure.resource(one.target) for one in known.done))
        steps = tuple(step(one, raw) for one, raw in zip(known.done, now, strict=True))
        taking = TakingBack(tuple(one for one in steps if not _is_open(one)), known.served)
        kept = relied_on(taking, await self._estates(taking), self.terms)
        kept |= {one.done.action_id: (_LEFT_OPEN,) for one in steps if one.action and _is_open(one)}
        return Undoing(ids, steps, kept, known.refused)

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
        return rows

    async def _estates(self, taking: TakingBack) -> list[Estate]:
        """Of all workspaces that may use what would go, and of those that it was made for.

        The others are asked about shared identities only, because nobody else holds what these hold.
        """
        scopes = {removal.scope for _, removal in taking.removals} | {one.resource for _, one in taking.policies}
        shared = {step.shared for step, _ in taking.removals if step.shared}
        if not scopes:
            return []
        users = await asyncio.gather(
            *(workspaces_at(scope, self.azure, self.terms) for scope in scopes - shared),
            *(workspaces_at(scope, self.azure) for scope in shared),
        )
        own = (one.ancestor(WORKSPACE) for one in taking.served)
        workspaces = dict.fromkeys((*(one for some in users for one in some), *(one for one in own if one)))
        estates = await asyncio.gather(*(observe(one, self.azure, self.terms) for one in workspaces))
        return [estate for estate in estates if estate]

    async def carry_out(
        self, undoing: Undoing, run: Run, *, force: bool = False, outcomes: list[tuple[Step, Outcome]] | None = None
    ) -> list[tuple[Step, Outcome]]:
        """In safe order. What others rely on stays unless `force`. `outcomes` is added to as they come."""
        outcomes = [] if outcomes is None else outcomes
        steps = order(undoing.steps)
        going = [one for one in steps if force or one.done.action_id not in undoing.kept]
        await self._record([(one, Phase.PLANNED, one.reason, "") for one in steps], run)
        if self.store and going:
            by, at = run.trigger.caller_object_id, self.azure.now()
            await Undone(self.store).add({one.done.action_id: Mark(one.done.run, by, at) for one in going})
        for one in steps:
            withheld = None if force else _withheld(one, undoing, outcomes)
            outcomes.append((one, withheld or await self._apply(one, run)))
        outcomes += await self._resync(undoing, outcomes, run)
        await self._record([(one, o.phase, o.reason, o.guard) for one, o in outcomes], run)
        return outcomes

    async def _resync(
        self, undoing: Undoing, outcomes: Sequence[tuple[Step, Outcome]], run: Run
    ) -> list[tuple[Step, Outcome]]:
        """When the admin user is back, its password is new to the workspaces (AML-71)."""
        back = any(
            isinstance(one.action, Setting) and one.action.name is Property.ADMIN_USER and o.phase is Phase.UNDONE
            for one, o in outcomes
        )
        cached = [_resynced(one.done) for one in undoing.steps if one.done.setting is Property.CACHED_KEYS]
        return [(one, await self._apply(one, run)) for one in cached] if back else []

    async def _apply(self, one: Step, run: Run) -> Outcome:
        assert one.action is not None
        outcome = await self.changes.apply(one.action, run, None)
        return replace(outcome, phase=Phase.UNDONE) if outcome.phase is Phase.APPLIED else outcome

    async def _record(self, entries: Iterable[tuple[Step, Phase, str, str]], run: Run) -> None:
        rows: list[dict[str, Any]] = [
            remediation(run, one.action, phase, reason, guard=guard) | {"ActionId": one.done.action_id}
            for one, phase, reason, guard in entries
            if one.action
        ]
        await self.journal.rows(REMEDIATIONS, rows)


def _withheld(one: Step, undoing: Undoing, before: Sequence[tuple[Step, Outcome]]) -> Outcome | None:
    """Grants stay while others rely on them, and where an admin user did not come back."""
    assert one.action is not None
    if kept := undoing.kept.get(one.done.action_id):
        said = kept[0] if kept == (_LEFT_OPEN,) else f"others rely on it: {'; '.join(kept)}"
        return Outcome(one.action, Phase.WITHHELD, f"{said}; {ALL_THE_SAME}", guard="relied-on")
    still_off = {
        each.done.on
        for each, outcome in before
        if each.done.setting is Property.ADMIN_USER and outcome.phase is not Phase.UNDONE
    }
    if isinstance(one.action, Removal) and one.action.scope in still_off:
        reason = f"{one.action.scope.name} is not as it was before: its pullers keep what they have; {ALL_THE_SAME}"
        return Outcome(one.action, Phase.WITHHELD, reason, guard="relied-on")
    return None


def _is_open(one: Step) -> bool:
    """Whether only the intent is on record. For a grant, the assignment itself tells that the run made it."""
    return one.done.open and not isinstance(one.action, Removal)


def _resynced(one: Done) -> Step:
    reason = f"undoes run {one.run}: the admin user is back"
    keys = Setting(one.on, Property.CACHED_KEYS, "cached", "resynced", one.rule, one.requirements, reason, "AML-71")
    return Step(one, keys, reason)
