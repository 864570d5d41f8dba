"""What can still stop a plan's changes: the kill switch, how many were made this hour, and that somebody reverts them.

They are checked while the intent is being recorded, so that they cost an event no time. Both come before the first
write.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from shared.access import history
from shared.access.actions import Plan, Refusal
from shared.access.asks import Finding
from shared.access.caps import Change, Spent, allot, counted, target, with_what_follows
from shared.access.raw import tags
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.memory import Memory
from shared.messages import Trigger
from shared.ports import Reads, RunRecords, Store
from shared.state.document import update
from shared.state.undone import Undone

TAG = "amlguard"
_GOES_ON = "on"
_SETTING = "AMLGUARD_KILL_SWITCH"
_FOLDER = "caps/"


@dataclass(frozen=True, slots=True)
class BrakeVerdict:
    """What is withheld, and what to say about changes that were made before, both by action id."""

    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    restored: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brakes:
    """`stopped` is the app's setting. `by_hand`: a person makes the changes, which count if there is a store.

    `again`: a person wants changes that were undone or contested. `file` remembers beside the log.
    """

    azure: Reads
    store: Store | None
    terms: Terms
    memory: Memory
    stopped: bool = False
    by_hand: bool = False
    again: bool = False
    file: RunRecords | None = None

    async def held(self, made: Plan, workspace: Scope, trigger: Trigger, *, reserve: bool = True) -> BrakeVerdict:
        """Reserves this hour's share for what nothing stops. If it raises `AzureFailureError`, nothing may go on."""
        actions = made.actions
        if not actions:
            return BrakeVerdict()
        if self.stopped:
            refusal = Refusal("kill-switch", f"the app setting {_SETTING} stops all changes")
            return BrakeVerdict({action.action_id: refusal for action in actions})
        tagged, over, undone, before = await asyncio.gather(
            self._tagged(actions, workspace),
            self._counted(actions, reserve),
            self._undone(actions),
            self._past(actions),
        )
        judged = {} if self.again else history.contested(before, self.terms.contested_after)
        changed = Scope.parse(trigger.resource) if trigger.resource else None
        known = [action for action in actions if action.action_id in before]
        return BrakeVerdict(
            with_what_follows(made, over | judged | undone | tagged),
            tuple(
                history.finding(action, judged[action.action_id], workspace)
                for action in known
                if action.action_id in judged
            ),
            {
                action.action_id: history.restored(action, before[action.action_id], changed, trigger.caller_object_id)
                for action in known
            },
        )

    async def _past(self, actions: Sequence[Change]) -> dict[str, history.Past]:
        """Without a log workspace nobody can tell. If there is one and it does not answer, that is a failure."""
        asked = [action for action in actions if counted(action)]
        if not asked:
            return {}
        logged = history.past(await self.azure.logs(history.query(asked)) or ())
        if self.file is None:
            return logged
        filed = history.past(await self.file.summary({one.action_id for one in asked}))
        return history.together(logged, filed)

    async def _undone(self, actions: Sequence[Change]) -> dict[str, Refusal]:
        if self.store is None or self.again:
            return {}
        marks = await Undone(self.store).marks()
        return {
            action.action_id: Refusal(
                "undone",
                f"{mark.by or 'a person'} took it back at {mark.at:%Y-%m-%d %H:%M} UTC (amlguard undo {mark.run}); "
                "`amlguard apply --again` makes it once more",
            )
            for action in actions
            if (mark := marks.get(action.action_id))
        }

    async def _tagged(self, actions: Sequence[Change], workspace: Scope) -> dict[str, Refusal]:
        """Changes in a resource group whose tag says stop, or for a workspace in one. A tag never allows anything."""
        groups = {scope: scope.resource_group for scope in (workspace, *map(target, actions))}
        wanted = sorted({group for group in groups.values() if group}, key=str)
        raws = await asyncio.gather(*(self.azure.resource(group) for group in wanted))
        stopped = {
            group: value
            for group, raw in zip(wanted, raws, strict=True)
            if (value := tags(raw).get(TAG, _GOES_ON)).casefold() != _GOES_ON
        }
        refusals = {}
        for action in actions:
            for group in (groups[workspace], groups[target(action)]):
                if group in stopped:
                    reason = (
                        f"resource group {group.name} carries the tag {TAG}={stopped[group]}: without it this goes on"
                    )
                    refusals[action.action_id] = Refusal("kill-switch", reason)
        return refusals

    async def _counted(self, actions: Sequence[Change], reserve: bool) -> dict[str, Refusal]:
        hour = self.azure.now().replace(minute=0, second=0, microsecond=0)
        if self.store is None:
            return {} if self.by_hand else _nowhere_to_count(actions)
        name, until = f"{_FOLDER}{hour:%Y-%m-%dT%H}", f"{hour + timedelta(hours=1):%H:%M} UTC"
        refusals: dict[str, Refusal] = {}

        def count(data: bytes | None) -> bytes | None:
            spent = msgspec.json.decode(data, type=Spent) if data else Spent()
            now_spent, over = allot(spent, actions, self.terms.caps, until)
            refusals.clear()
            refusals.update(over)
            return msgspec.json.encode(now_spent) if reserve and now_spent != spent else None

        known = self.memory.recall(name)
        written = await update(self.store, name, count, known)
        if written:
            self.memory.remember(name, written)
        if written and known is None:
            await self._tidy(hour)
        return refusals

    async def _tidy(self, hour: datetime) -> None:
        """The first run of an hour removes the documents of earlier hours."""
        if self.store:
            for name in await self.store.names(_FOLDER):
                if name < f"{_FOLDER}{hour:%Y-%m-%dT%H}":
                    await self.store.delete(name)


def _nowhere_to_count(actions: Sequence[Change]) -> dict[str, Refusal]:
    reason = "changes an hour cannot be counted: set AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri"
    return {action.action_id: Refusal("cap-hour", reason) for action in actions}
