"""What can still stop a plan's changes: the kill switch, and how many were made this hour.

Looked at while the intent is being recorded, so that it costs an event no time; both come before the first write.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import uniform

import msgspec

from shared.access.allotment import Change, Spent, allot, target, with_what_follows
from shared.access.outcomes import Plan
from shared.access.raw import tags
from shared.access.refusal import Refusal
from shared.access.scope import Scope
from shared.access.terms import Terms
from shared.memory import Memory
from shared.ports import AzureFailureError, ConflictError, Reads, Store, Stored

TAG = "amlguard"
_GOES_ON = "on"
_MOST_CONFLICTS = 12
_SETTING = "AMLGUARD_KILL_SWITCH"
_FOLDER = "caps/"


@dataclass(frozen=True, slots=True)
class Brakes:
    """`stopped` is the app's setting. `by_hand`: a person at a desk, whose changes count where there is a store."""

    azure: Reads
    store: Store | None
    terms: Terms
    memory: Memory
    stopped: bool = False
    by_hand: bool = False

    async def refusals(self, made: Plan, workspace: Scope) -> dict[str, Refusal]:
        """By action id; reserves this hour's share for the rest. Raises `AzureFailureError`: then nothing may go on."""
        actions = made.actions
        if not actions:
            return {}
        if self.stopped:
            refusal = Refusal("kill-switch", f"the app setting {_SETTING} stops all changes")
            return {action.action_id: refusal for action in actions}
        tagged, over = await asyncio.gather(self._tagged(actions, workspace), self._reserve(actions))
        return with_what_follows(made, over | tagged)

    async def _tagged(self, actions: Sequence[Change], workspace: Scope) -> dict[str, Refusal]:
        """Changes in, or for a workspace in, a resource group whose tag says stop. A tag allows nothing."""
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

    async def _reserve(self, actions: Sequence[Change]) -> dict[str, Refusal]:
        hour = self.azure.now().replace(minute=0, second=0, microsecond=0)
        if self.store is None:
            return {} if self.by_hand else _nowhere_to_count(actions)
        name, until = f"{_FOLDER}{hour:%Y-%m-%dT%H}", f"{hour + timedelta(hours=1):%H:%M} UTC"
        stored = self.memory.recall(name) or await self.store.read(name)
        for _ in range(_MOST_CONFLICTS):
            spent = msgspec.json.decode(stored.data, type=Spent) if stored else Spent()
            now_spent, refusals = allot(spent, actions, self.terms.caps, until)
            if now_spent == spent:
                return refusals
            data = msgspec.json.encode(now_spent)
            try:
                etag = await self.store.write(name, data, stored.etag if stored else None)
            except ConflictError:  # another instance was faster
                await asyncio.sleep(uniform(0.01, 0.1))  # noqa: S311 - spreads instances out, no secret
                stored = await self.store.read(name)
                continue
            self.memory.remember(name, Stored(data, etag))
            if stored is None:
                await self._tidy(hour)
            return refusals
        raise AzureFailureError("count changes", "Conflict", "too many instances count at once; it is tried again")

    async def _tidy(self, hour: datetime) -> None:
        """The hour's first run removes the documents of hours that are over."""
        if self.store:
            for name in await self.store.names(_FOLDER):
                if name < f"{_FOLDER}{hour:%Y-%m-%dT%H}":
                    await self.store.delete(name)


def _nowhere_to_count(actions: Sequence[Change]) -> dict[str, Refusal]:
    reason = "changes an hour cannot be counted: set AzureWebJobsStorage or AzureWebJobsStorage__blobServiceUri"
    return {action.action_id: Refusal("cap-hour", reason) for action in actions}
