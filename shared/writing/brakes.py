"""What can still stop a plan's changes: the kill switch, the caps of this hour, and that somebody reverts them.

The brakes are checked while the intent is being recorded, so that they add no time to an event. The first write waits
for both.
"""

import asyncio
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import msgspec

from shared.access import history
from shared.access.actions import Plan, Refusal
from shared.access.asks import Finding
from shared.access.caps import Change, Spent, allot, counted, with_what_follows, without
from shared.access.guards import Guard
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.audit_rows import Run
from shared.instructions import Instructions
from shared.memory import Memory
from shared.ports import Reads, Store
from shared.state.document import decoded, update
from shared.state.undone import Mark, Undone
from shared.writing.tags import stopped_by_tag

_SETTING = "AMLGUARD_KILL_SWITCH"
_FOLDER = "caps/"


@dataclass(frozen=True, slots=True)
class BrakeVerdict:
    """What is withheld, by action id, what to say about changes that had been made before, and who took them back."""

    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    restored: Mapping[str, str] = field(default_factory=dict)
    reversed_by: Mapping[str, str] = field(default_factory=dict)

    def allows(self, made: Plan) -> Plan:
        """`made` with these findings and without what is withheld."""
        return without(replace(made, findings=(*made.findings, *self.findings)), self.refusals)


@dataclass(frozen=True, slots=True)
class Brakes:
    azure: Reads
    store: Store | None
    terms: Terms
    memory: Memory
    instructions: Instructions = field(default_factory=Instructions)

    async def held(self, made: Plan, workspace: Scope, run: Run, *, reserve: bool = True) -> BrakeVerdict:
        """Reserves this hour's share for everything that nothing stops.

        What `run` has just made for another workspace is not a change that somebody reverted. If it raises
        `AzureFailureError`, nothing may be written.
        """
        actions = made.actions
        if not actions:
            return BrakeVerdict()
        if self.instructions.stopped:
            refusal = Refusal(Guard.KILL_SWITCH, f"the app setting {_SETTING} stops all changes")
            return BrakeVerdict({action.action_id: refusal for action in actions})
        tagged, over, marks, before = await asyncio.gather(
            stopped_by_tag(actions, workspace, self.azure),
            self._counted(actions, reserve),
            self._undone(actions),
            self._past(actions, run),
        )
        judged = {} if self.instructions.again else history.contested(before, self.terms.contested_after)
        trigger = run.trigger
        changed = Scope.parse(trigger.resource) if trigger.resource else None
        known = [action for action in actions if action.action_id in before]
        by = {one.action_id: history.reversed_by(one, changed, trigger.caller_object_id) for one in known}
        # The first that objects gives the word, in the order of `Guard`.
        refusals = ChainMap(tagged, _undone(marks), judged, over)
        return BrakeVerdict(
            with_what_follows(made, refusals),
            tuple(
                history.finding(action, judged[action.action_id], workspace)
                for action in known
                if action.action_id in judged
            ),
            {
                action.action_id: history.restored(action, before[action.action_id], by[action.action_id])
                for action in known
            },
            by | {action_id: mark.by or history.SOMEBODY for action_id, mark in marks.items()},
        )

    async def _past(self, actions: Sequence[Change], run: Run) -> dict[str, history.Past]:
        """Without a log workspace nobody can tell. If there is one and it does not answer, that is a failure."""
        asked = [action for action in actions if counted(action)]
        if not asked:
            return {}
        file = self.instructions.file
        logged = await self.azure.logs(history.query(asked)) or ()
        filed = await file.of_actions({one.action_id for one in asked}) if file else ()
        return history.past(row for row in (*logged, *filed) if row.get("RunId") != run.id)

    async def _undone(self, actions: Sequence[Change]) -> dict[str, Mark]:
        if self.store is None or self.instructions.again:
            return {}
        marks = await Undone(self.store).marks()
        return {one.action_id: marks[one.action_id] for one in actions if one.action_id in marks}

    async def _counted(self, actions: Sequence[Change], reserve: bool) -> dict[str, Refusal]:
        now = self.azure.now()
        if self.store is None:
            return {} if self.instructions.by_hand else _nowhere_to_count(actions)
        name, until = f"{_FOLDER}{now:%Y-%m-%dT%H}", f"{now + timedelta(hours=1):%H}:00 UTC"
        refusals: dict[str, Refusal] = {}

        def count(data: bytes | None) -> bytes | None:
            nonlocal refusals
            spent = decoded(name, data, Spent) if data else Spent()
            now_spent, refusals = allot(spent, actions, self.terms.caps, until)
            return msgspec.json.encode(now_spent) if reserve and now_spent != spent else None

        known = self.memory.recall(name)
        written = await update(self.store, name, count, known)
        if written:
            self.memory.remember(name, written)
        if written and known is None:
            await self._tidy(name)
        return refusals

    async def _tidy(self, this_hour: str) -> None:
        """The first run of an hour removes the documents of earlier hours."""
        if self.store:
            for name in await self.store.names(_FOLDER):
                if name < this_hour:
                    await self.store.delete(name)


def _undone(marks: Mapping[str, Mark]) -> dict[str, Refusal]:
    return {
        action_id: Refusal(
            Guard.UNDONE,
            f"{mark.by or 'a person'} took it back at {mark.at:%Y-%m-%d %H:%M} UTC (amlguard undo {mark.run}); "
            "`amlguard apply --again` makes it once more",
        )
        for action_id, mark in marks.items()
    }


def _nowhere_to_count(actions: Sequence[Change]) -> dict[str, Refusal]:
    reason = "changes an hour cannot be counted: set AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri"
    return {action.action_id: Refusal(Guard.CAP_HOUR, reason) for action in actions}
