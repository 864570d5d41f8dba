"""Takes back what runs did: reads the state, says who relies on what would go, records, and carries out."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from shared.access.asks import Property
from shared.access.compare import ask
from shared.access.model import Estate
from shared.access.outcomes import Removal, Setting
from shared.access.rules.pull import PULLS
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.access.undo import Done, Step, done, order, step
from shared.audit_rows import REMEDIATIONS, Phase, Run, remediation
from shared.changes import Changes
from shared.discover import workspaces_at
from shared.journal import Journal, Outcome
from shared.observe import observe
from shared.ports import Azure, ReadFailedError, Store
from shared.undone import Mark, Undone


@dataclass(frozen=True, slots=True)
class Undoing:
    """`relied_on` says, by action id, who needs what would go; it goes only when a person insists."""

    runs: tuple[str, ...]
    steps: tuple[Step, ...]
    relied_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Undo:
    """At a desk, with the person's own rights. Methods raise `AzureFailureError`; then the rest is as it was."""

    azure: Azure
    journal: Journal
    store: Store | None
    terms: Terms

    async def prepare(self, runs: Sequence[str]) -> Undoing:
        """Changes nothing. Raises `ValueError` for what is no run id, `ReadFailedError` for a run that is not known."""
        ids = tuple(dict.fromkeys(str(UUID(run)) for run in runs))
        named = ", ".join(f"'{one}'" for one in ids)
        rows = await self.azure.logs(
            f"{REMEDIATIONS} | where RunId in ({named}) and Outcome == 'Applied' | order by TimeGenerated asc"
        )
        if rows is None:
            reason = "the audit log says what the run did: set AMLGUARD_LOG_WORKSPACE_ID"
            raise ReadFailedError("undo", "NoLogWorkspace", reason)
        unknown = [one for one in ids if one not in {str(row["RunId"]) for row in rows}]
        if unknown:
            reason = f"the audit log shows nothing that run {unknown[0]} did; rows appear there minutes after a change"
            raise ReadFailedError("undo", "RunNotFound", reason)
        did = done(rows)
        now = await asyncio.gather(*(self.azure.resource(one.target) for one in did))
        steps = tuple(step(one, raw) for one, raw in zip(did, now, strict=True))
        return Undoing(ids, steps, await self._relied_on(steps))

    async def _relied_on(self, steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
        """Who else asks for a grant that would go, and who could not pull any more without it."""
        going = [(one, one.action) for one in steps if isinstance(one.action, Removal)]
        back_on = {one.done.on for one in steps if isinstance(one.action, Setting)}
        mine = {one.done.on for one in steps}
        estates = await self._estates({removal.scope for _, removal in going})
        found: dict[str, tuple[str, ...]] = {}
        for one, removal in going:
            said = [line for estate in estates for line in _needing(removal, estate, self.terms, mine, back_on)]
            if said:
                found[one.done.action_id] = tuple(dict.fromkeys(said))
        return found

    async def _estates(self, scopes: Iterable[Scope]) -> list[Estate]:
        users = await asyncio.gather(*(workspaces_at(scope, self.azure) for scope in scopes))
        workspaces = dict.fromkeys(workspace for some in users for workspace in some)
        estates = await asyncio.gather(*(observe(one, self.azure, self.terms) for one in workspaces))
        return [estate for estate in estates if estate]

    async def carry_out(self, undoing: Undoing, run: Run, *, force: bool = False) -> list[tuple[Step, Outcome]]:
        """In safe order. What others rely on stays unless `force`."""
        steps = order(undoing.steps)
        going = [one for one in steps if force or one.done.action_id not in undoing.relied_on]
        await self._record([(one, Phase.PLANNED, one.reason, "") for one in steps], run)
        if self.store and going:
            by, at = run.trigger.caller_object_id, self.azure.now()
            await Undone(self.store).add({one.done.action_id: Mark(one.done.run, by, at) for one in going})
        changes = Changes(self.azure, None, self.journal)
        outcomes: list[tuple[Step, Outcome]] = []
        for one in steps:
            outcome = self._kept(one, undoing, outcomes, force=force) or await _apply(one, changes, run)
            outcomes.append((one, outcome))
        outcomes += await self._resync(undoing, outcomes, changes, run)
        await self._record([(one, o.phase, o.reason, o.guard) for one, o in outcomes], run)
        return outcomes

    def _kept(
        self, one: Step, undoing: Undoing, before: Sequence[tuple[Step, Outcome]], *, force: bool
    ) -> Outcome | None:
        """Grants stay while others rely on them, and all of them when an admin user did not come back."""
        if not isinstance(one.action, Removal):
            return None
        relied = undoing.relied_on.get(one.done.action_id)
        if relied and not force:
            return Outcome(one.action, Phase.WITHHELD, f"others rely on it: {'; '.join(relied)}", guard="relied-on")
        failed = [
            each for each, outcome in before if isinstance(each.action, Setting) and outcome.phase is not Phase.UNDONE
        ]
        if failed:
            reason = f"{failed[0].done.on.name} is not as it was before: its pullers keep what they have"
            return Outcome(one.action, Phase.WITHHELD, reason, guard="relied-on")
        return None

    async def _resync(
        self, undoing: Undoing, outcomes: Sequence[tuple[Step, Outcome]], changes: Changes, run: Run
    ) -> list[tuple[Step, Outcome]]:
        """Once the admin user is back its password is a new one to the workspaces (AML-71)."""
        back = any(
            isinstance(one.action, Setting) and one.action.name is Property.ADMIN_USER and o.phase is Phase.UNDONE
            for one, o in outcomes
        )
        cached = [one.done for one in undoing.steps if one.done.setting is Property.CACHED_KEYS] if back else []
        return [await _resynced(one, changes, run) for one in cached]

    async def _record(self, entries: Iterable[tuple[Step, Phase, str, str]], run: Run) -> None:
        rows: list[dict[str, Any]] = [
            remediation(run, one.action, phase, reason, guard=guard) | {"ActionId": one.done.action_id}
            for one, phase, reason, guard in entries
            if one.action
        ]
        await self.journal.rows(REMEDIATIONS, rows)


async def _apply(one: Step, changes: Changes, run: Run) -> Outcome:
    assert one.action is not None
    outcome = await changes.apply(one.action, run, None)
    return replace(outcome, phase=Phase.UNDONE) if outcome.phase is Phase.APPLIED else outcome


async def _resynced(one: Done, changes: Changes, run: Run) -> tuple[Step, Outcome]:
    reason = f"undoes run {one.run}: the admin user is back"
    keys = Setting(one.on, Property.CACHED_KEYS, "cached", "resynced", one.rule, one.requirements, reason, "AML-71")
    made = Step(one, keys, reason)
    return made, await _apply(made, changes, run)


def _needing(removal: Removal, estate: Estate, terms: Terms, mine: set[Scope], back_on: set[Scope]) -> Iterable[str]:
    """Why the workspace needs the grant that `removal` takes away."""
    registry = estate.registries.get(removal.scope)
    for rule, one in ask(estate.subject, estate, terms).grants:
        if (one.principal.id, one.scope, one.need.role_id) != (removal.principal_id, removal.scope, removal.role_id):
            continue
        if one.on not in mine:
            yield f"{one.reason} ({rule.name})"
        elif one.need in PULLS and registry and not registry.admin_user and registry.id not in back_on:
            yield f"{one.reason}, and the admin user of {registry.id.name} is off"
